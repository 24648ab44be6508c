"""docs/webhooks against the contract (make-webhooks a, b.4, b.5, c.1), which is written out here once more."""

import base64
import copy
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError

from domain.webhooks.event_types import EVENTS
from domain.webhooks.events import PAYLOADS, samples
from domain.webhooks.signature import sign
from local.webhook_docs import texts
from local.webhook_docs.__main__ import differences
from tests.support.documented import broken_promises, sample, schema

CONTACT = "id first_name last_name email phone?"
ENVELOPE = "type event_id sent_at timestamp schema_version sequence environment payload"

# Every field of the contract; ? when it may be null.
FIELDS = {
    "signup": "user_id role email first_name last_name created_at phone? source order_id?",
    "booking.created": "order_id user_id currency subtotal_cad discount_cad total_cad coupon_code? items created_at "
    "student source item_count credit_applied_cad amount_charged_cad payment_reference?",
    "booking.cancelled": "appointment_id user_id tutor_id course_id course_title_fr cancelled_by cancelled_by_id "
    "cancellation_reason? start_datetime end_datetime duration_min price_cad credit_issued? timestamp cause order_id "
    "student tutor",
    "booking.rescheduled": "appointment_id user_id tutor_id course_id course_title_fr rescheduled_by "
    "rescheduled_by_id reason old_start_datetime old_end_datetime new_start_datetime new_end_datetime timestamp "
    "modification_id student tutor",
    "appointment.completed": "appointment_id user_id tutor_id course_id course_title_fr start_datetime end_datetime "
    "duration_min tutor_earnings_cad completed_at completed_by student tutor",
    "order.refunded": "order_id user_id refund_amount refund_reason stripe_refund_id? processed_by "
    "affected_appointments timestamp refund_id is_full_refund student",
    "message.sent": "message_id sender_id receiver_id sender_name receiver_name content appointment_id? "
    "appointment_title? timestamp sender_role receiver_role receiver_email content_truncated attachment_count",
    "rating.created": "rating_id student_id tutor_id course_id appointment_id? course_title_fr tutor_name "
    "q1_courtoisie q2_maitrise q3_pedagogie q4_dynamisme general_score comment? hidden created_at updated_at "
    "previous_general_score?",
    "rating.updated": "rating_id student_id tutor_id course_id appointment_id? course_title_fr tutor_name "
    "q1_courtoisie q2_maitrise q3_pedagogie q4_dynamisme general_score comment? hidden created_at updated_at "
    "previous_general_score",
    "ticket.created": "ticket_id user_id user_email subject category priority status created_at",
    "ticket.status_changed": "ticket_id user_id user_email old_status new_status changed_by reason? timestamp subject",
    "ticket.message_added": "ticket_id message_id user_id user_email sender_role message is_internal timestamp "
    "owner_id owner_email subject",
    **dict.fromkeys(
        ("course.created", "course.updated", "course.deleted"),
        "course_id action slug title_fr student_rate_cad active changed_fields changed_by changed_at",
    ),
    **dict.fromkeys(
        ("tutor.created", "tutor.updated"),
        "tutor_id display_name email active priority hourly_base_rate_cad course_ids changed_fields old_rate_cad? "
        "new_rate_cad? changed_by changed_at",
    ),
    "tutor.rate.updated": "tutor_id display_name email active priority hourly_base_rate_cad course_ids "
    "changed_fields old_rate_cad new_rate_cad changed_by changed_at",
    "tutor.availability.updated": "tutor_id change_type operation details changed_by changed_at",
}
# What this product adds: what a message needs, ready to print, and what regroups.
PRINTED_SESSION = "start_local end_local start_fr span_fr"
CHANGED = "changed_by_name changed_fields_fr? changed_fr"
ADDED = {
    "signup": "created_fr",
    "booking.created": "is_new_user created_fr sessions_fr subtotal_fr discount_fr total_fr "
    "credit_applied_fr amount_charged_fr",
    "booking.cancelled": f"tutor_name {PRINTED_SESSION} cancelled_by_fr price_fr credit_issued_fr? timestamp_fr",
    "booking.rescheduled": "tutor_name order_id? duration_min meeting_link? rescheduled_by_fr old_start_local "
    "old_start_fr old_span_fr new_start_local new_end_local new_start_fr new_span_fr timestamp_fr",
    "appointment.completed": f"tutor_name order_id? {PRINTED_SESSION} tutor_earnings_fr completed_fr",
    "order.refunded": "refund_amount_fr timestamp_fr ordered_at ordered_fr order_total_cad order_total_fr "
    "refunded_total_cad refunded_total_fr to_card_cad to_card_fr to_credit_cad to_credit_fr refunded_to_fr? sessions "
    "sessions_fr?",
    "message.sent": "timestamp_fr sender_role_fr receiver_role_fr",
    "rating.created": "general_score_fr previous_general_score_fr? created_fr updated_fr",
    "rating.updated": "general_score_fr previous_general_score_fr created_fr updated_fr",
    "ticket.created": "user_first_name user_last_name category_fr priority_fr status_fr created_fr",
    "ticket.status_changed": "user_first_name user_last_name old_status_fr new_status_fr timestamp_fr",
    "ticket.message_added": "user_first_name user_last_name owner_first_name sender_role_fr timestamp_fr",
    **dict.fromkeys(("course.created", "course.updated", "course.deleted"), f"student_rate_fr {CHANGED}"),
    **dict.fromkeys(
        ("tutor.created", "tutor.updated"), f"hourly_base_rate_fr old_rate_fr? new_rate_fr? {CHANGED}"
    ),
    "tutor.rate.updated": f"hourly_base_rate_fr old_rate_fr new_rate_fr {CHANGED}",
    "tutor.availability.updated": "tutor_name tutor_email change_type_fr operation_fr details_fr changed_by_name "
    "changed_fr",
}
ADDED_TO_ITEM = "start_fr span_fr end_local price_fr tutor_earnings_fr"
ITEM = (
    "appointment_id course_id course_title_fr tutor_id tutor_name start_datetime duration_min price_cad "
    "tutor_earnings_cad end_datetime start_local tutor_email meeting_link?"
)
REFUNDED_SESSION = (
    "appointment_id? course_title_fr tutor_name start_datetime end_datetime refund_cad "  # then printed
    "start_fr span_fr refund_fr"
)
OWN = {"password.reset_requested", "appointment.reminder", "appointment.meeting_link_updated"}

# Every field's type in the contract's words, by its name; those of one event alone come after it and a full stop.
TYPES = {
    "uuid": "id user_id order_id appointment_id course_id tutor_id cancelled_by_id rescheduled_by_id modification_id "
    "processed_by refund_id message_id sender_id receiver_id rating_id student_id ticket_id changed_by owner_id",
    "list of uuid": "affected_appointments course_ids",
    "list of text": "changed_fields",
    "list of BookedSession": "items",
    "list of RefundedSession": "sessions",
    "Contact": "student tutor",
    "object": "details",
    "e-mail": "email tutor_email receiver_email user_email owner_email",
    "E.164": "phone",
    "text": "first_name last_name coupon_code course_title_fr tutor_name meeting_link payment_reference "
    "cancellation_reason reason refund_reason stripe_refund_id sender_name receiver_name content appointment_title "
    "comment subject message slug title_fr display_name user_first_name user_last_name owner_first_name "
    "changed_by_name "
    # printed
    "start_fr span_fr sessions_fr created_fr updated_fr changed_fr completed_fr ordered_fr old_span_fr new_span_fr "
    "order_total_fr refunded_total_fr to_card_fr to_credit_fr refunded_to_fr refund_fr sender_role_fr receiver_role_fr "
    "previous_general_score_fr changed_fields_fr change_type_fr operation_fr details_fr "
    "price_fr tutor_earnings_fr subtotal_fr discount_fr total_fr credit_applied_fr amount_charged_fr "
    "cancelled_by_fr credit_issued_fr rescheduled_by_fr old_start_fr new_start_fr refund_amount_fr timestamp_fr "
    "general_score_fr category_fr priority_fr status_fr old_status_fr new_status_fr student_rate_fr "
    "hourly_base_rate_fr old_rate_fr new_rate_fr",
    "date-time": "created_at start_datetime end_datetime timestamp old_start_datetime old_end_datetime "
    "new_start_datetime new_end_datetime completed_at updated_at changed_at ordered_at",
    "local date-time": "start_local end_local old_start_local new_start_local new_end_local",
    "dollars": "subtotal_cad discount_cad total_cad price_cad tutor_earnings_cad credit_applied_cad amount_charged_cad "
    "credit_issued refund_amount student_rate_cad hourly_base_rate_cad old_rate_cad new_rate_cad order_total_cad "
    "refunded_total_cad to_card_cad to_credit_cad refund_cad",
    "number from 1 to 5": "general_score previous_general_score",
    "integer from 1 to 5": "q1_courtoisie q2_maitrise q3_pedagogie q4_dynamisme",
    "integer": "duration_min item_count attachment_count priority",
    "boolean": "is_full_refund content_truncated hidden active is_new_user",
    "false": "is_internal",
    "student|tutor|admin": "role cancelled_by rescheduled_by",
    "student|tutor": "sender_role receiver_role",
    "student|admin": "ticket.message_added.sender_role",
    "CAD": "currency",
    "guest_checkout": "signup.source",
    "guest_checkout|account_checkout|manual": "booking.created.source",
    "request|refund": "cause",
    "system|admin": "completed_by",
    "booking|payment|technical|other": "category",
    "low|medium|high|urgent": "ticket.created.priority",
    "open|in_progress|resolved|closed": "status old_status new_status",
    "created": "course.created.action",
    "updated": "course.updated.action",
    "deleted": "course.deleted.action",
    "rule|exception|time_off": "change_type",
    "created|updated|deleted": "operation",
    "nothing": "rating.created.previous_general_score tutor.created.old_rate_cad tutor.created.new_rate_cad "
    "tutor.updated.old_rate_cad tutor.updated.new_rate_cad rating.created.previous_general_score_fr "
    "tutor.created.old_rate_fr tutor.created.new_rate_fr tutor.updated.old_rate_fr tutor.updated.new_rate_fr",
}

KEYS = {
    "signup": ("signup:{user_id}", "order:{order_id}"),
    "booking.created": ("booking.created:{order_id}", "order:{order_id}"),
    "booking.cancelled": ("booking.cancelled:{appointment_id}:2", "appointment:{appointment_id}"),
    "booking.rescheduled": ("booking.rescheduled:{modification_id}", "appointment:{appointment_id}"),
    "appointment.completed": ("appointment.completed:{appointment_id}:1", "appointment:{appointment_id}"),
    "order.refunded": ("order.refunded:{refund_id}", "order:{order_id}"),
    "message.sent": ("message.sent:{message_id}", "message:{message_id}"),
    "rating.created": ("rating.created:{rating_id}", "rating:{rating_id}"),
    "rating.updated": ("rating.updated:{rating_id}:2", "rating:{rating_id}"),
    "ticket.created": ("ticket.created:{ticket_id}", "ticket:{ticket_id}"),
    "ticket.status_changed": ("ticket.status_changed:{ticket_id}:2", "ticket:{ticket_id}"),
    "ticket.message_added": ("ticket.message_added:{message_id}", "ticket:{ticket_id}"),
    "course.created": ("course.created:{course_id}:1", "course:{course_id}"),
    "course.updated": ("course.updated:{course_id}:2", "course:{course_id}"),
    "course.deleted": ("course.deleted:{course_id}:3", "course:{course_id}"),
    "tutor.created": ("tutor.created:{tutor_id}:1", "tutor:{tutor_id}"),
    "tutor.updated": ("tutor.updated:{tutor_id}:2", "tutor:{tutor_id}"),
    "tutor.rate.updated": ("tutor.rate.updated:{tutor_id}:2", "tutor:{tutor_id}"),
    "tutor.availability.updated": ("tutor.availability.updated:{tutor_id}:3", "tutor:{tutor_id}"),
    "password.reset_requested": ("password.reset_requested:{request_id}", "password_reset:{request_id}"),
    "appointment.reminder": (
        "appointment.reminder:{appointment_id}:{start_datetime}",
        "appointment:{appointment_id}",
    ),
    "appointment.meeting_link_updated": (
        "appointment.meeting_link_updated:{appointment_id}:3",
        "appointment:{appointment_id}",
    ),
}

ROUTES = {
    "SIGNUP": (False, {"signup", "password.reset_requested"}),
    "BOOKING": (False, {"booking.created"}),
    "CANCELLATION": (False, {"booking.cancelled"}),
    "MESSAGE": (False, {"message.sent"}),
    "RESCHEDULE": (True, {"booking.rescheduled", "appointment.meeting_link_updated"}),
    "COMPLETION": (True, {"appointment.completed"}),
    "REMINDER": (True, {"appointment.reminder"}),
    "REFUND": (True, {"order.refunded"}),
    "RATING": (True, {"rating.created", "rating.updated"}),
    "TICKET": (True, {"ticket.created", "ticket.status_changed", "ticket.message_added"}),
    "ADMIN": (
        True,
        {
            *("course.created", "course.updated", "course.deleted"),
            *("tutor.created", "tutor.updated", "tutor.rate.updated", "tutor.availability.updated"),
        },
    ),
    "DOJO_PAYMENTS": (False, {"payment.success", "payment.failed", "payment.refunded"}),
}


def told(event_type: str) -> dict[str, Any]:
    """What whoever tells of the sample's fact says; the rest is printed from it."""
    payload = samples.PAYLOADS[event_type]
    return payload.model_dump(exclude=set(type(payload).model_computed_fields))


FOR_FILTERS = {"role", "source", "cause", "completed_by"}
"""Codes to choose a route by, which no message says."""
PARTS = ("BookedSession", "RefundedSession", "Contact")

OF_4AS = [name for name in PAYLOADS if EVENTS[name].product == "tutoring"]
every_event = pytest.mark.parametrize("event_type", OF_4AS)


def fields(node: dict[str, Any]) -> str:
    """As FIELDS writes them."""
    return " ".join(name + "?" * _nullable(field) for name, field in node["properties"].items())


def type_of(field: dict[str, Any], parts: dict[str, Any]) -> str:
    """As TYPES writes it; that it may be null is told elsewhere."""
    match field:
        case {"anyOf": choices}:
            (kind,) = {type_of(choice, parts) for choice in choices if choice.get("type") != "null"}
            return kind
        case {"$ref": place}:
            name = str(place).rpartition("/")[2]
            return name if name in PARTS else type_of(parts[name], parts)
        case {"const": word}:
            return json.dumps(word).strip('"')
        case {"enum": words}:
            return "|".join(words)
        case {"type": "array", "items": items}:
            return f"list of {type_of(items, parts)}"
        case {"format": "date-time", "pattern": pattern}:
            return "local date-time" if "-0[45]:00" in pattern else "date-time"
        case {"type": "string", "pattern": r"^\+[1-9]\d{9,14}$"}:
            return "E.164"
        case {"type": "number" | "integer" as kind, "minimum": 1, "maximum": 5}:
            return f"{kind} from 1 to 5"
    shorter = {"string": "text", "number": "dollars", "null": "nothing", "email": "e-mail"}
    kind = str(field.get("format", field["type"]))
    return shorter.get(kind, kind)


def _nullable(field: dict[str, Any]) -> bool:
    return any(choice.get("type") == "null" for choice in field.get("anyOf", [field]))


def named(node: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every field of a value, however deep, with its value."""
    for name, value in node.items():
        yield prefix + name, value
        for element in value if isinstance(value, list) else [value]:
            if isinstance(element, dict) and name != "details":
                yield from named(element, f"{name}.")


def twin_of(event_type: str, name: str, kind: str) -> str | None:
    """The field that says the same ready to print; None when nobody prints it, or it is printed as it is."""
    if kind == "date-time":
        if (event_type, name) == ("appointment.reminder", "expires_at"):
            return "start_fr"
        for ending, printed in (
            ("start_datetime", "start_fr"),
            ("end_datetime", "span_fr"),
            ("_at", "_fr"),
            ("timestamp", "timestamp_fr"),
        ):
            if name.endswith(ending):
                return name.removesuffix(ending) + printed
    if kind in ("dollars", "number from 1 to 5"):
        return name.removesuffix("_cad") + "_fr"
    return f"{name}_fr" if "|" in kind and name not in FOR_FILTERS else None


def properties_of(node: Any) -> Iterator[str]:
    """The name of every field of a schema, however deep."""
    for value in node if isinstance(node, list) else node.values() if isinstance(node, dict) else ():
        yield from properties_of(value)
    if isinstance(node, dict):
        yield from node.get("properties", ())


def test_the_committed_pages_schemas_and_samples_are_fresh() -> None:
    assert differences() == []


def test_the_contract_names_every_event_of_4as_but_three_of_its_own() -> None:
    assert set(EVENTS) == set(PAYLOADS)
    assert set(OF_4AS) == set(FIELDS) | OWN
    assert len(FIELDS) == 19


@pytest.mark.parametrize("event_type", FIELDS)
def test_an_event_has_exactly_the_fields_of_the_contract_in_its_order(event_type: str) -> None:
    document = schema(event_type)

    assert fields(document) == ENVELOPE
    promised = {*FIELDS[event_type].split(), *ADDED.get(event_type, "").split()}
    assert set(fields(document["properties"]["payload"]).split()) == promised
    assert set(sample(event_type)["payload"]) == {name.rstrip("?") for name in promised}


def test_a_booked_session_and_a_contact_have_exactly_the_fields_of_the_contract() -> None:
    parts = schema("booking.created")["$defs"]

    assert (fields(parts["BookedSession"]), fields(parts["Contact"])) == (
        f"{ITEM} {ADDED_TO_ITEM}",
        CONTACT,
    )
    assert fields(schema("order.refunded")["$defs"]["RefundedSession"]) == REFUNDED_SESSION


@pytest.mark.parametrize("event_type", FIELDS)
def test_a_field_has_the_type_of_the_contract(event_type: str) -> None:
    document = schema(event_type)
    promised = {name: words for words, names in TYPES.items() for name in names.split()}
    objects = [document["properties"]["payload"]]
    objects += [part for name, part in document["$defs"].items() if name in PARTS]

    for properties in (one["properties"] for one in objects):
        assert {name: type_of(field, document["$defs"]) for name, field in properties.items()} == {
            name: promised.get(f"{event_type}.{name}", promised.get(name)) for name in properties
        }


@every_event
def test_a_sample_is_valid(event_type: str) -> None:
    assert broken_promises(sample(event_type)) == []


@every_event
def test_every_key_is_required_and_no_other_is_allowed(event_type: str) -> None:
    event = sample(event_type)
    for place in (event, event["payload"]):
        for key in list(place):
            value = place.pop(key)
            if key != "type" or place is not event:
                assert broken_promises(event) != [], f"{key} is not required"
            place[key] = value
        place["surplus"] = 1
        assert broken_promises(event | {"type": event_type}) != []
        del place["surplus"]


@every_event
def test_only_what_the_contract_lets_be_null_may_be_null(event_type: str) -> None:
    declared = fields(schema(event_type)["properties"]["payload"]).split()
    for field in declared:
        event = copy.deepcopy(sample(event_type))
        event["payload"][field.rstrip("?")] = None
        assert (broken_promises(event) == []) == field.endswith("?"), field


@every_event
def test_instants_amounts_scores_and_codes_have_a_twin_to_print_that_is_null_when_they_are(
    event_type: str,
) -> None:
    document = schema(event_type)
    objects = [document["properties"]["payload"]]
    objects += [part for name, part in document["$defs"].items() if name.endswith("Session")]
    for properties in (one["properties"] for one in objects):
        for name, field in properties.items():
            twin = twin_of(event_type, name, type_of(field, document["$defs"]))
            if twin:
                assert twin in properties, name
                assert _nullable(properties[twin]) == _nullable(field), name


@every_event
def test_a_sample_is_sent_when_its_fact_occurred(event_type: str) -> None:
    event = sample(event_type)
    payload = event["payload"]

    facts = {
        value
        for name, value in payload.items()
        if name in ("timestamp", "completed_at", "updated_at", "changed_at", "requested_at")
    }
    before = {value for name, value in payload.items() if name in ("created_at", "ordered_at")}
    assert event["sent_at"] == event["timestamp"]
    assert facts or before
    assert facts <= {event["timestamp"]}
    assert not before or max(before) <= event["timestamp"]


def test_samples_keep_what_their_pages_say_of_time() -> None:
    """A reminder a day before, a completion within a quarter of an hour after, an opinion once it took place."""
    minutes = {
        event_type: (moment_of(event_type, after) - moment_of(event_type, since)).total_seconds() / 60
        for event_type, since, after in (
            ("appointment.reminder", "timestamp", "start_datetime"),
            ("appointment.completed", "end_datetime", "completed_at"),
            ("password.reset_requested", "requested_at", "expires_at"),
        )
    }

    assert minutes["appointment.reminder"] == 24 * 60
    assert 0 <= minutes["appointment.completed"] <= 15
    assert minutes["password.reset_requested"] == 60
    assert moment_of("rating.created", "created_at") > moment_of("appointment.completed", "completed_at")
    assert moment_of("ticket.created", "created_at") < moment_of("ticket.message_added", "timestamp")
    assert moment_of("ticket.message_added", "timestamp") < moment_of("ticket.status_changed", "timestamp")


def moment_of(event_type: str, field: str) -> datetime:
    return datetime.fromisoformat(sample(event_type)["payload"][field])


@pytest.mark.parametrize(
    ("change_type", "details", "printed"),
    [
        ("rule", {"weekday": 0, "start_time": "09:00", "end_time": "12:30"}, "dimanche, de 9 h à 12 h 30"),
        ("rule", {"weekday": 6, "start_time": "20:00", "end_time": "24:00"}, "samedi, de 20 h à minuit"),
        (
            "exception",
            {"kind": "closed", "start_date": "2026-12-24", "end_date": "2026-12-24"},
            "fermé le jeudi 24 décembre 2026",
        ),
        (
            "exception",
            {"kind": "closed", "start_date": "2026-12-24", "end_date": "2027-01-01", "note": "Fêtes"},
            "fermé du jeudi 24 décembre 2026 au vendredi 1er janvier 2027",
        ),
        (
            "exception",
            {
                "kind": "open",
                "start_date": "2026-12-19",
                "end_date": "2026-12-19",
                "start_time": "09:00",
                "end_time": "12:00",
            },
            "ouvert le samedi 19 décembre 2026, de 9 h à 12 h",
        ),
        (
            "time_off",
            {
                "start_datetime": "2027-03-01T14:00:00Z",
                "end_datetime": "2027-03-05T22:00:00Z",
                "reason": None,
            },
            "du lundi 1er mars 2027 à 9 h au vendredi 5 mars 2027 à 17 h",
        ),
    ],
)
def test_each_kind_of_availability_is_printed_and_as_its_schema_says(
    change_type: str, details: dict[str, Any], printed: str
) -> None:
    if change_type == "exception":
        details = {"start_time": None, "end_time": None, "note": None} | details
    payload = PAYLOADS["tutor.availability.updated"](
        **told("tutor.availability.updated") | {"change_type": change_type, "details": details, "version": 1}
    )
    event = sample("tutor.availability.updated") | {"payload": json.loads(payload.model_dump_json())}

    assert event["payload"]["details_fr"] == printed
    assert set(event["payload"]["details"]) == set(details)
    assert broken_promises(event) == []


@every_event
def test_names_and_types_go_together(event_type: str) -> None:
    for name, value in named(sample(event_type)["payload"]):
        short = name.rpartition(".")[2]
        if value is None or short == "stripe_refund_id":
            continue
        if short.endswith("_cad") or short in ("refund_amount", "credit_issued"):
            assert isinstance(value, float), name
            assert round(value, 2) == value
        elif short.endswith(("_datetime", "_at")) or short == "timestamp":
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value), name
        elif short.endswith("_local"):
            assert re.fullmatch(r"[-\d]{10}T\d\d:\d\d:\d\d-0[45]:00", value), name
        elif short.endswith("_min"):
            assert value in (60, 90, 120), name
        elif short.endswith("_id") or short == "id":
            assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value), name


@pytest.mark.parametrize(
    "spoil",
    [
        {"price_cad": "90.00"},
        {"price_cad": -1},
        {"start_datetime": "2027-01-20T10:00:00-05:00"},
        {"start_datetime": "2027-02-30T10:00:00.000Z"},
        {"start_local": "2027-01-20T15:00:00.000Z"},
        {"tutor_email": "nulle part"},
        {"appointment_id": ""},
        {"duration_min": 60.5},
    ],
)
def test_a_wrong_value_is_refused(spoil: dict[str, Any]) -> None:
    event = sample("booking.created")
    event["payload"]["items"][0] |= spoil

    assert len(broken_promises(event)) == 1


def test_a_booking_without_a_session_is_refused() -> None:
    event = sample("booking.created")
    event["payload"]["items"] = []

    assert len(broken_promises(event)) == 1


@every_event
def test_the_same_fact_has_the_same_key_and_each_aggregate_its_own_order(event_type: str) -> None:
    payload = sample(event_type)["payload"]

    told = samples.PAYLOADS[event_type]

    dedupe_key, ordering_key = KEYS[event_type]
    assert told.dedupe_key == dedupe_key.format(**payload)
    assert told.ordering_key == ordering_key.format(**payload)


def test_every_event_goes_to_the_address_that_was_promised() -> None:
    routes = {
        endpoint: (
            all(event.falls_back for event in EVENTS.values() if event.endpoint == endpoint),
            {event.name for event in EVENTS.values() if event.endpoint == endpoint},
        )
        for endpoint in {event.endpoint for event in EVENTS.values()}
    }

    assert routes == ROUTES


def test_six_changes_by_administrators_leave_no_trace_and_everything_else_does() -> None:
    assert {event.name for event in EVENTS.values() if not event.recorded} == {
        *("course.created", "course.updated", "course.deleted"),
        *("tutor.created", "tutor.updated", "tutor.rate.updated"),
    }


def test_only_the_event_that_carries_a_token_is_forgotten_once_delivered() -> None:
    assert [event.name for event in EVENTS.values() if not event.body_outlives_delivery] == [
        "password.reset_requested"
    ]
    assert [name for name in PAYLOADS if "token" in json.dumps(schema(name))] == ["password.reset_requested"]


def test_what_tutors_earn_is_told_only_where_the_contract_says_so() -> None:
    telling = {name for name in PAYLOADS if re.search("earnings_cad|rate_cad", json.dumps(sample(name)))}

    assert telling == {
        *("booking.created", "appointment.completed", "tutor.created", "tutor.updated", "tutor.rate.updated"),
        *("course.created", "course.updated", "course.deleted"),  # what students pay
    }


@every_event
def test_examples_are_about_nobody(event_type: str) -> None:
    text = json.dumps(sample(event_type))

    assert re.findall(r"@(?!exemple\.ca)", text) == re.findall(r"://(?!visio\.exemple\.ca)", text) == []


@every_event
def test_an_event_is_below_20_kb(event_type: str) -> None:
    assert len(samples.PAYLOADS[event_type].model_dump_json().encode()) < 20_000


@pytest.mark.parametrize(
    ("event_type", "sessions"), [("booking.created", "items"), ("order.refunded", "sessions")]
)
def test_twenty_sessions_are_below_20_kb(event_type: str, sessions: str) -> None:
    payload = samples.PAYLOADS[event_type]
    whole = payload.model_copy(update={sessions: getattr(payload, sessions)[-1:] * 20})

    assert len(whole.model_dump_json().encode()) < 20_000


def test_no_internal_note_of_a_ticket_can_be_told() -> None:
    """e.3-19."""
    note = samples.PAYLOADS["ticket.message_added"].model_dump() | {"is_internal": True}

    with pytest.raises(ValidationError):
        PAYLOADS["ticket.message_added"](**note)


def test_a_ticket_whose_status_stays_is_not_told() -> None:
    """F-16."""
    unchanged = told("ticket.status_changed") | {"new_status": "open", "version": 3}

    with pytest.raises(ValidationError, match="the status did not change"):
        PAYLOADS["ticket.status_changed"](**unchanged)


@pytest.mark.parametrize(("length", "cut"), [(5_000, False), (5_001, True)])
def test_a_long_message_is_cut_and_says_so(length: int, cut: bool) -> None:
    message = told("message.sent") | {"content": "é" * length, "message_id": uuid4()}

    sent = PAYLOADS["message.sent"](**message).model_dump()

    assert (sent["content"], sent["content_truncated"]) == ("é" * 5_000, cut)


def test_the_guide_s_recipe_gives_the_signature_that_we_send() -> None:
    """B-10. The recipe as it is written, and the product's own signature, on the guide's example."""
    guide = (texts.DOCS / "README.md").read_text(encoding="utf-8")
    secret, event_id, timestamp, promised = (
        re.search(pattern, guide)[1]  # type: ignore[index]
        for pattern in (r"`(whsec_\S{40,})`", r"`(evt_\w{32})`", r"`(\d{10})`", r"`(v1,\S{40,})`")
    )
    body = next(line for line in guide.splitlines() if line.startswith('{"type":')).encode()

    key = base64.b64decode(secret.removeprefix("whsec_"))
    recipe = hmac.new(key, f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()

    assert promised == "v1," + base64.b64encode(recipe).decode()
    assert promised == sign([secret], event_id, int(timestamp), body)


@every_event
def test_a_page_has_every_field_and_the_sample_itself(event_type: str) -> None:
    page = (texts.DOCS / f"{event_type}.md").read_text(encoding="utf-8")
    shown = re.search(r"```json\n(.*?)```", page, re.DOTALL)

    assert shown
    assert json.loads(shown[1]) == sample(event_type)
    assert all(f"| `{name}` |" in page for name in sample(event_type)["payload"])


def test_every_link_of_the_pages_leads_somewhere() -> None:
    for page in texts.DOCS.glob("*.md"):
        for target in re.findall(r"\]\((?!https:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (texts.DOCS / target).exists(), (page.name, target)


def test_every_sentence_of_the_source_is_used() -> None:
    meanings = texts.load("fields.toml")
    known = {event_type: set(properties_of(schema(event_type))) for event_type in PAYLOADS}
    everywhere = set().union(*known.values())

    assert set(texts.load("events.toml")) == set(PAYLOADS)
    assert set(meanings["*"]) - everywhere == set()
    for event_type in meanings.keys() - {"*"}:
        assert set(meanings[event_type]) - known[event_type] == set(), event_type
