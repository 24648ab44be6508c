"""The two products of the house. What both share knows no more of them than their names."""

from typing import Literal

type Product = Literal["tutoring", "training"]
"""What a cart, a checkout, an order or a coupon is of: sessions with a tutor (4AS), or online courses (Le Dojo)."""
