"""Putting sessions in a cart: all of them or none, each held for fifteen minutes."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor

from domain import money
from domain.accounts.callers import Buyer
from domain.cart import queries
from domain.cart.cart import CartItem
from domain.cart.models import CartView, WantedSession
from domain.cart.view_cart import the_cart
from domain.catalog.timetable import Timetable, ask_timetables, read_timetables
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

    def given_by(self, tutor_id: UUID) -> CartItem:
        return replace(self.draft, tutor_id=tutor_id, tutor_display_name=self.names[tutor_id])


@retried_on_deadlock
def add_items(
    connection: Connection[Any], buyer: Buyer, wanted: Sequence[WantedSession], now: datetime
) -> CartView:
    """Hold every wanted session and answer the cart, or refuse and change nothing.

    A session without a tutor goes to the best tutor whose time can be had, tried one after the other inside the
    transaction. Refuses with INVALID_DURATION, OFF_GRID, TOO_SOON, TOO_FAR, COURSE_NOT_FOUND, TUTOR_NOT_FOUND,
    SLOT_UNAVAILABLE, ALREADY_IN_CART, OVERLAP, HOLD_LIMIT.
    """
    for session in wanted:
        require_bookable(session, now)
    with connection.transaction():
        before = the_cart(queries.open_cart(connection, buyer, now))
        choices = _choose(wanted, read_timetables(_ask_timetables(connection, wanted, now)), now)

        after = before
        for choice in choices:
            after = after.receive(choice.draft)
        after.require_room(now)
        if replaced := {item.id for item in before.items} - {item.id for item in after.items}:
            queries.remove_items(connection, replaced, now)
        held = {item.id: item for item in _hold(connection, after.id, choices, now)}
        after = after.with_items(held.get(item.id, item) for item in after.items)
    return CartView.of(after, now)


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


def _ask_timetables(
    connection: Connection[Any], wanted: Sequence[WantedSession], now: datetime
) -> Cursor[Any]:
    days = [local_date(session.start) for session in wanted]
    courses = {session.course_id for session in wanted}
    return ask_timetables(connection, min(days), max(days), now, course_ids=courses)


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
        lost=False,
    )


def _hold(
    connection: Connection[Any], cart_id: UUID, choices: Sequence[Choice], now: datetime
) -> list[CartItem]:
    """Hold a time for every choice or refuse with SLOT_UNAVAILABLE. The best tutors are tried together."""
    if not all(choice.free_tutors for choice in choices):
        raise Refused("SLOT_UNAVAILABLE")
    best = [choice.given_by(choice.free_tutors[0]) for choice in choices]
    if len(choices) > 1:
        claims.lock_tutors(connection, {tutor_id for choice in choices for tutor_id in choice.free_tutors})
    with connection.pipeline() if len(choices) > 1 else nullcontext():
        answers = [queries.hold_item(connection, cart_id, item, now) for item in best]
    return [
        item if answer.fetchone() else _hold_with_any(connection, cart_id, choice, now)
        for item, answer, choice in zip(best, answers, choices, strict=True)
    ]


def _hold_with_any(connection: Connection[Any], cart_id: UUID, choice: Choice, now: datetime) -> CartItem:
    """Something was in the best tutor's way: perhaps an expired hold. Else the next by priority."""
    claims.lock_tutors(connection, choice.free_tutors)
    for tutor_id in choice.free_tutors:
        item = choice.given_by(tutor_id)
        claims.clear_expired(connection, claims.Claim(item.id, tutor_id, item.start, item.end), now)
        if queries.hold_item(connection, cart_id, item, now).fetchone():
            return item
    raise Refused("SLOT_UNAVAILABLE")
