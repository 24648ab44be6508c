"""A whole small business for one test: a clock, a database, Stripe, visitors."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import dict_row
from stripe import StripeClient

from domain.clock import TORONTO
from functions.payment_reconciliation import app as payment_reconciliation
from local.stripe_double import StripeDouble
from tests.support.browser import CONTEXT, Answer, Browser
from tests.support.school import School

MONDAY_NOON = datetime(2027, 1, 18, 12, tzinfo=TORONTO)

FORM: dict[str, Any] = {
    "account": {
        "email": "Zoe@Exemple.ca ",
        "first_name": "Zoé",
        "last_name": "Tremblay",
        "phone": "514 555-0123",
        "password": "motdepasse",
        "password_confirmation": "motdepasse",
    },
    "billing": {"address": "1, rue Principale", "city": "Québec", "province": "QC", "country": "CA"},
}


class Clock:
    """The time everybody in the test agrees on."""

    def __init__(self, now: datetime = MONDAY_NOON) -> None:
        self.now = now.astimezone(UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> None:
        self.now += timedelta(**duration)


def toronto(day: int, hour: int, minute: int = 0, month: int = 1, year: int = 2027) -> datetime:
    """A wall-clock time in Toronto."""
    return datetime(year, month, day, hour, minute, tzinfo=TORONTO)


def form(email: str) -> dict[str, Any]:
    """A guest's checkout form with that e-mail."""
    return FORM | {"account": FORM["account"] | {"email": email}}


@dataclass
class World:
    clock: Clock
    connection: Connection[Any]
    stripe: StripeDouble
    school: School

    def browser(self) -> Browser:
        return Browser(self.clock)

    def add(
        self, browser: Browser, course: UUID, start: datetime, minutes: int = 60, tutor: UUID | None = None
    ) -> Answer:
        return browser.post("/v1/cart/items", {"items": [wanted(course, start, minutes, tutor)]})

    @cached_property
    def stripe_client(self) -> StripeClient:
        """Somebody else who speaks to Stripe: the browser, a colleague with the key."""
        return StripeClient(
            self.stripe.secret_key, base_addresses={"api": self.stripe.url}, max_network_retries=0
        )

    def pay(self, intent_id: str, card: str = "pm_card_visa") -> None:
        """What Stripe.js does in the browser."""
        self.stripe_client.v1.payment_intents.confirm(intent_id, {"payment_method": card})

    def webhooks(self, kind: str = "payment_intent.succeeded") -> list[Answer]:
        """Deliver the events of that kind that Stripe has waiting."""
        return [self.deliver(message) for message in self.stripe.webhooks.take(kind)]

    def deliver(self, message: Any) -> Answer:
        return self.browser().post(
            "/v1/stripe/webhook",
            message.body.decode(),
            stripe_signature=message.headers["Stripe-Signature"],
        )

    def reconcile(self) -> dict[str, int]:
        """Run the reconciliation; answers how many refunds it paid, and how many it could not."""
        done = self.reconciliation()
        return {name: done[name] for name in ("refunds_paid", "refunds_waiting")}

    def reconciliation(self) -> dict[str, int]:
        """Run the reconciliation; answers everything it says it did."""
        return payment_reconciliation.lambda_handler({"time": self.clock().isoformat()}, CONTEXT)

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        return self.connection.cursor(row_factory=dict_row).execute(statement, values).fetchall()

    def count(self, table: str) -> int:
        return int(self.rows(f"SELECT count(*) AS n FROM {table}")[0]["n"])  # noqa: S608  test tables


def wanted(course: UUID, start: datetime, minutes: int = 60, tutor: UUID | None = None) -> dict[str, Any]:
    """One element of the list that POST /v1/cart/items takes."""
    session = {"course_id": str(course), "start": start.isoformat(), "duration_min": minutes}
    return session | ({"tutor_id": str(tutor)} if tutor else {})
