"""The number of an order as people quote it."""

from collections.abc import Mapping

from domain.product import Product

PREFIXES: Mapping[Product, str] = {"tutoring": "4AS", "training": "DOJO"}


def order_number(product: Product, number: int) -> str:
    """`4AS-000123` of sessions, `DOJO-000123` of trainings. All orders are counted together."""
    return f"{PREFIXES[product]}-{number:06d}"
