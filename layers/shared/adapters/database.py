"""The one connection a container keeps to PostgreSQL (decisions 15, 23).

Requests come as booking_web, schedules and the queue as booking_jobs: the server ends what either waits for too long
(0034_roles.sql).
"""

import select
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from adapters.settings import optional_setting, setting

CONNECT_TIMEOUT_SECONDS = 3
PAUSE_BEFORE_SECOND_TRY_SECONDS = 0.2
TRUSTED_FOR_SECONDS = 60.0
"""A connection unused for longer is asked whether it still works: a frozen container does not hear that it ended."""

UNDELIVERED_FOR_MS = 5_000
"""What the server has not acknowledged for so long is lost, and the connection with it."""

READ_ONLY = "25006"
TOO_LATE = ("25P03", "25P04")
"""The server ended a transaction that was left, or that took too long: psycopg does not call that operational."""


@dataclass
class _Kept:
    connection: psycopg.Connection[Any]
    used_at: float
    in_transaction: bool = False


_kept = threading.local()


def connection() -> psycopg.Connection[Any]:
    """This thread's connection, in autocommit mode: a use case opens the transaction it needs.

    One that broke, or was left in a transaction, is replaced; what was never sent is sent again once.
    """
    return _connection("DATABASE_URL")


def connection_for_jobs() -> psycopg.Connection[Any]:
    """The same for a function that nobody waits for, as booking_jobs (DATABASE_JOBS_URL, else DATABASE_URL)."""
    return _connection("DATABASE_JOBS_URL" if optional_setting("DATABASE_JOBS_URL") else "DATABASE_URL")


@contextmanager
def transaction() -> Iterator[psycopg.Connection[Any]]:
    """One transaction around all that this thread does with its connection in the block."""
    opened = connection()
    with opened.transaction():
        kept = _all_kept()["DATABASE_URL"]
        kept.in_transaction = True
        try:
            yield opened
        finally:
            kept.in_transaction = False


def disconnect() -> None:
    """Close this thread's connections, if it has any; the next use opens another."""
    for kept in _all_kept().values():
        kept.connection.close()
    _all_kept().clear()


def was_unavailable(error: psycopg.Error) -> bool:
    """Whether it says that the database could not be had just now, and nothing about what was asked of it.

    A server that takes no writes any more is left: the next connection finds the one that took over.
    """
    if error.sqlstate == READ_ONLY:
        disconnect()
    return isinstance(error, psycopg.OperationalError) or error.sqlstate in (READ_ONLY, *TOO_LATE)


def is_refusal(error: psycopg.Error) -> bool:
    """Whether the server was there and did not let us in."""
    return bool(error.pgconn and (error.pgconn.used_password or error.pgconn.needs_password)) or any(
        words in str(error) for words in ("authentication failed", "does not exist")
    )


def description(error: psycopg.Error) -> dict[str, Any]:
    """What a log may say of it. Not the server's message: it quotes the row it refuses, e-mail address and all."""
    return {
        "error": type(error).__name__,
        "sqlstate": error.sqlstate,
        "constraint": error.diag.constraint_name,
        "traceback": traceback.format_tb(error.__traceback__),
    }


def _connection(name: str) -> psycopg.Connection[Any]:
    kept = _all_kept().get(name)
    if kept is None or not (kept.in_transaction or _is_sound(kept)):
        if kept is not None:
            kept.connection.close()
        kept = _all_kept()[name] = _Kept(_connect(setting(name)), 0.0)
    kept.used_at = time.time()
    return kept.connection


def _all_kept() -> dict[str, _Kept]:
    by_name: dict[str, _Kept] = _kept.__dict__.setdefault("by_name", {})
    return by_name


def _connect(url: str) -> psycopg.Connection[Any]:
    """A new connection; tried twice, since a proxy or a server that takes over refuses for a moment."""
    try:
        return _connect_once(url)
    except psycopg.OperationalError:
        time.sleep(PAUSE_BEFORE_SECOND_TRY_SECONDS)
        return _connect_once(url)


def _connect_once(url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(
        url,
        autocommit=True,
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        tcp_user_timeout=UNDELIVERED_FOR_MS,
        prepare_threshold=_prepare_threshold(),
    )


def _prepare_threshold() -> int | None:
    """After how many uses a statement is prepared; never behind RDS Proxy, which would pin the connection."""
    return None if optional_setting("DATABASE_PREPARED_STATEMENTS") == "off" else 5


def _is_sound(kept: _Kept) -> bool:
    """Whether the next statement can be trusted to it. Looking costs no round trip, but after a long rest."""
    return (
        not kept.connection.closed
        and kept.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        and kept.connection.info.pipeline_status == psycopg.pq.PipelineStatus.OFF
        and (_is_fresh(kept) or _answers(kept.connection))
    )


def _is_fresh(kept: _Kept) -> bool:
    """Whether it was used a moment ago, and the server has said nothing unasked, as it does when it ends one."""
    unasked = select.poll()
    unasked.register(kept.connection.fileno(), select.POLLIN)
    return time.time() - kept.used_at < TRUSTED_FOR_SECONDS and not unasked.poll(0)


def _answers(connection: psycopg.Connection[Any]) -> bool:
    try:
        connection.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True
