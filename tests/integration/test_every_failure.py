"""The failures of spec 5.7, row by row: each ends as the table promises, and the books fit together after it."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

import psycopg
import pytest

from adapters.stripe_payments import stripe_payments
from domain.accounts.callers import Buyer
from domain.checkout.settle import settle
from domain.products.follow_checkout import follow_checkout
from domain.returns.resolve import resolve
from local.stripe_double.faults import Kind
from tests.support.audit import closing_audit
from tests.support.guest import Guest
from tests.support.people import account, signed_in
from tests.support.race import at_once, while_locked
from tests.support.selling import SHOP
from tests.support.tables import contents
from tests.support.world import World, toronto, wanted

TEN = toronto(20, 10)
TWO = toronto(20, 14)

ROWS = (
    "Card declined",
    "3-D Secure abandoned",
    "Logged-in buyer lands on the dashboard before the webhook",
    "Browser closed after payment (guest)",
    "Webhook delayed or lost",
    "Webhook replay",
    "Two webhooks in parallel",
    "Finalisation and webhook in parallel (guest)",
    "Database failure during settlement",
    "Snapshot missing",
    "Amount mismatch",
    "Slot taken at settlement",
    "Course/tutor price changed after snapshot",
    "Cart changed after intent creation",
    "Coupon expired between snapshot and payment",
    "Make.com down",
    "Account creation fails after payment",
    "Stripe API down at refund",
    "Chargeback / dashboard refund",
)

type Row = Callable[[World, Guest], None]
TABLE: dict[str, Row] = {}


def row(name: str) -> Callable[[Row], Row]:
    def enter(play: Row) -> Row:
        TABLE[name] = play
        return play

    return enter


@pytest.fixture
def buyer(world: World) -> Guest:
    """Somebody who has been given a payment of 45.00 to make for one session."""
    course = world.school.course()
    world.school.tutor(course)
    return Guest(world).chooses(wanted(course, TEN)).starts()


def the_course(world: World) -> UUID:
    course: UUID = world.rows("SELECT id FROM courses")[0]["id"]
    return course


def booked(world: World) -> tuple[int, int, int]:
    return world.count("orders"), world.count("appointments"), world.count("refunds")


@pytest.mark.parametrize("name", ROWS)
def test_the_row(name: str, world: World, buyer: Guest) -> None:
    TABLE[name](world, buyer)
    assert closing_audit(world.connection, world.stripe, world.clock()) == []


def test_the_table_is_complete() -> None:
    assert set(TABLE) == set(ROWS)


@row("Card declined")
def card_declined(world: World, buyer: Guest) -> None:
    with pytest.raises(Exception, match="declined"):
        buyer.pays("pm_card_chargeDeclined")
    assert [answer.status for answer in world.webhooks("payment_intent.payment_failed")] == [200]
    assert world.rows("SELECT type FROM webhook_events") == [{"type": "payment_intent.payment_failed"}]
    assert (world.count("time_claims"), buyer.asks().body["status"]) == (1, "requires_payment")

    buyer.pays()
    world.webhooks()
    assert booked(world) == (1, 1, 0)


@row("3-D Secure abandoned")
def three_d_secure_abandoned(world: World, buyer: Guest) -> None:
    buyer.pays("pm_card_authenticationRequired")
    world.clock.advance(hours=24)
    assert world.reconciliation()["checkouts_cancelled"] == 1
    assert [intent["status"] for intent in world.stripe.all("payment_intent")] == ["canceled"]
    assert (booked(world), buyer.asks().body["status"]) == ((0, 0, 0), "failed")


@row("Logged-in buyer lands on the dashboard before the webhook")
def logged_in_and_early(world: World, buyer: Guest) -> None:
    account(world, "ines@exemple.ca")
    student = Guest(world, "ines@exemple.ca")
    student.__dict__["browser"] = signed_in(world, "ines@exemple.ca")
    student.chooses(wanted(the_course(world), TWO))
    answer = student.browser.post("/v1/checkout", {"billing": BILLING})
    student.started = answer.body
    student.pays()

    assert student.asks().body["status"] == "settled"
    assert booked(world) == (1, 1, 0)
    # The books of this file know no accounts and sessions but those that buying has opened.
    world.connection.execute("DELETE FROM auth_sessions")
    world.connection.execute("UPDATE users SET password_hash = NULL WHERE email = 'ines@exemple.ca'")


BILLING = {"address": "1, rue Principale", "city": "Québec", "province": "QC", "country": "CA"}


@row("Browser closed after payment (guest)")
def browser_closed(world: World, buyer: Guest) -> None:
    buyer.pays()
    assert [answer.status for answer in world.webhooks()] == [200]
    assert booked(world) == (1, 1, 0)
    assert world.rows("SELECT email::text FROM users WHERE role = 'student'") == [{"email": "zoe@exemple.ca"}]


@row("Webhook delayed or lost")
def webhook_lost(world: World, buyer: Guest) -> None:
    buyer.pays()
    (late,) = world.stripe.webhooks.take("payment_intent.succeeded")
    world.clock.advance(minutes=5)
    assert world.reconciliation()["checkouts_settled"] == 1
    assert booked(world) == (1, 1, 0)
    before = contents(world.connection, besides=["webhook_events"])
    assert world.deliver(world.stripe.webhooks.message(late.event_id)).status == 200
    assert contents(world.connection, besides=["webhook_events"]) == before


@row("Webhook replay")
def webhook_replay(world: World, buyer: Guest) -> None:
    buyer.pays()
    (message,) = world.stripe.webhooks.take("payment_intent.succeeded")
    world.deliver(message)
    before = contents(world.connection, besides=["webhook_events"])
    assert [world.deliver(message).status for _ in range(3)] == [200, 200, 200]
    assert contents(world.connection, besides=["webhook_events"]) == before


@row("Two webhooks in parallel")
def two_webhooks(world: World, buyer: Guest) -> None:
    buyer.pays()
    with while_locked(world.connection.info.dsn, "SELECT FROM carts FOR UPDATE", 2) as let_go:
        one, other, _ = at_once(partial(settles, world, buyer), partial(settles, world, buyer), let_go)
    assert one.result() == other.result()
    assert booked(world) == (1, 1, 0)


@row("Finalisation and webhook in parallel (guest)")
def status_call_and_webhook(world: World, buyer: Guest) -> None:
    buyer.pays()
    with while_locked(world.connection.info.dsn, "SELECT FROM carts FOR UPDATE", 2) as let_go:
        status, order, _ = at_once(partial(asks, world, buyer), partial(settles, world, buyer), let_go)
    assert (status.result(), order.result() is None) == ("settled", False)
    assert booked(world) == (1, 1, 0)


@row("Database failure during settlement")
def database_fails(world: World, buyer: Guest) -> None:
    buyer.pays()
    (message,) = world.stripe.webhooks.take("payment_intent.succeeded")
    world.connection.execute("ALTER TABLE orders ADD CONSTRAINT broken CHECK (total_cad < 0)")
    before = contents(world.connection, besides=["webhook_events"])
    assert world.deliver(message).status == 500
    assert contents(world.connection, besides=["webhook_events"]) == before
    assert world.rows("SELECT processed_at FROM webhook_events") == [{"processed_at": None}]

    world.connection.execute("ALTER TABLE orders DROP CONSTRAINT broken")
    assert world.deliver(message).status == 200
    assert booked(world) == (1, 1, 0)


@row("Snapshot missing")
def snapshot_missing(world: World, buyer: Guest) -> None:
    buyer.pays()
    world.connection.execute("DELETE FROM checkouts")
    assert [answer.status for answer in world.webhooks()] == [200]
    world.clock.advance(minutes=59)
    assert world.reconcile() == {"refunds_paid": 0, "refunds_waiting": 0}
    world.clock.advance(minutes=1)
    assert world.reconcile() == {"refunds_paid": 1, "refunds_waiting": 0}
    assert booked(world) == (0, 0, 1)


@row("Amount mismatch")
def amount_mismatch(world: World, buyer: Guest) -> None:
    world.stripe_client.v1.payment_intents.update(buyer.intent_id, {"amount": 4499})
    buyer.pays()
    assert [answer.status for answer in world.webhooks()] == [200]
    assert booked(world) == (0, 0, 1)
    assert [refund["amount"] for refund in world.stripe.all("refund")] == [4499]
    assert buyer.asks().body["status"] == "refunded"


@row("Slot taken at settlement")
def slot_taken(world: World, buyer: Guest) -> None:
    world.clock.advance(minutes=16)
    Guest(world, "rival@exemple.ca").chooses(wanted(the_course(world), TEN))
    buyer.pays()
    world.webhooks()
    assert booked(world) == (1, 0, 1)
    assert [refund["amount"] for refund in world.stripe.all("refund")] == [4500]


@row("Course/tutor price changed after snapshot")
def price_changed(world: World, buyer: Guest) -> None:
    world.connection.execute("UPDATE courses SET student_rate_cad = 99")
    world.connection.execute("UPDATE tutors SET hourly_base_rate_cad = 77")
    buyer.pays()
    world.webhooks()
    assert [
        tuple(map(str, r.values()))
        for r in world.rows(
            "SELECT line_total_cad, rate_cad FROM order_items JOIN earnings ON order_item_id = id"
        )
    ] == [("45.00", "30.00")]


@row("Cart changed after intent creation")
def cart_changed(world: World, buyer: Guest) -> None:
    buyer.chooses(wanted(the_course(world), TWO))
    buyer.pays()  # the payment of the older cart raced ahead
    world.webhooks()
    assert world.rows("SELECT start_datetime AS start FROM appointments") == [{"start": TEN}]
    assert [item["start"] for item in buyer.cart["items"]] == [TWO.isoformat()]


@row("Coupon expired between snapshot and payment")
def coupon_expired(world: World, buyer: Guest) -> None:
    world.school.coupon("SAVE10", "percent", "10")
    buyer.uses_coupon("SAVE10").starts()
    world.connection.execute("UPDATE coupons SET ends_at = %s", [world.clock()])
    buyer.pays()
    world.webhooks()
    assert [str(order["total_cad"]) for order in world.rows("SELECT total_cad FROM orders")] == ["40.50"]


@row("Make.com down")
def make_is_down(world: World, buyer: Guest) -> None:
    """No queue and nobody at the other end: what is to be told waits in the outbox."""
    buyer.pays()
    assert [answer.status for answer in world.webhooks()] == [200]
    assert booked(world) == (1, 1, 0)
    assert [event["status"] for event in world.rows("SELECT status::text FROM outbox")] == ["pending"] * 2


@row("Account creation fails after payment")
def account_exists(world: World, buyer: Guest) -> None:
    owner = world.school.user("zoe@exemple.ca")
    buyer.pays()
    assert [answer.status for answer in world.webhooks()] == [200]
    assert world.rows("SELECT user_id FROM orders") == [{"user_id": owner}]
    assert buyer.asks().body["status"] == "sign_in_required"


@row("Stripe API down at refund")
def stripe_down_at_refund(world: World, buyer: Guest) -> None:
    world.clock.advance(minutes=16)
    Guest(world, "rival@exemple.ca").chooses(wanted(the_course(world), TEN))
    buyer.pays()
    world.stripe.faults.add("server_error", method="POST", path="/v1/refunds", times=999)
    assert [answer.status for answer in world.webhooks()] == [200]
    world.clock.advance(hours=24)
    assert world.reconciliation()["refunds_overdue"] == 1
    world.stripe.faults.clear()
    world.clock.advance(hours=6)
    done = world.reconciliation()
    assert (done["refunds_paid"], done["refunds_overdue"]) == (1, 0)


def resolve_over_return(world: World) -> None:
    """A person has seen that the bank took what had gone back already."""
    (over,) = world.rows("SELECT id, amount_cad FROM over_returns WHERE resolved_at IS NULL")
    assert str(over["amount_cad"]) == "10.00"
    resolve(world.connection, over["id"], "Demandé au client", world.clock())


@row("Chargeback / dashboard refund")
def chargeback_and_dashboard(world: World, buyer: Guest) -> None:
    buyer.pays()
    world.webhooks()
    world.stripe.dashboard.refund(buyer.intent_id, 1000)
    world.stripe.dashboard.open_dispute(buyer.intent_id)
    for message in world.stripe.webhooks.take():
        assert world.deliver(message).status == 200
    assert [str(order["refunded_cad"]) for order in world.rows("SELECT refunded_cad FROM orders")] == [
        "10.00"
    ]
    done = world.reconciliation()
    assert (done["disputes_open"], done["over_returns_unresolved"]) == (1, 1)
    resolve_over_return(world)


# --- Stripe down, slow to answer, too busy, or failing after it acted ------------------------------------------

FAULTS: tuple[Kind, ...] = (
    "rate_limit",
    "lock_timeout",
    "server_error",
    "server_error_after_commit",
    "timeout_before",
    "timeout_after_commit",
    "connection_reset",
)
CALLS: dict[str, Callable[[Guest], object]] = {
    "the first form": lambda guest: guest.sends_form(),
    "the same form again": lambda guest: guest.sends_form(),
    "the status call": lambda guest: guest.asks(),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS)
def test_stripe_fails(world: World, call: str, fault: Kind) -> None:
    """The buyer is told in French, nothing is booked or charged, and the next try works."""
    course = world.school.course()
    world.school.tutor(course)
    guest = Guest(world).chooses(wanted(course, TEN))
    if call != "the first form":
        guest.starts()
    if call == "the status call":
        guest.pays()
        world.stripe.webhooks.take()
    world.stripe.faults.add(fault, times=9)
    answer = guest.asks() if call == "the status call" else guest.sends_form()

    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "PAYMENT_UNAVAILABLE", "5")
    assert answer.body["detail"].startswith("Le service de paiement ne répond pas.")
    assert booked(world) == (0, 0, 0)

    world.stripe.faults.clear()
    if call != "the status call":
        guest.starts().pays()
    world.clock.advance(seconds=5)
    assert guest.asks().body["status"] == "settled"
    paid = [intent["amount_received"] for intent in world.stripe.all("payment_intent")]
    assert (sum(paid), booked(world)) == (4500, (1, 1, 0))
    assert closing_audit(world.connection, world.stripe, world.clock()) == []


def settles(world: World, guest: Guest) -> UUID | None:
    payment = stripe_payments().find_intent(guest.intent_id)
    with psycopg.connect(world.connection.info.dsn, autocommit=True) as connection:
        return settle(connection, UUID(guest.checkout_id), payment, SHOP, world.clock())


def asks(world: World, guest: Guest) -> str:
    cookie = guest.browser.cookies["__Host-cart_session_id"]
    with psycopg.connect(world.connection.info.dsn, autocommit=True) as connection:
        followed = follow_checkout(
            connection,
            stripe_payments(),
            SHOP,
            "tutoring",
            UUID(guest.checkout_id),
            [Buyer.guest(cookie)],
            None,
            world.clock(),
        )
    return followed.followed.status
