"""Putting sessions in a cart: all of them or none, each held for fifteen minutes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain import money
from domain.accounts.callers import Buyer
from domain.cart import queries
from domain.cart.cart import MAX_HOLDS, Cart, CartItem
from domain.cart.models import CartView, WantedSession
from domain.cart.standing import judged
from domain.cart.view_cart import find_cart, no_cart
from domain.carts import carts
from domain.catalog.timetable import COLUMNS, Timetable, collect
from domain.errors import Refused
from domain.ids import new_id
from domain.scheduling import claims
from domain.scheduling.availability import (
    BOOKING_HORIZON,
    DURATIONS_MIN,
    LEAD_TIME,
    tutors_free_at,
)
from domain.scheduling.grid import local_date, on_grid
from domain.transactions import retried_on_deadlock


@dataclass(frozen=True, slots=True)
class Choice:
    """A wanted session as it would stand in the cart, and the free tutors who could give it, best first."""

    draft: CartItem
    names: Mapping[UUID, str]
    free_tutors: Sequence[UUID]

    def held(self, tutor_id: UUID, beside_own_session: bool) -> CartItem:
        """The session as it stands in the cart, with the tutor whose time could be had."""
        return replace(
            self.draft,
            tutor_id=tutor_id,
            tutor_display_name=self.names[tutor_id],
            student_overlap=beside_own_session,
        )


@retried_on_deadlock
def add_items(
    connection: Connection[Any],
    buyer: Buyer,
    newcomer: Callable[[], Buyer],
    wanted: Sequence[WantedSession],
    now: datetime,
    max_holds: int = MAX_HOLDS,
) -> tuple[CartView, Buyer]:
    """Hold every wanted session and answer the cart and whose it is, or refuse and change nothing.

    Without a cart, one is made for the `newcomer`: somebody else than `buyer` when nobody knows a guest's cookie.

    A session without a tutor goes to the best tutor whose time can be had, tried one after the other. Refuses with
    INVALID_DURATION, OFF_GRID, TOO_SOON, TOO_FAR, COURSE_NOT_FOUND, TUTOR_NOT_FOUND, SLOT_UNAVAILABLE,
    ALREADY_IN_CART, OVERLAP, HOLD_LIMIT.
    """
    for session in wanted:
        require_bookable(session, now)
    added = _add(connection, buyer, newcomer, wanted, now, max_holds, undisturbed=False)
    return added or _add_undisturbed(connection, buyer, newcomer, wanted, now, max_holds)


def _add_undisturbed(
    connection: Connection[Any],
    buyer: Buyer,
    newcomer: Callable[[], Buyer],
    wanted: Sequence[WantedSession],
    now: datetime,
    max_holds: int,
) -> tuple[CartView, Buyer]:
    """The same while the cart is locked, so that no other tab changes it or takes its holds again."""
    with connection.transaction():
        if buyer == newcomer():
            carts.create_cart(connection, "tutoring", buyer, now)
        carts.lock_cart(connection, "tutoring", buyer)
        added = _add(connection, buyer, newcomer, wanted, now, max_holds, undisturbed=True)
        if added is None:
            raise LookupError("a locked cart changed")
        return added


def _add(
    connection: Connection[Any],
    buyer: Buyer,
    newcomer: Callable[[], Buyer],
    wanted: Sequence[WantedSession],
    now: datetime,
    max_holds: int,
    *,
    undisturbed: bool,
) -> tuple[CartView, Buyer] | None:
    """Judge the cart as it stands and put the sessions in it.

    None when it was changed in between, or when a checkout could take its lapsed holds again in between, unless
    nobody can: it is `undisturbed`.
    """
    timetables, found = _look_around(connection, buyer, wanted, now)
    if found and not undisturbed and not all(item.held for item in found.items):
        return None
    owner = buyer if found else newcomer()
    before = judged(connection, found, now) if found else no_cart(connection, owner)
    choices = _choose(wanted, timetables, now)
    after = before
    for choice in choices:
        after = after.receive(choice.draft)
    after.require_room(max_holds, now)
    if not all(choice.free_tutors for choice in choices):
        raise Refused("SLOT_UNAVAILABLE")

    sessions = [_as_asked(choice) for choice in choices]
    replaced = {item.id for item in before.items} - {item.id for item in after.items}
    version = found.version if found else None
    answer = queries.put_in_cart(connection, owner, before.id, version, sessions, replaced, now)
    held = {item_id: (tutor_id, beside) for item_id, tutor_id, beside in answer}
    if not held:
        raise Refused("SLOT_UNAVAILABLE")
    if None in held:
        return None
    given = {choice.draft.id: choice.held(*held[choice.draft.id]) for choice in choices}
    after = after.with_items(given.get(item.id, item) for item in after.items)
    return CartView.of(replace(after, version=before.version + 1), now), owner


def require_bookable(session: WantedSession, now: datetime) -> None:
    """Refuses a duration, a start off the grid, or a start outside the booking window (spec 2.1)."""
    if session.duration_min not in DURATIONS_MIN:
        raise Refused("INVALID_DURATION")
    if not on_grid(session.start):
        raise Refused("OFF_GRID")
    if session.start < now + LEAD_TIME:
        raise Refused("TOO_SOON")
    if session.start > now + BOOKING_HORIZON:
        raise Refused("TOO_FAR")


def _look_around(
    connection: Connection[Any], buyer: Buyer, wanted: Sequence[WantedSession], now: datetime
) -> tuple[dict[UUID, Timetable], Cart | None]:
    """The wanted courses' timetables and the buyer's cart, of one instant and in one round trip."""
    days = [local_date(session.start) for session in wanted]
    courses = {session.course_id for session in wanted}
    rows = queries.look_around(connection, buyer, courses, min(days), max(days), now).fetchall()
    timetables = collect(row[:COLUMNS] for row in rows if row[0] is not None)
    return timetables, find_cart(row[COLUMNS:] for row in rows if row[0] is None)


def _choose(
    wanted: Sequence[WantedSession], timetables: Mapping[UUID, Timetable], now: datetime
) -> list[Choice]:
    """For each wanted session, who could give it: the chosen tutor, or anyone of the course's who is free."""
    choices = []
    for session in wanted:
        timetable = timetables.get(session.course_id)
        if timetable is None:
            raise Refused("COURSE_NOT_FOUND")
        if session.tutor_id is not None:
            timetable = timetable.of_tutor(session.tutor_id)
        if not timetable.names:
            raise Refused("SLOT_UNAVAILABLE")
        free = tutors_free_at(timetable.calendars.values(), session.start, session.duration_min)
        choices.append(Choice(_draft(session, timetable, now), timetable.names, free))
    return choices


def _draft(session: WantedSession, timetable: Timetable, now: datetime) -> CartItem:
    """The session as it would stand in the cart, given by the first tutor until one is found."""
    tutor_id, name = next(iter(timetable.names.items()))
    return CartItem(
        id=new_id(),
        course_id=timetable.course_id,
        course_title_fr=timetable.title_fr,
        tutor_id=tutor_id,
        tutor_display_name=name,
        tutor_selection="explicit" if session.tutor_id else "auto",
        start=session.start,
        duration_min=session.duration_min,
        price_cad=money.prorate(timetable.student_rate_cad, session.duration_min),
        hold_expires_at=now + claims.HOLD_TTL,
        held=True,
    )


def _as_asked(choice: Choice) -> dict[str, Any]:
    """A wanted session as `put_in_cart` reads it (0004)."""
    draft = choice.draft
    return {
        "id": draft.id,
        "course_id": draft.course_id,
        "selection": draft.tutor_selection,
        "tutors": [str(tutor_id) for tutor_id in choice.free_tutors],
        "starts": draft.start,
        "ends": draft.end,
        "minutes": draft.duration_min,
        "price": draft.price_cad,
    }
