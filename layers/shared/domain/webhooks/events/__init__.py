"""The events and their payloads (make-webhooks a.5), a file per area. Whoever makes a fact true tells it here."""

from domain.webhooks.event_types import EVENTS
from domain.webhooks.events.accounts import PasswordResetRequested, Signup
from domain.webhooks.events.appointments import AppointmentCompleted, AppointmentReminder
from domain.webhooks.events.base import Contact, Envelope, Payload
from domain.webhooks.events.bookings import (
    BookedSession,
    BookingCancelled,
    BookingCreated,
    BookingRescheduled,
)
from domain.webhooks.events.orders import OrderRefunded

__all__ = [
    "EVENTS",
    "AppointmentCompleted",
    "AppointmentReminder",
    "BookedSession",
    "BookingCancelled",
    "BookingCreated",
    "BookingRescheduled",
    "Contact",
    "Envelope",
    "OrderRefunded",
    "PasswordResetRequested",
    "Payload",
    "Signup",
]
