"""What a visitor can do about a training: what the button beside it says."""

from typing import Literal

type Access = Literal["active", "expired"]
"""Of somebody who is or was enrolled in a training."""
type CallToAction = Literal["BUY", "IN_CART", "ENROLLED", "EXPIRED"]


def cta(in_cart: bool, access: Access | None) -> CallToAction:
    """Who may enter need not buy; who has chosen it need not choose it again, not even to renew what has expired."""
    if access == "active":
        return "ENROLLED"
    if in_cart:
        return "IN_CART"
    return "EXPIRED" if access == "expired" else "BUY"
