"""Everything that is sold here: a line for each product."""

from domain.cart.cart import MAX_HOLDS
from domain.checkout.sale import Shop
from domain.training.sale import AccessSale
from domain.tutoring.sale import SessionSale
from domain.webhooks.outbox import Environment


def shop_of(environment: Environment, max_holds: int = MAX_HOLDS) -> Shop:
    """The sales of every product; `max_holds` is how many times a cart of sessions holds at once."""
    return Shop(
        {
            "tutoring": SessionSale(max_holds),
            "training": AccessSale(),
        },
        environment,
    )
