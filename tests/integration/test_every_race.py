"""The races of spec 5.8, row by row: the rival comes at the worst point, the outcome is the one the table requires.

The worst point is made with locks: everybody has read that the way is free and waits to write, then all are let go.
Left out until there is such an operation: "Two admins mark the same item paid", and refunds by an administrator of
"Two partial refunds exceeding the total", whose rivals here are two refunds of Stripe's dashboard. The two rows about
an administrator's changes of an appointment are in test_appointment_races.py.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import pytest

from adapters.stripe_payments import stripe_payments
from domain.accounts.callers import Buyer
from domain.checkout.follow_refunds import follow_refunds
from domain.checkout.reconcile import reconcile
from domain.checkout.settle import settle
from domain.errors import Refused
from domain.payments.made_refunds import begin_reading
from domain.tutoring.models import StartCheckout
from tests.support.audit import closing_audit
from tests.support.booked_student import BookedStudent
from tests.support.guest import Guest
from tests.support.people import account, sign_in
from tests.support.race import at_once, while_locked
from tests.support.rush import HELD, adds, guest, rush, session
from tests.support.selling import SHOP, start_checkout
from tests.support.world import World, form, toronto, wanted

NINE = toronto(20, 9)
TEN = toronto(20, 10)
TWO = toronto(20, 14)

ROWS = (
    "Two guests add the same slot",
    "Guest hold vs logged-in user hold on one slot",
    "90-min hold at 09:00 vs new 60-min at 09:30 same tutor",
    "Hold expires during payment, slot re-held by another",
    "Two tabs of one user pay the same cart",
    "Tutor adds time off while a hold exists",
    "Reschedule into a slot held by a guest",
    "Two partial refunds exceeding the total",
    "Coupon with one use left, two checkouts",
    "Sign-in merge while a guest payment is open",
    "Payment races ahead of its cancellation by the job",
)


@dataclass
class Shop:
    """One course at 45.00 an hour, one tutor, free from nine to five."""

    world: World
    course: UUID = field(init=False)
    tutor: UUID = field(init=False)

    def __post_init__(self) -> None:
        self.course = self.world.school.course()
        self.tutor = self.world.school.tutor(self.course)

    @property
    def url(self) -> str:
        return str(self.world.connection.info.dsn)

    def pays_next(self, email: str = "zoe@exemple.ca", *starts: Any) -> Guest:
        sessions = [wanted(self.course, start, tutor=self.tutor) for start in starts or (TEN,)]
        return Guest(self.world, email).chooses(*sessions).starts()

    def sends(self, who: Guest) -> str:
        """Send the guest's form on a connection of its own: the intent, or the refusal's code."""
        buyer = Buyer.guest(who.browser.cookies["__Host-cart_session_id"])
        filled = StartCheckout.model_validate(form(who.email))
        with psycopg.connect(self.url, autocommit=True) as connection:
            try:
                started = start_checkout(
                    connection, stripe_payments(), buyer, filled, "pk", self.world.clock()
                )
            except Refused as refused:
                return refused.code
        return started.payment_intent_id or ""

    def settles(self, who: Guest) -> UUID | None:
        payment = stripe_payments().find_intent(who.intent_id)
        with psycopg.connect(self.url, autocommit=True) as connection:
            return settle(connection, UUID(who.checkout_id), payment, SHOP, self.world.clock())

    def sees_refunds(self, who: Guest) -> None:
        """What the webhook does with an event about a refund."""
        payment = stripe_payments().find_intent(who.intent_id)
        with psycopg.connect(self.url, autocommit=True) as connection:
            reading = begin_reading(connection, who.intent_id)
            made = stripe_payments().refunds_of(who.intent_id)
            received, now = payment.received_cents, self.world.clock()
            follow_refunds(connection, who.intent_id, made, reading, received, SHOP, now)

    def reconciles(self) -> dict[Any, int]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            now = self.world.clock()
            return reconcile(connection, stripe_payments(), SHOP, now, lambda: True).outcomes


type Row = Callable[[Shop], None]
TABLE: dict[str, Row] = {}


def row(name: str) -> Callable[[Row], Row]:
    def enter(play: Row) -> Row:
        TABLE[name] = play
        return play

    return enter


@pytest.mark.parametrize("name", ROWS)
def test_the_row(name: str, world: World) -> None:
    TABLE[name](Shop(world))
    # The books of this file know no accounts but those that buying has opened.
    world.connection.execute("UPDATE users SET password_hash = NULL WHERE email = 'ines@exemple.ca'")
    world.connection.execute("DELETE FROM auth_sessions")
    assert closing_audit(world.connection, world.stripe, world.clock()) == []


def test_the_table_is_complete() -> None:
    assert set(TABLE) == set(ROWS)


@row("Two guests add the same slot")
def two_guests(shop: Shop) -> None:
    want, now = session(shop.course, TEN, tutor=shop.tutor), shop.world.clock()
    said = rush(shop.url, adds(guest(), want, now=now), adds(guest(), want, now=now), all_see_it_free=True)
    assert sorted(said) == sorted([HELD, "SLOT_UNAVAILABLE"])


@row("Guest hold vs logged-in user hold on one slot")
def guest_and_student(shop: Shop) -> None:
    student = Buyer.student(shop.world.school.user("ines@exemple.ca"))
    want, now = session(shop.course, TEN, tutor=shop.tutor), shop.world.clock()
    said = rush(shop.url, adds(guest(), want, now=now), adds(student, want, now=now), all_see_it_free=True)
    assert sorted(said) == sorted([HELD, "SLOT_UNAVAILABLE"])


@row("90-min hold at 09:00 vs new 60-min at 09:30 same tutor")
def overlapping_starts(shop: Shop) -> None:
    now = shop.world.clock()
    long = session(shop.course, NINE, 90, shop.tutor)
    short = session(shop.course, NINE + timedelta(minutes=30), 60, shop.tutor)
    said = rush(shop.url, adds(guest(), long, now=now), adds(guest(), short, now=now), all_see_it_free=True)
    assert sorted(said) == sorted([HELD, "SLOT_UNAVAILABLE"])


@row("Hold expires during payment, slot re-held by another")
def re_held(shop: Shop) -> None:
    """The rival and the settlement both find the lapsed hold; whoever takes it first has it."""
    world = shop.world
    buyer = shop.pays_next()
    world.clock.advance(minutes=16)
    buyer.pays()
    want = session(shop.course, TEN, tutor=shop.tutor)

    def rival() -> str:
        with psycopg.connect(shop.url, autocommit=True) as connection:
            return adds(guest(), want, now=world.clock())(connection)

    with while_locked(shop.url, "SELECT FROM tutors FOR UPDATE", 2) as let_go:
        order, said, _ = at_once(partial(shop.settles, buyer), rival, let_go)
    assert order.result() is not None
    booked = world.count("appointments")
    assert (booked, said.result()) in ((1, "SLOT_UNAVAILABLE"), (0, HELD))
    world.reconcile()
    assert [refund["amount"] for refund in world.stripe.all("refund")] == [4500] * (1 - booked)


@row("Two tabs of one user pay the same cart")
def two_tabs(shop: Shop) -> None:
    world = shop.world
    buyer = Guest(world).chooses(wanted(shop.course, TEN))
    with while_locked(shop.url, "SELECT FROM carts FOR UPDATE", 2) as let_go:
        one, other, _ = at_once(partial(shop.sends, buyer), partial(shop.sends, buyer), let_go)
    assert one.result() == other.result()
    assert [intent["id"] for intent in world.stripe.all("payment_intent")] == [one.result()]

    world.pay(str(one.result()))
    assert [answer.status for answer in world.webhooks()] == [200]
    assert (world.count("orders"), world.count("refunds")) == (1, 0)


@row("Tutor adds time off while a hold exists")
def time_off(shop: Shop) -> None:
    buyer = shop.pays_next()
    shop.world.school.time_off(shop.tutor, TEN, TEN + timedelta(hours=1))
    buyer.pays()
    shop.world.webhooks()
    assert (shop.world.count("appointments"), shop.world.count("refunds")) == (1, 0)


@row("Reschedule into a slot held by a guest")
def reschedule_into_a_hold(shop: Shop) -> None:
    zoe = BookedStudent.of(shop.world, wanted(shop.course, TEN, tutor=shop.tutor))
    Guest(shop.world, "rival@exemple.ca").chooses(wanted(shop.course, TWO, tutor=shop.tutor))
    assert zoe.moves_to(TWO).code == "SLOT_UNAVAILABLE"
    assert shop.world.rows("SELECT start_datetime AS start FROM appointments") == [{"start": TEN}]


@row("Two partial refunds exceeding the total")
def two_refunds(shop: Shop) -> None:
    """Stripe refuses the second beyond the charge; the events of two that fit are followed at the same time, twice."""
    world = shop.world
    buyer = shop.pays_next()
    buyer.pays()
    world.webhooks()
    world.stripe.dashboard.refund(buyer.intent_id, 2500)
    with pytest.raises(Exception, match="greater than unrefunded"):
        world.stripe.dashboard.refund(buyer.intent_id, 2500)
    world.stripe.dashboard.refund(buyer.intent_id, 2000)
    with while_locked(shop.url, "SELECT FROM orders FOR UPDATE", 4) as let_go:
        futures = at_once(*[partial(shop.sees_refunds, buyer)] * 4, let_go)
    assert [future.exception() for future in futures] == [None] * 5
    assert world.rows("SELECT status::text, refunded_cad FROM orders") == [
        {"status": "refunded", "refunded_cad": Decimal("45.00")}
    ]
    assert world.count("refunds") == 2


@row("Coupon with one use left, two checkouts")
def last_use(shop: Shop) -> None:
    shop.world.school.coupon("SAVE10", max_redemptions=1)
    buyers = [
        Guest(shop.world, f"zoe{start:%H}@exemple.ca")
        .chooses(wanted(shop.course, start))
        .uses_coupon("SAVE10")
        for start in (TEN, TWO)
    ]
    with while_locked(shop.url, "LOCK TABLE coupons IN SHARE MODE", 2) as let_go:
        one, other, _ = at_once(*(partial(shop.sends, buyer) for buyer in buyers), let_go)
    said = {one.result(), other.result()}
    assert "COUPON_INVALID" in said
    assert [intent["id"] for intent in shop.world.stripe.all("payment_intent")] == list(
        said - {"COUPON_INVALID"}
    )


@row("Sign-in merge while a guest payment is open")
def merge_while_paying(shop: Shop) -> None:
    world = shop.world
    account(world, "ines@exemple.ca")
    buyer = shop.pays_next("zoe@exemple.ca")
    assert sign_in(buyer.browser, "ines@exemple.ca").status == 200
    assert world.rows("SELECT status::text FROM checkouts") == [{"status": "cancelled"}]

    world.clock.advance(minutes=2)
    assert world.reconciliation()["checkouts_cancelled"] == 1
    assert [intent["status"] for intent in world.stripe.all("payment_intent")] == ["canceled"]


@row("Payment races ahead of its cancellation by the job")
def paid_while_cancelled(shop: Shop) -> None:
    """The job has read that nobody paid and is about to cancel; the buyer pays in between."""
    world = shop.world
    buyer = shop.pays_next()
    world.clock.advance(hours=25)
    cancelling = world.stripe.faults.add("stall", method="POST", path="/v1/payment_intents/*/cancel")

    def pays() -> None:
        assert cancelling.reached.wait(20)
        buyer.pays()
        world.stripe.webhooks.take()  # and the webhook is lost
        cancelling.release()

    done, _ = at_once(shop.reconciles, pays)
    assert done.result() == {"settled": 1, "processing": 0, "cancelled": 0, "waiting": 0}
    assert (world.count("orders"), world.count("appointments"), world.count("refunds")) == (1, 1, 0)
