"""The only room that knows both products: which there are, and what is asked of both at once."""
