"""What is sold here, under this deployment's settings."""

from adapters.settings import environment, max_holds
from domain.checkout.sale import Shop
from domain.products.registry import shop_of


def shop() -> Shop:
    """Every product's sale, telling of itself as this environment."""
    return shop_of(environment(), max_holds())
