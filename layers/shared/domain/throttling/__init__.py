"""How often one address, or one e-mail, may do what could be abused (spec 4.0, X-73)."""
