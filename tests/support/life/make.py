"""What leaves the building: relay, queue and dispatcher on the simulated clock, and a Make.com that has bad days."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heappop, heappush
from random import Random
from typing import Any

import pytest

from adapters import database
from adapters.make import MakeReceiver
from adapters.make_routes import events_per_second, routes
from domain.webhooks.dispatch import dispatch
from domain.webhooks.relay import Message, relay, seconds_until
from tests.support.life.mortal import at_risk
from tests.support.receiver import Receiver

AREAS = ("SIGNUP", "BOOKING", "CANCELLATION", "REMINDER", "COMPLETION")  # the others fall back
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
ROUNDS = 50
SQS_AT_MOST_SECONDS = 900
VISIBLE_AGAIN = timedelta(minutes=9)
DIES = 0.02
FAILS = 0.01
DAYS_BETWEEN_OUTAGES = 4
ANSWERS_OF_AN_OUTAGE = (500, 503, 429, 410)


def configure(monkeypatch: pytest.MonkeyPatch, make: Receiver) -> None:
    """The product posts to this receiver. Nothing is nudged: the queue is in this process, the relay fills it."""
    monkeypatch.setenv("WEBHOOK_DELIVERY_ENABLED", "false")
    monkeypatch.setenv("WEBHOOK_ALLOWED_HOSTS", "127.0.0.1")
    monkeypatch.setenv("WEBHOOK_PRIVATE_HOSTS", "127.0.0.1")
    for area in AREAS:
        monkeypatch.setenv(f"MAKE_{area}_WEBHOOK_URL", f"{make.url}/{area.lower()}")
        monkeypatch.setenv(f"MAKE_{area}_WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("MAKE_WEBHOOK_PAYMENTS_URL", f"{make.url}/payments")
    monkeypatch.setenv("MAKE_WEBHOOK_PAYMENTS_SECRET", SECRET)


@dataclass(frozen=True)
class Outage:
    """From when to when everything is answered with one status."""

    begins: datetime
    ends: datetime
    answer: int


class Post:
    """Carries events from the outbox to Make, and remembers what Make has accepted."""

    def __init__(
        self, dice: Random, make: Receiver, opened: datetime, days: int, tally: Counter[str]
    ) -> None:
        self._dice, self._make, self._tally = dice, make, tally
        self._receiver = MakeReceiver()
        self._queue: list[tuple[datetime, str]] = []
        self._now = opened
        self._outages = [_outage(dice, opened, days) for _ in range(1 + days // DAYS_BETWEEN_OUTAGES)]
        self.accepted: Counter[str] = Counter()
        self.forgotten: Counter[str] = Counter()
        """How many times the dispatcher was killed after Make's 200: so often, at most, Make hears it again."""
        self.events: dict[str, list[dict[str, Any]]] = defaultdict(list)
        """By type, each event once, as it arrived."""

    def relay(self, now: datetime) -> dict[str, int]:
        """A run of the relay."""
        self._now = now
        return {
            "events_enqueued": relay(database.connection(), self, routes(), events_per_second(), now, ROUNDS)
        }

    def send(self, messages: Sequence[Message]) -> list[str]:
        for event_id, wait in messages:
            heappush(self._queue, (self._now + timedelta(seconds=wait), event_id))
        return []

    def dispatch_until(self, until: datetime) -> None:
        """Deliver each message at its second."""
        while self._queue and self._queue[0][0] <= until:
            self._now, event_id = heappop(self._queue)
            self._deliver(event_id)

    def _deliver(self, event_id: str) -> None:
        answer = self._answer()
        self._make.answers[:] = [answer]
        self._make.posted.clear()
        outcome = None
        with at_risk(self._dice, DIES) as fate:
            outcome = dispatch(
                database.connection(),
                self._receiver,
                event_id,
                self._now,
                self._dice.random,
                self._wait_for_departure,
            )
        if self._make.posted and answer == 200:
            self._accept(event_id, self._make.posted[0].body)
        if self._make.posted and answer != 200:
            self._tally["refused by Make"] += 1
        if fate.struck:
            self._tally["dispatcher killed"] += 1
            self.forgotten[event_id] += bool(self._make.posted)
            heappush(self._queue, (self._now + VISIBLE_AGAIN, event_id))
        elif (
            outcome and outcome.due and (wait := seconds_until(outcome.due, self._now)) <= SQS_AT_MOST_SECONDS
        ):
            self.send([Message(event_id, wait)])

    def _wait_for_departure(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)

    def _accept(self, event_id: str, body: bytes) -> None:
        self.accepted[event_id] += 1
        if self.accepted[event_id] == 1:
            event = json.loads(body)
            self.events[event.get("type") or event["eventType"]].append(event)

    def _answer(self) -> int:
        for outage in self._outages:
            if outage.begins <= self._now < outage.ends:
                return outage.answer
        return 500 if self._dice.random() < FAILS else 200


def _outage(dice: Random, opened: datetime, days: int) -> Outage:
    begins = opened + timedelta(days=dice.uniform(0, days))
    length = timedelta(minutes=dice.uniform(10, 240))
    return Outage(begins, begins + length, dice.choice(ANSWERS_OF_AN_OUTAGE))
