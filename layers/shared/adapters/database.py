"""The one connection a container keeps to PostgreSQL (decisions 15, 23).

Requests come as booking_web, schedules and the queue as booking_jobs: the server ends what either waits for too long
(0034_roles.sql). What it still does for a connection that was left is ended here.
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
from aws_lambda_powertools import Logger

from adapters.patience import Timely, current, waiting_at_most
from adapters.settings import optional_setting, setting

END_SECONDS = 2.2
"""How long it may take, once a request is given up, to end what the server still does for it."""

NOTICED_AFTER_SECONDS = 0.5
"""In what time a server has surely noticed that a client is gone: it looks twice (0039_gone_clients.sql)."""

CONNECT_SECONDS = 3
LEAST_TO_CONNECT_SECONDS = 2
"""What an attempt to connect takes when nothing answers: with less time left it is not made."""

PAUSE_BEFORE_SECOND_TRY_SECONDS = 0.2
TRUSTED_FOR_SECONDS = 60.0
"""A connection unused for longer is asked whether it still works: a frozen container does not hear that it ended."""

PREPARED_AFTER_USES = 5

UNDELIVERED_FOR_MS = 5_000
"""What the server has not acknowledged for so long is lost, and the connection with it."""

READ_ONLY = "25006"
TOO_LATE = ("25P03", "25P04")
"""The server ended a transaction that was left, or that took too long: psycopg does not call that operational."""

logger = Logger()


@dataclass
class _Kept:
    connection: psycopg.Connection[Any]
    opened_at: float
    used_at: float
    backend: int
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


def end_what_was_left() -> None:
    """See to it that nothing of what is given up appears later: before anybody hears that it is.

    A server does not notice that a client is gone while it works or waits for a lock.
    """
    for name, kept in list(_all_kept().items()):
        if _was_left(kept.connection):
            try:
                with waiting_at_most(END_SECONDS, END_SECONDS):
                    _connection(name)
            except psycopg.Error as error:
                logger.warning("backend not ended", extra={"error": type(error).__name__})


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


def is_read_only(connection: psycopg.Connection[Any]) -> bool:
    """Whether the server takes no writes: a standby, or one that another has taken over from."""
    row = connection.execute("SELECT current_setting('transaction_read_only') = 'on'").fetchone()
    return bool(row and row[0])


def is_refusal(error: psycopg.Error) -> bool:
    """Whether the server was there and did not let us in: not that it was full, or about to stop."""
    return bool(error.pgconn and error.pgconn.needs_password and not error.pgconn.used_password) or any(
        words in str(error)
        for words in (
            "authentication failed",
            "does not exist",
            "not permitted to log in",
            "no pg_hba.conf entry",
        )
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
    if kept is None:
        return _open(name)
    if not kept.in_transaction:
        if _was_left(kept.connection):
            return _open_instead(name, kept)
        if not _is_sound(kept):
            kept.connection.close()
            return _open(name)
    kept.used_at = time.time()
    return kept.connection


def _open(name: str) -> psycopg.Connection[Any]:
    opened, now = _connect(setting(name)), time.time()
    _all_kept()[name] = _Kept(opened, now, now, opened.info.backend_pid)
    return opened


def _open_instead(name: str, left: _Kept) -> psycopg.Connection[Any]:
    """Another connection, once what the server still did for the one that was left has ended.

    RDS Proxy hides which process that was. The server is left the time to notice by itself that its client is gone.
    """
    left.connection.close()
    if _is_behind_proxy():
        time.sleep(NOTICED_AFTER_SECONDS)
        return _open(name)
    opened = _open(name)
    try:
        opened.execute(
            """
            SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
             WHERE pid = %(backend)s AND usename = current_user
               -- its number may be that of a younger process of a server that was started again
               AND clock_timestamp() - backend_start > make_interval(secs => %(age)s - 1)
            """,
            {"backend": left.backend, "age": time.time() - left.opened_at},
        )
    except psycopg.Error:
        opened.close()
        _all_kept()[name] = left  # to be ended by whoever connects next
        raise
    return opened


def _was_left(connection: psycopg.Connection[Any]) -> bool:
    """Whether it ended, or we left it, while something was asked of the server: at rest it ends without our knowing."""
    return connection.closed or connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE


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
    patience = current()
    if patience.left < LEAST_TO_CONNECT_SECONDS:
        raise psycopg.errors.ConnectionTimeout("no time is left to connect")
    with patience.being_spent():
        return Timely.connect(
            url,
            autocommit=True,
            connect_timeout=int(min(patience.left, CONNECT_SECONDS)),
            tcp_user_timeout=UNDELIVERED_FOR_MS,
            prepare_threshold=None if _is_behind_proxy() else PREPARED_AFTER_USES,
        )


def _is_behind_proxy() -> bool:
    """Whether RDS Proxy is between: it would pin a connection with prepared statements."""
    return optional_setting("DATABASE_PREPARED_STATEMENTS") == "off"


def _is_sound(kept: _Kept) -> bool:
    """Whether the next statement can be trusted to it. Looking costs no round trip, but after a long rest."""
    return kept.connection.info.pipeline_status == psycopg.pq.PipelineStatus.OFF and (
        _is_fresh(kept) or _answers(kept.connection)
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
