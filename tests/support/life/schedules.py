"""Every schedule of the template, on the simulated clock."""

import importlib
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from random import Random

from local import cron, template
from tests.support.browser import CONTEXT
from tests.support.life.mortal import at_risk

DIES = 0.05

type Run = Callable[[datetime], dict[str, int]]


class Schedules:
    """Runs what has fallen due, and sometimes kills it. `instead` runs in place of a function's handler."""

    def __init__(
        self, dice: Random, started: datetime, tally: Counter[str], instead: Mapping[str, Run]
    ) -> None:
        self._dice, self._tally = dice, tally
        self._when: dict[str, cron.Expression] = {}
        self._due: dict[str, datetime] = {}
        self._runs: dict[str, Run] = {}
        for function in template.load(Path("template.yaml")).functions:
            for schedule in function.schedules:
                self._when[function.name] = cron.parse(schedule.expression, schedule.timezone)
                self._due[function.name] = self._next(function.name, started)
                self._runs[function.name] = instead.get(function.name) or _handler(function.name)

    def tick(self, now: datetime) -> None:
        """Run what has fallen due, the earliest first; what was missed is not made up for."""
        for name in sorted(
            (name for name, due in self._due.items() if due <= now), key=self._due.__getitem__
        ):
            with at_risk(self._dice, DIES) as fate:
                done = self._runs[name](now)
                self._tally.update({f"{name}: {what}": count for what, count in done.items()})
            self._tally["job killed"] += fate.struck
            self._due[name] = self._next(name, now)

    def _next(self, name: str, after: datetime) -> datetime:
        due = self._when[name].next_after(after)
        assert due
        return due


def _handler(name: str) -> Run:
    handler = importlib.import_module(f"functions.{name}.app").lambda_handler

    def run(now: datetime) -> dict[str, int]:
        done: dict[str, int] = handler({"time": now.isoformat()}, CONTEXT)
        return done

    return run
