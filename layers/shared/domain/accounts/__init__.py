"""People: who is calling, their accounts, their sessions."""
