"""Whatever happens to bought sessions, in any order: never more goes back than was paid, never less than is owed.

Random histories of purchases, changed carts, late and repeated webhooks, cancellations, moves, reactivations, credits
given and spent, refunds of ours, of the dashboard and of a bank that sends them back, disputes opened, lost and won.
At the end of each, what Stripe and the ledger say is reckoned without the code, and `make audit` must agree with it.

`make histories` runs 500 of them; the suite a few.
"""

import os
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import stripe
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg.errors import CheckViolation

from domain.appointments.booked import By
from domain.appointments.change_status import cancel, reactivate
from domain.appointments.reschedule import reschedule
from domain.audit.audit import audit
from domain.checkout.refund_order import refund_order
from domain.errors import Refused
from local.stripe_double.errors import StripeError
from tests.support.guest import Guest
from tests.support.selling import SHOP
from tests.support.student import Student
from tests.support.world import MONDAY_NOON, World, toronto, wanted

EXAMPLES = int(os.environ.get("HISTORIES", "10"))
STEPS = int(os.environ.get("HISTORY_STEPS", "25"))
STARTS = [toronto(day, hour) for day in range(25, 30) for hour in (9, 10, 11, 14, 15)]
BEYOND = "more given back than was paid, which nobody has resolved"

AMOUNTS = ["0.01", "10.00", "20.00", "45.00", "90.00"]
tally: Counter[str] = Counter()


class History:
    def __init__(self, world: World) -> None:
        self.world = world
        self.intents: list[str] = []
        self.mail: list[str] = []
        self.visitors = 0

    def open_the_shop(self) -> None:
        world = self.world
        world.stripe.reset()
        world.clock.now = MONDAY_NOON
        tables = world.rows("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
        names = ", ".join(table["name"] for table in tables if "yoyo" not in table["name"])
        world.connection.execute(f"TRUNCATE {names} RESTART IDENTITY")
        self.course = world.school.course()
        world.school.tutor(self.course, priority=1)
        world.school.tutor(self.course, name="M. Côté", rate="36.50", priority=2)
        world.school.coupon("TIERS", "percent", "33.33")
        self.admin = By("admin", world.school.user("chef@exemple.ca", "admin"))
        self.students = [Student(world, f"{name}@exemple.ca") for name in ("ana", "bea")]
        for student in self.students:
            student.has_credits("50.00")

    def buyer(self, place: int) -> Guest:
        if place < len(self.students):
            return self.students[place]
        if not hasattr(self, "guest"):
            self.visitors += 1
            self.guest = Guest(self.world, f"visiteur{self.visitors}@exemple.ca")
        return self.guest

    # --- Buying ---------------------------------------------------------------------------------------------

    def somebody_chooses(self, place: int, starts: list[Any]) -> None:
        items = [wanted(self.course, start) for start in starts]
        self.buyer(place).browser.post("/v1/cart/items", {"items": items})

    def somebody_takes_a_session_out(self, place: int, item: int) -> None:
        buyer = self.buyer(place)
        if items := buyer.cart["items"]:
            buyer.browser.delete(f"/v1/cart/items/{items[item % len(items)]['id']}")

    def somebody_changes_the_coupon(self, place: int, code: str | None) -> None:
        browser = self.buyer(place).browser
        if code:
            browser.put("/v1/cart/coupon", {"code": code})
        else:
            browser.delete("/v1/cart/coupon")

    def somebody_sends_the_form(self, place: int, wish: str | None) -> None:
        buyer = self.buyer(place)
        answer = buyer.sends_form(**({"credits_cad": wish} if wish and place < 2 else {}))
        assert answer.status < 500, answer.text
        if answer.status == 201 and answer.body["payment_intent_id"]:
            self.intents.append(answer.body["payment_intent_id"])

    def somebody_buys(self, place: int, starts: list[Any], wish: str | None) -> None:
        """The way most people go."""
        self.somebody_chooses(place, starts)
        before = len(self.intents)
        self.somebody_sends_the_form(place, wish)
        if len(self.intents) > before:
            self.somebody_pays(before)
        if place >= 2 and hasattr(self, "guest"):
            del self.guest

    def somebody_pays(self, place: int) -> None:
        if not self.intents:
            return
        try:
            self.world.pay(self.intents[place % len(self.intents)])
            tally["paid"] += 1
        except stripe.StripeError:
            tally["not paid"] += 1

    def a_rival_takes_a_time_that_lapsed(self, start: Any) -> None:
        self.world.clock.advance(minutes=16)
        rival = Guest(self.world, "rival@exemple.ca")
        rival.browser.post("/v1/cart/items", {"items": [wanted(self.course, start)]})

    # --- What machines do -----------------------------------------------------------------------------------

    def some_webhooks_come(self, seed: int, share: float, twice: bool) -> None:
        """In any order, late, or twice."""
        self.mail += [message.event_id for message in self.world.stripe.webhooks.take()]
        dice = Random(seed)
        dice.shuffle(self.mail)
        come = [self.mail.pop() for _ in range(round(len(self.mail) * share))]
        for event_id in [*come, *(come if twice else [])]:
            assert self.world.deliver(self.world.stripe.webhooks.message(event_id)).status == 200

    def time_passes(self, minutes: int) -> None:
        if self.world.clock.now < toronto(22, 12):
            self.world.clock.advance(minutes=minutes)
        assert self.world.reconciliation()["checkouts_not_reconciled"] == 0

    # --- What people do with what they bought ---------------------------------------------------------------

    def _appointment(self, place: int, status: str) -> dict[str, Any] | None:
        rows = self.world.rows(
            "SELECT id, user_id, tutor_id FROM appointments WHERE status::text = %s ORDER BY created_at, id",
            status,
        )
        return rows[place % len(rows)] if rows else None

    def _may_refuse(self, what: str, change: Callable[[], object]) -> None:
        try:
            change()
            tally[what] += 1
        except Refused as refusal:
            tally[f"{what}: {refusal.code}"] += 1

    def somebody_cancels(self, place: int, actor: Any, credit: bool) -> None:
        if row := self._appointment(place, "scheduled"):
            by = {"student": By("student", row["user_id"]), "tutor": By("tutor", row["tutor_id"])}
            hand = by.get(actor, self.admin)
            credited = credit or actor != "admin"
            self._may_refuse(
                "cancelled",
                lambda: cancel(
                    self.world.connection, hand, row["id"], None, "dev", self.world.clock(), credit=credited
                ),
            )

    def an_administrator_reactivates(self, place: int, keeps: bool) -> None:
        if row := self._appointment(place, "cancelled"):
            self._may_refuse(
                "reactivated",
                lambda: reactivate(
                    self.world.connection, self.admin, row["id"], None, self.world.clock(), credit=not keeps
                ),
            )

    def a_student_moves(self, place: int, start: Any) -> None:
        if row := self._appointment(place, "scheduled"):
            self._may_refuse(
                "moved",
                lambda: reschedule(
                    self.world.connection,
                    By("student", row["user_id"]),
                    row["id"],
                    start,
                    "Conflit",
                    "dev",
                    self.world.clock(),
                ),
            )

    def an_administrator_changes_a_balance(self, place: int, amount: str) -> None:
        try:
            self.students[place].has_credits(amount)
        except CheckViolation:
            tally["no credit to take"] += 1

    # --- Money that goes back -------------------------------------------------------------------------------

    def _order(self, place: int) -> dict[str, Any] | None:
        rows = self.world.rows(
            "SELECT id, stripe_payment_intent_id AS intent FROM orders ORDER BY order_number"
        )
        return rows[place % len(rows)] if rows else None

    def an_administrator_refunds(self, place: int, amount: str) -> None:
        if order := self._order(place):
            admin_id = self.admin.user_id
            assert admin_id
            self._may_refuse(
                "refunded",
                lambda: refund_order(
                    self.world.connection,
                    order["id"],
                    Decimal(amount),
                    "Geste",
                    admin_id,
                    SHOP,
                    self.world.clock(),
                ),
            )

    def _at_stripe(self, what: str, act: Callable[[], object]) -> None:
        try:
            act()
            tally[what] += 1
        except StripeError:
            tally[f"not {what}"] += 1

    def the_dashboard_refunds(self, place: int, amount: str | None) -> None:
        if not self.intents:
            return
        cents = int(Decimal(amount) * 100) if amount else None
        intent_id = self.intents[place % len(self.intents)]
        self._at_stripe("dashboard", lambda: self.world.stripe.dashboard.refund(intent_id, cents))

    def a_bank_sends_a_refund_back(self, place: int) -> None:
        if made := self.world.stripe.all("refund"):
            refund_id = made[place % len(made)]["id"]
            self._at_stripe("sent back", lambda: self.world.stripe.dashboard.settle_refund(refund_id, "fail"))

    def a_customer_disputes(self, place: int) -> None:
        if not self.intents:
            return
        intent_id = self.intents[place % len(self.intents)]
        self._at_stripe("disputed", lambda: self.world.stripe.dashboard.open_dispute(intent_id))

    def the_bank_decides(self, place: int, outcome: Any) -> None:
        if disputes := self.world.stripe.all("dispute"):
            dispute_id = disputes[place % len(disputes)]["id"]
            self._at_stripe(
                f"dispute {outcome}", lambda: self.world.stripe.dashboard.close_dispute(dispute_id, outcome)
            )

    # --- What must hold -------------------------------------------------------------------------------------

    def no_line_gives_back_more_than_it_was_paid(self) -> None:
        assert (
            self.world.rows(
                "SELECT id FROM order_items"
                " WHERE returned_cad NOT BETWEEN 0 AND line_total_cad - discount_share_cad"
            )
            == []
        )

    def ends(self) -> None:
        """Everything was told and done: the books are reckoned without the code."""
        for _ in range(3):
            self.some_webhooks_come(0, 1.0, False)
            self.world.clock.advance(minutes=70)
            self.world.reconciliation()
        beyond = {order_id for order_id, cents in self._reckon_orders().items() if cents}
        findings = audit(self.world.connection, self.world.clock())
        unexpected = [str(found) for found in findings if found.sentence != BEYOND]
        assert unexpected == []
        listed = {
            row["order_id"]
            for row in self.world.rows("SELECT DISTINCT order_id FROM over_returns WHERE resolved_at IS NULL")
        }
        assert listed == beyond
        assert bool(findings) == bool(beyond)
        self._every_payment_has_its_outcome()
        self._nothing_less_than_owed()
        tally["beyond"] += len(beyond)
        tally["histories"] += 1

    def _reckon_orders(self) -> dict[UUID, int]:
        """By order, in cents, what went back beyond what was paid; all of it must be known to the lines or listed."""
        refunds, disputes = self.world.stripe.all("refund"), self.world.stripe.all("dispute")
        intents = {intent["id"]: intent for intent in self.world.stripe.all("payment_intent")}
        beyond = {}
        for order in self.world.rows("SELECT id, stripe_payment_intent_id AS intent FROM orders"):
            paid = intents[order["intent"]]["amount_received"] if order["intent"] else 0
            paid -= self._cents(
                "SELECT sum(amount_cad) FROM credit_transactions"
                " WHERE order_id = %s AND type = 'order_payment'",
                order["id"],
            )
            back = sum(
                r["amount"]
                for r in refunds
                if r["payment_intent"] == order["intent"] and r["status"] not in ("failed", "canceled")
            )
            back += sum(
                d["amount"]
                for d in disputes
                if d["payment_intent"] == order["intent"] and d["status"] != "won"
            )
            back += self._cents(
                "SELECT sum(amount_cad) FROM credit_transactions WHERE type <> 'order_payment'"
                " AND order_item_id IN (SELECT id FROM order_items WHERE order_id = %s)",
                order["id"],
            )
            returned = self._cents(
                "SELECT sum(returned_cad) FROM order_items WHERE order_id = %s", order["id"]
            )
            listed = self._cents(
                "SELECT sum(amount_cad) FROM over_returns WHERE order_id = %s AND resolved_at IS NULL",
                order["id"],
            )
            assert returned + listed == back
            assert returned <= paid
            assert listed == max(0, back - paid)
            beyond[order["id"]] = listed
        return beyond

    def _cents(self, statement: str, *values: Any) -> int:
        (row,) = self.world.connection.execute(statement, values).fetchall()
        return int((row[0] or 0) * 100)

    def _every_payment_has_its_outcome(self) -> None:
        """One order, or the money went back whole."""
        booked = Counter(
            row["intent"] for row in self.world.rows("SELECT stripe_payment_intent_id AS intent FROM orders")
        )
        for intent in self.world.stripe.all("payment_intent"):
            if intent["status"] == "succeeded" and not booked[intent["id"]]:
                back = sum(
                    row["amount_cents"]
                    for row in self.world.rows(
                        "SELECT amount_cents FROM refunds WHERE payment_intent_id = %s AND status <> 'superseded'",
                        intent["id"],
                    )
                )
                assert back >= intent["amount_received"]
            assert booked[intent["id"]] <= 1

    def _nothing_less_than_owed(self) -> None:
        """A session cancelled for a credit, and one that was lost, gave back all it was paid, one way or another."""
        assert (
            self.world.rows(
                "SELECT item.id FROM order_items AS item LEFT JOIN appointments ON order_item_id = item.id"
                " WHERE (credit_promised OR appointments.id IS NULL AND NOT EXISTS ("
                "          SELECT FROM refunds WHERE refunds.order_item_id = item.id AND status = 'failed'))"
                "   AND returned_cad < line_total_cad - discount_share_cad"
            )
            == []
        )


def _starts(dice: Random) -> list[Any]:
    return dice.sample(STARTS, dice.choice((1, 1, 2, 3)))


def _place(dice: Random) -> int:
    return dice.randrange(1000)


type Step = Callable[[History, Random], object]

STEPS_BY_WEIGHT: dict[Step, int] = {
    lambda day, dice: day.somebody_buys(dice.randrange(3), _starts(dice), dice.choice((None, "all"))): 10,
    lambda day, dice: day.somebody_chooses(dice.randrange(3), _starts(dice)): 3,
    lambda day, dice: day.somebody_takes_a_session_out(dice.randrange(3), _place(dice)): 2,
    lambda day, dice: day.somebody_changes_the_coupon(dice.randrange(3), dice.choice(("TIERS", None))): 2,
    lambda day, dice: day.somebody_sends_the_form(dice.randrange(3), dice.choice((None, "all", "10.00"))): 3,
    lambda day, dice: day.somebody_pays(_place(dice)): 3,
    lambda day, dice: day.a_rival_takes_a_time_that_lapsed(dice.choice(STARTS)): 1,
    lambda day, dice: day.some_webhooks_come(
        _place(dice), dice.choice((0.3, 1.0, 1.0)), dice.random() < 0.3
    ): 12,
    lambda day, dice: day.time_passes(dice.choice((1, 5, 60))): 4,
    lambda day, dice: day.somebody_cancels(
        _place(dice), dice.choice(("student", "tutor", "admin")), dice.random() < 0.8
    ): 8,
    lambda day, dice: day.an_administrator_reactivates(_place(dice), dice.random() < 0.3): 3,
    lambda day, dice: day.a_student_moves(_place(dice), dice.choice(STARTS)): 2,
    lambda day, dice: day.an_administrator_changes_a_balance(
        dice.randrange(2), dice.choice(("30.00", "-20.00", "100.00"))
    ): 2,
    lambda day, dice: day.an_administrator_refunds(_place(dice), dice.choice(AMOUNTS)): 4,
    lambda day, dice: day.the_dashboard_refunds(_place(dice), dice.choice((None, *AMOUNTS))): 5,
    lambda day, dice: day.a_bank_sends_a_refund_back(_place(dice)): 2,
    lambda day, dice: day.a_customer_disputes(_place(dice)): 3,
    lambda day, dice: day.the_bank_decides(_place(dice), dice.choice(("won", "lost"))): 3,
}
DECK = [step for step, weight in STEPS_BY_WEIGHT.items() for _ in range(weight)]


def test_never_more_than_was_paid_never_less_than_is_owed(world: World) -> None:
    tally.clear()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(
        steps=st.lists(st.sampled_from(DECK), min_size=STEPS, max_size=STEPS),
        seed=st.integers(0, 2**32),
    )
    def lives(steps: list[Step], seed: int) -> None:
        history, dice = History(world), Random(seed)
        history.open_the_shop()
        for step in steps:
            step(history, dice)
            history.no_line_gives_back_more_than_it_was_paid()
        history.ends()

    lives()
    if EXAMPLES >= 100:
        print(dict(tally))  # noqa: T201  what a long run was made of
    assert tally["histories"] >= EXAMPLES
    assert min(tally[what] for what in ("paid", "cancelled", "dashboard", "disputed")) > 0
