"""The events and their payloads (make-webhooks a.5), a file per area. Whoever makes a fact true tells it here."""

import json

from domain.webhooks.event_types import EVENTS
from domain.webhooks.events.accounts import PasswordResetRequested, Signup
from domain.webhooks.events.appointments import (
    AppointmentCompleted,
    AppointmentReminder,
    BookingCancelled,
    BookingRescheduled,
    MeetingLinkUpdated,
)
from domain.webhooks.events.base import Contact, FlatEnvelope, NestedEnvelope, Payload, schema_of
from domain.webhooks.events.bookings import (
    BookedSession,
    BookingCreated,
)
from domain.webhooks.events.courses import CourseCreated, CourseDeleted, CourseUpdated
from domain.webhooks.events.messages import MessageSent
from domain.webhooks.events.orders import NOBODY, OrderRefunded, RefundedSession
from domain.webhooks.events.payments import (
    AskedCourse,
    BoughtCourse,
    PaymentFailed,
    PaymentRefunded,
    PaymentSuccess,
    RefundedCourse,
)
from domain.webhooks.events.ratings import RatingCreated, RatingUpdated
from domain.webhooks.events.tickets import TicketCreated, TicketMessageAdded, TicketStatusChanged
from domain.webhooks.events.tutors import (
    TutorAvailabilityUpdated,
    TutorCreated,
    TutorRateUpdated,
    TutorUpdated,
    WeeklyHours,
)
from domain.webhooks.promises import differences

__all__ = [
    "EVENTS",
    "NOBODY",
    "PAYLOADS",
    "AppointmentCompleted",
    "AppointmentReminder",
    "AskedCourse",
    "BookedSession",
    "BookingCancelled",
    "BookingCreated",
    "BookingRescheduled",
    "BoughtCourse",
    "Contact",
    "CourseCreated",
    "CourseDeleted",
    "CourseUpdated",
    "FlatEnvelope",
    "MeetingLinkUpdated",
    "MessageSent",
    "NestedEnvelope",
    "OrderRefunded",
    "PasswordResetRequested",
    "Payload",
    "PaymentFailed",
    "PaymentRefunded",
    "PaymentSuccess",
    "RatingCreated",
    "RatingUpdated",
    "RefundedCourse",
    "RefundedSession",
    "Signup",
    "TicketCreated",
    "TicketMessageAdded",
    "TicketStatusChanged",
    "TutorAvailabilityUpdated",
    "TutorCreated",
    "TutorRateUpdated",
    "TutorUpdated",
    "WeeklyHours",
    "broken_promises_of",
]

PAYLOADS: dict[str, type[Payload]] = {
    payload.type: payload
    for payload in (
        Signup,
        BookingCreated,
        BookingCancelled,
        BookingRescheduled,
        AppointmentCompleted,
        OrderRefunded,
        MessageSent,
        RatingCreated,
        RatingUpdated,
        TicketCreated,
        TicketStatusChanged,
        TicketMessageAdded,
        CourseCreated,
        CourseUpdated,
        CourseDeleted,
        TutorCreated,
        TutorUpdated,
        TutorRateUpdated,
        TutorAvailabilityUpdated,
        PasswordResetRequested,
        AppointmentReminder,
        MeetingLinkUpdated,
        PaymentSuccess,
        PaymentFailed,
        PaymentRefunded,
    )
}
"""What each event says, by its type: the contract's in its order, then 4AS's own three, then Le Dojo's."""


def broken_promises_of(event_type: str, body: bytes) -> list[str]:
    """Where the payload of a recorded event is not as its published schema says (a.5)."""
    payload = EVENTS[event_type].envelope.payload_of(json.loads(body))
    return differences(payload, schema_of(PAYLOADS[event_type]))
