"""One retry for the rare transaction that PostgreSQL ends to break a deadlock."""

from collections.abc import Callable
from functools import wraps

from psycopg.errors import DeadlockDetected


def retried_on_deadlock[**P, R](operation: Callable[P, R]) -> Callable[P, R]:
    """Run the operation once more when it was the victim of a deadlock. It must be one transaction."""

    @wraps(operation)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return operation(*args, **kwargs)
        except DeadlockDetected:
            return operation(*args, **kwargs)

    return run
