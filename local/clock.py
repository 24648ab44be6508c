"""The local clock: the real one, or one that was moved and ticks on from there.

A moved clock is an offset from real time. Every process of the stack applies the same offset, so the API, its
functions, the schedules, the Stripe double and the inbox all see the same now.
"""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime

_offset: float | None = None
_travel = ExitStack()
_moving = threading.Lock()
_watchers: list[Callable[[], None]] = []


def offset() -> float | None:
    """How far this process's clock is from real time, in seconds; `None` when it was not moved."""
    return _offset


def move(now: datetime | None) -> datetime:
    """Move this process's clock to an instant, or back to real time with `None`; what it now shows is returned."""
    with _moving:
        _travel.close()
        real = time.time()
        _leave(None if now is None else now.timestamp() - real, real)
    for watcher in _watchers:
        watcher()
    return datetime.now(UTC)


def follow(new_offset: float | None) -> None:
    """Take over another process's offset."""
    if new_offset != _offset:
        with _moving:
            _travel.close()
            _leave(new_offset, time.time())


def watch(watcher: Callable[[], None]) -> None:
    """Have `watcher` called whenever this process's clock is moved."""
    _watchers.append(watcher)


def _leave(new_offset: float | None, real: float) -> None:
    global _offset
    _offset = new_offset
    if new_offset is not None:
        # Imported when first needed: it brings pytest along where that is installed.
        import time_machine

        _travel.enter_context(time_machine.travel(real + new_offset, tick=True)).time_ns()
