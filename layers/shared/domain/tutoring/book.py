"""Paid sessions become appointments; those whose time cannot be had go back (spec 5.6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor

from domain.appointments.appointments import NewAppointment, find_booked, insert_appointments
from domain.appointments.sold import SoldSession, insert_sold
from domain.cart import purchase
from domain.cart.cart import GivenUp
from domain.catalog.teachers import Teacher, ask_teachers, ask_titles
from domain.catalog.timetable import Timetable, read_timetables
from domain.checkout.checkout import Checkout
from domain.ids import new_id
from domain.orders.orders import NewLine, NewOrder
from domain.scheduling import claims
from domain.scheduling.grid import local_date
from domain.tutoring.snapshot import SnapshotItem, sessions_of


@dataclass(frozen=True, slots=True)
class Booking:
    """One paid session: `booked` says whether its time could be had."""

    order_item_id: UUID
    session: SnapshotItem
    booked: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What was sent for, not fetched yet."""

    checkout: Checkout
    teachers: Cursor[Teacher]
    titles: Cursor[Any]


@dataclass(frozen=True)
class Bookings:
    """The sessions of a checkout by start, booked and lost."""

    checkout: Checkout
    all: Sequence[Booking]
    teachers: Mapping[UUID, Teacher]
    titles: Mapping[UUID, str]

    @cached_property
    def lines(self) -> Sequence[NewLine]:
        return [_line(booking, self.titles) for booking in self.all]

    @property
    def lost(self) -> Sequence[NewLine]:
        return [line for line, booking in zip(self.lines, self.all, strict=True) if not booking.booked]

    def sessions(self, *, booked: bool) -> list[SnapshotItem]:
        return [booking.session for booking in self.all if booking.booked == booked]


def ask(connection: Connection[Any], checkout: Checkout) -> Asked:
    """Who gives the sessions, who else could, and what they are called."""
    sessions = sessions_of(checkout)
    return Asked(
        checkout,
        ask_teachers(
            connection,
            {session.tutor_id for session in sessions},
            {session.course_id for session in sessions if session.tutor_selection == "auto"},
            [session.id for session in sessions],
        ),
        ask_titles(connection, {session.course_id for session in sessions}),
    )


def claim(connection: Connection[Any], asked: Asked, now: datetime) -> Bookings:
    """Turn the holds into appointments' time; what is not held any more is claimed anew where that can be."""
    sessions = sessions_of(asked.checkout)
    teachers = {teacher.tutor_id: teacher for teacher in asked.teachers}
    claims.lock_tutors(
        connection, teachers
    )  # whoever may be asked, at once and in order: nobody waits in a circle
    kept_answer = claims.turn_holds_into_appointments(connection, [session.id for session in sessions], now)
    titles = dict(asked.titles.fetchall())
    kept = dict(kept_answer.fetchall())
    bookings = [
        Booking(new_id(), _given_by(session, kept[session.id], teachers), True)
        for session in sessions
        if session.id in kept
    ]
    if lost := [session for session in sessions if session.id not in kept]:
        bookings += _claim_anew(connection, asked.checkout, lost, teachers, now)
    bookings.sort(key=lambda booking: (booking.session.start, booking.session.id))
    return Bookings(asked.checkout, bookings, teachers, titles)


def write(connection: Connection[Any], order: NewOrder, bookings: Bookings, now: datetime) -> None:
    """The sessions and their tutors' pay, the appointments; what was sold leaves the cart.

    The checkout is closed by now: whatever else that cart is being paid with is withdrawn (0021).
    """
    insert_sold(connection, [_sold(booking) for booking in bookings.all])
    booked = [_appointment(booking) for booking in bookings.all if booking.booked]
    insert_appointments(connection, order.user_id, booked, now)
    checkout = bookings.checkout
    if checkout.cart_id:
        sold_ids = [session.id for session in sessions_of(checkout)]
        purchase.take_out_sold(connection, checkout.cart_id, sold_ids, checkout.coupon_id, now)


def _claim_anew(
    connection: Connection[Any],
    checkout: Checkout,
    lost: Sequence[SnapshotItem],
    teachers: Mapping[UUID, Teacher],
    now: datetime,
) -> list[Booking]:
    """Sessions without a live hold, booked if that is possible; nothing that has begun is (decision 20).

    Nor is what another payment has booked before, though it was cancelled since. The buyer's own newer hold on the
    same session is taken over. Without one, the session is booked if its tutor still offers it, lead time aside,
    else with another tutor if any will do.
    """
    ahead = [session for session in lost if session.start > now]
    bookings = [Booking(new_id(), session, False) for session in lost if session.start <= now]
    if not ahead:
        return bookings
    claims.release(connection, [session.id for session in lost])
    booked_answer = find_booked(connection, [session.id for session in ahead])
    newer_answer, aside_answer = _take_newer_holds(connection, checkout, ahead, now)
    days = [local_date(session.start) for session in ahead]
    courses = {session.course_id for session in ahead}
    timetables = read_timetables(connection, courses, min(days), max(days), now)
    booked_before = booked_answer.fetchall()
    newer = dict(newer_answer.fetchall())
    aside = aside_answer.fetchall()
    for session in ahead:
        offering = _who_offers(session, timetables.get(session.course_id))
        tutor_ids = [newer[session.id]] if session.id in newer else offering
        known = [
            tutor_id for tutor_id in tutor_ids if tutor_id in teachers and session.id not in booked_before
        ]
        bookings.append(_book_with_first(connection, session, known, teachers, now))
    booked = {booking.session.id for booking in bookings if booking.booked}
    purchase.come_back(connection, [hold for hold in aside if hold.session_id not in booked])
    return bookings


def _take_newer_holds(
    connection: Connection[Any], checkout: Checkout, sessions: Sequence[SnapshotItem], now: datetime
) -> tuple[Cursor[Any], Cursor[GivenUp]]:
    """By session, the tutor with whom the buyer holds the same session in their cart; it leaves the cart.

    And their holds on other sessions that stepped aside.
    """
    same = [
        {
            "id": session.id,
            "course_id": session.course_id,
            "start": session.start,
            "duration_min": session.duration_min,
            "tutor_id": session.tutor_id if session.tutor_selection == "explicit" else None,
            "frozen_with": session.tutor_id,
        }
        for session in sessions
    ]
    sold_ids = [session.id for session in sessions_of(checkout)]
    taken = purchase.take_newer_holds(connection, checkout.cart_id, same, sold_ids, now)
    return taken, purchase.step_aside(connection, checkout.cart_id, same, sold_ids, now)


def _who_offers(session: SnapshotItem, timetable: Timetable | None) -> list[UUID]:
    """Who can give that session by the engine: its own tutor first, then the others if any will do."""
    if timetable is None:
        return []
    anyone = session.tutor_selection == "auto"
    return timetable.who_gives(session.start, session.duration_min, session.tutor_id, anyone=anyone)


def _book_with_first(
    connection: Connection[Any],
    session: SnapshotItem,
    tutor_ids: Sequence[UUID],
    teachers: Mapping[UUID, Teacher],
    now: datetime,
) -> Booking:
    for tutor_id in tutor_ids:
        claim = claims.Claim(session.id, tutor_id, session.start, session.end)
        if claims.book(connection, claim, now):
            return Booking(new_id(), _given_by(session, tutor_id, teachers), True)
    return Booking(new_id(), session, False)


def _given_by(session: SnapshotItem, tutor_id: UUID, teachers: Mapping[UUID, Teacher]) -> SnapshotItem:
    """The session with the tutor whose time it has: another than was frozen when it has moved since."""
    if tutor_id == session.tutor_id:
        return session
    return session.given_by(tutor_id, teachers[tutor_id].hourly_base_rate_cad)


def _line(booking: Booking, titles: Mapping[UUID, str]) -> NewLine:
    session = booking.session
    return NewLine(
        id=booking.order_item_id,
        kind="session",
        title_fr=titles[session.course_id],
        price_cad=session.price_cad,
        discount_share_cad=session.discount_share_cad,
        credit_share_cad=session.credit_share_cad,
    )


def _sold(booking: Booking) -> SoldSession:
    session = booking.session
    return SoldSession(
        id=booking.order_item_id,
        course_id=session.course_id,
        tutor_id=session.tutor_id,
        start=session.start,
        end=session.end,
        duration_min=session.duration_min,
        hours=session.hours,
        rate_cad=session.rate_at_time,
        earnings_cad=session.tutor_earnings_cad,
        earnings_status="scheduled" if booking.booked else "cancelled",
    )


def _appointment(booking: Booking) -> NewAppointment:
    session = booking.session
    return NewAppointment(
        id=session.id,
        order_item_id=booking.order_item_id,
        tutor_id=session.tutor_id,
        course_id=session.course_id,
        start=session.start,
        end=session.end,
    )
