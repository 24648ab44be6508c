"""The one connection a container keeps to PostgreSQL (decision 15)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from adapters.settings import optional_setting, setting

CONNECT_TIMEOUT_SECONDS = 5

_kept = threading.local()


def connection() -> psycopg.Connection[Any]:
    """This thread's connection, in autocommit mode: a use case opens the transaction it needs.

    A connection that broke, or was left in a transaction, is replaced.
    """
    kept: psycopg.Connection[Any] | None = getattr(_kept, "connection", None)
    if kept is not None and (getattr(_kept, "in_transaction", False) or _is_idle(kept)):
        return kept
    if kept is not None:
        kept.close()
    _kept.connection = psycopg.connect(
        setting("DATABASE_URL"),
        autocommit=True,
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        prepare_threshold=_prepare_threshold(),
    )
    fresh: psycopg.Connection[Any] = _kept.connection
    return fresh


@contextmanager
def transaction() -> Iterator[psycopg.Connection[Any]]:
    """One transaction around all that this thread does with its connection in the block."""
    opened = connection()
    with opened.transaction():
        _kept.in_transaction = True
        try:
            yield opened
        finally:
            _kept.in_transaction = False


def _prepare_threshold() -> int | None:
    """After how many uses a statement is prepared; never behind RDS Proxy, which would pin the connection."""
    return None if optional_setting("DATABASE_PREPARED_STATEMENTS") == "off" else 5


def _is_idle(kept: psycopg.Connection[Any]) -> bool:
    return (
        not kept.closed
        and kept.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        and kept.info.pipeline_status == psycopg.pq.PipelineStatus.OFF
    )


def disconnect() -> None:
    """Close this thread's connection, if it has one; the next use opens another."""
    kept: psycopg.Connection[Any] | None = getattr(_kept, "connection", None)
    if kept is not None:
        kept.close()
        _kept.connection = None
