"""The days themselves: people act, time passes, schedules run, events travel."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from domain.clock import TORONTO
from tests.support.life.make import Post
from tests.support.life.people import People
from tests.support.life.schedules import Schedules
from tests.support.life.school import open_school
from tests.support.life.stripes_post import StripesPost
from tests.support.receiver import Receiver
from tests.support.world import World, toronto

CLOCKS_CHANGE = toronto(14, 12, month=3)
"""Noon of the day on which Toronto's clocks go forward: the middle of every life."""
AWAKE = range(7, 23)


@dataclass(frozen=True)
class Scale:
    """How much is lived. `step_minutes` is how far the clock moves at a time: schedules run no oftener."""

    students: int
    tutors: int
    days: int
    step_minutes: int


@dataclass
class Life:
    world: World
    make: Receiver
    dice: Random
    scale: Scale
    tally: Counter[str] = field(default_factory=Counter)
    days_after: int = 0

    def __post_init__(self) -> None:
        world, dice, days = self.world, self.dice, self.scale.days
        opened = CLOCKS_CHANGE - timedelta(days=days / 2)
        world.clock.now = opened.astimezone(world.clock.now.tzinfo)
        faculty = open_school(world, dice, self.scale.tutors, opened)
        self.post = Post(dice, self.make, opened, days, self.tally)
        self.people = People(dice, world, faculty, self.scale.students, days, self.tally)
        self.stripes_post = StripesPost(dice, world, self.tally)
        self.schedules = Schedules(dice, world.clock(), self.tally, {"webhook_relay": self.post.relay})

    def live(self) -> None:
        """People act for so many days; then everything that was booked takes place, and is told."""
        ends = self.world.clock() + timedelta(days=self.scale.days)
        while self.world.clock() < ends:
            if self.world.clock().astimezone(TORONTO).hour in AWAKE:
                self.people.act(self.scale.step_minutes)
            self._time_passes()
        self._days_pass(1)  # nobody pays after a day
        while self.world.rows("SELECT FROM appointments WHERE status = 'scheduled' LIMIT 1"):
            self._time_passes()
        self.days_after = (self.world.clock() - ends).days
        self._days_pass(1)  # what Make refused last is sent again

    def _days_pass(self, days: int) -> None:
        ends = self.world.clock() + timedelta(days=days)
        while self.world.clock() < ends:
            self._time_passes()

    def _time_passes(self) -> None:
        self.world.clock.advance(minutes=self.scale.step_minutes)
        now = self.world.clock()
        self.people.keep_their_word()
        self.stripes_post.tick(now)
        self.schedules.tick(now)
        self.post.dispatch_until(now)
