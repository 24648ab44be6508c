"""What people type arrives clean, in every field of every form, or is refused (decision 24)."""

import json
from copy import deepcopy
from typing import Any
from uuid import UUID

import pytest
from psycopg.errors import CheckViolation

from tests.support.booked_student import BookedStudent
from tests.support.browser import Answer, Browser
from tests.support.guest import Guest
from tests.support.people import EMAIL, PASSWORD, account, sign_in, signed_in
from tests.support.tables import nothing_written
from tests.support.world import FORM, World, toronto, wanted

TEN = toronto(20, 10)
ELEVEN = toronto(20, 11)
NAMES = ["account.first_name", "account.last_name"]
LINES = [*NAMES, "billing.address", "billing.city", "billing.province"]
CLEANED = [
    (" \u00a0\u200b\tZo\u00e9\u3000\ufeff\u2060 ", "Zo\u00e9"),
    ("Zoe\u0301", "Zo\u00e9"),
    ("Zo\u00e9\tAnne", "Zo\u00e9 Anne"),
    ("Zo\u00e9\r\nAnne\u2028Roy", "Zo\u00e9 Anne Roy"),
    ("\u0646\u0627\u0645\u200c\u0647\u200c", "\u0646\u0627\u0645\u200c\u0647"),
    ("Zo\u200b\u00e9", "Zo\u00e9"),
    ("\U0001f469\u200d\U0001f467", "\U0001f469\u200d\U0001f467"),
]
REFUSED = [
    "\u200b", "\u00a0\u3000", "\u200d\u200c", "-", "\u0301", "\u3164", "\u2800",
    "Zo\u202e\u00e9", "\u202aZo\u00e9\u202c", "\u2066Zo\u00e9\u2069", "Zo\u00e9\u0000", "Zo\x85\x9b\u00e9", "\ud800",
]  # fmt: skip


@pytest.fixture
def course(world: World) -> UUID:
    course = world.school.course()
    world.school.tutor(course)
    return course


@pytest.fixture
def guest(world: World, course: UUID) -> Guest:
    return Guest(world).chooses(wanted(course, TEN))


def filled(path: str, value: str) -> dict[str, Any]:
    """The checkout form with one field as somebody typed it."""
    form = deepcopy(FORM)
    part, field = path.split(".")
    form[part][field] = value
    return form


def faulty(answer: Answer) -> list[str]:
    assert (answer.status, answer.code) == (422, "VALIDATION_FAILED"), answer.text
    return [error["field"] for error in answer.body["errors"]]


@pytest.mark.parametrize(("typed", "kept"), CLEANED)
def test_a_checkout_keeps_names_and_addresses_clean(
    world: World, guest: Guest, typed: str, kept: str
) -> None:
    for path in LINES:
        assert guest.browser.post("/v1/checkout", filled(path, typed)).status == 201
        part, field = path.split(".")
        column = {"account": "buyer", "billing": "billing"}[part]
        statement = f"SELECT {column}->>%s AS kept FROM checkouts WHERE status = 'open'"  # noqa: S608
        assert world.rows(statement, field) == [{"kept": kept}]


@pytest.mark.parametrize("typed", REFUSED)
def test_a_name_or_an_address_that_cannot_be_read_is_refused(world: World, guest: Guest, typed: str) -> None:
    with nothing_written(world.connection):
        for path in LINES:
            assert faulty(guest.browser.post("/v1/checkout", filled(path, typed))) == [path]


def test_a_length_is_counted_after_cleaning(world: World, guest: Guest) -> None:
    for path, most in (("account.first_name", 100), ("billing.city", 200)):
        typed = "\u00a0" * 300 + "e\u0301" * most + "\u200b" * 300
        assert guest.browser.post("/v1/checkout", filled(path, typed)).status == 201
        with nothing_written(world.connection):
            assert faulty(guest.browser.post("/v1/checkout", filled(path, "é" * (most + 1)))) == [path]


@pytest.mark.parametrize("field", ["first_name", "last_name"])
def test_a_profile_keeps_names_clean(world: World, field: str) -> None:
    account(world)
    zoe = signed_in(world)

    for typed, kept in CLEANED:
        assert zoe.patch("/v1/me", {field: typed}).body[field] == kept
    with nothing_written(world.connection):
        for typed in REFUSED:
            assert faulty(zoe.patch("/v1/me", {field: typed})) == [field]


def test_a_reason_keeps_its_lines_and_nothing_that_cannot_be_read(world: World, course: UUID) -> None:
    zoe = BookedStudent.of(world, wanted(course, TEN))
    appointment_id = zoe.appointment_id

    with nothing_written(world.connection):
        for typed in REFUSED:
            assert faulty(zoe.moves_to(ELEVEN, appointment_id, reason=typed)) == ["reason"]
        for typed in REFUSED[7:]:
            assert faulty(zoe.cancels(appointment_id, reason=typed)) == ["reason"]
    moved = zoe.moves_to(toronto(21, 11), appointment_id, reason="\u200bMalade\r\ne\u0301te\u0301 \u00a0")
    cancelled = zoe.cancels(appointment_id, reason="\ufeff e\u0301\u2028fin\tici\n" + "\u00a0" * 600)

    assert (moved.status, cancelled.status) == (200, 200)
    assert [line["reason"] for line in zoe.shows()["history"]] == [
        "\u00e9\nfin ici",
        "Malade\n\u00e9t\u00e9",
    ]


# --- what is pasted: codes, ids, e-mails, words to look for -----------------------------------------------------

PASTED = ["\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u00a0", "\u202f", "\u202a"]


def pasted(text: str, invisible: str) -> str:
    """A text as a paste may bring it: blank around it, and something invisible in its middle."""
    return f" {invisible}{text[:3]}{invisible}{text[3:]}{invisible}\t"


@pytest.mark.parametrize("invisible", PASTED)
def test_a_coupon_is_found_whatever_came_with_it(world: World, guest: Guest, invisible: str) -> None:
    world.school.coupon("SAVE10")

    answer = guest.browser.put("/v1/cart/coupon", {"code": pasted("save10", invisible)})

    assert (answer.status, answer.body["coupon"]["code"]) == (200, "SAVE10")


@pytest.mark.parametrize("invisible", PASTED)
def test_an_id_is_read_whatever_came_with_it(world: World, course: UUID, invisible: str) -> None:
    [tutor] = world.rows("SELECT id FROM tutors")
    session = wanted(course, TEN, tutor=tutor["id"])
    session |= {name: pasted(session[name], invisible) for name in ("course_id", "tutor_id")}
    query = {"date": "2027-01-20", "tutor_id": pasted(str(tutor["id"]), invisible)}
    [slug] = world.rows("SELECT slug FROM courses")

    added = world.browser().post("/v1/cart/items", {"items": [session]})
    slots = world.browser().get(f"/v1/courses/{slug['slug']}/slots", query)

    assert (added.status, added.body["items"][0]["course_id"]) == (201, str(course))
    assert (slots.status, slots.body["has_availability"]) == (200, True)


@pytest.mark.parametrize("invisible", PASTED)
def test_an_e_mail_is_the_same_whatever_came_with_it(world: World, guest: Guest, invisible: str) -> None:
    typed = pasted("Zoe@Exemple.ca", invisible)

    assert guest.browser.post("/v1/checkout", filled("account.email", typed)).status == 201
    assert world.rows("SELECT buyer->>'email' AS kept FROM checkouts") == [{"kept": "zoe@exemple.ca"}]
    account(world)
    assert guest.browser.post("/v1/checkout/email-check", {"email": typed}).body == {"exists": True}
    assert sign_in(world.browser(), typed).status == 200
    assert world.browser().post("/v1/auth/password-reset", {"email": typed}).status == 202
    assert world.count("password_reset_tokens") == 1
    assert world.rows("SELECT user_id IS NOT NULL AS of_zoe FROM password_reset_tokens") == [{"of_zoe": True}]


@pytest.mark.parametrize("invisible", PASTED)
def test_an_invisible_character_is_no_way_around_a_limit(
    world: World, invisible: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGN_IN_FAILURES_PER_5_MINUTES", "2")
    account(world)
    tries = [
        sign_in(Browser(world.clock, address=f"203.0.113.{at}"), typed, f"{PASSWORD}x").code
        for at, typed in enumerate((EMAIL, pasted(EMAIL, invisible), f"{EMAIL}{invisible}"))
    ]
    assert tries == ["INVALID_CREDENTIALS", "INVALID_CREDENTIALS", "RATE_LIMITED"]


@pytest.mark.parametrize("invisible", PASTED)
def test_a_reset_s_token_opens_whatever_came_with_it(world: World, invisible: str) -> None:
    account(world)
    world.browser().post("/v1/auth/password-reset", {"email": EMAIL})
    [event] = world.rows("SELECT body FROM outbox")
    token = json.loads(event["body"])["payload"]["reset_token"]
    new = {"password": "une autre phrase", "password_confirmation": "une autre phrase"}

    answer = world.browser().post(
        "/v1/auth/password-reset/confirm", new | {"token": pasted(token, invisible)}
    )

    assert answer.status == 204


@pytest.mark.parametrize("invisible", PASTED)
def test_what_is_looked_for_is_found_whatever_came_with_it(
    world: World, course: UUID, invisible: str
) -> None:
    world.connection.execute("UPDATE courses SET title_fr = 'Alg\u00e8bre lin\u00e9aire'")
    gap = " " if invisible not in "\u00a0\u202f" else invisible
    typed = f" {invisible}Alge\u0300bre{gap} lin\u00e9aire{invisible}\t"

    found = world.browser().get("/v1/courses", {"search": typed})

    assert [item["id"] for item in found.body["items"]] == [str(course)]


@pytest.mark.parametrize(
    ("field", "begins", "ends"), [("type", "book", "ing.created"), ("endpoint", "BOO", "KING")]
)
def test_what_an_administrator_looks_for_is_a_line_of_text(
    world: World, field: str, begins: str, ends: str
) -> None:
    account(world, role="admin")
    admin = signed_in(world)

    for refused in ("a\x00b", "a\x9bb", "x" * 201):
        assert faulty(admin.get("/v1/admin/webhooks/deliveries", {field: refused})) == [field]
    for typed in PASTED:
        assert admin.get("/v1/admin/webhooks/deliveries", {field: f"{begins}{typed}{ends}"}).status == 200


# --- one account, however its e-mail is spelt ---------------------------------------------------------------------

KEPT = "zoe@xn--cole-9oa.ca"
SPELLINGS = [
    KEPT,
    "zoe@\u00e9cole.ca",
    "zoe@e\u0301cole.ca",
    "ZOE@\u00c9COLE.CA",
    "Zoe@XN--COLE-9OA.ca",
    "zoe@\u00e9cole\u3002ca",
    "zoe@\u00e9\u200bcole\u00a0.ca",
]


@pytest.mark.parametrize("typed", SPELLINGS)
@pytest.mark.parametrize("bought_as", SPELLINGS[:2])
def test_a_domain_with_an_accent_is_one_account_however_it_is_spelt(
    world: World, course: UUID, bought_as: str, typed: str
) -> None:
    Guest(world, bought_as).books(wanted(course, TEN))
    assert world.rows("SELECT email::text AS kept FROM users WHERE role = 'student'") == [{"kept": KEPT}]

    assert world.browser().post("/v1/checkout/email-check", {"email": typed}).body == {"exists": True}
    assert sign_in(world.browser(), typed, "motdepasse").body["user"]["email"] == KEPT
    assert world.browser().post("/v1/auth/password-reset", {"email": typed}).status == 202
    assert world.rows("SELECT user_id IS NOT NULL AS found FROM password_reset_tokens") == [{"found": True}]
    again = Guest(world, typed).chooses(wanted(course, ELEVEN))
    with nothing_written(world.connection):
        assert again.sends_form().code == "USER_ALREADY_EXISTS"


@pytest.mark.parametrize("limit", ["SIGN_IN_FAILURES_PER_5_MINUTES", "PASSWORD_RESETS_PER_HOUR_AND_EMAIL"])
def test_another_spelling_is_no_way_around_a_limit(
    world: World, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(limit, str(len(SPELLINGS) - 1))
    account(world, KEPT)

    def tries(browser: Browser, email: str) -> int:
        if limit.startswith("SIGN_IN"):
            return sign_in(browser, email, f"{PASSWORD}x").status
        return browser.post("/v1/auth/password-reset", {"email": email}).status

    answers = [
        tries(Browser(world.clock, address=f"203.0.113.{at}"), typed) for at, typed in enumerate(SPELLINGS)
    ]
    assert set(answers[:-1]) <= {401, 202}
    assert answers[-1] == 429


def test_the_database_keeps_no_second_spelling(world: World) -> None:
    with pytest.raises(CheckViolation, match="users_email_in_ascii"):
        world.school.user("zoe@\u00e9cole.ca")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("438\u00a0555\u00a00142", "+14385550142"),
        ("+33 6 12 34 56 78", "+33612345678"),
        ("\u200b", None),
    ],
)
def test_a_profile_keeps_phones_in_e164(world: World, typed: str, kept: str | None) -> None:
    account(world)
    zoe = signed_in(world)

    assert zoe.patch("/v1/me", {"phone": typed}).body["phone"] == kept
    with nothing_written(world.connection):
        for refused in ("06 12 34 56 78", "0000000000", "514 555 0123 x4", "+298 211234", "514\x00555 0123"):
            assert faulty(zoe.patch("/v1/me", {"phone": refused})) == ["phone"]
