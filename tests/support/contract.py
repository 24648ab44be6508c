"""The webhook contract's tables (make-webhooks a.1, a.2, a.5) as checks: every key, its type and its format."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from tests.support.world import World

type Check = Callable[[Any], bool]
type Table = Mapping[str, Check]


def recorded(world: World) -> list[dict[str, Any]]:
    """The events waiting in the outbox, in the order they are to leave."""
    rows = world.rows("SELECT body FROM outbox ORDER BY created_at, ordering_key, sequence")
    return [parse(row["body"]) for row in rows]


def parse(body: bytes) -> dict[str, Any]:
    """The JSON of an event; numbers with a fraction stay exact."""
    event: dict[str, Any] = json.loads(body, parse_float=Decimal)
    return event


def faults(value: Any, table: Table, place: str = "") -> list[str]:
    """What a value has that the table does not declare, lacks, or has in the wrong form."""
    if not isinstance(value, dict):
        return [f"{place or 'event'} is no object"]
    missing = [f"{place}{key} is missing" for key in table.keys() - value.keys()]
    undeclared = [f"{place}{key} is not declared" for key in value.keys() - table.keys()]
    wrong = [
        f"{place}{key} = {value[key]!r}"
        for key, check in table.items()
        if key in value and not check(value[key])
    ]
    return sorted(missing + undeclared + wrong)


def uuid(value: Any) -> bool:
    return (
        isinstance(value, str)
        and re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value) is not None
    )


def text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def email(value: Any) -> bool:
    return isinstance(value, str) and value == value.lower() and value.count("@") == 1


def e164(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\+[1-9]\d{9,14}", value) is not None


def dollars(value: Any) -> bool:
    """A JSON number with at most two decimals."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return False
    return value >= 0 and Decimal(value) == Decimal(value).quantize(Decimal("0.01"))


def minutes(value: Any) -> bool:
    return value in (60, 90, 120) and isinstance(value, int)


def count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def moment(value: Any) -> bool:
    """RFC 3339 in UTC with milliseconds and Z."""
    return (
        isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value) is not None
    )


def toronto_moment(value: Any) -> bool:
    """RFC 3339 with the offset Toronto has at that instant."""
    if not isinstance(value, str) or not re.fullmatch(r"[-\d]{10}T\d\d:\d\d:\d\d-0[45]:00", value):
        return False
    return datetime.fromisoformat(value).isoformat() == value


def printed_dollars(value: Any) -> bool:
    """As people in Québec read it, with ordinary spaces: `1 234,50 $`."""
    return isinstance(value, str) and re.fullmatch(r"\d{1,3}( \d{3})*,\d\d \$", value) is not None


def printed_moment(value: Any) -> bool:
    """`jeudi 10 décembre 2026 à 9 h`, `mardi 1er juin 2027 à 16 h 30`."""
    return (
        isinstance(value, str)
        and re.fullmatch(r"(dimanche|[a-z]+di) (1er|\d\d?) [a-zéû]+ \d{4} à \d\d? h( \d\d)?", value)
        is not None
    )


def printed_span(value: Any) -> bool:
    """`jeudi 10 décembre 2026, de 9 h à 10 h 30`."""
    clock = r"(\d\d? h( \d\d)?|minuit)"
    return (
        isinstance(value, str)
        and re.fullmatch(rf"(dimanche|[a-z]+di) (1er|\d\d?) [a-zéû]+ \d{{4}}, de {clock} à {clock}", value)
        is not None
    )


def one_of(*words: str) -> Check:
    return lambda value: value in words


def exactly(expected: Any) -> Check:
    return lambda value: value == expected and type(value) is type(expected)


def nullable(check: Check) -> Check:
    return lambda value: value is None or check(value)


def each(table: Table) -> Check:
    """A list with at least one element, each as the table says."""
    return lambda value: (
        isinstance(value, list) and bool(value) and all(faults(element, table) == [] for element in value)
    )


def nested(table: Table) -> Check:
    return lambda value: faults(value, table) == []


def event_id(value: Any) -> bool:
    """`evt_` and the 32 hex digits of a UUIDv7."""
    return (
        isinstance(value, str)
        and re.fullmatch(r"evt_[0-9a-f]{32}", value) is not None
        and UUID(value.removeprefix("evt_")).version == 7
    )


CONTACT: Table = {
    "id": uuid,
    "first_name": text,
    "last_name": text,
    "email": email,
    "phone": nullable(e164),
}

SIGNUP: Table = {
    "user_id": uuid,
    "role": one_of("student", "tutor", "admin"),
    "email": email,
    "first_name": text,
    "last_name": text,
    "created_at": moment,
    "phone": nullable(e164),
    "source": exactly("guest_checkout"),
    "order_id": nullable(uuid),
    "created_fr": printed_moment,
}

BOOKED_SESSION: Table = {
    "appointment_id": uuid,
    "course_id": uuid,
    "course_title_fr": text,
    "tutor_id": uuid,
    "tutor_name": text,
    "start_datetime": moment,
    "duration_min": minutes,
    "price_cad": dollars,
    "tutor_earnings_cad": dollars,
    "end_datetime": moment,
    "start_local": toronto_moment,
    "tutor_email": email,
    "meeting_link": nullable(text),
    "start_fr": printed_moment,
    "span_fr": printed_span,
    "end_local": toronto_moment,
    "price_fr": printed_dollars,
    "tutor_earnings_fr": printed_dollars,
}

BOOKING_CREATED: Table = {
    "order_id": uuid,
    "user_id": uuid,
    "currency": exactly("CAD"),
    "subtotal_cad": dollars,
    "discount_cad": dollars,
    "total_cad": dollars,
    "coupon_code": nullable(text),
    "items": each(BOOKED_SESSION),
    "created_at": moment,
    "student": nested(CONTACT),
    "source": one_of("guest_checkout", "account_checkout", "manual"),
    "item_count": count,
    "credit_applied_cad": dollars,
    "amount_charged_cad": dollars,
    "payment_reference": nullable(text),
    "is_new_user": lambda value: isinstance(value, bool),
    "created_fr": printed_moment,
    "sessions_fr": text,
    "subtotal_fr": printed_dollars,
    "discount_fr": printed_dollars,
    "total_fr": printed_dollars,
    "credit_applied_fr": printed_dollars,
    "amount_charged_fr": printed_dollars,
}

PAYLOADS: Mapping[str, Table] = {"signup": SIGNUP, "booking.created": BOOKING_CREATED}


def envelope(event_type: str) -> Table:
    return {
        "type": exactly(event_type),
        "event_id": event_id,
        "sent_at": moment,
        "timestamp": moment,
        "schema_version": exactly(1),
        "sequence": count,
        "environment": one_of("prod", "staging", "dev"),
        "payload": nested(PAYLOADS[event_type]),
    }
