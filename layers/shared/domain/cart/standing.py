"""Which sessions of a cart can still be had. What a cart shows as unavailable is what the checkout refuses."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.cart.cart import Cart, CartItem
from domain.catalog.timetable import Timetable, read_timetables
from domain.scheduling.availability import BOOKING_HORIZON, LEAD_TIME
from domain.scheduling.grid import local_date


def judged(connection: Connection[Any], cart: Cart, now: datetime) -> Cart:
    """The cart with every session that is not held judged as if it were chosen now (decision 20).

    The calendars are read only when there is such a session.
    """
    if all(item.held for item in cart.items):
        return cart
    return judge(cart, _timetables(connection, cart, now), now)


def judge(cart: Cart, timetables: Mapping[UUID, Timetable], now: datetime) -> Cart:
    """The cart once its sessions that are not held have their givers, or are lost.

    A session that may not overlap one that is held, or a later choice that can be had, is lost too: both may be in one
    cart when the earlier choice could not be had for a while.
    """
    chosen = [item for item in cart.items if item.held]
    after = list(chosen)
    waiting = [item for item in cart.items if not item.held]
    for item in sorted(waiting, key=lambda item: (item.hold_expires_at, item.start, item.id), reverse=True):
        in_the_way = any(item.collides_with(other) for other in chosen)
        givers = {} if in_the_way else _givers(item, timetables.get(item.course_id), now)
        standing = replace(item, givers=givers, lost=not givers)
        after.append(standing)
        if givers:
            chosen.append(standing)
    return cart.with_items(after)


def _timetables(connection: Connection[Any], cart: Cart, now: datetime) -> dict[UUID, Timetable]:
    """Those of the courses whose sessions are waiting to be judged and could begin when they do."""
    waiting = [item for item in cart.items if not item.held and _is_in_time(item, now)]
    if not waiting:
        return {}
    days = [local_date(item.start) for item in waiting]
    return read_timetables(connection, {item.course_id for item in waiting}, min(days), max(days), now)


def _givers(item: CartItem, timetable: Timetable | None, now: datetime) -> dict[UUID, str]:
    if timetable is None or not _is_in_time(item, now):
        return {}
    tutor_ids = timetable.who_gives(
        item.start, item.duration_min, bound_to=item.tutor_id, anyone=item.is_for_anyone
    )
    return {tutor_id: timetable.names[tutor_id] for tutor_id in tutor_ids}


def _is_in_time(item: CartItem, now: datetime) -> bool:
    return now + LEAD_TIME <= item.start <= now + BOOKING_HORIZON
