"""Le Dojo Financier for one test: its trainings, and a guest who buys them."""

from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, Self
from uuid import UUID, uuid4

from tests.support.browser import Answer, Browser
from tests.support.world import World

ACCOUNT = {
    "email": "zoe@exemple.ca",
    "password": "motdepasse",
    "password_confirmation": "motdepasse",
}


@dataclass
class Dojo:
    """CCVM Volume 1 at 299.00 CAD for 365 days, and what a test adds."""

    world: World
    ccvm: UUID = field(init=False)

    def __post_init__(self) -> None:
        self.ccvm = self.training("ccvm-volume-1", "CCVM Volume 1", "299.00")

    def training(
        self,
        slug: str,
        title: str,
        price: str,
        *,
        days: int = 365,
        state: str = "published",
    ) -> UUID:
        training_id = uuid4()
        self.world.connection.execute(
            """
            INSERT INTO trainings (id, slug, category_id, title_fr, description_fr, price_cad, access_days, state,
                                   created_at, published_at)
            VALUES (%s, %s, (SELECT id FROM training_categories WHERE slug = 'professionnels'), %s, '', %s, %s, %s,
                    %s, %s)
            """,
            (training_id, slug, title, price, days, state, self.world.clock(), self.world.clock()),
        )
        return training_id

    def coupon(self, code: str, kind: str, value: str, *only: UUID, **columns: Any) -> UUID:
        """A coupon of Le Dojo's, for all trainings or `only` these."""
        coupon_id = uuid4()
        values = {
            "id": coupon_id,
            "product": "training",
            "code": code,
            "type": kind,
            "value": value,
        } | columns
        names = ", ".join(values)
        self.world.connection.execute(
            f"INSERT INTO coupons ({names}) VALUES ({', '.join(['%s'] * len(values))})",  # noqa: S608  a test's names
            list(values.values()),
        )
        for training_id in only:
            self.world.connection.execute(
                "INSERT INTO coupon_trainings (coupon_id, training_id) VALUES (%s, %s)",
                (coupon_id, training_id),
            )
        return coupon_id

    def change(self, training_id: UUID, **columns: Any) -> None:
        for name, value in columns.items():
            self.world.connection.execute(
                f"UPDATE trainings SET {name} = %s WHERE id = %s",  # noqa: S608  a test's names
                (value, training_id),
            )

    def enrolments(self) -> list[dict[str, Any]]:
        return self.world.rows("SELECT * FROM enrolments ORDER BY created_at, training_id")

    def buyer(self, email: str = "zoe@exemple.ca") -> "Learner":
        return Learner(self.world, email)


@dataclass
class Learner:
    """Somebody who buys trainings: a guest, unless they bring a browser that is signed in."""

    world: World
    email: str = "zoe@exemple.ca"
    signed_in: Browser | None = None
    started: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def browser(self) -> Browser:
        return self.signed_in or self.world.browser()

    def adds(self, training_id: UUID | str) -> Answer:
        return self.browser.post("/v1/trainings/cart/items", {"training_id": str(training_id)})

    def chooses(self, *training_ids: UUID) -> Self:
        for training_id in training_ids:
            answer = self.adds(training_id)
            assert answer.status == 201, answer.text
        return self

    def applies(self, code: str) -> Answer:
        return self.browser.put("/v1/trainings/cart/coupon", {"code": code})

    def uses_coupon(self, code: str) -> Self:
        answer = self.applies(code)
        assert answer.status == 200, answer.text
        return self

    def cart(self) -> dict[str, Any]:
        answer = self.browser.get("/v1/trainings/cart")
        assert answer.status == 200, answer.text
        cart: dict[str, Any] = answer.body
        return cart

    def sends_form(self, **changes: Any) -> Answer:
        account = None if self.signed_in else ACCOUNT | {"email": self.email} | changes
        return self.browser.post("/v1/trainings/checkout", {"account": account} if account else {})

    def starts(self) -> Self:
        answer = self.sends_form()
        assert answer.status == 201, answer.text
        self.started = answer.body
        return self

    def pays(self, card: str = "pm_card_visa") -> Self:
        self.world.pay(self.intent_id, card)
        return self

    def buys(self, *training_ids: UUID) -> Self:
        """The whole way, Stripe's webhook included."""
        self.chooses(*training_ids).starts().pays()
        assert [answer.status for answer in self.world.webhooks()] == [200]
        return self

    def asks(self, **headers: str) -> Answer:
        path = f"/v1/trainings/checkout/{self.started['checkout_id']}"
        return self.browser.request("GET", path, headers=headers)

    @property
    def intent_id(self) -> str:
        return str(self.started["payment_intent_id"])

    @property
    def amount(self) -> Decimal:
        return Decimal(self.started["amount_cad"])
