"""What the checkout asks of a cart: lock it, make sure every session is still held, take out what was sold."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor

from domain import money
from domain.accounts.callers import Buyer
from domain.cart import queries
from domain.cart.cart import Cart, CartItem
from domain.cart.models import CartItemView
from domain.cart.view_cart import find_cart
from domain.catalog.offering import Offering
from domain.catalog.timetable import Timetable, read_timetables
from domain.errors import Refused
from domain.scheduling import claims
from domain.scheduling.availability import BOOKING_HORIZON, LEAD_TIME, tutors_free_at
from domain.scheduling.grid import local_date


def lock_cart(connection: Connection[Any], buyer: Buyer, now: datetime) -> Cart:
    """The buyer's cart, locked until the transaction ends. Refuses with CART_EMPTY."""
    queries.lock_cart(connection, buyer)
    cart = find_cart(queries.read_cart(connection, buyer, now))
    if cart is None or not cart.items:
        raise Refused("CART_EMPTY")
    return cart


def hold_again(connection: Connection[Any], cart: Cart, now: datetime) -> Cart:
    """The cart with every lapsed hold taken anew, on the terms of a first one (X-07).

    Refuses with SLOTS_UNAVAILABLE and the lost sessions.
    """
    lapsed = [item for item in cart.items if not item.held]
    if not lapsed:
        return cart
    offered = _still_offered(connection, lapsed, now)
    claims.lock_tutors(connection, {item.tutor_id for item in offered})
    held = [item for item in offered if claims.hold(connection, _claim(item), now)]
    if gone := [item for item in lapsed if item not in held]:
        raise Refused("SLOTS_UNAVAILABLE", facts={"items": [_lost(item) for item in gone]})
    expires_at = now + claims.HOLD_TTL
    queries.renew_holds(connection, [item.id for item in held], expires_at)
    return cart.with_items(
        replace(item, held=True, hold_expires_at=expires_at) if item in held else item for item in cart.items
    )


def reprice(
    connection: Connection[Any], cart: Cart, offerings: Mapping[UUID, Offering], now: datetime
) -> Cart:
    """The cart at today's prices, stored as such when they differ (spec 3.8)."""
    repriced = cart.with_items(
        replace(
            item,
            price_cad=money.prorate(offerings[item.course_id].student_rate_cad, item.duration_min),
        )
        if item.course_id in offerings
        else item
        for item in cart.items
    )
    for old, new in zip(cart.items, repriced.items, strict=True):
        if old.price_cad != new.price_cad:
            queries.reprice_item(connection, new.id, new.price_cad)
    if repriced.items != cart.items:
        queries.advance_version(connection, cart.id, now)
    return repriced


def take_out_sold(
    connection: Connection[Any], cart_id: UUID, item_ids: Sequence[UUID], now: datetime
) -> None:
    """The sold sessions leave the cart, and its coupon with them (X-11); what was added meanwhile stays."""
    queries.remove_items(connection, item_ids, now)
    claims.release(connection, item_ids)
    queries.clear_coupon(connection, cart_id)
    queries.advance_version(connection, cart_id, now)


def take_newer_holds(
    connection: Connection[Any],
    cart_id: UUID | None,
    sessions: Sequence[Mapping[str, Any]],
    sold_ids: Sequence[UUID],
    now: datetime,
) -> Cursor[Any]:
    """Take out of a locked cart the items that ask for sessions which were paid for, and release their holds.

    A session is its `id`, `course_id`, `start`, `duration_min` and, unless any tutor will do, its `tutor_id`.
    Rows: a session's id, and the tutor with whom it was held until now.
    """
    return queries.take_same_sessions(connection, cart_id, sessions, sold_ids, now)


def _still_offered(connection: Connection[Any], items: Sequence[CartItem], now: datetime) -> list[CartItem]:
    """Those whose course, tutor, calendar and start would still let them be put in a cart."""
    days = [local_date(item.start) for item in items]
    courses = {item.course_id for item in items}
    timetables = read_timetables(connection, courses, min(days), max(days), now)
    return [item for item in items if _is_offered(item, timetables.get(item.course_id), now)]


def _is_offered(item: CartItem, timetable: Timetable | None, now: datetime) -> bool:
    if timetable is None or item.tutor_id not in timetable.calendars:
        return False
    in_time = now + LEAD_TIME <= item.start <= now + BOOKING_HORIZON
    calendar = timetable.calendars[item.tutor_id]
    return in_time and bool(tutors_free_at([calendar], item.start, item.duration_min))


def _claim(item: CartItem) -> claims.Claim:
    return claims.Claim(item.id, item.tutor_id, item.start, item.end)


def _lost(item: CartItem) -> Any:
    return CartItemView.of(replace(item, held=False, lost=True)).model_dump(mode="json")
