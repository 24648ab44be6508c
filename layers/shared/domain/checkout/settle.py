"""The one settlement routine (spec 5.6): the webhook, the status call and the reconciliation job all come here.

A paid checkout becomes an account, an order, appointments and facts for Make.com in one transaction; what cannot be
booked goes back, to the card and to the credits it was paid with, in that same transaction. Running it again, or twice
at once, changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.errors import CheckViolation

from domain import money
from domain.accounts import accounts
from domain.accounts.accounts import Account, NewAccount
from domain.appointments.appointments import NewAppointment, find_booked, insert_appointments
from domain.appointments.sold import SoldSession, insert_sold
from domain.cart import purchase
from domain.cart.cart import GivenUp
from domain.catalog.teachers import Teacher, ask_teachers, ask_titles
from domain.catalog.timetable import Timetable, read_timetables
from domain.checkout import queries
from domain.checkout.checkout import Checkout
from domain.checkout.facts import Returned, settlement_facts
from domain.checkout.snapshot import SnapshotItem
from domain.coupons import coupons
from domain.credits import ledger
from domain.credits.ledger import Entry
from domain.ids import new_id
from domain.orders.orders import NewLine, NewOrder, insert_lines, insert_order
from domain.payments.gateway import Payment
from domain.payments.refunds import owe_refund
from domain.returns.record import record_return
from domain.scheduling import claims
from domain.scheduling.grid import local_date
from domain.transactions import retried_on_deadlock
from domain.webhooks.outbox import Environment, record_facts

TAKEN_MEANWHILE = "Créneau devenu indisponible pendant le paiement"
NOT_WHAT_WAS_ASKED = "Paiement d'un montant ou d'une devise inattendus"
CREDITS_SPENT = "Crédits de l'achat dépensés pendant le paiement"
PAID_TWICE = "Panier déjà payé par un autre paiement"


class UnknownCheckout(Exception):
    """A payment names a checkout that is not here: another deployment's, or one that was purged."""


@dataclass(frozen=True, slots=True)
class Booking:
    """One paid session: `booked` says whether its time could be had."""

    order_item_id: UUID
    session: SnapshotItem
    booked: bool


def settle(
    connection: Connection[Any], checkout_id: UUID, payment: Payment, environment: Environment, now: datetime
) -> UUID | None:
    """Book a checkout that `payment` has paid; answers the order, or None when the money goes back whole.

    The payment must have succeeded. It is refunded whole when its amount or currency is not what was asked, when
    another payment has settled the checkout, or when the checkout had been withdrawn and the credits it counted on
    were spent since. Raises UnknownCheckout.
    """
    try:
        return _settle(connection, checkout_id, payment, environment, now)
    except CheckViolation as error:
        if not ledger.is_overdrawn(error):
            raise
    return _settle(connection, checkout_id, payment, environment, now, credits_are_spent=True)


@retried_on_deadlock
def _settle(
    connection: Connection[Any],
    checkout_id: UUID,
    payment: Payment,
    environment: Environment,
    now: datetime,
    *,
    credits_are_spent: bool = False,
) -> UUID | None:
    with connection.pipeline(), connection.transaction():
        queries.lock_cart_of(connection, checkout_id)
        checkout = queries.lock_checkout(connection, checkout_id).fetchone()
        if checkout is None:
            raise UnknownCheckout(checkout_id)
        if checkout.payment_intent_id not in (None, payment.intent_id) or _is_bought_without_card(checkout):
            _return_money(connection, payment, PAID_TWICE, now)
            return None
        if checkout.status in ("settled", "refunded"):
            return checkout.order_id
        if (payment.received_cents, payment.currency) != (checkout.amount_cents, money.CURRENCY):
            _return_money(connection, payment, NOT_WHAT_WAS_ASKED, now)
            queries.refund_checkout(connection, checkout_id, now)
            return None
        if credits_are_spent:
            _return_money(connection, payment, CREDITS_SPENT, now)
            queries.refund_checkout(connection, checkout_id, now)
            return None
        return _book(connection, checkout, payment.intent_id, environment, now)


def _is_bought_without_card(checkout: Checkout) -> bool:
    """Whether it is an order already, and one that asked nothing of a card."""
    return checkout.status == "settled" and checkout.payment_intent_id is None


@retried_on_deadlock
def settle_without_card(
    connection: Connection[Any], checkout_id: UUID, environment: Environment, now: datetime
) -> UUID | None:
    """Book a checkout that leaves nothing for a card (spec 5.5).

    Answers the order, or None when the checkout was withdrawn meanwhile.
    """
    with connection.pipeline(), connection.transaction():
        queries.lock_cart_of(connection, checkout_id)
        checkout = queries.lock_checkout(connection, checkout_id).fetchone()
        if checkout is None or checkout.amount_cents:
            raise ValueError(f"checkout {checkout_id} has a card to charge")
        if checkout.status != "open":
            return checkout.order_id
        return _book(connection, checkout, None, environment, now)


def _return_money(connection: Connection[Any], payment: Payment, reason: str, now: datetime) -> None:
    owe_refund(connection, payment.intent_id, payment.received_cents, reason, now)


def _book(
    connection: Connection[Any],
    checkout: Checkout,
    intent_id: str | None,
    environment: Environment,
    now: datetime,
) -> UUID:
    """Steps 4 to 12 of spec 5.6, everything on the wire in as few round trips as the answers allow."""
    sessions = checkout.sessions
    newcomer = NewAccount(**checkout.buyer) if checkout.buyer else None
    opened = accounts.open_account(connection, newcomer, now) if newcomer else None
    account_answer = accounts.find_account(connection, checkout.user_id, newcomer.email if newcomer else None)
    auto_courses = {session.course_id for session in sessions if session.tutor_selection == "auto"}
    session_ids = [session.id for session in sessions]
    teachers_answer = ask_teachers(
        connection, {session.tutor_id for session in sessions}, auto_courses, session_ids
    )
    titles_answer = ask_titles(connection, {session.course_id for session in sessions})
    teachers = {teacher.tutor_id: teacher for teacher in teachers_answer}
    claims.lock_tutors(
        connection, teachers
    )  # whoever may be asked, at once and in order: nobody waits in a circle
    kept_answer = claims.turn_holds_into_appointments(connection, session_ids, now)

    account_created = bool(opened and opened.fetchone())
    account = account_answer.fetchone()
    if account is None:
        raise LookupError(f"checkout {checkout.id} has no buyer")
    titles = dict(titles_answer.fetchall())
    kept = dict(kept_answer.fetchall())

    bookings = [
        Booking(new_id(), _given_by(session, kept[session.id], teachers), True)
        for session in sessions
        if session.id in kept
    ]
    if lost := [session for session in sessions if session.id not in kept]:
        bookings += _claim_anew(connection, checkout, lost, teachers, now)
    bookings.sort(key=lambda booking: (booking.session.start, booking.session.id))

    order = _order(checkout, account, bookings, intent_id)
    insert_order(connection, order, now)
    insert_lines(connection, order.id, [_line(booking, titles) for booking in bookings])
    insert_sold(connection, [_sold(booking) for booking in bookings])
    insert_appointments(
        connection, account.id, [_appointment(booking) for booking in bookings if booking.booked], now
    )
    owner_id = account.id if account_created else checkout.user_id
    queries.close_checkout(connection, checkout.id, intent_id, order.id, owner_id, account_created, now)
    if checkout.cart_id:  # whatever else that cart is being paid with is withdrawn (0021)
        purchase.take_out_sold(
            connection, checkout.cart_id, [session.id for session in sessions], checkout.coupon_id, now
        )
    booked = [booking.session for booking in bookings if booking.booked]
    if booked and checkout.coupon_id and checkout.coupon_code:  # else its use is given back
        coupons.redeem(
            connection,
            checkout.coupon_id,
            checkout.coupon_code,
            order.id,
            account.id,
            checkout.discount_cad,
            now,
        )
    if order.credits_applied_cad:
        payment = Entry(account.id, -order.credits_applied_cad, "order_payment", order_id=order.id)
        ledger.enter(connection, payment, now)
    returned = _give_back(connection, order, bookings, now)
    facts = settlement_facts(order, account, account_created, booked, returned, teachers, titles, now)
    record_facts(connection, facts, environment, now)
    return order.id


def _give_back(
    connection: Connection[Any], order: NewOrder, bookings: Sequence[Booking], now: datetime
) -> Returned | None:
    """What could not be booked goes back as it was paid: the card's share to the card, the credits' to the ledger."""
    lost = [booking for booking in bookings if not booking.booked]
    traces = []
    for booking in lost:
        session, item_id = booking.session, booking.order_item_id
        if order.payment_intent_id and session.card_share_cad:
            cents = money.in_cents(session.card_share_cad)
            refund_id = owe_refund(
                connection, order.payment_intent_id, cents, TAKEN_MEANWHILE, now, order.id, item_id
            )
            record_return(connection, item_id, "card", session.card_share_cad, now, refund_id=refund_id)
            traces.append(refund_id)
    for booking in lost:
        if booking.session.credit_share_cad:
            entry = Entry(
                order.user_id,
                booking.session.credit_share_cad,
                "order_refund",
                order_id=order.id,
                order_item_id=booking.order_item_id,
                reason=TAKEN_MEANWHILE,
            )
            entry_id = ledger.enter(connection, entry, now)
            record_return(
                connection,
                booking.order_item_id,
                "credit",
                booking.session.credit_share_cad,
                now,
                credit_entry_id=entry_id,
            )
            traces.append(entry_id)
    if not lost:
        return None
    sessions = [booking.session for booking in lost]
    return Returned(traces[0] if traces else order.id, order.refunded_cad, TAKEN_MEANWHILE, sessions)


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
    ahead = sorted(
        (session for session in lost if session.start > now), key=lambda session: (session.start, session.id)
    )
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
    sold_ids = [session.id for session in checkout.sessions]
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


def _order(
    checkout: Checkout, account: Account, bookings: Sequence[Booking], intent_id: str | None
) -> NewOrder:
    refunded = sum((booking.session.net_cad for booking in bookings if not booking.booked), Decimal(0))
    return NewOrder(
        id=new_id(),
        user_id=account.id,
        status=_status(bookings),
        source="stripe" if intent_id else "credit" if checkout.credits_applied_cad else "free",
        subtotal_cad=checkout.subtotal_cad,
        discount_cad=checkout.discount_cad,
        total_cad=checkout.total_cad,
        credits_applied_cad=checkout.credits_applied_cad,
        refunded_cad=refunded,
        payment_intent_id=intent_id,
        coupon_id=checkout.coupon_id,
        coupon_code=checkout.coupon_code,
        billing=checkout.billing,
    )


def _status(bookings: Sequence[Booking]) -> str:
    if all(booking.booked for booking in bookings):
        return "paid"
    return "partially_refunded" if any(booking.booked for booking in bookings) else "refunded"


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
