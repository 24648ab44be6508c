"""What people type arrives clean, in every field of every form, or is refused (decision 24)."""

from copy import deepcopy
from typing import Any
from uuid import UUID

import pytest

from tests.support.booked_student import BookedStudent
from tests.support.browser import Answer
from tests.support.guest import Guest
from tests.support.people import account, signed_in
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
        assert world.rows(f"SELECT {column}->>%s AS kept FROM checkouts", field) == [{"kept": kept}]  # noqa: S608


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
