"""Whose cart is whose, whatever is in it: its owner, its product, its coupon and its version."""
