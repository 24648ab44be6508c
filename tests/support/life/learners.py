"""People of the school who also follow trainings of Le Dojo: they buy access, as guests or signed in."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random
from uuid import UUID

from adapters import database
from adapters.stripe_payments import stripe_payments
from domain.accounts.callers import Buyer
from domain.checkout.models import CheckoutStarted
from domain.checkout.start_checkout import start_checkout
from domain.training.change_cart import add_training, apply_coupon, remove_training
from domain.training.checkout_models import StartTrainingCheckout
from domain.training.look_at_cart import view_cart
from domain.training.read_request import read_request
from tests.support.dojo import ACCOUNT, Dojo
from tests.support.selling import SHOP
from tests.support.world import World

COUPON = "DOJO10"


class Learners:
    """`pays` is how a person of the school pays a checkout of a product."""

    def __init__(
        self,
        dice: Random,
        world: World,
        tally: Counter[str],
        pays: Callable[[CheckoutStarted, Buyer], None],
    ) -> None:
        self._dice, self._world, self._tally, self._pays = dice, world, tally, pays
        dojo = Dojo(world)
        dojo.coupon(COUPON, "percent", "10", max_per_person=1)
        self._trainings: Sequence[UUID] = [
            dojo.ccvm,
            *(dojo.training(f"cours-{n}", f"Cours {n}", f"{40 + n}.99", days=n) for n in range(1, 5)),
        ]

    @property
    def _now(self) -> datetime:
        return self._world.clock()

    def buys(self, buyer: Buyer, email: str) -> None:
        """Choose one or two trainings, sometimes with a coupon, and pay; what is left of another day goes first."""
        connection = database.connection()
        for item in view_cart(connection, buyer, self._now).items:
            remove_training(connection, buyer, item.id, self._now)
        for training_id in self._dice.sample(self._trainings, k=self._dice.choice([1, 1, 2])):
            add_training(connection, buyer, lambda: buyer, training_id, self._now)
        if self._dice.random() < 0.3:
            apply_coupon(connection, buyer, lambda: buyer, COUPON, self._now)
        if self._dice.random() < 0.1:
            self._tally["cart of trainings abandoned"] += 1
            return
        form = StartTrainingCheckout.model_validate(
            {} if buyer.user_id else {"account": ACCOUNT | {"email": email}}
        )
        started = start_checkout(
            connection,
            stripe_payments(),
            SHOP,
            "training",
            buyer,
            read_request(buyer, form),
            "pk",
            self._now,
        )
        self._tally["checkouts of trainings"] += 1
        self._pays(started, buyer)
