-- An e-mail has one spelling: its domain is kept in ASCII, so that a domain with accents is one account.
-- Every e-mail stored so far is ASCII: nothing else was let in.

ALTER TABLE users ADD CONSTRAINT users_email_in_ascii CHECK (octet_length(email::text) = length(email::text));
