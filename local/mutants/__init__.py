"""Whether the tests notice a small change: one at a time is made to a copy of the core and its SQL, and tests run."""
