"""Getting into an account and keeping it: signing in and out, passwords, one's own profile."""
