"""EventBridge Scheduler: calls functions at the times their schedules say, by the local clock.

A clock that jumps ahead makes what fell due fire once, not once for every time that was skipped.
"""

import json
import logging
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local import clock, cron
from local.functions import Event
from local.template import Application, Function, Schedule

type Invoke = Callable[[str, Event], Any]

logger = logging.getLogger(__name__)


class UnknownScheduleError(Exception):
    """The function does not exist or has no schedule."""


@dataclass
class _Ticking:
    function: Function
    schedule: Schedule
    expression: cron.Expression
    due: datetime | None


class Schedules:
    """The schedules of an application.

    Parameters
    ----------
    application
        What the template says.
    invoke
        Calls a function by name with an event.
    """

    def __init__(self, application: Application, invoke: Invoke) -> None:
        self._invoke = invoke
        now = datetime.now(UTC)
        self._all = [
            _Ticking(function, schedule, expression, expression.next_after(now))
            for function in application.functions
            for schedule in function.schedules
            for expression in [cron.parse(schedule.expression, schedule.timezone)]
        ]
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._tick, name="schedules", daemon=True)

    def start(self) -> None:
        """Begin to tick."""
        clock.watch(self._clock_moved)
        self._thread.start()

    def stop(self) -> None:
        """Tick no more; runs that have begun are left to end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def fire(self, function: str) -> Any:
        """Run a function at once, as its schedule would, and return what it returns.

        Raises
        ------
        UnknownScheduleError
            The function does not exist or has no schedule.
        """
        for ticking in self._all:
            if ticking.function.name == function:
                return self._invoke(function, _event(ticking.schedule, datetime.now(UTC)))
        raise UnknownScheduleError(f"There is no schedule for {function}.")

    def _tick(self) -> None:
        with self._changed:
            while not self._stopping:
                now = datetime.now(UTC)
                for ticking in self._all:
                    if ticking.due and ticking.due <= now:
                        self._start_run(ticking, ticking.due)
                        ticking.due = ticking.expression.next_after(now)
                waits = [(ticking.due - now).total_seconds() for ticking in self._all if ticking.due]
                self._changed.wait(min(waits, default=None))

    def _start_run(self, ticking: _Ticking, due: datetime) -> None:
        run = threading.Thread(target=self._run, args=(ticking, due), daemon=True)
        run.start()

    def _run(self, ticking: _Ticking, due: datetime) -> None:
        try:
            self._invoke(ticking.function.name, _event(ticking.schedule, due))
        except Exception:
            logger.exception("the scheduled run of %s failed", ticking.function.name)

    def _clock_moved(self) -> None:
        with self._changed:
            now = datetime.now(UTC)
            for ticking in self._all:
                upcoming = ticking.expression.next_after(now)
                # Ahead, what was due stays due; back, the next time is nearer than it was.
                if ticking.due is None or (upcoming is not None and upcoming < ticking.due):
                    ticking.due = upcoming
            self._changed.notify()


def _event(schedule: Schedule, at: datetime) -> Event:
    facts = {
        "<aws.scheduler.scheduled-time>": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "<aws.scheduler.execution-id>": str(uuid.uuid4()),
        "<aws.scheduler.attempt-number>": "1",
    }
    text = schedule.input
    for placeholder, fact in facts.items():
        text = text.replace(placeholder, fact)
    event: Event = json.loads(text)
    return event
