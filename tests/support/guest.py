"""A guest who buys: what they choose, the form they send, what the shop answered."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

from tests.support.browser import Answer, Browser
from tests.support.world import World, form


@dataclass
class Guest:
    world: World
    email: str = "zoe@exemple.ca"
    started: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def browser(self) -> Browser:
        return self.world.browser()

    def chooses(self, *sessions: dict[str, Any]) -> Self:
        answer = self.browser.post("/v1/cart/items", {"items": list(sessions)})
        assert answer.status == 201, answer.text
        return self

    def drops(self, *, item: int) -> Self:
        answer = self.browser.delete(f"/v1/cart/items/{self.cart['items'][item]['id']}")
        assert answer.status == 200, answer.text
        return self

    def uses_coupon(self, code: str) -> Self:
        answer = self.browser.put("/v1/cart/coupon", {"code": code})
        assert answer.status == 200, answer.text
        return self

    def sends_form(self, **changes: Any) -> Answer:
        """POST /v1/checkout; `changes` replace whole members of the form."""
        return self.browser.post("/v1/checkout", form(self.email) | changes)

    def starts(self) -> Self:
        answer = self.sends_form()
        assert answer.status == 201, answer.text
        self.started = answer.body
        return self

    def pays(self, card: str = "pm_card_visa") -> Self:
        self.world.pay(self.intent_id, card)
        return self

    def books(self, *sessions: dict[str, Any]) -> Self:
        """The whole way, Stripe's webhook included."""
        self.chooses(*sessions).starts().pays()
        assert [answer.status for answer in self.world.webhooks()] == [200]
        return self

    def asks(self, **headers: str) -> Answer:
        """GET /v1/checkout/{checkout_id}, as the page does while the payment is on its way."""
        return self.browser.request("GET", f"/v1/checkout/{self.checkout_id}", headers=headers)

    @property
    def cart(self) -> dict[str, Any]:
        body: dict[str, Any] = self.browser.get("/v1/cart").body
        return body

    @property
    def checkout_id(self) -> str:
        return str(self.started["checkout_id"])

    @property
    def intent_id(self) -> str:
        return str(self.started["payment_intent_id"])

    @property
    def client_secret(self) -> str:
        return str(self.started["client_secret"])
