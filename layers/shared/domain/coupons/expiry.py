"""Coupons whose time is over are put away. Nobody waits for it: a coupon is judged each time it is used (spec 3.4)."""

from datetime import datetime
from typing import Any

from psycopg import Connection


def deactivate_expired(connection: Connection[Any], now: datetime) -> int:
    """Deactivate the coupons that have ended; answers how many."""
    return connection.execute(
        "UPDATE coupons SET active = false, updated_at = %(now)s WHERE active AND ends_at <= %(now)s",
        {"now": now},
    ).rowcount
