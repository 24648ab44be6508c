"""What strangers may send to the cart: each is answered as documented, in French, and writes nothing."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import Connection

from adapters import database as adapter
from functions.cart import app
from local.configuration import as_roles
from local.postgres import Server
from tests.support.browser import CONTEXT, Browser, http_event
from tests.support.school import School
from tests.support.tables import contents
from tests.support.world import Clock, toronto

ITEMS, COUPON = "/v1/cart/items", "/v1/cart/coupon"
NINE = toronto(20, 9).isoformat()
LONG = "x" * 10_000

DETAILS = {
    "MALFORMED_JSON": (400, "Le corps de la requête n'est pas un JSON valide."),
    "COURSE_NOT_FOUND": (404, "Cours introuvable"),
    "TUTOR_NOT_FOUND": (404, "Tuteur introuvable"),
    "ITEM_NOT_FOUND": (404, "Élément introuvable"),
    "NOT_FOUND": (404, "Cette adresse n'existe pas."),
    "SLOT_UNAVAILABLE": (409, "Ce créneau n'est plus disponible"),
    "UNSUPPORTED_MEDIA_TYPE": (415, "Le corps de la requête doit être en JSON."),
    "VALIDATION_FAILED": (422, "Certains champs sont invalides."),
    "INVALID_DURATION": (422, "Durée invalide"),
    "OFF_GRID": (422, "Une séance doit commencer à l'heure juste ou à la demie."),
    "TOO_SOON": (422, "Ce créneau doit être réservé au moins 12 heures à l'avance"),
    "TOO_FAR": (422, "Ce créneau ne peut pas être réservé plus de 60 jours à l'avance"),
    "COUPON_INVALID": (422, "Code promo invalide"),
    "HOLD_LIMIT": (
        429,
        "Vous réservez déjà le nombre maximal de créneaux. Payez-les ou retirez-en avant d'en ajouter.",
    ),
}


@dataclass(frozen=True)
class Target:
    """A shop nobody manages to change, so that every test may use the same one."""

    clock: Clock
    connection: Connection[Any]
    course: UUID
    tutor: UUID
    visitor: Browser

    def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """What the function answers, as API Gateway gets it."""
        return self.deliver(http_event(method, path, self.clock(), body, None, headers, self.visitor.cookies))

    def deliver(self, event: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = app.lambda_handler(event, CONTEXT)
        return answer

    def session(self, **changes: Any) -> dict[str, Any]:
        return {"course_id": str(self.course), "start": NINE, "duration_min": 60} | changes

    def is_refused(self, answer: dict[str, Any], code: str, *fields: str) -> bool:
        """Whether an answer is that refusal, with its status, its sentence and nothing else written anywhere."""
        status, detail = DETAILS[code]
        body = json.loads(answer["body"].encode())
        assert (answer["statusCode"], body["code"], body["detail"]) == (status, code, detail)
        assert answer["headers"]["Content-Type"] == "application/problem+json"
        assert {"type", "title", "status", "detail", "code", "instance"} <= set(body)
        assert body["status"] == status
        assert [error["field"] for error in body.get("errors", [])] == list(fields)
        return True


@pytest.fixture(scope="module")
def shop(postgres: Server, migrated_template: str) -> Iterator[Target]:
    name = f"test_{uuid4().hex[:12]}"
    url = postgres.create_database(name, migrated_template)
    with pytest.MonkeyPatch.context() as environment, psycopg.connect(url, autocommit=True) as connection:
        environment.setenv("DATABASE_URL", as_roles(url)["DATABASE_URL"])
        environment.setenv("ENVIRONMENT", "dev")
        school, clock = School(connection), Clock()
        course = school.course()
        target = Target(clock, connection, course, school.tutor(course), Browser(clock))
        school.coupon("SAVE10")
        assert target.visitor.post(ITEMS, {"items": [target.session(start=toronto(20, 16).isoformat())]}).body
        yield target
        adapter.disconnect()
    postgres.drop_database(name)


@pytest.fixture
def target(shop: Target) -> Iterator[Target]:
    before = contents(shop.connection)
    yield shop
    assert contents(shop.connection) == before


# --- bodies that are no request -------------------------------------------------------------------------------

MALFORMED = {
    "nothing like JSON": "bonjour",
    "cut off": '{"items": [',
    "single quotes": "{'items': []}",
    "a trailing comma": '{"items": [],}',
    "NaN": '{"items": NaN, "code": NaN}',
    "Infinity": '{"items": -Infinity, "code": -Infinity}',
    "a byte order mark": '\ufeff{"items": []}',
    "two documents": "{} {}",
    "a number nobody can read": '{"items": ' + "9" * 10_000 + "}",
    "ten thousand brackets": "[" * 10_000,
    "thirty thousand brackets, closed": "[" * 30_000 + "]" * 30_000,
    "a raw NUL": '{"items": "\x00"}',
}


@pytest.mark.parametrize(("method", "path"), [("POST", ITEMS), ("PUT", COUPON)])
@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_json_is_malformed(target: Target, method: str, path: str, body: str) -> None:
    assert target.is_refused(target.send(method, path, body), "MALFORMED_JSON")


@pytest.mark.parametrize(("method", "path"), [("POST", ITEMS), ("PUT", COUPON)])
@pytest.mark.parametrize(
    "body", [None, "", "null", "[]", '""', "1", "true", '[{"items": []}]', '[{"code": "SAVE10"}]']
)
def test_a_body_that_is_no_object_is_invalid(
    target: Target, method: str, path: str, body: str | None
) -> None:
    assert target.is_refused(target.send(method, path, body), "VALIDATION_FAILED", "body")


@pytest.mark.parametrize(("method", "path"), [("POST", ITEMS), ("PUT", COUPON)])
@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "text/json",
        "application/xml",
        "application/jsonp",
        "application/merge-patch+json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        LONG,
    ],
)
def test_only_json_is_read(target: Target, method: str, path: str, media_type: str) -> None:
    for body in ({"items": [target.session()], "code": "SAVE10"}, "code=SAVE10&items=1", "--x--"):
        answer = target.send(method, path, body, {"content-type": media_type})
        assert target.is_refused(answer, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    "media_type", ["application/json", "Application/JSON", "application/json; charset=utf-8", ""]
)
def test_json_may_be_announced_in_any_spelling_or_not_at_all(target: Target, media_type: str) -> None:
    answer = target.send(
        "POST", ITEMS, {"items": [target.session(duration_min=45)]}, {"content-type": media_type}
    )

    assert target.is_refused(answer, "INVALID_DURATION")


def test_a_body_may_come_in_base64(target: Target) -> None:
    event = http_event("POST", ITEMS, target.clock(), {"items": [target.session(duration_min=45)]})
    event |= {"body": base64.b64encode(event["body"].encode()).decode(), "isBase64Encoded": True}

    assert target.is_refused(target.deliver(event), "INVALID_DURATION")


def test_bytes_that_are_no_text_are_malformed(target: Target) -> None:
    event = http_event("PUT", COUPON, target.clock(), "")
    event |= {"body": base64.b64encode(b'{"code": "\xff\xfe"}').decode(), "isBase64Encoded": True}

    assert target.is_refused(target.deliver(event), "MALFORMED_JSON")


# --- lists ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("items", [[], {}, "abc", 1, None, True, LONG])
def test_items_must_be_a_list_of_one_or_more(target: Target, items: Any) -> None:
    assert target.is_refused(target.send("POST", ITEMS, {"items": items}), "VALIDATION_FAILED", "items")


def test_fifty_sessions_may_be_wanted_at_once_and_fifty_one_may_not(target: Target) -> None:
    fifty = [
        target.session(start=toronto(day, hour).isoformat()) for day in range(21, 29) for hour in range(9, 16)
    ][:50]

    assert target.is_refused(target.send("POST", ITEMS, {"items": fifty}), "HOLD_LIMIT")
    answer = target.send("POST", ITEMS, {"items": [*fifty, target.session()]})
    assert target.is_refused(answer, "VALIDATION_FAILED", "items")


@pytest.mark.parametrize("item", [None, 1, "x", [], [[[[]]]], True])
def test_a_session_must_be_an_object(target: Target, item: Any) -> None:
    answer = target.send("POST", ITEMS, {"items": [target.session(), item]})

    assert target.is_refused(answer, "VALIDATION_FAILED", "items.1")


@pytest.mark.parametrize("field", ["course_id", "start", "duration_min"])
def test_a_missing_field_is_named(target: Target, field: str) -> None:
    session = target.session()
    del session[field]

    answer = target.send("POST", ITEMS, {"items": [target.session(), session]})

    assert target.is_refused(answer, "VALIDATION_FAILED", f"items.1.{field}")
    assert json.loads(answer["body"])["errors"] == [
        {"field": f"items.1.{field}", "code": "MISSING", "detail": "Ce champ est obligatoire."}
    ]


# --- fields ---------------------------------------------------------------------------------------------------

NOT_AN_ID: list[Any] = [
    1, 0, -1, 1.5, True, None, [], {}, "", " ", "x", LONG, "\x00", "\ud800", "a\u2028b", "null",
    "00000000-0000-0000-0000-00000000000", "00000000-0000-0000-0000-0000000000000", "g" * 32,
]  # fmt: skip
NOT_AN_INSTANT: list[Any] = [
    1_800_432_000, 1.8e9, True, None, [], {}, "", " ", "x", LONG, "\x00", "\ud800",
    "1800432000", "1800432000.0", "-1", "2027-01-20", "2027-01-20T09:00:00", "2027-01-20T09:00", "09:00",
    "2027-02-30T09:00:00-05:00", "2027-01-20T25:00:00-05:00", "2027-01-20T09:60:00-05:00",
    "2027-01-20T09:00:60-05:00", "2027-01-20T09:00:00-25:00", "20270120T090000Z", "2027-W03-3T09:00:00Z",
    "20 janvier 2027 à 9 h", "2027-01-20T09:00:00 EST", "2027-01-20T09:00:00-05:00\x00", "12027-01-20T09:00:00Z",
]  # fmt: skip
NOT_A_NUMBER: list[Any] = ["60", "", None, True, False, 60.0, 60.5, [], {}, [60], LONG, "\x00", "\ud800"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("course_id", value) for value in NOT_AN_ID),
        *(("tutor_id", value) for value in NOT_AN_ID if value is not None),
        *(("start", value) for value in NOT_AN_INSTANT),
        *(("duration_min", value) for value in NOT_A_NUMBER),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_field_of_another_type_is_never_guessed_at(target: Target, field: str, value: Any) -> None:
    body = json.dumps({"items": [target.session(**{field: value})]})  # ASCII, so that it can spell anything

    answer = target.send("POST", ITEMS, body)

    assert target.is_refused(answer, "VALIDATION_FAILED", f"items.0.{field}")
    assert LONG not in answer["body"]  # what was sent is not sent back


@pytest.mark.parametrize(
    "extra",
    ["price_cad", "unit_price_cad", "tutor", "hold_expires_at", "id", "user_id", "cart_id", "__proto__"],
)
def test_a_field_nobody_asked_for_is_refused(target: Target, extra: str) -> None:
    in_the_session = target.send("POST", ITEMS, {"items": [target.session(**{extra: "0.01"})]})
    beside_the_list = target.send("POST", ITEMS, {"items": [target.session()], extra: "0.01"})

    assert target.is_refused(in_the_session, "VALIDATION_FAILED", f"items.0.{extra}")
    assert target.is_refused(beside_the_list, "VALIDATION_FAILED", extra)


@pytest.mark.parametrize("name", ["\ud800", "\x00", "", LONG])
def test_a_field_with_a_hostile_name_is_refused(target: Target, name: str) -> None:
    for body in ({"items": [target.session(**{name: 1})]}, {"items": [target.session()], name: 1}):
        answer = target.send("POST", ITEMS, json.dumps(body))
        assert json.loads(answer["body"].encode())["code"] == "VALIDATION_FAILED"
        assert answer["statusCode"] == 422


DURATIONS = [0, -60, 1, 30, 45, 59, 61, 75, 119, 121, 150, 180, 6 * 10**6, 10**30, -(10**30)]


@pytest.mark.parametrize("minutes", DURATIONS)
def test_only_three_durations_are_sold(target: Target, minutes: int) -> None:
    answer = target.send("POST", ITEMS, {"items": [target.session(duration_min=minutes)]})

    assert target.is_refused(answer, "INVALID_DURATION")


@pytest.mark.parametrize(
    ("start", "code"),
    [
        ("2027-01-20T09:15:00-05:00", "OFF_GRID"),
        ("2027-01-20T09:00:01-05:00", "OFF_GRID"),
        ("2027-01-20T09:00:00.001-05:00", "OFF_GRID"),
        ("2027-01-20T09:00:00.000001-05:00", "OFF_GRID"),
        ("2027-01-20T08:59:59.999999-05:00", "OFF_GRID"),
        ("2027-01-20T09:00:00+00:17", "OFF_GRID"),
        ("2027-01-17T09:00:00-05:00", "TOO_SOON"),
        ("2027-01-18T12:00:00-05:00", "TOO_SOON"),
        ("2027-01-18T23:30:00-05:00", "TOO_SOON"),
        ("1970-01-01T00:00:00Z", "TOO_SOON"),
        ("0001-01-01T00:00:00+14:00", "TOO_SOON"),
        ("2027-03-19T13:30:00-04:00", "TOO_FAR"),  # sixty days are up at 13:00, in summer time
        ("2028-01-20T09:00:00-05:00", "TOO_FAR"),
        ("9999-12-31T23:30:00-12:00", "TOO_FAR"),
        ("2027-01-20T03:00:00-05:00", "SLOT_UNAVAILABLE"),
        ("2027-01-20T08:30:00-05:00", "SLOT_UNAVAILABLE"),
    ],
)
def test_a_start_nobody_can_have_is_refused_for_its_reason(target: Target, start: str, code: str) -> None:
    answer = target.send("POST", ITEMS, {"items": [target.session(start=start)]})

    assert target.is_refused(answer, code)


@pytest.mark.parametrize(
    "spelling", ["2027-01-20T09:15:00-05:00", "2027-01-20T14:15:00Z", "2027-01-20 14:15+00:00"]
)
def test_an_instant_may_be_told_in_any_offset(target: Target, spelling: str) -> None:
    answer = target.send("POST", ITEMS, {"items": [target.session(start=spelling)]})

    assert target.is_refused(answer, "OFF_GRID")


UNKNOWN = "00000000-0000-0000-0000-000000000000"


def test_unknown_ids_are_not_found(target: Target) -> None:
    for course in (UNKNOWN, str(target.tutor)):
        answer = target.send("POST", ITEMS, {"items": [target.session(course_id=course)]})
        assert target.is_refused(answer, "COURSE_NOT_FOUND")
    for tutor in (UNKNOWN, str(target.course)):
        answer = target.send("POST", ITEMS, {"items": [target.session(tutor_id=tutor)]})
        assert target.is_refused(answer, "TUTOR_NOT_FOUND")


# --- taking out -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("item_id", ["x", "1", "null", LONG, "%00", "' OR 1=1 --", "é", "0" * 31])
def test_what_is_no_id_is_invalid(target: Target, item_id: str) -> None:
    assert target.is_refused(target.send("DELETE", f"{ITEMS}/{item_id}"), "VALIDATION_FAILED", "item_id")


@pytest.mark.parametrize(
    "item_id", ["", "\x00", '"', "a/b", "\ud800", "\U0001f600", f"{UNKNOWN}/", "?", "a\nb"]
)
def test_what_cannot_even_be_an_id_has_no_address(target: Target, item_id: str) -> None:
    assert target.is_refused(target.send("DELETE", f"{ITEMS}/{item_id}"), "NOT_FOUND")


def test_an_id_nobody_has_is_not_found(target: Target) -> None:
    for item_id in (UNKNOWN, str(target.course), UNKNOWN.replace("-", ""), UNKNOWN.upper()):
        assert target.is_refused(target.send("DELETE", f"{ITEMS}/{item_id}"), "ITEM_NOT_FOUND")


# --- coupons --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        1,
        1.5,
        True,
        None,
        [],
        {},
        ["SAVE10"],
        LONG,
        "x" * 201,
        "SAVE10\x00",
        "SAVE10\x1f",
        "a\x9bb",
        "\x7f",
        "\ud800",
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_code_must_be_one_line_of_text(target: Target, code: Any) -> None:
    answer = target.send("PUT", COUPON, json.dumps({"code": code}))

    assert target.is_refused(answer, "VALIDATION_FAILED", "code")


@pytest.mark.parametrize(
    "code", ["", " ", "x", "x" * 200, "\u2028", "é" * 200, "\U0001f600", "SAVE10 OR 1=1"]
)
def test_a_line_of_text_nobody_issued_is_an_invalid_code(target: Target, code: str) -> None:
    assert target.is_refused(target.send("PUT", COUPON, {"code": code}), "COUPON_INVALID")


def test_a_coupon_takes_a_code_and_nothing_else(target: Target) -> None:
    assert target.is_refused(target.send("PUT", COUPON, {}), "VALIDATION_FAILED", "code")
    answer = target.send("PUT", COUPON, {"code": "SAVE10", "value": "100"})
    assert target.is_refused(answer, "VALIDATION_FAILED", "value")


# --- routes without a body ------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ["bonjour", "{", '{"user_id": 1}', LONG, "\x00"])
@pytest.mark.parametrize(
    "query", [{}, {"user_id": UNKNOWN}, {"__Host-cart_session_id": LONG}, {"\x00": "\x00"}]
)
def test_looking_reads_neither_body_nor_query(target: Target, body: str, query: dict[str, str]) -> None:
    event = http_event("GET", "/v1/cart", target.clock(), body, query, None, target.visitor.cookies)

    answer = target.deliver(event)

    assert (answer["statusCode"], answer.get("cookies", [])) == (200, [])
    assert len(json.loads(answer["body"])["items"]) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [("PATCH", "/v1/cart"), ("POST", "/v1/cart"), ("GET", ITEMS), ("GET", "/v1/cart/x"), ("POST", COUPON)],
)
def test_an_operation_that_does_not_exist_is_not_found_by_this_function(
    target: Target, method: str, path: str
) -> None:
    """API Gateway never sends it here; whoever does gets no 500."""
    assert target.is_refused(target.send(method, path, {}), "NOT_FOUND")


def test_the_table_above_would_notice_a_row(shop: Target) -> None:
    """The negative control of 'nothing written'."""
    before = contents(shop.connection)
    stranger = replace(shop, visitor=Browser(shop.clock))
    answer = stranger.send("PUT", "/v1/cart/coupon", {"code": "SAVE10"})

    assert answer["statusCode"] == 200
    assert contents(shop.connection) != before
    shop.connection.execute("DELETE FROM carts WHERE id = %s", (json.loads(answer["body"])["id"],))
    assert contents(shop.connection) == before
