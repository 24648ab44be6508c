"""Days in the life of the school, with every schedule of the template ticking and dying at random (spec 2.12, 6).

Students and newcomers fill carts, pay with good and bad cards, leave, cancel and move; tutors cancel and move; Stripe's
events are delivered late or lost; a job's connection is cut at a random statement of its. When the last session is
over the books balance, every session that took place is earned and told of once, and everybody who should have been
reminded was, once.

`make simulate` lives a month; one much like a life that failed is lived with its SIMULATION_SEED.
"""

import importlib
import json
import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random, SystemRandom
from typing import Any
from uuid import UUID

import psycopg
import pytest
import stripe
from argon2 import PasswordHasher

from adapters import database as adapter
from domain.accounts import passwords
from domain.appointments.booked import By
from domain.appointments.change_status import cancel
from domain.appointments.reschedule import reschedule
from domain.clock import TORONTO
from domain.errors import Refused
from local import cron, template
from tests.support.audit import closing_audit
from tests.support.browser import CONTEXT
from tests.support.guest import Guest
from tests.support.shop import SLUG
from tests.support.student import Student
from tests.support.world import World, wanted

DAYS = int(os.environ.get("SIMULATION_DAYS", "2"))
STUDENTS = int(os.environ.get("SIMULATION_STUDENTS", "20"))
TUTORS = int(os.environ.get("SIMULATION_TUTORS", "4"))
SEED = os.environ.get("SIMULATION_SEED")

STEP = timedelta(minutes=30)
AHEAD = timedelta(hours=24)
BOOKED_AHEAD_DAYS = 4
DIES = 0.1
PATIENCE = timedelta(hours=4)
"""After so long some run has lived to its end, or the schedules do not recover."""
CARDS = ["pm_card_visa"] * 5 + ["pm_card_chargeDeclined"]
SENT_TO_THE_QUEUE = {"webhook_relay"}  # what leaves the building is proven elsewhere


class Mortal(psycopg.Cursor[Any]):
    """Cuts its connection instead of executing the statement that `fate` names."""

    fate = 0

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        Mortal.fate -= 1
        if Mortal.fate == 0:
            self.connection.close()
        return super().execute(*args, **kwargs)


@dataclass
class Schedules:
    """Every schedule of the template, on the simulated clock."""

    dice: Random
    started: datetime
    tally: Counter[str]
    due: dict[str, tuple[cron.Expression, datetime]] = field(init=False)

    def __post_init__(self) -> None:
        application = template.load(Path("template.yaml"))
        expressions = {
            function.name: cron.parse(schedule.expression, schedule.timezone)
            for function in application.functions
            for schedule in function.schedules
            if function.name not in SENT_TO_THE_QUEUE
        }
        self.due = {name: (when, self._next(when, self.started)) for name, when in expressions.items()}

    def tick(self, now: datetime) -> None:
        """Run what has fallen due, the earliest first."""
        for name, (when, due) in sorted(self.due.items(), key=lambda item: item[1][1]):
            if due <= now:
                self._run(name, now)
                self.due[name] = (when, self._next(when, now))

    def _run(self, name: str, now: datetime) -> None:
        handler = importlib.import_module(f"functions.{name}.app").lambda_handler
        dies = self.dice.random() < DIES
        if dies:
            Mortal.fate = self.dice.randint(1, 8)
            adapter.connection().cursor_factory = Mortal
        try:
            done = handler({"time": now.isoformat()}, CONTEXT)
            self.tally.update({f"{name}: {what}": count for what, count in done.items()})
        except psycopg.OperationalError:
            assert dies
            self.tally["died"] += 1
        finally:
            adapter.connection().cursor_factory = psycopg.Cursor

    @staticmethod
    def _next(when: cron.Expression, after: datetime) -> datetime:
        due = when.next_after(after)
        assert due
        return due


class Life:
    """The school and everybody in it."""

    def __init__(self, world: World, dice: Random) -> None:
        self.world, self.dice = world, dice
        self.tally: Counter[str] = Counter()
        self.schedules = Schedules(dice, world.clock(), self.tally)
        self.course = world.school.course(SLUG)
        self.tutors = [world.school.tutor(self.course, priority=n % 2) for n in range(TUTORS)]
        world.school.coupon("SAVE10", ends_at=world.clock() + timedelta(days=2))
        self.admin = world.school.user("admin@exemple.ca", "admin")
        self.students = [Student(world, f"eleve{number}@exemple.ca") for number in range(STUDENTS)]
        for student in self.students:
            assert student.browser

    def live(self) -> None:
        """Act for DAYS days, then wait until nothing is left to happen."""
        opened = self.world.clock()
        while self.world.clock() < opened + timedelta(days=DAYS):
            if 8 <= self.world.clock().astimezone(TORONTO).hour < 22:
                self._somebody_acts()
            self._time_passes(STEP)
        while self.world.rows("SELECT FROM appointments WHERE status = 'scheduled' LIMIT 1"):
            self._time_passes(STEP)
        for _ in range(8):
            self._time_passes(STEP)

    def _time_passes(self, how_long: timedelta) -> None:
        self.world.clock.now += how_long
        if self.dice.random() < 0.5:
            self.world.webhooks()
        self.schedules.tick(self.world.clock())

    def _somebody_acts(self) -> None:
        act = self.dice.choices(
            [self._somebody_buys, self._somebody_cancels, self._somebody_moves, self._nothing], [6, 1, 2, 3]
        )[0]
        act()

    def _nothing(self) -> None:
        """A quiet half hour."""

    def _somebody_buys(self) -> None:
        newcomer = Guest(self.world, f"nouveau{self.tally['bought']}x{self.dice.random()}@exemple.ca")
        buyer = newcomer if self.dice.random() < 0.2 else self.dice.choice(self.students)
        starts = self._free_starts()
        if not starts:
            return
        chosen = self.dice.sample(starts, k=min(len(starts), self.dice.choice([1, 1, 2])))
        items = {"items": [wanted(self.course, start, 60) for start in chosen]}
        if buyer.browser.post("/v1/cart/items", items).status != 201:
            self.tally["could not choose"] += 1
            return
        if self.dice.random() < 0.2:
            buyer.browser.put("/v1/cart/coupon", {"code": "SAVE10"})
        if self.dice.random() < 0.15:
            self.tally["left"] += 1
            return
        extra = {"credits_cad": "all"} if isinstance(buyer, Student) else {}
        answer = buyer.sends_form(**extra)
        if answer.status != 201:
            self.tally[f"form: {answer.code}"] += 1
            return
        if answer.body["status"] == "requires_payment" and self.dice.random() < 0.9:
            with suppress(stripe.StripeError):
                self.world.pay(answer.body["payment_intent_id"], self.dice.choice(CARDS))
                self.tally["bought"] += 1
        if self.dice.random() < 0.15:
            self.tally["webhooks lost"] += len(self.world.stripe.webhooks.take("payment_intent.succeeded"))

    def _free_starts(self) -> list[datetime]:
        day = self.world.clock().astimezone(TORONTO).date() + timedelta(
            days=self.dice.randint(0, BOOKED_AHEAD_DAYS)
        )
        answer = self.world.browser().get(f"/v1/courses/{SLUG}/slots", {"date": str(day), "duration": "60"})
        return [datetime.fromisoformat(slot["start"]) for slot in answer.body["slots"]]

    def _somebody_cancels(self) -> None:
        if session := self._a_session():
            by = self._by(session)
            try:
                cancel(self.world.connection, by, session["id"], None, "dev", self.world.clock())
                self.tally[f"cancelled by {by.actor}"] += 1
            except Refused as refused:
                self.tally[f"cancel: {refused.code}"] += 1

    def _somebody_moves(self) -> None:
        starts = self._free_starts()
        if starts and (session := self._a_session()):
            by, start = self._by(session), self.dice.choice(starts)
            try:
                reschedule(
                    self.world.connection, by, session["id"], start, "Empêchement", "dev", self.world.clock()
                )
                self.tally[f"moved by {by.actor}"] += 1
            except Refused as refused:
                self.tally[f"move: {refused.code}"] += 1

    def _a_session(self) -> dict[str, Any] | None:
        coming = self.world.rows(
            "SELECT id, user_id, tutor_id FROM appointments WHERE status = 'scheduled' ORDER BY start_datetime, id"
        )
        return self.dice.choice(coming) if coming else None

    def _by(self, session: dict[str, Any]) -> By:
        return self.dice.choice(
            [By("student", session["user_id"]), By("tutor", session["tutor_id"]), By("admin", self.admin)]
        )

    # --- What must be true at the end -----------------------------------------------------------------------

    def settle_the_rest(self) -> None:
        """Every message is delivered, everything that is due to Stripe is done."""
        self.world.webhooks()
        for _ in range(3):
            self.world.clock.advance(minutes=6)
            self.world.reconcile()

    def told(self, kind: str) -> list[dict[str, Any]]:
        rows = self.world.rows("SELECT body FROM outbox WHERE type = %s", kind)
        return [json.loads(bytes(row["body"]))["payload"] for row in rows]

    def sessions(self) -> list[dict[str, Any]]:
        return self.world.rows(
            "SELECT appointments.*, appointments.status::text AS state, earnings_status::text AS earnings"
            "  FROM appointments JOIN order_items ON order_items.id = order_item_id"
        )

    def reminders_due(self) -> tuple[set[tuple[UUID, datetime]], set[tuple[UUID, datetime]]]:
        """Times that must have had a reminder, and times that may: those given up within PATIENCE of its hour."""
        must: set[tuple[UUID, datetime]] = set()
        may: set[tuple[UUID, datetime]] = set()
        for session in self.sessions():
            for start, chosen_at, given_up_at in self._times(session):
                if chosen_at < start - AHEAD <= given_up_at:
                    kept_long_enough = given_up_at > start - AHEAD + PATIENCE
                    (must if kept_long_enough else may).add((session["id"], start))
        return must, may

    def _times(self, session: dict[str, Any]) -> list[tuple[datetime, datetime, datetime]]:
        """Every time the session ever had: its start, when it was chosen, when it was given up or began."""
        changes = self.world.rows(
            "SELECT modification_type::text AS kind, old_data, new_data, created_at FROM appointment_modifications"
            " WHERE appointment_id = %s ORDER BY sequence",
            session["id"],
        )
        moves = [change for change in changes if change["kind"] == "reschedule"]
        starts = [_instant(move["old_data"]) for move in moves] + [session["start_datetime"]]
        chosen = [session["created_at"]] + [move["created_at"] for move in moves]
        ends = [move["created_at"] for move in moves] + [session["cancelled_at"] or session["start_datetime"]]
        return list(zip(starts, chosen, ends, strict=True))


def _instant(data: dict[str, str]) -> datetime:
    return datetime.fromisoformat(data["start_datetime"])


@pytest.fixture
def life(world: World, monkeypatch: pytest.MonkeyPatch) -> Life:
    # Neither the cost of a password nor the pauses of Stripe's library are what is tried here.
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0)
    seed = int(SEED) if SEED else SystemRandom().randrange(1_000_000)
    print(f"again with SIMULATION_SEED={seed}")  # noqa: T201  pytest shows it when the test fails
    return Life(world, Random(seed))


def test_after_days_of_life_every_session_is_earned_once_and_everybody_was_reminded_once(
    life: Life, capsys: pytest.CaptureFixture[str]
) -> None:
    life.live()
    life.settle_the_rest()

    world, sessions = life.world, life.sessions()
    assert closing_audit(world.connection, world.stripe, world.clock()) == []

    assert {(session["state"], session["earnings"]) for session in sessions} <= {
        ("completed", "earned"),
        ("cancelled", "cancelled"),
    }
    completed = {str(session["id"]) for session in sessions if session["state"] == "completed"}
    assert Counter(payload["appointment_id"] for payload in life.told("appointment.completed")) == Counter(
        completed
    )
    late = [s["completed_at"] - s["end_datetime"] for s in sessions if s["state"] == "completed"]
    assert all(timedelta(0) < lateness <= PATIENCE for lateness in late)

    reminded = Counter(
        (UUID(payload["appointment_id"]), _instant(payload)) for payload in life.told("appointment.reminder")
    )
    must, may = life.reminders_due()
    assert set(reminded.values()) <= {1}
    assert must <= set(reminded) <= must | may

    assert world.rows("SELECT code FROM coupons WHERE active") == []
    assert life.tally["died"]
    assert completed
    assert must
    with capsys.disabled():
        print(f"\n{DAYS} days:", ", ".join(f"{what} {n}" for what, n in sorted(life.tally.items()) if n))  # noqa: T201
