"""Sessions in a student's own calendar: RFC 5545, one identity for life, an address that can be renewed (OP-S15)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import icalendar
import pytest

from tests.support.booked_student import BookedStudent
from tests.support.browser import Answer
from tests.support.tables import nothing_written
from tests.support.world import World, toronto, wanted

TEN, TWO, FRIDAY = toronto(20, 10), toronto(20, 14), toronto(22, 10)
ORIGIN = "https://api.exemple.ca"


@pytest.fixture
def course(world: World) -> UUID:
    course = world.school.course()
    world.school.tutor(course)
    return course


@pytest.fixture
def zoe(world: World, course: UUID) -> BookedStudent:
    return BookedStudent.of(world, wanted(course, TEN), wanted(course, TWO))


def read(answer: Answer) -> icalendar.Calendar:
    assert answer.status == 200, answer.text
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    calendar = icalendar.Calendar.from_ical(answer.content)
    assert isinstance(calendar, icalendar.Calendar)
    return calendar


def file(zoe: BookedStudent, appointment_id: str) -> icalendar.Calendar:
    return read(zoe.gets(f"/v1/appointments/{appointment_id}/calendar.ics"))


def event(calendar: icalendar.Calendar) -> Any:
    [found] = calendar.walk("VEVENT")
    return found


def address(zoe: BookedStudent) -> str:
    url = str(zoe.gets("/v1/me/calendar").body["url"])
    assert url.startswith(f"{ORIGIN}/v1/calendar/")
    assert url.endswith(".ics")
    return url


def subscribed(world: World, url: str) -> Answer:
    """What a calendar programme gets: it sends no cookie."""
    return world.browser().get(url.removeprefix(ORIGIN))


# --- One session --------------------------------------------------------------------------------------------


def test_a_session_as_an_event(zoe: BookedStudent) -> None:
    appointment_id = zoe.appointment_id

    calendar = file(zoe, appointment_id)

    session = event(calendar)
    assert (str(calendar["METHOD"]), str(calendar["VERSION"])) == ("PUBLISH", "2.0")
    assert str(session["UID"]) == f"{appointment_id}@4as"
    assert (session.start, session.end) == (TEN, TEN + timedelta(hours=1))
    assert "TZID" not in session["DTSTART"].params
    assert (session["SEQUENCE"], str(session["STATUS"])) == (0, "CONFIRMED")
    assert str(session["SUMMARY"]) == "Cours francais-secondaire avec Mme Roy"
    assert session["DTSTAMP"].dt == toronto(18, 12)


def test_every_instant_is_in_utc_so_that_no_programme_has_to_know_toronto(zoe: BookedStudent) -> None:
    """An Outlook that ignores RDATE was an hour off in summer."""
    one = zoe.gets(f"/v1/appointments/{zoe.appointment_id}/calendar.ics")
    feed = zoe.gets(address(zoe).removeprefix(ORIGIN))

    for answer in (one, feed):
        assert b"DTSTART:20270120T150000Z" in answer.content
        assert b"DTEND:20270120T160000Z" in answer.content
        assert b"TZID" not in answer.content
        assert read(answer).walk("VTIMEZONE") == []


def test_moved_and_cancelled_it_keeps_its_identity_and_its_sequence_grows(
    world: World, zoe: BookedStudent
) -> None:
    appointment_id = zoe.appointment_id
    world.clock.advance(minutes=5)
    zoe.moves_to(FRIDAY, appointment_id)
    moved = event(file(zoe, appointment_id))
    world.clock.advance(minutes=5)
    zoe.cancels(appointment_id)
    cancelled = file(zoe, appointment_id)

    assert (moved.start, moved["SEQUENCE"], str(moved["STATUS"])) == (FRIDAY, 1, "CONFIRMED")
    assert moved["DTSTAMP"].dt == toronto(18, 12, 5)
    assert str(cancelled["METHOD"]) == "CANCEL"
    gone = event(cancelled)
    assert (gone["SEQUENCE"], str(gone["STATUS"]), gone["UID"]) == (2, "CANCELLED", moved["UID"])
    assert str(gone["SUMMARY"]) == "Annulée : Cours francais-secondaire avec Mme Roy"


def test_lines_are_short_and_end_as_they_must(world: World, zoe: BookedStudent) -> None:
    title = "Préparation à l'épreuve; étés, hivers, et tout ce qu'on a oublié depuis la première année du secondaire"
    world.connection.execute("UPDATE courses SET title_fr = %s", (title,))

    answer = zoe.gets(f"/v1/appointments/{zoe.appointment_id}/calendar.ics")

    lines = answer.content.split(b"\r\n")
    assert max(map(len, lines)) <= 75
    assert b"\n" not in answer.content.replace(b"\r\n", b"")
    assert str(event(read(answer))["SUMMARY"]) == f"{title} avec Mme Roy"


def test_a_title_cannot_add_a_line_to_the_file(world: World, zoe: BookedStudent) -> None:
    world.connection.execute("UPDATE courses SET title_fr = E'Cours\\r\\nATTACH:https://exemple.com'")

    answer = zoe.gets(f"/v1/appointments/{zoe.appointment_id}/calendar.ics")

    assert "ATTACH" not in event(read(answer))


@pytest.mark.parametrize(
    ("start", "written"),
    [
        (datetime(2027, 11, 7, 4, 0, tzinfo=UTC), b"DTSTART:20271107T040000Z"),
        (datetime(2027, 11, 7, 5, 30, tzinfo=UTC), b"DTSTART:20271107T053000Z"),
        (datetime(2027, 11, 7, 6, 30, tzinfo=UTC), b"DTSTART:20271107T063000Z"),  # 01:30 again
        (datetime(2027, 7, 5, 14, 0, tzinfo=UTC), b"DTSTART:20270705T140000Z"),
        (datetime(2027, 3, 14, 6, 30, tzinfo=UTC), b"DTSTART:20270314T063000Z"),
    ],
)
def test_when_the_clocks_change_the_instant_is_still_the_right_one(
    world: World, course: UUID, start: datetime, written: bytes
) -> None:
    world.connection.execute("UPDATE availability_rules SET start_time = '00:00', end_time = '24:00'")
    world.clock.now = start - timedelta(days=10)
    zoe = BookedStudent.of(world, wanted(course, start))

    answer = zoe.gets(f"/v1/appointments/{zoe.appointment_id}/calendar.ics")

    assert written in answer.content
    session = event(read(answer))
    assert session.start.astimezone(UTC) == start
    assert session.end.astimezone(UTC) == start + timedelta(hours=1)


def test_the_meeting_link_goes_along_while_the_session_takes_place(world: World, zoe: BookedStudent) -> None:
    link = "https://rencontre.exemple.com/abc"
    world.connection.execute("UPDATE appointments SET meeting_link = %s", (link,))
    appointment_id = zoe.appointment_id

    assert str(event(file(zoe, appointment_id))["URL"]) == link
    zoe.cancels(appointment_id)
    assert "URL" not in event(file(zoe, appointment_id))


def test_the_merchant_is_the_organizer(zoe: BookedStudent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MERCHANT_NAME", "École 4AS")
    monkeypatch.setenv("MERCHANT_EMAIL", "bonjour@exemple.ca")

    for calendar in (
        file(zoe, zoe.appointment_id),
        read(zoe.gets(address(zoe).removeprefix(ORIGIN))),
    ):
        for session in calendar.walk("VEVENT"):
            assert str(session["ORGANIZER"]) == "mailto:bonjour@exemple.ca"
            assert session["ORGANIZER"].params["CN"] == "École 4AS"


def test_without_an_e_mail_there_still_is_an_organizer(zoe: BookedStudent) -> None:
    organizer = event(file(zoe, zoe.appointment_id))["ORGANIZER"]

    assert (str(organizer), organizer.params["CN"]) == ("invalid:nomail", "4AS")


# --- The feed -----------------------------------------------------------------------------------------------


def test_the_feed_shows_every_session_to_whoever_has_its_address(world: World, zoe: BookedStudent) -> None:
    ids = [appointment["id"] for appointment in zoe.appointments()]
    zoe.cancels(ids[0])

    calendar = read(subscribed(world, address(zoe)))

    assert str(calendar["METHOD"]) == "PUBLISH"
    sessions = calendar.walk("VEVENT")
    assert [str(session["UID"]) for session in sessions] == [f"{row_id}@4as" for row_id in ids]
    assert [str(session["STATUS"]) for session in sessions] == ["CANCELLED", "CONFIRMED"]
    assert [str(session["SUMMARY"]) for session in sessions] == [
        "Annulée : Cours francais-secondaire avec Mme Roy",
        "Cours francais-secondaire avec Mme Roy",
    ]


def test_a_feed_of_nothing_but_cancelled_sessions_is_still_published(
    world: World, zoe: BookedStudent
) -> None:
    for appointment in zoe.appointments():
        zoe.cancels(appointment["id"])

    calendar = read(subscribed(world, address(zoe)))

    assert str(calendar["METHOD"]) == "PUBLISH"
    assert {str(session["STATUS"]) for session in calendar.walk("VEVENT")} == {"CANCELLED"}


def test_an_empty_feed_is_a_calendar_too(world: World, zoe: BookedStudent) -> None:
    url = address(zoe)
    world.clock.advance(days=120)

    assert read(subscribed(world, url)).walk("VEVENT") == []


def test_the_address_stays_until_a_new_one_is_asked_for_which_ends_the_old(
    world: World, zoe: BookedStudent
) -> None:
    first = address(zoe)
    assert address(zoe) == first

    renewed = zoe.browser.post("/v1/me/calendar", None, host="api.exemple.ca")

    assert renewed.status == 201
    assert renewed.body["url"] == address(zoe) != first
    assert subscribed(world, first).code == "CALENDAR_NOT_FOUND"
    assert subscribed(world, renewed.body["url"]).status == 200


def test_an_address_nobody_has_shows_nothing(world: World, course: UUID, zoe: BookedStudent) -> None:
    token = address(zoe).removeprefix(f"{ORIGIN}/v1/calendar/").removesuffix(".ics")

    with nothing_written(world.connection):
        answers = [
            subscribed(world, f"/v1/calendar/{guess}")
            for guess in ("x.ics", f"{token[:-1]}.ics", f"{token}x.ics", f"{token.swapcase()}.ics", ".ics")
        ]

    assert len(token) >= 43
    assert [(answer.status, answer.code) for answer in answers] == [(404, "CALENDAR_NOT_FOUND")] * 5


def test_addresses_differ_and_guests_have_none(world: World, course: UUID, zoe: BookedStudent) -> None:
    luc = BookedStudent.of(world, wanted(course, FRIDAY), email="luc@exemple.ca")

    assert address(luc) != address(zoe)
    assert world.browser().get("/v1/me/calendar").code == "UNAUTHENTICATED"
    assert world.browser().post("/v1/me/calendar", None).code == "UNAUTHENTICATED"
    assert event(read(subscribed(world, address(luc)))).start == FRIDAY


def test_the_feed_is_by_start_each_session_with_its_own_course_and_tutor(
    world: World, course: UUID, zoe: BookedStudent
) -> None:
    other = world.school.course("maths")
    world.school.tutor(other, name="M. Cote")
    last = zoe.appointments()[1]["id"]
    assert zoe.moves_to(toronto(20, 9), last).status == 200

    sessions: list[Any] = read(subscribed(world, address(zoe))).walk("VEVENT")

    assert [(session.start, str(session["SUMMARY"])) for session in sessions] == [
        (toronto(20, 9), "Cours francais-secondaire avec Mme Roy"),
        (TEN, "Cours francais-secondaire avec Mme Roy"),
    ]
