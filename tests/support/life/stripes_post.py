"""Stripe's events on their way to us: most at once, some late, twice or never, each again until it is acknowledged."""

from collections import Counter
from datetime import datetime, timedelta
from heapq import heappop, heappush
from random import Random

from tests.support.life.mortal import at_risk
from tests.support.world import World

KINDS = ("payment_intent.succeeded", "payment_intent.canceled", "charge.refunded", "refund.*")
IS_LOST = 0.04
IS_LATE = 0.2
COMES_TWICE = 0.05
LATEST_MINUTES = 180
TRIED_AGAIN = timedelta(hours=1)
DIES = 0.05


class StripesPost:
    """What has been told and not yet arrived."""

    def __init__(self, dice: Random, world: World, tally: Counter[str]) -> None:
        self._dice, self._world, self._tally = dice, world, tally
        self._waiting: list[tuple[datetime, str]] = []

    def tick(self, now: datetime) -> None:
        """Take what Stripe tells, deliver what has arrived."""
        for kind in KINDS:
            for message in self._world.stripe.webhooks.take(kind):
                self._send(message.event_id, now)
        self._world.stripe.webhooks.take()  # what nobody asked to be told of
        while self._waiting and self._waiting[0][0] <= now:
            self._deliver(heappop(self._waiting)[1], now)

    def _send(self, event_id: str, now: datetime) -> None:
        if self._dice.random() < IS_LOST:
            self._tally["Stripe's events lost"] += 1
            return
        for _ in range(2 if self._dice.random() < COMES_TWICE else 1):
            late = self._dice.random() < IS_LATE
            self._tally["Stripe's events late"] += late
            minutes = self._dice.uniform(1, LATEST_MINUTES) if late else 0
            heappush(self._waiting, (now + timedelta(minutes=minutes), event_id))

    def _deliver(self, event_id: str, now: datetime) -> None:
        with at_risk(self._dice, DIES) as fate:
            answer = self._world.deliver(self._world.stripe.webhooks.message(event_id))
        self._tally["settlement killed"] += fate.struck
        if fate.struck or answer.status != 200:
            heappush(self._waiting, (now + TRIED_AGAIN, event_id))
