"""Idempotency keys: the same request again gets the same answer, and its effect once (decision 9).

Most requests are one transaction: `claim` in it, `keep` what was answered before it commits. Starting a checkout calls
Stripe between its transactions: it takes a `lease` instead, and its first transaction ties the checkout to the key.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from domain.errors import Refused

TTL = timedelta(hours=24)
LEASE = timedelta(seconds=30)  # longer than any function of ours may run
BUSY_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Keyed:
    """A request that bore a key. `scope` digests who asked for what under which key; nothing can be read from it."""

    scope: bytes
    body_hash: bytes


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a key: the answer that was given, or the checkout that was begun."""

    body_hash: bytes
    answer: bytes | None
    checkout_id: UUID | None


def claim(connection: Connection[Any], request: Keyed, now: datetime) -> bytes | None:
    """The answer that was given; None when the caller is the one to give it, in the transaction that is open.

    Refuses with IDEMPOTENCY_IN_FLIGHT while somebody else is, and with IDEMPOTENCY_KEY_REUSED another body.
    """
    row = connection.execute(
        "SELECT pg_try_advisory_xact_lock(%(lock)s)", {"lock": _lock_number(request)}
    ).fetchone()
    if not row or not row[0]:
        raise Refused("IDEMPOTENCY_IN_FLIGHT", retry_after=BUSY_SECONDS)
    known = find(connection, request, now)
    return known.answer if known else None


def find(connection: Connection[Any], request: Keyed, now: datetime) -> Known | None:
    """What is known of a key that has not expired. Refuses with IDEMPOTENCY_KEY_REUSED another body."""
    known = (
        connection.cursor(row_factory=class_row(Known))
        .execute(
            """
            SELECT body_hash, answer, checkout_id FROM idempotency_keys
             WHERE scope = %(scope)s AND created_at > %(since)s
            """,
            {"scope": request.scope, "since": now - TTL},
        )
        .fetchone()
    )
    if known and known.body_hash != request.body_hash:
        raise Refused("IDEMPOTENCY_KEY_REUSED")
    return known


def keep(connection: Connection[Any], request: Keyed, answer: bytes, now: datetime) -> None:
    """Remember what is answered."""
    connection.execute(
        """
        INSERT INTO idempotency_keys (scope, body_hash, answer, created_at)
        VALUES (%(scope)s, %(body_hash)s, %(answer)s, %(now)s)
        ON CONFLICT (scope) DO UPDATE
           SET body_hash = EXCLUDED.body_hash, answer = EXCLUDED.answer, leased_until = NULL,
               created_at = CASE WHEN idempotency_keys.created_at > %(since)s THEN idempotency_keys.created_at
                                 ELSE EXCLUDED.created_at END
        """,
        {
            "scope": request.scope,
            "body_hash": request.body_hash,
            "answer": answer,
            "now": now,
            "since": now - TTL,
        },
    )


def lease(connection: Connection[Any], request: Keyed, now: datetime) -> Known | None:
    """Be the one to answer for LEASE, in as many transactions as it takes; None when nothing was begun before.

    An answer that was given comes back, without a lease. Refuses as `claim` does.
    """
    taken = connection.execute(
        """
        INSERT INTO idempotency_keys (scope, body_hash, leased_until, created_at)
        VALUES (%(scope)s, %(body_hash)s, %(until)s, %(now)s)
        ON CONFLICT (scope) DO UPDATE
           SET leased_until = EXCLUDED.leased_until, body_hash = EXCLUDED.body_hash,
               answer = NULL,
               checkout_id = CASE WHEN idempotency_keys.created_at > %(since)s THEN idempotency_keys.checkout_id END,
               created_at = CASE WHEN idempotency_keys.created_at > %(since)s THEN idempotency_keys.created_at
                                 ELSE EXCLUDED.created_at END
         WHERE idempotency_keys.created_at <= %(since)s
            OR (idempotency_keys.answer IS NULL AND idempotency_keys.body_hash = EXCLUDED.body_hash
                AND coalesce(idempotency_keys.leased_until <= %(now)s, true))
        RETURNING scope
        """,
        {
            "scope": request.scope,
            "body_hash": request.body_hash,
            "now": now,
            "until": now + LEASE,
            "since": now - TTL,
        },
    ).fetchone()
    known = find(connection, request, now)
    if known and known.answer is None and not taken:
        raise Refused("IDEMPOTENCY_IN_FLIGHT", retry_after=BUSY_SECONDS)
    return known


def tie_checkout(connection: Connection[Any], request: Keyed, checkout_id: UUID) -> None:
    """In the transaction that makes a checkout: whoever comes with this key again goes on with that one."""
    connection.execute(
        "UPDATE idempotency_keys SET checkout_id = %(checkout_id)s WHERE scope = %(scope)s",
        {"scope": request.scope, "checkout_id": checkout_id},
    )


def end_lease(connection: Connection[Any], request: Keyed) -> None:
    """Give up without an answer: the same request may be made again at once. What was begun stays tied to it."""
    connection.execute(
        """
        WITH unbegun AS (
            DELETE FROM idempotency_keys WHERE scope = %(scope)s AND answer IS NULL AND checkout_id IS NULL)
        UPDATE idempotency_keys SET leased_until = NULL
         WHERE scope = %(scope)s AND answer IS NULL AND checkout_id IS NOT NULL
        """,
        {"scope": request.scope},
    )


def delete_expired(connection: Connection[Any], now: datetime, at_most: int) -> int:
    """Delete up to `at_most` keys that have expired; answers how many."""
    return connection.execute(
        """
        DELETE FROM idempotency_keys WHERE scope IN (
            SELECT scope FROM idempotency_keys WHERE created_at <= %(since)s
             ORDER BY created_at LIMIT %(at_most)s FOR UPDATE SKIP LOCKED)
        """,
        {"since": now - TTL, "at_most": at_most},
    ).rowcount


def _lock_number(request: Keyed) -> int:
    return int.from_bytes(request.scope[:8], signed=True)
