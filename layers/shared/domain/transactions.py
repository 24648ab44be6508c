"""One retry for the rare transaction that PostgreSQL ends to break a deadlock."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any, Concatenate

from psycopg import Connection
from psycopg.errors import DeadlockDetected
from psycopg.pq import TransactionStatus


def retried_on_deadlock[**P, R](
    operation: Callable[Concatenate[Connection[Any], P], R],
) -> Callable[Concatenate[Connection[Any], P], R]:
    """Run the operation once more when it was the victim of a deadlock. It must be one transaction.

    Inside another transaction it becomes a part of it that can be undone alone.
    """

    @wraps(operation)
    def run(connection: Connection[Any], /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with _undone_alone(connection):
                return operation(connection, *args, **kwargs)
        except DeadlockDetected:
            return operation(connection, *args, **kwargs)

    return run


def _undone_alone(connection: Connection[Any]) -> AbstractContextManager[Any]:
    inside = connection.info.transaction_status is TransactionStatus.INTRANS
    return connection.transaction() if inside else nullcontext()
