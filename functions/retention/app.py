"""Every night: forget what has been kept long enough (spec 5.9, 6)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from psycopg import Connection

from adapters import database
from adapters.jobs import in_batches, job, report, run_time
from domain import idempotency
from domain.access.retention import delete_expired_reset_tokens
from domain.accounts.retention import delete_expired_sessions
from domain.carts.retention import delete_idle_guest_carts
from domain.checkout.retention import delete_ended, forget_hashes
from domain.payments.retention import delete_old_events
from domain.throttling.allowances import delete_unspent
from domain.webhooks.retention import delete_attempts, delete_rows, delete_unrecorded, forget_bodies

BATCH = 500

type Purge = Callable[[Connection[Any], datetime, int], int]

PURGES: dict[str, Purge] = {
    "password_hashes_forgotten": forget_hashes,
    "checkouts_deleted": delete_ended,
    "guest_carts_deleted": delete_idle_guest_carts,
    "sessions_deleted": delete_expired_sessions,
    "reset_tokens_deleted": delete_expired_reset_tokens,
    "idempotency_keys_deleted": idempotency.delete_expired,
    "allowances_deleted": delete_unspent,
    "payment_events_deleted": delete_old_events,
    "webhook_bodies_forgotten": forget_bodies,
    "webhook_events_deleted": delete_rows,
    "webhook_attempts_deleted": delete_attempts,
    "webhook_admin_events_deleted": delete_unrecorded,
}


@job
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    return report(**{what: _in_batches(purge, context, run_time(event)) for what, purge in PURGES.items()})


def _in_batches(purge: Purge, context: Any, now: datetime) -> int:
    return in_batches(context, BATCH, lambda size: purge(database.connection_for_jobs(), now, size))
