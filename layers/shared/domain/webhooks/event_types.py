"""Every type of event as data: where it goes and what is kept of it. Loads no pydantic, so the relay need not."""

from dataclasses import dataclass

from domain.product import Product
from domain.webhooks.envelopes import Envelope, Flat, Nested

FALLBACK = "BOOKING"
LE_DOJO = "DOJO_"
"""How the areas of Le Dojo begin: `DOJO_PAYMENTS`."""
ENVELOPES: dict[Product, Envelope] = {"tutoring": Nested(), "training": Flat()}


@dataclass(frozen=True, slots=True)
class EventType:
    """`endpoint` is the area of the URL it goes to: `url_setting` names the setting that holds it."""

    name: str
    endpoint: str
    product: Product = "tutoring"
    """Whose receivers it is for: says how the URL's setting is named, and which envelope the event has."""
    falls_back: bool = False
    """Without a URL of its own it goes to FALLBACK's (c.1)."""
    recorded: bool = True
    """False for an administrator's change: no row outlives its delivery (R-1)."""
    body_outlives_delivery: bool = True
    """False when the body carries a secret, which is forgotten as soon as it was delivered."""

    @property
    def envelope(self) -> Envelope:
        return ENVELOPES[self.product]

    @property
    def carries_secret(self) -> bool:
        """Nobody is shown the body, nor an answer of the receiver's, which may repeat it (decision 22)."""
        return not self.body_outlives_delivery


EVENTS = {
    event.name: event
    for event in (
        EventType("signup", "SIGNUP"),
        EventType("password.reset_requested", "SIGNUP", body_outlives_delivery=False),
        EventType("booking.created", "BOOKING"),
        EventType("booking.cancelled", "CANCELLATION"),
        EventType("booking.rescheduled", "RESCHEDULE", falls_back=True),
        EventType("appointment.completed", "COMPLETION", falls_back=True),
        EventType("appointment.reminder", "REMINDER", falls_back=True),
        EventType("appointment.meeting_link_updated", "RESCHEDULE", falls_back=True),
        EventType("order.refunded", "REFUND", falls_back=True),
        EventType("message.sent", "MESSAGE"),
        EventType("rating.created", "RATING", falls_back=True),
        EventType("rating.updated", "RATING", falls_back=True),
        EventType("ticket.created", "TICKET", falls_back=True),
        EventType("ticket.status_changed", "TICKET", falls_back=True),
        EventType("ticket.message_added", "TICKET", falls_back=True),
        EventType("course.created", "ADMIN", falls_back=True, recorded=False),
        EventType("course.updated", "ADMIN", falls_back=True, recorded=False),
        EventType("course.deleted", "ADMIN", falls_back=True, recorded=False),
        EventType("tutor.created", "ADMIN", falls_back=True, recorded=False),
        EventType("tutor.updated", "ADMIN", falls_back=True, recorded=False),
        EventType("tutor.rate.updated", "ADMIN", falls_back=True, recorded=False),
        EventType("tutor.availability.updated", "ADMIN", falls_back=True),
        EventType("payment.success", "DOJO_PAYMENTS", product="training"),
        EventType("payment.failed", "DOJO_PAYMENTS", product="training"),
        EventType("payment.refunded", "DOJO_PAYMENTS", product="training"),
    )
}
"""By name: the nineteen of the contract (a.3) and 4AS's own, a reset, a reminder, a meeting link; then Le Dojo's."""
AREAS = tuple(dict.fromkeys(event.endpoint for event in EVENTS.values()))
"""The parts of the business that have a URL each, in the contract's order."""


def url_setting(area: str) -> str:
    """The setting that holds an area's URL: MAKE_<AREA>_WEBHOOK_URL, or Le Dojo's MAKE_WEBHOOK_<AREA>_URL."""
    if area.startswith(LE_DOJO):
        return f"MAKE_WEBHOOK_{area.removeprefix(LE_DOJO)}_URL"
    return f"MAKE_{area}_WEBHOOK_URL"


def secret_setting(area: str) -> str:
    """The setting that holds the secret an area's URL is signed for: the URL's, with SECRET in the place of URL."""
    return f"{url_setting(area).removesuffix('URL')}SECRET"
