"""A student's list of sessions: filters, order, pages, what they may still do (OP-S05)."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.booked_student import BookedStudent
from tests.support.world import World, toronto, wanted

HOURS = (9, 10, 11, 12, 13)


@pytest.fixture
def zoe(world: World) -> BookedStudent:
    """Five sessions on the 20th, with two tutors so that two of them begin together."""
    course = world.school.course()
    roy, cote = world.school.tutor(course), world.school.tutor(course, name="M. Côté")
    sessions = [wanted(course, toronto(20, hour), tutor=roy) for hour in HOURS[:4]]
    other = BookedStudent.of(world, *sessions)
    # A second order of the same student, over the same hour with another tutor.
    world.add(other.browser, course, toronto(20, 12), tutor=cote)
    started = other.browser.post(
        "/v1/checkout",
        {"billing": {"address": "1, rue Principale", "city": "Québec", "province": "QC", "country": "CA"}},
    )
    world.pay(started.body["payment_intent_id"])
    assert [answer.status for answer in world.webhooks()] == [200]
    return other


def page(zoe: BookedStudent, **query: str) -> dict[str, Any]:
    answer = zoe.browser.get("/v1/appointments", query)
    assert answer.status == 200, answer.text
    body: dict[str, Any] = answer.body
    return body


def test_upcoming_past_and_cancelled_by_start(world: World, zoe: BookedStudent) -> None:
    first, second, third, *_ = zoe.appointments()
    zoe.cancels(second["id"])
    world.connection.execute(
        "UPDATE appointments SET status = 'completed', completed_at = end_datetime WHERE id = %s",
        (first["id"],),
    )
    world.clock.now = toronto(20, 11)

    shown = {
        which: [appointment["id"] for appointment in zoe.appointments(which)]
        for which in ("upcoming", "past", "cancelled", "all")
    }

    assert shown["past"] == [first["id"], third["id"]]  # the third has just begun
    assert shown["cancelled"] == [second["id"]]
    assert len(shown["upcoming"]) == 2
    assert shown["all"] == [first["id"], second["id"], third["id"], *shown["upcoming"]]


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_pages_join_without_a_gap_or_a_double_even_where_two_begin_together(
    zoe: BookedStudent, limit: int
) -> None:
    seen, cursor = [], None
    while True:
        query = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        body = page(zoe, **query)
        seen += [appointment["id"] for appointment in body["items"]]
        cursor = body["next_cursor"]
        if cursor is None:
            break

    assert seen == [appointment["id"] for appointment in zoe.appointments()]
    assert len(set(seen)) == 5


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"limit": "0"}, "VALIDATION_FAILED"),
        ({"limit": "101"}, "VALIDATION_FAILED"),
        ({"filter": "futur"}, "VALIDATION_FAILED"),
        ({"cursor": "n'importe quoi"}, "CURSOR_INVALID"),
        ({"cursor": "WzEsMl0="}, "CURSOR_INVALID"),
    ],
)
def test_a_page_that_does_not_exist_is_refused(zoe: BookedStudent, query: dict[str, str], code: str) -> None:
    answer = zoe.browser.get("/v1/appointments", query)

    assert (answer.status, answer.code) == (422, code)


def test_a_session_says_what_can_still_be_done_and_until_when(world: World, zoe: BookedStudent) -> None:
    shown = zoe.shows()

    assert (shown["can_cancel"], shown["cancel_until"]) == (True, toronto(20, 7).isoformat())
    assert (shown["can_reschedule"], shown["reschedule_until"]) == (True, toronto(19, 9).isoformat())
    world.clock.now = toronto(19, 9) + timedelta(seconds=1)
    later = zoe.shows()
    assert (later["can_cancel"], later["can_reschedule"]) == (True, False)
    world.clock.now = toronto(20, 7) + timedelta(seconds=1)
    assert (zoe.shows()["can_cancel"], zoe.shows()["can_rate"]) == (False, False)


def test_what_the_tutor_earns_is_nowhere_to_be_read(zoe: BookedStudent) -> None:
    zoe.cancels()
    texts = [
        zoe.gets(path).text
        for path in (
            "/v1/appointments",
            f"/v1/appointments/{zoe.appointment_id}",
            "/v1/orders",
            f"/v1/orders/{zoe.shows()['order_id']}",
            "/v1/credits",
        )
    ]

    assert not [text for text in texts if "earning" in text or "rate_at_time" in text or '"30.00"' in text]
