"""Who buys: looks for a time, holds it, pays, follows the payment, signs in, cancels; or leaves on the way."""

import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from domain.clock import TORONTO
from tests.faults.client import Client, GaveUp
from tests.faults.contract import Exchange
from tests.support.world import FORM, form

COURSES = (
    "francais-secondaire",
    "mathematiques-secondaire",
    "sciences-secondaire",
    "anglais-langue-seconde",
    "calcul-differentiel-cegep",
    "physique-mecanique-cegep",
)
COUPONS = ("SAVE10", "BIENVENUE20", "GRATUIT100", "RENTREE", "INCONNU")
PASSWORD = str(FORM["account"]["password"])
FOLLOWS_FOR_SECONDS = 120
HOLDS_AT_MOST = 40
"""Sessions that a client leaves held; then they take them out again, or nothing would be free for long."""


@dataclass(frozen=True)
class Person:
    """Somebody with an account."""

    email: str


@dataclass
class Promised:
    """What was answered as done. All of it must be there at the end."""

    orders: set[str] = field(default_factory=set)
    cancelled: set[str] = field(default_factory=set)


@dataclass
class Buyer:
    """One client who plays one person after the other."""

    client: Client
    promised: Promised
    people: list[Person] = field(default_factory=list)
    visits: int = 0
    left_held: int = 0

    def live(self, closing_time: threading.Event) -> None:
        """Visit after visit. What goes wrong in the harness itself is a violation too: nobody must fall silent."""
        while not closing_time.is_set():
            try:
                self._visit()
                self.client.tally.did("visits")
            except GaveUp as gave_up:
                self.client.tally.did(f"visits given up at {gave_up}")
            except Exception as error:
                self.client.tally.violated(f"{self.client.name} fell: {type(error).__name__}: {error}")
                raise
            finally:
                self.client.cookies.clear()
                self.client.being_paid = False

    def _visit(self) -> None:
        dice = self.client.dice
        self.visits += 1
        person = dice.choice(self.people) if self.people and dice.random() < 0.35 else None
        if person:
            self._signs_in(person)
        if person and dice.random() < 0.4:
            self._cancels()
            return
        if not self._chooses():
            return
        if dice.random() < 0.3:
            self.client.ask("PUT", "/v1/cart/coupon", {"code": dice.choice(COUPONS)})
        if dice.random() < 0.3:
            self.client.ask("GET", "/v1/cart")
        if dice.random() < 0.15:
            self._leaves()
            return
        self._pays(person)

    # --- The steps of a visit ---------------------------------------------------------------------------------

    def _signs_in(self, person: Person) -> None:
        credentials = {"email": person.email, "password": PASSWORD}
        self._expect(self.client.ask("POST", "/v1/auth/sign-in", credentials, headers=self._key()), 200)
        if self.client.dice.random() < 0.3:
            self._expect(self.client.ask("GET", "/v1/me"), 200)

    def _chooses(self) -> bool:
        """One or two sessions of one of their days, in the cart; answers whether there are any."""
        dice = self.client.dice
        slug = dice.choice(COURSES)
        course = self._expect(self.client.ask("GET", "/v1/courses/{slug}", slug=slug), 200)
        day, minutes = dice.choice(self.client.owner.days), dice.choice(("60", "60", "90"))
        query = {"date": day.isoformat(), "duration": minutes}
        free = self._expect(self.client.ask("GET", "/v1/courses/{slug}/slots", query=query, slug=slug), 200)[
            "slots"
        ]
        if not free:
            return False
        starts = [datetime.fromisoformat(dice.choice(free)["start"])]
        if dice.random() < 0.3:
            starts += [
                start
                for slot in free
                if abs((start := datetime.fromisoformat(slot["start"])) - starts[0]) >= timedelta(hours=2)
            ][:1]
        items = [
            {"course_id": course["id"], "start": start.isoformat(), "duration_min": int(minutes)}
            for start in starts
        ]
        added = self.client.ask("POST", "/v1/cart/items", {"items": items}, headers=self._key())
        # Who was told "try again" may find what they asked for done, and theirs or nobody's.
        return added.status == 201 or bool(self._expect(self.client.ask("GET", "/v1/cart"), 200)["items"])

    def _leaves(self) -> None:
        """Without buying: now and then their sessions stay held until they lapse."""
        items = self._expect(self.client.ask("GET", "/v1/cart"), 200)["items"]
        if self.left_held + len(items) <= HOLDS_AT_MOST and self.client.dice.random() < 0.5:
            self.left_held += len(items)
            return
        for item in items:
            self.client.ask("DELETE", "/v1/cart/items/{item_id}", item_id=item["id"])

    def _pays(self, person: Person | None) -> None:
        dice, client = self.client.dice, self.client
        email = person.email if person else f"{client.name}.{self.visits}@exemple.ca"
        asked: dict[str, Any] = {"billing": FORM["billing"]} if person else form(email)
        if person and dice.random() < 0.5:
            asked["credits_cad"] = "all"
        started = client.ask("POST", "/v1/checkout", asked, headers=self._key())
        if started.status == 201 and started.body["status"] == "requires_payment" and dice.random() < 0.15:
            # Another tab changes the cart, so that payment is withdrawn and asked for anew.
            client.ask("PUT", "/v1/cart/coupon", {"code": "SAVE10"})
            started = client.ask("POST", "/v1/checkout", asked, headers=self._key())
        if started.status != 201:
            raise GaveUp(f"POST /v1/checkout, {started.code}")
        checkout = started.body
        if checkout["status"] == "requires_payment":
            client.being_paid = True
            if dice.random() < 0.1:
                client.confirms(checkout["payment_intent_id"], "pm_card_chargeDeclined")
            if not client.confirms(checkout["payment_intent_id"], "pm_card_visa"):
                raise GaveUp("Stripe, which did not take the card")
            client.tally.did("payments")
        state = self._follows(checkout["checkout_id"])
        client.being_paid = False
        if state["status"] != "settled":
            client.tally.violated(
                f"{client.name} paid {checkout['checkout_id']} and was told {state['status']}"
            )
            return
        client.tally.did("orders")
        self.promised.orders.add(state["order"]["id"])
        if person is None:
            self.people.append(Person(email))
        if dice.random() < 0.3:
            self._cancels()

    def _follows(self, checkout_id: str) -> Any:
        """How the payment went, asked until it is known."""
        give_up_at = time.monotonic() + FOLLOWS_FOR_SECONDS
        while True:
            state = self._expect(
                self.client.ask("GET", "/v1/checkout/{checkout_id}", checkout_id=checkout_id), 200
            )
            if state["status"] in ("settled", "refunded", "failed") or time.monotonic() > give_up_at:
                return state
            time.sleep(self.client.dice.uniform(0.3, 1))

    def _cancels(self) -> None:
        page = self.client.ask("GET", "/v1/appointments", query={"filter": "upcoming"})
        if page.status == 401:  # the account was there before: who paid has to sign in
            return
        found = [item for item in self._expect(page, 200)["items"] if item["can_cancel"]]
        if not found:
            return
        which = self.client.dice.choice(found)["id"]
        answer = self.client.ask(
            "POST", "/v1/appointments/{appointment_id}/cancel", {}, headers=self._key(), appointment_id=which
        )
        if answer.status == 200:
            self.promised.cancelled.add(which)
            self.client.tally.did("sessions cancelled")

    def _key(self) -> dict[str, str]:
        """Every other request bears an idempotency key."""
        return {"idempotency-key": uuid4().hex} if self.client.dice.random() < 0.5 else {}

    def _expect(self, exchange: Exchange, status: int) -> Any:
        """The body of an answer without which the visit is over."""
        if exchange.status != status:
            raise GaveUp(f"{exchange.method} {exchange.path}, {exchange.code}")
        return exchange.body


def days_of(number: int, clients: int) -> list[Any]:
    """Of the days that can be booked, every so many one."""
    today = datetime.now(TORONTO).date()
    return [today + timedelta(days=ahead) for ahead in range(2, 58) if ahead % clients == number]
