"""Whatever clients, cards, Stripe's webhooks and the clock do, in any order, the books balance (spec 5.1, P1 to P4).

Several visitors share two tutors and a handful of times. They fill carts, use coupons, pay with good and bad cards,
close the browser, come back; webhooks come late, twice, in disorder, or never; Stripe fails, the database fails,
time passes. After each step the auditor reads everything; at the end every message is delivered, every status asked
for, every refund made, and he reads it once more.

Two drivers: Hypothesis, which finds the shortest way to a fault, and dice, loaded so that much happens in a long day.
`make soak` runs both for long: RANDOM_CLIENTS_EXAMPLES worlds of RANDOM_CLIENTS_STEPS steps, RANDOM_CLIENTS_DAYS days
of RANDOM_CLIENTS_DAY_STEPS; a day that failed is repeated with RANDOM_CLIENTS_SEED.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random, SystemRandom
from typing import Any, get_args
from uuid import UUID, uuid4

import pytest
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

from domain.returns.bring_in_line import bring_all_in_line
from functions.hold_cleanup import app as hold_cleanup
from local.stripe_double.faults import Kind
from tests.support.audit import audit, closing_audit
from tests.support.browser import CONTEXT, Answer
from tests.support.guest import Guest
from tests.support.world import MONDAY_NOON, World, toronto, wanted

EXAMPLES = int(os.environ.get("RANDOM_CLIENTS_EXAMPLES", "15"))
STEPS = int(os.environ.get("RANDOM_CLIENTS_STEPS", "30"))
DAYS = int(os.environ.get("RANDOM_CLIENTS_DAYS", "6"))
DAY_STEPS = int(os.environ.get("RANDOM_CLIENTS_DAY_STEPS", "150"))
SEED = os.environ.get("RANDOM_CLIENTS_SEED")

WALL = ((10, 0), (10, 30), (11, 0), (14, 0), (15, 0))
STARTS = [toronto(day, *wall) for day in (21, 22, 23) for wall in WALL]
LENGTHS = [60, 60, 90, 120]
TUTORS = [None, None, 0, 1]
EMAILS = ["a@exemple.ca", "b@exemple.ca", "c@exemple.ca", "d@exemple.ca"]
CARDS = ["pm_card_visa"] * 3 + ["pm_card_chargeDeclined", "pm_card_authenticationRequired"]
COUPONS = ["SAVE10", "DIX", "CADEAU", "UNIQUE", None]
MINUTES = [1, 5, 16, 16, 61, 25 * 60]
CENTS = [50, 4500, 100_000]
FAULTS = [None] * 8 + [kind for kind in get_args(Kind) if kind not in ("slow", "stall", "lock_timeout")]

guests = st.integers(0, 2)
sessions = st.tuples(st.sampled_from(STARTS), st.sampled_from(LENGTHS), st.sampled_from(TUTORS))
emails = st.sampled_from(EMAILS)
places = st.integers(0, 1_000)
stripe_faults = st.sampled_from(FAULTS)
tally: Counter[str] = Counter()


class RandomClients(RuleBasedStateMachine):
    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.checkouts: list[dict[str, Any]] = []
        self.mail: list[str] = []  # ids of Stripe's events that nobody has delivered yet, and some that were
        self.heard_of: set[str] = set()

    @initialize(second_tutor_is_free=st.booleans())
    def open_the_shop(self, second_tutor_is_free: bool) -> None:
        self.world.stripe.reset()
        self.world.clock.now = MONDAY_NOON
        _empty_every_table(self.world)
        school = self.world.school
        self.course = school.course()
        self.tutors = [
            school.tutor(self.course, name="Mme Roy", rate="30.00", priority=1),
            school.tutor(self.course, name="M. Côté", rate="36.55", priority=2),
        ]
        if not second_tutor_is_free:
            school.time_off(self.tutors[1], toronto(21, 9), toronto(21, 12))
        school.coupon("SAVE10", "percent", "10")
        school.coupon("DIX", "fixed", "10")
        school.coupon("CADEAU", "percent", "100")
        school.coupon("UNIQUE", "percent", "33.33", max_redemptions=1)
        self.world.connection.execute("ALTER TABLE outbox DISABLE TRIGGER break_down")
        self.guests = [Guest(self.world, email) for email in ("a@exemple.ca", "b@exemple.ca", "c@exemple.ca")]

    # --- What visitors do -----------------------------------------------------------------------------------

    @rule(guest=guests, chosen=st.lists(sessions, min_size=1, max_size=2))
    def somebody_chooses(self, guest: int, chosen: list[tuple[Any, int, int | None]]) -> None:
        items = [
            wanted(self.course, start, minutes, None if tutor is None else self.tutors[tutor])
            for start, minutes, tutor in chosen
        ]
        self._answered(self.guests[guest].browser.post("/v1/cart/items", {"items": items}))

    @rule(guest=guests, place=places)
    def somebody_takes_a_session_out(self, guest: int, place: int) -> None:
        if items := self.guests[guest].cart["items"]:
            item = items[place % len(items)]
            assert (
                self._answered(self.guests[guest].browser.delete(f"/v1/cart/items/{item['id']}")).status
                == 200
            )

    @rule(guest=guests, code=st.sampled_from(COUPONS))
    def somebody_uses_a_coupon(self, guest: int, code: str | None) -> None:
        browser = self.guests[guest].browser
        self._answered(
            browser.put("/v1/cart/coupon", {"code": code}) if code else browser.delete("/v1/cart/coupon")
        )

    @rule(guest=guests, email=st.none() | emails, fault=stripe_faults)
    def somebody_sends_the_form(self, guest: int, email: str | None, fault: Kind | None) -> None:
        if email:
            self.guests[guest].email = email
        with self._stripe_fails(fault, "/v1/payment_intents*"):
            answer = self._answered(self.guests[guest].sends_form())
        if answer.status == 201:
            tally[f"form: {answer.body['status']}"] += 1
            self.checkouts.append(answer.body)
            if answer.body["status"] == "settled" and (paid := self._intent_of(answer.body["order_id"])):
                self.heard_of.add(paid)
        else:
            tally[f"form: {answer.code}"] += 1

    @rule(guest=guests, chosen=sessions)
    def somebody_buys(self, guest: int, chosen: tuple[Any, int, int | None]) -> None:
        """The way most people go, so that the others meet somebody."""
        self.somebody_chooses(guest, [chosen])
        self.somebody_sends_the_form(guest, f"nouveau{len(self.checkouts)}@exemple.ca", None)
        if self.checkouts:
            self.somebody_pays(-1, "pm_card_visa")

    @precondition(lambda self: self.checkouts)
    @rule(place=places, card=st.sampled_from(CARDS))
    def somebody_pays(self, place: int, card: str) -> None:
        checkout = self.checkouts[place % len(self.checkouts)]
        if checkout["payment_intent_id"] is None:
            return
        try:
            self.world.pay(checkout["payment_intent_id"], card)
            tally[f"paid: {card}"] += 1
        except stripe.StripeError as error:
            tally[f"not paid: {error.code}"] += 1

    @precondition(lambda self: self._waiting_for_authentication())
    @rule(outcome=st.sampled_from(["succeed", "succeed", "fail"]))
    def somebody_answers_their_bank(self, outcome: Any) -> None:
        self.world.stripe.dashboard.authenticate(self._waiting_for_authentication()[0], outcome)
        tally[f"authenticated: {outcome}"] += 1

    @precondition(lambda self: self.checkouts)
    @rule(place=places, by_secret=st.booleans(), fault=stripe_faults)
    def somebody_asks_how_it_went(self, place: int, by_secret: bool, fault: Kind | None) -> None:
        checkout = self.checkouts[place % len(self.checkouts)]
        with self._stripe_fails(fault, "/v1/payment_intents*"):
            self._ask(checkout, by_secret)

    @rule(guest=guests)
    def somebody_signs_out(self, guest: int) -> None:
        self.guests[guest].browser.cookies.pop("__Host-session", None)

    @rule(email=emails)
    def somebody_gets_an_account_elsewhere(self, email: str) -> None:
        if not self.world.rows("SELECT id FROM users WHERE email = %s", email):
            self.world.school.user(email)

    @rule(start=st.sampled_from(STARTS), tutor=st.integers(0, 1))
    def a_rival_holds_a_time(self, start: Any, tutor: int) -> None:
        rival = Guest(self.world, f"{uuid4().hex}@exemple.ca")
        self._answered(
            rival.browser.post(
                "/v1/cart/items", {"items": [wanted(self.course, start, 60, self.tutors[tutor])]}
            )
        )

    # --- What Stripe does -----------------------------------------------------------------------------------

    @precondition(lambda self: self.mail)
    @rule(place=places, keep=st.booleans(), breaks=st.sampled_from([False] * 7 + [True]), fault=stripe_faults)
    def a_webhook_arrives(self, place: int, keep: bool, breaks: bool, fault: Kind | None) -> None:
        """In any order; kept, it will come again; while the database breaks, it is not acknowledged."""
        place %= len(self.mail)
        with self._stripe_fails(fault, "/v1/refunds"), self._database_breaks(breaks):
            delivered = self._deliver(self.mail[place])
        if delivered and not keep:
            self.mail.pop(place)

    @precondition(lambda self: self.mail)
    @rule(place=places)
    def a_webhook_is_lost(self, place: int) -> None:
        self.mail.pop(place % len(self.mail))
        tally["webhook: lost"] += 1

    @precondition(lambda self: self.checkouts)
    @rule(place=places, cents=st.sampled_from(CENTS))
    def an_amount_is_changed_at_stripe(self, place: int, cents: int) -> None:
        intent_id = self.checkouts[place % len(self.checkouts)]["payment_intent_id"]
        if intent_id is None:
            return
        try:
            self.world.stripe_client.v1.payment_intents.update(intent_id, {"amount": cents})
            tally["amount changed"] += 1
        except stripe.StripeError:
            return

    @precondition(lambda self: self.checkouts)
    @rule(place=places)
    def a_payment_is_cancelled_at_stripe(self, place: int) -> None:
        intent_id = self.checkouts[place % len(self.checkouts)]["payment_intent_id"]
        if intent_id is None:
            return
        try:
            self.world.stripe_client.v1.payment_intents.cancel(intent_id)
            tally["cancelled at Stripe"] += 1
        except stripe.StripeError:
            return

    # --- What time does -------------------------------------------------------------------------------------

    @rule(minutes=st.sampled_from(MINUTES))
    def time_passes(self, minutes: int) -> None:
        if self.world.clock.now < toronto(20, 12):
            self.world.clock.advance(minutes=minutes)
            # What the schedule does each minute: an order's lines hear of a refund that Stripe refused.
            bring_all_in_line(self.world.connection, self.world.clock(), lambda: True)

    @rule()
    def expired_holds_are_swept(self) -> None:
        hold_cleanup.lambda_handler({"time": self.world.clock().isoformat()}, CONTEXT)

    @rule(fault=stripe_faults)
    def refunds_are_paid(self, fault: Kind | None) -> None:
        with self._stripe_fails(fault, "/v1/refunds"):
            tally["refunds paid"] += self.world.reconcile()["refunds_paid"]

    # --- What must hold -------------------------------------------------------------------------------------

    @invariant()
    def the_books_balance(self) -> None:
        self._collect_mail()
        assert audit(self.world.connection, self.world.stripe, self.world.clock(), self.heard_of) == []

    def teardown(self) -> None:
        """Everything that was sent arrives, everybody asks how it went, every refund is made."""
        self._collect_mail()
        self.world.stripe.faults.clear()
        for event_id in self.mail:
            assert self._deliver(event_id)
        for checkout in self.checkouts:
            if checkout["payment_intent_id"]:
                assert self._ask(checkout, by_secret=True).status == 200
        for _ in range(3):
            self.world.clock.advance(hours=6)  # the longest a refund that failed often waits
            self.world.reconcile()
        self._make_by_hand_what_stripe_refused()
        assert closing_audit(self.world.connection, self.world.stripe, self.world.clock()) == []
        for status, times in self.world.connection.execute(
            "SELECT status::text, count(*) FROM orders GROUP BY 1"
        ):
            tally[f"order: {status}"] += times
        tally["payment given back whole"] += len(
            self.world.rows("SELECT id FROM refunds WHERE order_id IS NULL")
        )
        tally["moved to another tutor"] += len(
            self.world.rows(
                "SELECT FROM appointments JOIN cart_sessions USING (id)"
                " WHERE appointments.tutor_id <> cart_sessions.tutor_id"
            )
        )
        tally["worlds"] += 1

    # --- How ------------------------------------------------------------------------------------------------

    def _answered(self, answer: Answer) -> Answer:
        """Whatever happens, an answer is a success, a refusal, or Stripe's absence."""
        assert answer.status < 500 or answer.code == "PAYMENT_UNAVAILABLE", answer.text
        return answer

    def _ask(self, checkout: dict[str, Any], by_secret: bool) -> Answer:
        path = f"/v1/checkout/{checkout['checkout_id']}"
        if by_secret and checkout["client_secret"]:
            answer = self.world.browser().get(path, x_client_secret=checkout["client_secret"])
            assert answer.status != 404
        else:
            answers = [guest.browser.get(path) for guest in self.guests]
            answer = next((answer for answer in answers if answer.status != 404), answers[0])
        self._answered(answer)
        if answer.status == 200:
            tally[f"status: {answer.body['status']}"] += 1
            if answer.body["status"] in ("settled", "refunded", "sign_in_required"):
                self.heard_of.update(filter(None, [checkout["payment_intent_id"]]))
        return answer

    def _deliver(self, event_id: str) -> bool:
        message = self.world.stripe.webhooks.message(event_id)
        answer = self.world.deliver(message)
        tally[f"webhook: {answer.status:d}"] += 1
        if answer.status == 200 and message.event_type == "payment_intent.succeeded":
            self.heard_of.add(self._subject(event_id))
        return answer.status == 200

    def _make_by_hand_what_stripe_refused(self) -> None:
        """A refund that Stripe refuses waits for a person, who makes it in Stripe's dashboard."""
        for refused in self.world.rows(
            "SELECT payment_intent_id AS intent, amount_cents FROM refunds"
            " WHERE status = 'failed' AND NOT made_elsewhere ORDER BY created_at"
        ):
            self.world.stripe.dashboard.refund(refused["intent"], refused["amount_cents"])
            tally["refund made by hand"] += 1
        for message in self.world.stripe.webhooks.take():
            assert self.world.deliver(message).status == 200

    def _subject(self, event_id: str) -> str:
        (intent,) = (e["data"]["object"]["id"] for e in self.world.stripe.all("event") if e["id"] == event_id)
        return str(intent)

    def _collect_mail(self) -> None:
        self.mail += [
            message.event_id
            for message in self.world.stripe.webhooks.take()
            if message.event_type.startswith("payment_intent.")
            and message.event_type != "payment_intent.created"
        ]

    def _intent_of(self, order_id: str) -> str | None:
        (row,) = self.world.rows(
            "SELECT stripe_payment_intent_id AS intent FROM orders WHERE id = %s", UUID(order_id)
        )
        intent: str | None = row["intent"]
        return intent

    def _waiting_for_authentication(self) -> list[str]:
        return [i["id"] for i in self.world.stripe.all("payment_intent") if i["status"] == "requires_action"]

    @contextmanager
    def _stripe_fails(self, fault: Kind | None, path: str) -> Iterator[None]:
        if fault:
            self.world.stripe.faults.add(fault, path=path, times=2)
        yield
        self.world.stripe.faults.clear()

    @contextmanager
    def _database_breaks(self, breaks: bool) -> Iterator[None]:
        """The last write of a settlement fails."""
        if breaks:
            self.world.connection.execute("ALTER TABLE outbox ENABLE TRIGGER break_down")
        yield
        if breaks:
            self.world.connection.execute("ALTER TABLE outbox DISABLE TRIGGER break_down")


def _empty_every_table(world: World) -> None:
    tables = [
        row["tablename"]
        for row in world.rows(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename !~ 'yoyo'"
        )
    ]
    world.connection.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY")


@pytest.fixture
def random_world(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    # The pauses of Stripe's library are not what is tried here.
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0)
    world.connection.execute(
        "CREATE FUNCTION break_down() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$;"
        "CREATE TRIGGER break_down BEFORE INSERT ON outbox EXECUTE FUNCTION break_down()"
    )
    return world


def test_the_books_balance_whatever_happens(random_world: World, capsys: pytest.CaptureFixture[str]) -> None:
    tally.clear()
    run_state_machine_as_test(
        lambda: RandomClients(random_world),  # type: ignore[arg-type]  # whatever makes a machine will do
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
    report(capsys)
    assert tally["worlds"] >= EXAMPLES


def test_the_books_balance_after_a_long_day(random_world: World, capsys: pytest.CaptureFixture[str]) -> None:
    tally.clear()
    for day in range(DAYS):
        seed = int(SEED) + day if SEED else SystemRandom().randrange(1_000_000)
        try:
            a_long_day(random_world, Random(seed), DAY_STEPS)
        except Exception as error:
            error.add_note(f"again with RANDOM_CLIENTS_SEED={seed} RANDOM_CLIENTS_DAYS=1")
            raise
    report(capsys)
    happened = ("order: paid", "status: settled", "webhook: 200", "paid: pm_card_visa")
    assert [what for what in happened if not tally[what]] == []


def a_long_day(world: World, dice: Random, steps: int) -> None:
    """Steps drawn by weight; the rules are those of the machine."""
    day = RandomClients(world)
    day.open_the_shop(dice.random() < 0.5)
    weights, actions = zip(*WALK, strict=True)
    for action in dice.choices(actions, weights, k=steps):
        action(day, dice)
        day.the_books_balance()
    day.teardown()


def _session(dice: Random) -> tuple[Any, int, int | None]:
    return dice.choice(STARTS), dice.choice(LENGTHS), dice.choice(TUTORS)


def _guest(dice: Random) -> int:
    return dice.randrange(3)


def _buyer(day: RandomClients, dice: Random) -> int:
    """Mostly somebody who has something to pay for."""
    ready = [place for place, guest in enumerate(day.guests) if guest.cart["items"]]
    return dice.choice(ready) if ready and dice.random() < 0.9 else _guest(dice)


def _email_at_checkout(day: RandomClients, dice: Random) -> str:
    """Often that of somebody who is paying."""
    paying = day.world.rows(
        "SELECT buyer->>'email' AS email FROM checkouts"
        " WHERE status = 'open' AND buyer->>'email' IS NOT NULL ORDER BY created_at"
    )
    email: str = dice.choice(paying)["email"] if paying and dice.random() < 0.7 else dice.choice(EMAILS)
    return email


def _open(day: RandomClients, dice: Random) -> int:
    """Mostly a checkout that waits for its payment."""
    waiting = {
        i["id"] for i in day.world.stripe.all("payment_intent") if i["status"] == "requires_payment_method"
    }
    places = [n for n, checkout in enumerate(day.checkouts) if checkout["payment_intent_id"] in waiting]
    return dice.choice(places) if places and dice.random() < 0.85 else dice.randrange(1_000)


def _pays(day: RandomClients, dice: Random) -> None:
    if day.checkouts:
        day.somebody_pays(_open(day, dice), dice.choice(CARDS))


def _answers_the_bank(day: RandomClients, dice: Random) -> None:
    if day._waiting_for_authentication():
        day.somebody_answers_their_bank(dice.choice(["succeed", "succeed", "fail"]))


def _asks(day: RandomClients, dice: Random) -> None:
    if day.checkouts:
        day.somebody_asks_how_it_went(
            -dice.choice((1, 1, 2, 3, 4, 5)), dice.random() < 0.5, dice.choice(FAULTS)
        )


def _webhook(day: RandomClients, dice: Random) -> None:
    if day.mail:
        day.a_webhook_arrives(
            dice.randrange(1_000), dice.random() < 0.3, dice.random() < 0.1, dice.choice(FAULTS)
        )


def _webhook_is_lost(day: RandomClients, dice: Random) -> None:
    if day.mail:
        day.a_webhook_is_lost(dice.randrange(1_000))


def _tampers(day: RandomClients, dice: Random) -> None:
    if day.checkouts:
        day.an_amount_is_changed_at_stripe(_open(day, dice), dice.choice(CENTS))


def _cancels_at_stripe(day: RandomClients, dice: Random) -> None:
    if day.checkouts:
        day.a_payment_is_cancelled_at_stripe(_open(day, dice))


WALK: list[tuple[int, Callable[[RandomClients, Random], None]]] = [
    (
        14,
        lambda day, dice: day.somebody_chooses(
            _guest(dice), [_session(dice) for _ in range(dice.choice((1, 1, 2)))]
        ),
    ),
    (4, lambda day, dice: day.somebody_takes_a_session_out(_guest(dice), dice.randrange(9))),
    (5, lambda day, dice: day.somebody_uses_a_coupon(_guest(dice), dice.choice(COUPONS))),
    (
        12,
        lambda day, dice: day.somebody_sends_the_form(
            _buyer(day, dice), f"g{dice.randrange(30)}@exemple.ca", dice.choice(FAULTS)
        ),
    ),
    (3, lambda day, dice: day.somebody_buys(_guest(dice), _session(dice))),
    (12, _pays),
    (4, _answers_the_bank),
    (8, _asks),
    (3, lambda day, dice: day.somebody_signs_out(_guest(dice))),
    (4, lambda day, dice: day.somebody_gets_an_account_elsewhere(_email_at_checkout(day, dice))),
    (5, lambda day, dice: day.a_rival_holds_a_time(dice.choice(STARTS), dice.randrange(2))),
    (9, _webhook),
    (2, _webhook_is_lost),
    (4, _tampers),
    (1, _cancels_at_stripe),
    (7, lambda day, dice: day.time_passes(dice.choice(MINUTES[:-1]))),
    (1, lambda day, _: day.time_passes(MINUTES[-1])),
    (3, lambda day, _: day.expired_holds_are_swept()),
    (3, lambda day, dice: day.refunds_are_paid(dice.choice(FAULTS))),
]


def report(capsys: pytest.CaptureFixture[str]) -> None:
    """What happened, for whoever soaks."""
    if "RANDOM_CLIENTS_DAYS" in os.environ:
        with capsys.disabled():
            print(*(f"{times:7} {what}" for what, times in sorted(tally.items())), sep="\n")  # noqa: T201
