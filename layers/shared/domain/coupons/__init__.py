"""Discount codes: whether they can be used and what they take off an order. They know nothing of what is sold."""
