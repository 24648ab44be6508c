"""Changes of appointments, to let some of them race: what each does, and what came of it."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection

from domain.errors import Refused
from tests.support.race import at_once, uncommitted, until_blocked, while_locked

DONE = "done"

type Change = Callable[[Connection[Any]], object]


def outcome(change: Change) -> Callable[[Connection[Any]], str]:
    """What came of a change: DONE, or the code of its refusal."""

    def visit(connection: Connection[Any]) -> str:
        try:
            change(connection)
        except Refused as refused:
            return refused.code
        return DONE

    return visit


def all_wait_for_the_tutor(url: str, *changes: Change) -> list[str]:
    """Every change has begun and waits; then all are let go at once."""
    with ExitStack() as stack:
        let_go = stack.enter_context(while_locked(url, "SELECT FROM tutors FOR UPDATE", len(changes)))
        connections = [stack.enter_context(psycopg.connect(url, autocommit=True)) for _ in changes]
        actions = [
            partial(outcome(change), connection)
            for change, connection in zip(changes, connections, strict=True)
        ]
        *futures, gone = at_once(*actions, let_go)
    gone.result()
    return [str(future.result()) for future in futures]


def one_behind_the_other(url: str, first: Change, second: Change) -> tuple[str, str]:
    """The first has done everything and not committed; the second has begun and waits for it; then it commits."""
    with (
        uncommitted(url) as ahead,
        psycopg.connect(url, autocommit=True) as behind,
        psycopg.connect(url, autocommit=True) as watcher,
    ):
        done = outcome(first)(ahead)

        def commit() -> str:
            until_blocked(watcher, 1)
            ahead.commit()
            return done

        waited, committed = at_once(partial(outcome(second), behind), commit)
    return committed.result(), waited.result()
