"""One realistic event of each type, about the same few people: Zoé, who learns, and Mme Roy, who teaches."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from domain.webhooks.event_types import EVENTS
from domain.webhooks.events import (
    AppointmentCompleted,
    AppointmentReminder,
    BookedSession,
    BookingCancelled,
    BookingCreated,
    BookingRescheduled,
    CourseCreated,
    CourseDeleted,
    CourseUpdated,
    MeetingLinkUpdated,
    MessageSent,
    OrderRefunded,
    PasswordResetRequested,
    Payload,
    RatingCreated,
    RatingUpdated,
    RefundedSession,
    Signup,
    TicketCreated,
    TicketMessageAdded,
    TicketStatusChanged,
    TutorAvailabilityUpdated,
    TutorCreated,
    TutorRateUpdated,
    TutorUpdated,
    WeeklyHours,
)
from domain.webhooks.events.cast import NOW, ROY, ZOE, example_id
from domain.webhooks.events.payment_samples import PAYMENTS

FIRST = datetime(2026, 12, 10, 14, tzinfo=UTC)
SECOND = datetime(2026, 12, 15, 21, 30, tzinfo=UTC)
ELSEWHEN = datetime(2026, 12, 17, 21, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
SESSION = timedelta(minutes=90)
REMINDED = FIRST - 24 * HOUR
COMPLETED = FIRST + SESSION + timedelta(minutes=10)
RATED = COMPLETED + 2 * HOUR


ADMIN, ORDER, FRENCH, MATHS = example_id(3), example_id(4), example_id(5), example_id(6)
LESSON, OTHER_LESSON, TICKET, RATING = example_id(7), example_id(8), example_id(9), example_id(10)

_LESSON = {
    "appointment_id": LESSON,
    "user_id": ZOE.id,
    "tutor_id": ROY.id,
    "tutor_name": "Mme Roy",
    "course_id": FRENCH,
    "course_title_fr": "Français, secondaire",
    "order_id": ORDER,
    "student": ZOE,
    "tutor": ROY,
}
_RATING = {
    "rating_id": RATING,
    "student_id": ZOE.id,
    "tutor_id": ROY.id,
    "course_id": FRENCH,
    "appointment_id": LESSON,
    "course_title_fr": "Français, secondaire",
    "tutor_name": "Mme Roy",
    "q1_courtoisie": 5,
    "q2_maitrise": 5,
    "q3_pedagogie": 5,
    "q4_dynamisme": 4,
    "general_score": Decimal("4.75"),
    "comment": "Très claire, merci !",
    "hidden": False,
    "created_at": RATED,
}
_COURSE = {
    "course_id": FRENCH,
    "slug": "francais-secondaire",
    "title_fr": "Français, secondaire",
    "student_rate_cad": Decimal("40.50"),
    "changed_by": ADMIN,
    "changed_by_name": "Claire Gagnon",
    "changed_at": NOW,
}
_TUTOR = {
    "tutor_id": ROY.id,
    "display_name": "Mme Roy",
    "email": ROY.email,
    "active": True,
    "priority": 100,
    "changed_by": ADMIN,
    "changed_by_name": "Claire Gagnon",
    "changed_at": NOW,
}

_PAYLOADS: Sequence[Payload] = (
    Signup(
        user_id=ZOE.id,
        role="student",
        email=ZOE.email,
        first_name=ZOE.first_name,
        last_name=ZOE.last_name,
        created_at=NOW,
        phone=ZOE.phone,
        source="guest_checkout",
        order_id=ORDER,
    ),
    BookingCreated(
        order_id=ORDER,
        user_id=ZOE.id,
        currency="CAD",
        subtotal_cad=Decimal("121.50"),
        discount_cad=Decimal("12.15"),
        total_cad=Decimal("109.35"),
        coupon_code="SAVE10",
        items=[
            BookedSession(
                appointment_id=LESSON,
                course_id=FRENCH,
                course_title_fr="Français, secondaire",
                tutor_id=ROY.id,
                tutor_name="Mme Roy",
                start_datetime=FIRST,
                duration_min=90,
                price_cad=Decimal("60.75"),
                tutor_earnings_cad=Decimal("45.00"),
                end_datetime=FIRST + SESSION,
                start_local=FIRST,
                tutor_email=ROY.email,
                meeting_link=None,
            ),
            BookedSession(
                appointment_id=OTHER_LESSON,
                course_id=MATHS,
                course_title_fr="Mathématiques, secondaire",
                tutor_id=ROY.id,
                tutor_name="Mme Roy",
                start_datetime=SECOND,
                duration_min=90,
                price_cad=Decimal("60.75"),
                tutor_earnings_cad=Decimal("45.00"),
                end_datetime=SECOND + SESSION,
                start_local=SECOND,
                tutor_email=ROY.email,
                meeting_link="https://visio.exemple.ca/mme-roy",
            ),
        ],
        created_at=NOW,
        student=ZOE,
        source="guest_checkout",
        item_count=2,
        credit_applied_cad=Decimal("0.00"),
        amount_charged_cad=Decimal("109.35"),
        payment_reference="pi_3QhExempleZoe0001",
    ),
    BookingCancelled(
        **_LESSON,
        cancelled_by="tutor",
        cancelled_by_id=ROY.id,
        cancellation_reason="Empêchement",
        start_datetime=FIRST,
        end_datetime=FIRST + SESSION,
        duration_min=90,
        price_cad=Decimal("60.75"),
        credit_issued=Decimal("54.68"),
        timestamp=NOW,
        cause="request",
        version=2,
    ),
    BookingRescheduled(
        **_LESSON,
        rescheduled_by="student",
        rescheduled_by_id=ZOE.id,
        reason="Conflit d’horaire",
        old_start_datetime=FIRST,
        old_end_datetime=FIRST + SESSION,
        new_start_datetime=ELSEWHEN,
        new_end_datetime=ELSEWHEN + SESSION,
        duration_min=90,
        meeting_link=None,
        timestamp=NOW,
        modification_id=example_id(11),
    ),
    AppointmentCompleted(
        **_LESSON,
        start_datetime=FIRST,
        end_datetime=FIRST + SESSION,
        duration_min=90,
        tutor_earnings_cad=Decimal("45.00"),
        completed_at=COMPLETED,
        completed_by="system",
        version=1,
    ),
    OrderRefunded(
        order_id=ORDER,
        user_id=ZOE.id,
        refund_amount=Decimal("54.67"),
        refund_reason="Séance annulée à la demande de la tutrice",
        stripe_refund_id="re_3QhExempleZoe0001",
        processed_by=ADMIN,
        affected_appointments=[OTHER_LESSON],
        timestamp=NOW + HOUR,
        refund_id=example_id(12),
        is_full_refund=False,
        student=ZOE,
        ordered_at=NOW,
        order_total_cad=Decimal("109.35"),
        refunded_total_cad=Decimal("54.67"),
        to_card_cad=Decimal("54.67"),
        to_credit_cad=Decimal("0.00"),
        sessions=[
            RefundedSession(
                appointment_id=OTHER_LESSON,
                course_title_fr="Mathématiques, secondaire",
                tutor_name="Mme Roy",
                start_datetime=SECOND,
                end_datetime=SECOND + SESSION,
                refund_cad=Decimal("54.67"),
            ),
        ],
    ),
    MessageSent(
        message_id=example_id(13),
        sender_id=ZOE.id,
        receiver_id=ROY.id,
        sender_name="Zoé Tremblay",
        receiver_name="Mme Roy",
        content="Bonjour ! Puis-je apporter mon devoir de la semaine dernière ?",
        appointment_id=LESSON,
        appointment_title="Français, secondaire",
        timestamp=NOW,
        sender_role="student",
        receiver_role="tutor",
        receiver_email=ROY.email,
        attachment_count=1,
    ),
    RatingCreated(**_RATING, updated_at=RATED),
    RatingUpdated(**_RATING, updated_at=RATED + HOUR, previous_general_score=Decimal("4.50"), version=2),
    TicketCreated(
        ticket_id=TICKET,
        user_id=ZOE.id,
        user_email=ZOE.email,
        user_first_name=ZOE.first_name,
        user_last_name=ZOE.last_name,
        subject="Où est mon reçu ?",
        category="payment",
        priority="medium",
        status="open",
        created_at=NOW,
    ),
    TicketStatusChanged(
        ticket_id=TICKET,
        user_id=ZOE.id,
        user_email=ZOE.email,
        user_first_name=ZOE.first_name,
        user_last_name=ZOE.last_name,
        old_status="open",
        new_status="resolved",
        changed_by=ADMIN,
        reason=None,
        timestamp=NOW + 3 * HOUR,
        subject="Où est mon reçu ?",
        version=2,
    ),
    TicketMessageAdded(
        ticket_id=TICKET,
        message_id=example_id(14),
        user_id=ADMIN,
        user_email="soutien@exemple.ca",
        user_first_name="Claire",
        user_last_name="Gagnon",
        sender_role="admin",
        message="Bonjour Zoé, votre reçu est dans la section « Mes commandes ».",
        timestamp=NOW + 2 * HOUR,
        owner_id=ZOE.id,
        owner_email=ZOE.email,
        owner_first_name=ZOE.first_name,
        subject="Où est mon reçu ?",
    ),
    CourseCreated(**_COURSE, active=True, changed_fields=[], version=1),
    CourseUpdated(**_COURSE, active=True, changed_fields=["student_rate_cad"], version=2),
    CourseDeleted(**_COURSE, active=False, changed_fields=["active"], version=3),
    TutorCreated(**_TUTOR, hourly_base_rate_cad=Decimal("30.00"), course_ids=[FRENCH, MATHS], version=1),
    TutorUpdated(
        **_TUTOR, hourly_base_rate_cad=Decimal("32.50"), changed_fields=["hourly_base_rate_cad"], version=2
    ),
    TutorRateUpdated(
        **_TUTOR,
        hourly_base_rate_cad=Decimal("32.50"),
        old_rate_cad=Decimal("30.00"),
        new_rate_cad=Decimal("32.50"),
        version=2,
    ),
    TutorAvailabilityUpdated(
        tutor_id=ROY.id,
        tutor_name="Mme Roy",
        tutor_email=ROY.email,
        change_type="rule",
        operation="created",
        details=WeeklyHours(weekday=1, start_time="09:00", end_time="12:00"),
        changed_by=ROY.id,
        changed_by_name="Hélène Roy",
        changed_at=NOW,
        version=3,
    ),
    PasswordResetRequested(
        request_id=example_id(15),
        user_id=ZOE.id,
        email=ZOE.email,
        first_name=ZOE.first_name,
        last_name=ZOE.last_name,
        reset_token="exemple-de-jeton-a-usage-unique",  # noqa: S106  nobody's
        expires_at=NOW + HOUR,
        requested_at=NOW,
    ),
    AppointmentReminder(
        **_LESSON,
        start_datetime=FIRST,
        end_datetime=FIRST + SESSION,
        duration_min=90,
        meeting_link="https://visio.exemple.ca/mme-roy",
        timestamp=REMINDED,
    ),
    MeetingLinkUpdated(
        **_LESSON,
        start_datetime=FIRST,
        end_datetime=FIRST + SESSION,
        duration_min=90,
        meeting_link="https://visio.exemple.ca/mme-roy-2",
        previous_meeting_link="https://visio.exemple.ca/mme-roy",
        updated_by="tutor",
        updated_by_id=ROY.id,
        timestamp=NOW,
        version=3,
    ),
    *PAYMENTS,
)

PAYLOADS = {payload.type: payload for payload in _PAYLOADS}


SEQUENCES = {
    "booking.created": 2,  # after the guest's signup
    "order.refunded": 3,
    "rating.updated": 2,
    "ticket.message_added": 2,
    "ticket.status_changed": 3,
    "course.updated": 2,
    "course.deleted": 3,
    "tutor.updated": 2,
    "tutor.rate.updated": 3,
    "tutor.availability.updated": 4,
    "payment.refunded": 2,
}
"""What cannot be the first event of its order, rating, ticket, course or tutor."""


def sample(event_type: str) -> dict[str, Any]:
    """The event as it arrives at Make.com."""
    place, payload = list(PAYLOADS).index(event_type), PAYLOADS[event_type]
    envelope = EVENTS[event_type].envelope
    before = envelope.before_sequence(event_type, f"evt_0194644a2c007b1e8f3a{place:012x}", _occurred(payload))
    after = envelope.after_sequence("prod", payload.model_dump_json())
    event: dict[str, Any] = json.loads(before + str(SEQUENCES.get(event_type, 1)).encode() + after)
    return event


def _occurred(payload: Payload) -> datetime:
    """When the fact of a payload occurred, under whatever name it says so."""
    names = (
        *("timestamp", "completed_at", "updated_at", "changed_at", "requested_at", "created_at"),
        *("purchased_at", "failed_at", "refunded_at"),
    )
    instants: Iterator[datetime] = (getattr(payload, name) for name in names if hasattr(payload, name))
    return next(instants)
