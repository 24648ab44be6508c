"""Whatever buyers with coupons and credits do, in any order, every cent is somewhere, once (spec 3.4 to 3.7, 5.5, 5.7).

Two students and a guest share one tutor, a coupon with two uses, and an administrator who gives credits and takes them.
Cards are declined, checkouts end, payments overtake them, times are lost while paying. After each step the ledger, the
reservations and what Stripe was asked to charge must agree; at the end what Stripe keeps is what the orders say.

Two drivers: Hypothesis, which finds the shortest way to a fault, and dice, loaded so that much happens.
"""

from collections import Counter
from decimal import Decimal
from random import Random, SystemRandom
from typing import Any

import stripe
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg.errors import CheckViolation

from tests.support.guest import Guest
from tests.support.student import Student
from tests.support.world import MONDAY_NOON, World, toronto, wanted

EXAMPLES, STEPS = 10, 20
DAYS, DAY_STEPS = 5, 60
STARTS = [toronto(day, hour) for day in range(25, 30) for hour in (9, 10, 11, 14, 15)]
WISHES: list[str | None] = [None, "all", "all", "0.01", "10.00", "44.80"]
CARDS = ["pm_card_visa", "pm_card_visa", "pm_card_chargeDeclined"]
GIFTS = ["0.30", "12.34", "44.70", "100.00", "-5.00", "-50.00"]
REFUSALS = {
    "CART_EMPTY",
    "COUPON_INVALID",
    "INSUFFICIENT_CREDITS",
    "AMOUNT_TOO_SMALL",
    "SLOTS_UNAVAILABLE",
    "PAYMENT_IN_PROGRESS",
    "PAYMENT_RETURNED",
    "USER_ALREADY_EXISTS",
}

UNSOUND = {
    "a balance is the sum of its ledger, what is reserved that of its reservations": """
        SELECT user_id FROM credit_accounts AS account
         WHERE balance_cad <> (SELECT coalesce(sum(amount_cad), 0) FROM credit_transactions AS entry
                                WHERE entry.user_id = account.user_id)
            OR reserved_cad <> (SELECT coalesce(sum(amount_cad), 0) FROM credit_reservations AS kept
                                 WHERE kept.user_id = account.user_id)
            OR NOT reserved_cad BETWEEN 0 AND balance_cad
    """,
    "what can be paid has its reservations, what cannot has none": """
        SELECT checkouts.id FROM checkouts
          LEFT JOIN coupon_reservations AS coupon ON coupon.checkout_id = checkouts.id
          LEFT JOIN credit_reservations AS credit ON credit.checkout_id = checkouts.id
         WHERE (coupon.checkout_id IS NOT NULL)
               <> (checkouts.coupon_id IS NOT NULL AND status IN ('open', 'processing'))
            OR coalesce(credit.amount_cad, 0)
               <> CASE WHEN status IN ('open', 'processing') THEN credits_applied_cad ELSE 0 END
    """,
    "a coupon counts its redemptions and reservations, and is never over its limit": """
        SELECT id FROM coupons
         WHERE redemption_count <> (SELECT count(*) FROM coupon_redemptions WHERE coupon_id = id AND NOT over_limit)
            OR reserved_count <> (SELECT count(*) FROM coupon_reservations WHERE coupon_id = id)
            OR redemption_count + reserved_count > max_redemptions
    """,
    "an order is paid by its card and its credits, to the cent": """
        SELECT orders.id FROM orders JOIN checkouts ON checkouts.order_id = orders.id
          LEFT JOIN credit_transactions AS debit ON debit.order_id = orders.id AND debit.type = 'order_payment'
         WHERE orders.total_cad <> amount_cents / 100.0 + orders.credits_applied_cad
            OR orders.credits_applied_cad <> -coalesce(debit.amount_cad, 0)
    """,
    "a lost session goes back whole, a booked one not at all": """
        SELECT item.id FROM order_items AS item
          LEFT JOIN appointments ON appointments.order_item_id = item.id
          LEFT JOIN refunds ON refunds.order_item_id = item.id
          LEFT JOIN credit_transactions AS entry ON entry.order_item_id = item.id AND entry.type = 'order_refund'
         WHERE coalesce(amount_cents, 0) / 100.0 + coalesce(amount_cad, 0)
               <> CASE WHEN appointments.id IS NULL THEN line_total_cad - discount_share_cad ELSE 0 END
    """,
    "an order's two parts go back within what each has paid": """
        SELECT orders.id FROM orders
          LEFT JOIN (SELECT order_id, sum(amount_cents) AS cents FROM refunds GROUP BY 1) AS card
            ON card.order_id = orders.id
          LEFT JOIN (SELECT order_id, sum(amount_cad) AS cad FROM credit_transactions WHERE type = 'order_refund'
                      GROUP BY 1) AS credit ON credit.order_id = orders.id
         WHERE refunded_cad <> coalesce(cents, 0) / 100.0 + coalesce(cad, 0)
            OR coalesce(cents, 0) / 100.0 > total_cad - credits_applied_cad
            OR coalesce(cad, 0) > credits_applied_cad
    """,
}

buyers = st.integers(0, 2)
places = st.integers(0, 100)
chosen = st.lists(st.sampled_from(STARTS), min_size=1, max_size=3, unique=True)
tally: Counter[str] = Counter()


class Buyers(RuleBasedStateMachine):
    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.intents: list[str] = []
        self.given: Counter[str] = Counter()
        self.visitors = 0

    @initialize(balances=st.tuples(*[st.sampled_from(["12.34", "44.70", "100.00", "1000.00"])] * 2))
    def open_the_shop(self, balances: tuple[str, str]) -> None:
        world = self.world
        world.stripe.reset()
        world.clock.now = MONDAY_NOON
        tables = world.rows("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
        names = ", ".join(table["name"] for table in tables if "yoyo" not in table["name"])
        world.connection.execute(f"TRUNCATE {names} RESTART IDENTITY")
        self.course = world.school.course()
        self.tutor = world.school.tutor(self.course)
        self.coupon = world.school.coupon("TIERS", "percent", "33.33", max_redemptions=2)
        world.school.coupon("PRESQUE", "fixed", "44.75")
        self.students = [Student(world, f"{name}@exemple.ca") for name in ("ana", "bea")]
        for place, balance in enumerate(balances):
            self.an_administrator_changes_a_balance(place, balance)

    def buyer(self, place: int) -> Guest:
        """A student, or a guest whom nobody knows."""
        if place < len(self.students):
            return self.students[place]
        if not hasattr(self, "guest"):
            self.guest = Guest(self.world, f"visiteur{self.visitors}@exemple.ca")
        return self.guest

    # --- What people do -------------------------------------------------------------------------------------

    @rule(place=st.integers(0, 1), amount=st.sampled_from(GIFTS))
    def an_administrator_changes_a_balance(self, place: int, amount: str) -> None:
        student = self.students[place]
        balance, reserved = student.account
        try:
            student.has_credits(amount)
        except CheckViolation:
            assert balance + Decimal(amount) < reserved  # only what is free can be taken
            return
        assert balance + Decimal(amount) >= reserved
        self.given[student.email] += int(Decimal(amount) * 100)

    @rule(place=buyers, starts=chosen)
    def somebody_chooses(self, place: int, starts: list[Any]) -> None:
        items = [wanted(self.course, start, tutor=self.tutor) for start in starts]
        self.buyer(place).browser.post("/v1/cart/items", {"items": items})

    @rule(place=buyers, code=st.sampled_from(["TIERS", "TIERS", "PRESQUE", None]))
    def somebody_uses_a_coupon(self, place: int, code: str | None) -> None:
        browser = self.buyer(place).browser
        if code:
            browser.put("/v1/cart/coupon", {"code": code})
        else:
            browser.delete("/v1/cart/coupon")

    @rule(place=buyers, wish=st.sampled_from(WISHES))
    def somebody_sends_the_form(self, place: int, wish: str | None) -> None:
        buyer = self.buyer(place)
        wishes = {"credits_cad": wish} if wish and place < len(self.students) else {}
        before, orders = buyer.cart, self.world.count("orders")
        answer = buyer.sends_form(**wishes)
        if answer.status != 201:
            assert answer.code in REFUSALS, answer.text
            tally[answer.code] += 1
            return
        started = {name: Decimal(text) for name, text in answer.body.items() if name.endswith("_cad")}
        tally[f"form: {answer.body['status']}"] += 1
        if not before["items"]:  # sent again after it was bought
            assert answer.body["order_id"] is not None
            return
        assert started["total_cad"] == started["subtotal_cad"] - started["discount_cad"]
        assert started["amount_cad"] == started["total_cad"] - started["credits_applied_cad"]
        assert started["amount_cad"] == 0 or started["amount_cad"] >= Decimal("0.50")
        without_card = int(answer.body["status"] == "settled" and started["amount_cad"] == 0)
        if self.world.count("orders") - orders == without_card:
            # else an older payment was booked first: its order is the answer, or the rest is asked for
            assert started["credits_applied_cad"] <= Decimal(before["credits_available_cad"])
            assert (started["total_cad"], started["discount_cad"]) == (
                Decimal(before["total_cad"]),
                Decimal(before["discount_cad"]),
            )
        if intent_id := answer.body["payment_intent_id"]:
            (intent,) = [i for i in self.world.stripe.all("payment_intent") if i["id"] == intent_id]
            assert intent["amount"] == started["amount_cad"] * 100
            self.intents.append(intent_id)
        self._next_guest(place, answer.body["status"])

    @rule(
        place=buyers,
        starts=chosen,
        code=st.sampled_from(["TIERS", "PRESQUE", None]),
        wish=st.sampled_from(WISHES),
        ended=st.sampled_from([False, False, False, True]),
        lost=st.booleans(),
    )
    def somebody_buys(
        self, place: int, starts: list[Any], code: str | None, wish: str | None, ended: bool, lost: bool
    ) -> None:
        """The way most people go; sometimes the checkout ends, or a time is lost, while they pay."""
        self.somebody_chooses(place, starts)
        self.somebody_uses_a_coupon(place, code)
        before = len(self.intents)
        self.somebody_sends_the_form(place, wish)
        if len(self.intents) > before:
            if ended:
                self.a_checkout_ends(before, "cancelled")
            if lost:
                self.a_rival_takes_a_time_that_lapsed(starts[0])
            self.somebody_pays(before, "pm_card_visa")

    @precondition(lambda self: self.intents)
    @rule(place=places, card=st.sampled_from(CARDS))
    def somebody_pays(self, place: int, card: str) -> None:
        try:
            self.world.pay(self.intents[place % len(self.intents)], card)
            tally["paid"] += 1
        except stripe.StripeError as error:
            tally[f"not paid: {error.code}"] += 1

    @rule(start=st.sampled_from(STARTS))
    def a_rival_takes_a_time_that_lapsed(self, start: Any) -> None:
        self.world.clock.advance(minutes=16)
        rival = Guest(self.world, "rival@exemple.ca")
        session = wanted(self.course, start, tutor=self.tutor)
        rival.browser.post("/v1/cart/items", {"items": [session]})

    # --- What machines do -----------------------------------------------------------------------------------

    @rule()
    def stripe_tells(self) -> None:
        assert {answer.status for answer in self.world.webhooks()} <= {200}

    @precondition(lambda self: self.intents)
    @rule(place=places, status=st.sampled_from(["cancelled", "failed"]))
    def a_checkout_ends(self, place: int, status: str) -> None:
        """Somebody ends it here, and nobody has told Stripe: it can still be paid."""
        self.world.connection.execute(
            "UPDATE checkouts SET status = %s"
            " WHERE payment_intent_id = %s AND status IN ('open', 'processing')",
            (status, self.intents[place % len(self.intents)]),
        )

    @rule(hours=st.sampled_from([1, 25]))
    def time_passes(self, hours: int) -> None:
        if self.world.clock.now < toronto(22, 12):
            self.world.clock.advance(hours=hours)

    # --- What must hold -------------------------------------------------------------------------------------

    @invariant()
    def every_cent_is_somewhere(self) -> None:
        world = self.world
        for saying, question in UNSOUND.items():
            assert world.connection.execute(question).fetchall() == [], saying
        intents = {intent["id"]: intent for intent in world.stripe.all("payment_intent")}
        for order in world.rows("SELECT * FROM orders WHERE source = 'stripe'"):
            charged = Decimal(intents[order["stripe_payment_intent_id"]]["amount_received"]) / 100
            assert charged == order["total_cad"] - order["credits_applied_cad"]
        for student in self.students:
            (spent,) = world.rows(
                "SELECT coalesce(sum(credits_applied_cad), 0) AS cad FROM orders WHERE user_id = %s",
                student.user_id,
            )
            returned = sum(amount for kind, amount in student.ledger if kind == "order_refund")
            given = Decimal(self.given[student.email]) / 100
            assert student.account[0] == given - spent["cad"] + returned

    def teardown(self) -> None:
        """Stripe has told everything, every refund is made: it keeps what the orders say."""
        world = self.world
        world.webhooks()
        for _ in range(2):
            world.clock.advance(minutes=6)
            world.reconcile()
        self.every_cent_is_somewhere()
        received = sum(intent["amount_received"] for intent in world.stripe.all("payment_intent"))
        returned = sum(refund["amount"] for refund in world.stripe.all("refund"))
        (kept,) = world.rows(
            "SELECT coalesce((SELECT sum(total_cad - refunded_cad) FROM orders), 0) AS orders,"
            " coalesce((SELECT -sum(amount_cad) FROM credit_transactions"
            " WHERE type IN ('order_payment', 'order_refund')), 0) AS credits"
        )
        assert Decimal(received - returned) / 100 == kept["orders"] - kept["credits"]
        assert world.rows("SELECT id FROM refunds WHERE status <> 'processed'") == []
        tally.update(f"order: {row['source']}" for row in world.rows("SELECT source::text FROM orders"))
        tally.update(f"order: {row['status']}" for row in world.rows("SELECT status::text FROM orders"))
        tally["worlds"] += 1

    def _next_guest(self, place: int, status: str) -> None:
        """Who has an account is no guest any more."""
        if place >= len(self.students) and (status == "settled" or self.visitors < len(self.intents)):
            self.visitors += 1
            del self.guest


def test_every_cent_is_somewhere_once(world: World) -> None:
    tally.clear()
    run_state_machine_as_test(
        lambda: Buyers(world),  # type: ignore[arg-type]  # whatever makes a machine will do
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
    assert tally["worlds"] >= EXAMPLES


def test_every_cent_is_somewhere_after_a_long_day(world: World) -> None:
    tally.clear()
    for _ in range(DAYS):
        seed = SystemRandom().randrange(1_000_000)
        try:
            a_long_day(world, Random(seed))
        except Exception as error:
            error.add_note(f"again with Random({seed})")
            raise
    happened = (
        "order: stripe",
        "order: credit",
        "order: paid",
        "order: partially_refunded",
        "order: refunded",
    )
    assert [what for what in happened if not tally[what]] == [], tally


def a_long_day(world: World, dice: Random) -> None:
    """Steps drawn by weight; the rules are those of the machine."""
    day = Buyers(world)
    day.open_the_shop((dice.choice(("44.70", "100.00")), dice.choice(("100.00", "1000.00"))))
    steps = dice.choices(list(WALK), list(WALK.values()), k=DAY_STEPS)
    for step in steps:
        step(day, dice)
        day.every_cent_is_somewhere()
    day.teardown()


def _times(dice: Random) -> list[Any]:
    return dice.sample(STARTS, dice.choice((1, 1, 2, 3)))


def _buys(day: Buyers, dice: Random) -> None:
    code = dice.choice(("TIERS", "PRESQUE", None, None))
    day.somebody_buys(
        dice.choice((0, 0, 1, 1, 2)),
        _times(dice),
        code,
        dice.choice(WISHES),
        dice.random() < 0.2,
        dice.random() < 0.4,
    )


def _chooses(day: Buyers, dice: Random) -> None:
    day.somebody_chooses(dice.randrange(3), _times(dice))


def _sends(day: Buyers, dice: Random) -> None:
    day.somebody_sends_the_form(dice.randrange(3), dice.choice(WISHES))


def _pays(day: Buyers, dice: Random) -> None:
    if day.intents:
        day.somebody_pays(-dice.choice((1, 1, 2, 3)) % len(day.intents), dice.choice(CARDS))


def _ends(day: Buyers, dice: Random) -> None:
    if day.intents:
        day.a_checkout_ends(len(day.intents) - 1, dice.choice(("cancelled", "failed")))


WALK: dict[Any, int] = {
    _buys: 12,
    _chooses: 3,
    _sends: 4,
    _pays: 4,
    _ends: 2,
    lambda day, dice: day.somebody_uses_a_coupon(dice.randrange(3), dice.choice(("TIERS", None))): 2,
    lambda day, dice: day.an_administrator_changes_a_balance(dice.randrange(2), dice.choice(GIFTS)): 4,
    lambda day, dice: day.a_rival_takes_a_time_that_lapsed(dice.choice(STARTS)): 1,
    lambda day, dice: day.stripe_tells(): 5,
    lambda day, dice: day.time_passes(dice.choice((1, 1, 1, 25))): 1,
}
