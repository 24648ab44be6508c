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
from domain.cart.cart import Cart, CartItem, GivenUp
from domain.cart.models import CartItemView
from domain.cart.standing import judged
from domain.cart.view_cart import find_cart
from domain.carts import carts
from domain.catalog.offering import Offering
from domain.errors import Refused
from domain.scheduling import claims


def lock_cart(connection: Connection[Any], buyer: Buyer, now: datetime) -> Cart:
    """The buyer's cart, judged, and locked until the transaction ends. Refuses with CART_EMPTY."""
    carts.lock_cart(connection, "tutoring", buyer)
    cart = find_cart(queries.read_cart(connection, buyer, now))
    if cart is None or not cart.items:
        raise Refused("CART_EMPTY")
    return judged(connection, cart, now)


def count_lapsed(connection: Connection[Any], buyer: Buyer, now: datetime) -> int:
    """How many times a checkout of the buyer's cart would hold again."""
    cart = find_cart(queries.read_cart(connection, buyer, now))
    return sum(not item.held for item in cart.items) if cart else 0


def hold_again(connection: Connection[Any], cart: Cart, now: datetime, max_holds: int) -> Cart:
    """The judged cart with every hold that does not stand taken anew, on the terms of a first one (X-07).

    A session that anyone may give moves to another tutor when its own is lost; the cart is then one version further,
    so that nothing which was started for it before is taken for the same. Refuses with SLOTS_UNAVAILABLE and the lost
    sessions, and with HOLD_LIMIT.
    """
    lapsed = [item for item in cart.items if not item.held]
    if not lapsed:
        return cart
    _refuse_lost([item for item in lapsed if item.lost], now)
    cart.require_room_for_all(max_holds)
    claims.lock_tutors(connection, {tutor_id for item in lapsed for tutor_id in item.givers})
    claims.release(connection, [item.id for item in lapsed])
    answers = {item.id: _held_anew(connection, item, now) for item in lapsed}
    _refuse_lost([item for item in lapsed if answers[item.id] is None], now)
    held = {item_id: item for item_id, item in answers.items() if item}
    queries.renew_holds(connection, {item.id: item.tutor_id for item in held.values()}, now + claims.HOLD_TTL)
    if any(held[item.id].tutor_id != item.tutor_id for item in lapsed):
        cart = replace(cart, version=_next_version(connection, cart, now))
    return cart.with_items(held.get(item.id, item) for item in cart.items)


def reprice(
    connection: Connection[Any], cart: Cart, offerings: Mapping[UUID, Offering], now: datetime
) -> Cart:
    """The cart at today's prices, stored as such when they differ (spec 3.8). What is lost keeps its old price."""
    repriced = cart.with_items(
        replace(
            item,
            price_cad=money.prorate(offerings[item.course_id].student_rate_cad, item.duration_min),
        )
        if item.course_id in offerings and not item.lost
        else item
        for item in cart.items
    )
    for old, new in zip(cart.items, repriced.items, strict=True):
        if old.price_cad != new.price_cad:
            queries.reprice_item(connection, new.id, new.price_cad)
    if repriced.items != cart.items:
        carts.advance_version(connection, cart.id, now)
    return repriced


def take_out_sold(
    connection: Connection[Any],
    cart_id: UUID,
    item_ids: Sequence[UUID],
    coupon_id: UUID | None,
    now: datetime,
) -> None:
    """The sold sessions leave the cart, and the coupon they were sold with (X-11); what was added meanwhile stays."""
    queries.remove_items(connection, item_ids, now)
    claims.release(connection, item_ids)
    carts.clear_coupon(connection, cart_id, coupon_id)
    carts.advance_version(connection, cart_id, now)


def let_go(connection: Connection[Any], item_ids: Sequence[UUID], now: datetime) -> None:
    """The sessions stay in their locked cart, and anybody may have their times."""
    queries.lapse_holds(connection, item_ids, now)
    claims.release(connection, item_ids)


def take_newer_holds(
    connection: Connection[Any],
    cart_id: UUID | None,
    sessions: Sequence[Mapping[str, Any]],
    sold_ids: Sequence[UUID],
    now: datetime,
) -> Cursor[Any]:
    """Take out of a locked cart the items that ask for sessions which were paid for, and release their holds.

    A session is its `id`, `course_id`, `start`, `duration_min`, `frozen_with` and, unless any tutor will do, its
    `tutor_id`.
    Rows: a session's id, and the tutor with whom it was held until now.
    """
    return queries.take_same_sessions(connection, cart_id, sessions, sold_ids, now)


def step_aside(
    connection: Connection[Any],
    cart_id: UUID | None,
    sessions: Sequence[Mapping[str, Any]],
    sold_ids: Sequence[UUID],
    now: datetime,
) -> Cursor[GivenUp]:
    """Give up the holds of a locked cart that overlap these sessions: nobody's own is in the way (spec 2.7).

    Rows, for `come_back`: what was given up.
    """
    return queries.lapse_overlapping(connection, cart_id, sessions, sold_ids, now)


def come_back(connection: Connection[Any], holds: Sequence[GivenUp]) -> None:
    """Holds that stepped aside for nothing stand again, in the same transaction: nobody could have had their times."""
    queries.hold_as_before(connection, holds)


def _held_anew(connection: Connection[Any], item: CartItem, now: datetime) -> CartItem | None:
    """The session with a new hold on the first of its givers, who are locked; None when all of them are taken."""
    for tutor_id, name in item.givers.items():
        if claims.hold(connection, claims.Claim(item.id, tutor_id, item.start, item.end), now):
            return replace(
                item,
                tutor_id=tutor_id,
                tutor_display_name=name,
                held=True,
                hold_expires_at=now + claims.HOLD_TTL,
            )
    return None


def _next_version(connection: Connection[Any], cart: Cart, now: datetime) -> int:
    answer = carts.advance_version(connection, cart.id, now).fetchone()
    if answer is None:
        raise LookupError("cart")
    version: int = answer[0]
    return version


def _refuse_lost(items: Sequence[CartItem], now: datetime) -> None:
    """Refuses with SLOTS_UNAVAILABLE and these sessions, if there are any."""
    if items:
        lost = [CartItemView.of(replace(item, lost=True), now).model_dump(mode="json") for item in items]
        raise Refused("SLOTS_UNAVAILABLE", facts={"items": lost})
