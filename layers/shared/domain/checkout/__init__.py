"""Turning a cart into a paid order: the frozen snapshot, the payment, and the one settlement routine."""
