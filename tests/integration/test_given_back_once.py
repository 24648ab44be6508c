"""Every way money goes back counts against every other (decision 18): way × way × order, each of them twice.

An independent reckoning in cents follows each step; after it the lines, the credits, the student's balance and Stripe
must say the same to the cent, and the audit must find nothing but what it should.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.errors import CheckViolation

from domain.appointments.booked import By
from domain.appointments.change_status import cancel, reactivate
from domain.checkout.refund_order import refund_order
from domain.credits.ledger import Entry, enter
from domain.errors import Refused
from domain.returns.bring_in_line import bring_in_line
from domain.returns.resolve import list_unresolved, resolve
from local.stripe_double.errors import StripeError
from tests.support.audit import closing_audit
from tests.support.contract import recorded
from tests.support.guest import Guest
from tests.support.selling import SHOP
from tests.support.student import Student
from tests.support.tables import nothing_written
from tests.support.world import World, toronto, wanted

EXPECTED = (
    "more given back than was paid, which nobody has resolved",
    "a refund still failed",  # ours, of a payment in dispute: Stripe makes none
    "Stripe keeps",  # what is in dispute is no refund
)
TWENTY = 2000


@dataclass
class Reckoned:
    """One line by an independent reckoning, in cents: what each fact and the credit gave back of it."""

    id: UUID
    paid: int
    gone: bool = False
    promised: bool = False
    credit: int = 0
    owed_as_credit: int = 0  # of a session that could not be booked: the credits that paid for it
    by_fact: dict[str, int] = field(default_factory=dict)

    @property
    def left(self) -> int:
        return self.paid - self.credit - sum(self.by_fact.values())


def share(amount: int, lines: list[Reckoned]) -> dict[UUID, int]:
    """In proportion to what is left, in whole cents, the largest remainders rounded up."""
    total = sum(line.left for line in lines)
    amount = min(amount, total)
    if not total:
        return {}
    floors = {line.id: amount * line.left // total for line in lines}
    by_remainder = sorted(lines, key=lambda line: (-(amount * line.left % total), line.id))
    for line in by_remainder[: amount - sum(floors.values())]:
        floors[line.id] += 1
    return floors


class Order:
    """A bought order, the ways its money goes back, and the reckoning beside them."""

    def __init__(self, world: World, kind: str, *, lost: bool, day: int, admin: By, course: UUID) -> None:
        self.world, self.admin = world, admin
        self.student = Student(world, f"{kind}-{lost}-{day}@exemple.ca".lower())
        if kind != "card":
            self.student.has_credits({"mixed": "30.10", "credit": "90.00"}[kind])
        starts = [toronto(day, hour, month=2) for hour in ((10, 12, 14) if lost else (10, 12))]
        self.student.chooses(*(wanted(course, start) for start in starts))
        wish = {} if kind == "card" else {"credits_cad": "all"}
        self.student.starts(**wish)
        if self.student.started["status"] != "settled":
            if lost:
                world.clock.advance(minutes=16)
                Guest(world, f"rival-{kind}-{day}@exemple.ca").chooses(wanted(course, starts[-1]))
            self.student.pays()
            self._hear()
        (row,) = world.rows(
            "SELECT order_id, payment_intent_id FROM checkouts WHERE id = %s", self.student.checkout_id
        )
        self.id, self.intent_id = row["order_id"], row["payment_intent_id"]
        self.lines = {
            row["id"]: Reckoned(row["id"], int(row["paid"] * 100), gone=row["lost"])
            for row in world.rows(
                "SELECT item.id, line_total_cad - discount_share_cad AS paid, appointments.id IS NULL AS lost"
                " FROM order_items AS item LEFT JOIN appointments ON order_item_id = item.id"
                " WHERE order_id = %s ORDER BY item.id",
                self.id,
            )
        }
        self.card_left = int(Decimal(self.student.started["amount_cad"]) * 100)
        self.charged = self.card_left
        self.beyond: dict[str, int] = {}
        self.disputed = False
        self.facts = count()
        for line in self.lines.values():
            if line.gone:
                line.credit = line.owed_as_credit = self._credit_share(line.id)
                line.by_fact["conflict"] = line.paid - line.credit
                self.card_left -= line.by_fact["conflict"]

    def _credit_share(self, line_id: UUID) -> int:
        rows = self.world.rows("SELECT amount_cad FROM credit_transactions WHERE order_item_id = %s", line_id)
        return int(rows[0]["amount_cad"] * 100) if rows else 0

    def _hear(self) -> None:
        for message in self.world.stripe.webhooks.take():
            assert self.world.deliver(message).status == 200
        self.world.reconciliation()
        for message in self.world.stripe.webhooks.take():
            assert self.world.deliver(message).status == 200

    # --- The ways -------------------------------------------------------------------------------------------

    def our_refund(self) -> None:
        """Twenty dollars, or what can go back is told."""
        at_most = min(sum(line.left for line in self.lines.values()), self.card_left)
        if at_most < TWENTY:
            with pytest.raises(Refused) as refusal:
                self._asks_for_twenty()
            told = {"refundable_cad": f"{Decimal(max(0, at_most)) / 100:.2f}"}
            assert (refusal.value.code, refusal.value.facts) == ("REFUND_TOO_LARGE", told)
            return
        self._asks_for_twenty()
        fact = f"ours {next(self.facts)}"
        self._fill(fact, TWENTY)
        self._hear()
        if self.disputed:  # Stripe will not refund a payment that was ever disputed: it came to nothing
            self._undo(fact)
        else:
            self.card_left -= TWENTY

    def _asks_for_twenty(self) -> None:
        admin_id = self.admin.user_id
        assert admin_id
        refund_order(
            self.world.connection, self.id, Decimal("20.00"), "Geste", admin_id, SHOP, self.world.clock()
        )

    def dashboard(self) -> None:
        self._dashboard(None)

    def partial(self) -> None:
        self._dashboard(TWENTY)

    def _dashboard(self, cents: int | None) -> None:
        if not self.intent_id:
            return
        try:
            made = self.world.stripe.dashboard.refund(self.intent_id, cents)
        except StripeError:
            return
        self.card_left -= made["amount"]
        self._stripe_says(made["id"], made["amount"])
        self._hear()

    def opened(self) -> str | None:
        if not self.intent_id or self.disputed:
            return None
        dispute = self.world.stripe.dashboard.open_dispute(self.intent_id)
        self.disputed = True
        self.card_left -= dispute["amount"]
        self._stripe_says(dispute["id"], dispute["amount"])
        self._hear()
        return str(dispute["id"])

    def lost(self) -> None:
        if dispute_id := self.opened():
            self.world.stripe.dashboard.close_dispute(dispute_id, "lost")
            self._hear()

    def won(self) -> None:
        dispute_id = self.opened()
        if dispute_id is None:
            return
        self.world.stripe.dashboard.close_dispute(dispute_id, "won")
        self.card_left += self.charged
        self._undo(dispute_id)
        self._hear()

    def _cancels(self, by: By | None = None) -> None:
        rows = self.world.rows(
            "SELECT appointments.id, order_item_id, appointments.user_id, appointments.tutor_id FROM appointments"
            " JOIN order_items ON order_items.id = order_item_id"
            " WHERE order_id = %s AND status = 'scheduled' ORDER BY appointments.start_datetime LIMIT 1",
            self.id,
        )
        for row in rows:
            line = self.lines[row["order_item_id"]]
            hand = by or By("tutor", row["tutor_id"])
            hand = By(hand.actor, row["user_id"]) if hand.actor == "student" else hand
            done = cancel(self.world.connection, hand, row["id"], None, "dev", self.world.clock())
            assert int(done.credit_cad * 100) == line.left
            line.gone = line.promised = True
            self._raise_promised()

    def student_cancels(self) -> None:
        self._cancels(By("student", None))

    def tutor_cancels(self) -> None:
        self._cancels()

    def admin_cancels(self) -> None:
        self._cancels(self.admin)

    def credit_reversed(self) -> None:
        """A cancelled session takes place after all."""
        rows = self.world.rows(
            "SELECT appointments.id, order_item_id FROM appointments"
            " JOIN order_items ON order_items.id = order_item_id"
            " WHERE order_id = %s AND status = 'cancelled' ORDER BY appointments.start_datetime LIMIT 1",
            self.id,
        )
        for row in rows:
            line = self.lines[row["order_item_id"]]
            reactivate(self.world.connection, self.admin, row["id"], None, self.world.clock())
            line.gone = line.promised = False
            line.credit = 0
            self._fill_beyond()

    # --- The reckoning --------------------------------------------------------------------------------------

    def _stripe_says(self, fact: str, cents: int) -> None:
        """Credit that is unspent goes first, the latest session's first; then the lines are filled."""
        latest_first = self.world.rows(
            "SELECT id FROM order_items WHERE order_id = %s ORDER BY position DESC", self.id
        )
        to_take = cents
        for row in latest_first:
            line = self.lines[row["id"]]
            taken = min(line.credit, to_take)
            line.credit -= taken
            to_take -= taken
        self._fill(fact, cents)
        self._raise_promised()

    def _fill(self, fact: str, cents: int) -> None:
        for rank in (True, False):
            lines = [line for line in self.lines.values() if line.gone is rank]
            shares = share(cents, lines)
            for line_id, cents_of_line in shares.items():
                by_fact = self.lines[line_id].by_fact
                by_fact[fact] = by_fact.get(fact, 0) + cents_of_line
            cents -= sum(shares.values())
        self.beyond[fact] = cents

    def _undo(self, fact: str) -> None:
        for line in self.lines.values():
            line.by_fact.pop(fact, None)
        self.beyond.pop(fact, None)
        self._fill_beyond()
        self._raise_promised()

    def _fill_beyond(self) -> None:
        for fact, cents in list(self.beyond.items()):
            self._fill(fact, cents)

    def _raise_promised(self) -> None:
        for line in self.lines.values():
            if line.promised:
                line.credit += line.left
            else:
                line.credit += min(line.left, max(0, line.owed_as_credit - line.credit))

    # --- What must agree ------------------------------------------------------------------------------------

    def agrees(self) -> None:
        world = self.world
        returned = {
            row["id"]: int(row["returned_cad"] * 100)
            for row in world.rows("SELECT id, returned_cad FROM order_items WHERE order_id = %s", self.id)
        }
        assert returned == {line.id: line.paid - line.left for line in self.lines.values()}
        assert all(line.left >= 0 for line in self.lines.values())
        assert all(line.left == 0 for line in self.lines.values() if line.promised)
        balance, _ = self.student.account
        assert int(balance * 100) == sum(line.credit for line in self.lines.values())
        (row,) = world.rows(
            "SELECT coalesce(sum(amount_cad), 0) AS cad FROM over_returns"
            " WHERE order_id = %s AND resolved_at IS NULL",
            self.id,
        )
        assert int(row["cad"] * 100) == sum(self.beyond.values())
        back_at_stripe = self.charged - self.card_left
        assert sum(returned.values()) + sum(self.beyond.values()) == back_at_stripe + int(balance * 100)
        for item in self.student.browser.get("/v1/appointments").body["items"]:
            line = self.lines[self._line_of(item["id"])]
            if item["status"] == "scheduled":
                assert item["can_cancel"] is True
                assert item["credit_on_cancel_cad"] == f"{Decimal(line.left) / 100:.2f}"

    def _line_of(self, appointment_id: str) -> UUID:
        (row,) = self.world.rows("SELECT order_item_id FROM appointments WHERE id = %s", appointment_id)
        return UUID(str(row["order_item_id"]))


WAYS: dict[str, Callable[[Order], Any]] = {
    "our refund": Order.our_refund,
    "dashboard refund": Order.dashboard,
    "partial dashboard refund": Order.partial,
    "opened dispute": Order.opened,
    "lost dispute": Order.lost,
    "won dispute": Order.won,
    "student cancels": Order.student_cancels,
    "tutor cancels": Order.tutor_cancels,
    "administrator cancels": Order.admin_cancels,
    "credit reversed": Order.credit_reversed,
}


# An order that needs no card is made in the request that checks its sessions: none is lost in between.
@pytest.mark.parametrize(
    ("kind", "lost"),
    [("card", False), ("mixed", False), ("credit", False), ("card", True), ("mixed", True)],
    ids=["card", "mixed", "credit", "card and conflict refund", "mixed and conflict refund"],
)
@pytest.mark.parametrize("first", WAYS)
def test_every_way_counts_against_every_other(world: World, first: str, kind: str, lost: bool) -> None:
    course = world.school.course()
    world.school.tutor(course)
    admin = By("admin", world.school.user("chef@exemple.ca", "admin"))
    for day, second in enumerate(WAYS, start=1):
        order = Order(world, kind, lost=lost, day=day, admin=admin, course=course)
        order.agrees()
        for way in (first, second, first, second):
            WAYS[way](order)
            order.agrees()
    findings = [
        finding
        for finding in closing_audit(world.connection, world.stripe, world.clock())
        if not finding.startswith(EXPECTED)
    ]
    assert findings == []


# --- The cases of the examination, in words -----------------------------------------------------------------


@pytest.fixture
def two(world: World) -> Order:
    """Two sessions of 45.00, paid by card."""
    course = world.school.course()
    world.school.tutor(course)
    admin = By("admin", world.school.user("chef@exemple.ca", "admin"))
    return Order(world, "card", lost=False, day=1, admin=admin, course=course)


def balance(order: Order) -> str:
    return str(order.student.account[0])


def test_a_whole_refund_of_the_dashboard_leaves_nothing_to_credit(two: Order) -> None:
    two.dashboard()
    shown = two.student.browser.get("/v1/appointments").body["items"]
    assert [(item["can_cancel"], item["credit_on_cancel_cad"]) for item in shown] == [(True, "0.00")] * 2

    for item in shown:
        answer = two.student.browser.post(f"/v1/appointments/{item['id']}/cancel", {})
        assert (answer.status, answer.body["credit_issued_cad"]) == (200, "0.00")
    assert (balance(two), two.card_left) == ("0", 0)
    order = two.student.browser.get(f"/v1/orders/{two.id}").body
    assert [line["returned_cad"] for line in order["items"]] == ["45.00", "45.00"]
    assert (order["refunded_cad"], order["credits_issued_cad"]) == ("90.00", "0.00")


def test_after_a_partial_refund_a_cancellation_credits_what_is_left(two: Order) -> None:
    two.partial()  # 20.00, ten of each session
    two.student_cancels()
    assert balance(two) == "35.00"


def test_a_dashboard_refund_after_a_cancellation_takes_the_credit_back(two: Order) -> None:
    two.student_cancels()
    assert balance(two) == "45.00"
    two.dashboard()
    assert (balance(two), two.card_left) == ("0.00", 0)
    assert two.world.count("over_returns") == 0


def test_a_lost_dispute_leaves_nothing_to_credit_and_a_won_one_everything(two: Order) -> None:
    dispute_id = two.opened()
    assert dispute_id
    two.student_cancels()
    assert balance(two) == "0"

    two.world.stripe.dashboard.close_dispute(dispute_id, "won")
    two._undo(dispute_id)
    two._hear()
    assert balance(two) == "45.00"  # what the cancellation promised


def test_credit_that_was_spent_is_listed_beyond_until_a_person_resolves_it(two: Order) -> None:
    two.student_cancels()
    course = two.world.rows("SELECT id FROM courses")[0]["id"]
    two.student.chooses(wanted(course, toronto(9, 10, month=2))).starts(credits_cad="all")
    assert balance(two) == "0.00"
    two.world.stripe.dashboard.refund(two.intent_id)
    two._hear()

    (over,) = two.world.rows("SELECT id, way::text, amount_cad FROM over_returns")
    assert (over["way"], over["amount_cad"]) == ("dashboard", Decimal("45.00"))
    findings = closing_audit(two.world.connection, two.world.stripe, two.world.clock())
    assert [finding.partition(":")[0] for finding in findings] == [EXPECTED[0]]
    assert two.world.reconciliation()["over_returns_unresolved"] == 1

    resolve(two.world.connection, over["id"], "Geste commercial", two.world.clock())
    assert closing_audit(two.world.connection, two.world.stripe, two.world.clock()) == []
    assert two.world.reconciliation()["over_returns_unresolved"] == 0


def test_an_over_return_is_resolved_once_and_none_is_invented(two: Order) -> None:
    with nothing_written(two.world.connection), pytest.raises(Refused) as refusal:
        resolve(two.world.connection, two.id, "Geste", two.world.clock())
    assert refusal.value.code == "NOT_FOUND"


def test_a_dispute_s_event_may_come_before_the_payment_s(world: World) -> None:
    course = world.school.course()
    world.school.tutor(course)
    guest = Guest(world).chooses(wanted(course, toronto(20, 10))).starts().pays()
    world.stripe.dashboard.open_dispute(guest.intent_id)
    (opened,) = world.stripe.webhooks.take("charge.dispute.created")
    assert world.deliver(opened).status == 200

    assert world.rows("SELECT returned_cad FROM order_items") == [{"returned_cad": Decimal("45.00")}]
    assert [answer.status for answer in world.webhooks()] == [200]


def test_the_database_refuses_more_than_was_paid(two: Order) -> None:
    """The negative control: what the code never does, the constraint stops."""
    two.dashboard()
    with pytest.raises(CheckViolation, match="order_items_return_at_most_what_was_paid"):
        two.world.connection.execute("UPDATE order_items SET returned_cad = returned_cad + 0.01")


def test_credit_that_is_raised_again_is_a_correction_of_what_the_cancellation_gave(two: Order) -> None:
    two.partial()  # 20.00, ten of each session
    two.student_cancels()
    [made] = two.world.stripe.all("refund")
    two.world.clock.advance(minutes=1)
    two.world.stripe.dashboard.settle_refund(made["id"], "fail")
    two._hear()

    assert two.student.ledger == [("cancellation", Decimal("35.00")), ("reversal", Decimal("10.00"))]
    assert balance(two) == "45.00"


DISPUTED = {
    "warning_needs_response": (False, 0),
    "warning_under_review": (False, 0),
    "warning_closed": (False, 0),
    "needs_response": (True, 1),
    "under_review": (True, 1),
    "won": (False, 2),
    "lost": (True, 2),
    "prevented": (False, 2),
}
"""Every status that Stripe gives a dispute: whether the money is with the bank, and how far it has come."""


def test_which_disputes_have_taken_money_and_which_are_decided(world: World) -> None:
    rows = world.connection.execute(
        "SELECT status, takes_money(status), dispute_phase(status) FROM unnest(%s::text[]) AS status",
        (list(DISPUTED),),
    ).fetchall()
    assert {status: (taken, phase) for status, taken, phase in rows} == DISPUTED


def test_what_was_given_back_beyond_is_listed_oldest_first_with_what_gave_it(two: Order) -> None:
    """A refund of Stripe's by Stripe's name, one of ours that Stripe has not made by its own, a dispute, a credit."""
    now, ours, made = two.world.clock(), uuid4(), uuid4()
    connection = two.world.connection
    for refund_id, service_id in ((ours, None), (made, "re_9")):
        connection.execute(
            "INSERT INTO refunds (id, payment_intent_id, order_id, amount_cents, reason, status, stripe_refund_id,"
            "                     next_attempt_at, created_at)"
            " VALUES (%s, %s, %s, 100, 'Geste', %s, %s, %s, %s)",
            (refund_id, two.intent_id, two.id, "failed" if service_id else "pending", service_id, now, now),
        )
    connection.execute(
        "INSERT INTO payment_disputes (stripe_dispute_id, payment_intent_id, amount_cents, currency, reason,"
        "                              status, opened_at)"
        " VALUES ('dp_9', %s, 100, 'CAD', 'fraudulent', 'lost', %s)",
        (two.intent_id, now),
    )
    entry = enter(
        connection, Entry(two.student.user_id, Decimal(1), "cancellation", order_item_id=min(two.lines)), now
    )
    facts: list[tuple[str, str, UUID | None, str | None, UUID | None]] = [
        ("credit", str(entry), None, None, entry),
        ("dispute", "dp_9", None, "dp_9", None),
        ("dashboard", "re_9", made, None, None),
        ("card", str(ours), ours, None, None),
    ]
    for age, (way, _, of_refund, dispute_id, entry_id) in enumerate(facts):
        connection.execute(
            "INSERT INTO over_returns (id, order_id, way, amount_cad, refund_id, dispute_id, credit_entry_id,"
            "                          created_at)"
            " VALUES (gen_random_uuid(), %s, %s, %s, %s, %s, %s, %s)",
            (two.id, way, age + 1, of_refund, dispute_id, entry_id, now - timedelta(hours=age)),
        )
    connection.execute(
        "UPDATE over_returns SET resolved_at = %s, resolution = 'Geste' WHERE way = 'dispute'", (now,)
    )
    [number] = two.world.rows("SELECT order_number FROM orders")

    assert [
        (over.way, over.fact, over.amount_cad, over.order_number) for over in list_unresolved(connection)
    ] == [
        ("card", str(ours), Decimal(4), number["order_number"]),
        ("dashboard", "re_9", Decimal(3), number["order_number"]),
        ("credit", str(entry), Decimal(1), number["order_number"]),
    ]


def test_what_is_heard_of_at_once_fills_the_lines_in_the_order_it_happened(two: Order) -> None:
    """A dispute of all, and later a refund of 20.00 that was stored first: the lines have no room for the refund."""
    connection, now = two.world.connection, two.world.clock()
    connection.execute(
        "INSERT INTO refunds (id, payment_intent_id, order_id, amount_cents, reason, status, stripe_refund_id,"
        "                     made_elsewhere, next_attempt_at, created_at, processed_at)"
        " VALUES (%s, %s, %s, 2000, 'Geste', 'processed', 're_9', true, %s, %s, %s)",
        (uuid4(), two.intent_id, two.id, now, now, now),
    )
    connection.execute(
        "INSERT INTO payment_disputes (stripe_dispute_id, payment_intent_id, amount_cents, currency, reason,"
        "                              status, opened_at)"
        " VALUES ('dp_9', %s, 9000, 'CAD', 'fraudulent', 'lost', %s)",
        (two.intent_id, now - timedelta(hours=1)),
    )

    bring_in_line(connection, two.id, now)

    beyond = connection.execute("SELECT way::text, amount_cad FROM over_returns").fetchall()
    assert beyond == [("dashboard", Decimal("20.00"))]


@pytest.mark.parametrize("step", [1, -1])
def test_the_credit_of_the_latest_session_is_taken_back_first(two: Order, step: int) -> None:
    """Whichever was cancelled first."""
    sessions = two.world.rows("SELECT id FROM appointments ORDER BY start_datetime")
    for session in sessions[::step]:
        cancel(two.world.connection, two.admin, session["id"], None, "dev", two.world.clock())
    two.world.stripe.dashboard.refund(two.intent_id, TWENTY)
    two._hear()

    [taken] = two.world.rows(
        "SELECT order_item_id AS id, amount_cad FROM credit_transactions WHERE type = 'reversal'"
    )
    [latest] = two.world.rows("SELECT id FROM order_items ORDER BY position DESC LIMIT 1")
    assert taken == {"id": latest["id"], "amount_cad": Decimal("-20.00")}


def test_a_refund_that_no_line_has_room_for_is_told_without_sessions(two: Order) -> None:
    """Both were cancelled and their credit is spent before the whole payment goes back by hand."""
    two.student_cancels()
    two.student_cancels()
    course = two.world.rows("SELECT id FROM courses")[0]["id"]
    two.student.chooses(*(wanted(course, toronto(9, hour, month=2)) for hour in (10, 12)))
    two.student.starts(credits_cad="all")
    two.world.stripe.dashboard.refund(two.intent_id)
    two._hear()

    [told] = [event["payload"] for event in recorded(two.world) if event["type"] == "order.refunded"]
    assert (told["refund_amount_fr"], told["sessions"]) == ("90,00 $", [])
    assert two.world.rows("SELECT sum(amount_cad) AS cad FROM over_returns") == [{"cad": Decimal("90.00")}]
