"""A student moves a session: to the second, within the tutor's free times, all at once (OP-S07, OP-S08; A.5.2)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.support.booked_student import BookedStudent
from tests.support.contract import recorded
from tests.support.tables import nothing_written
from tests.support.world import World, toronto, wanted

TEN = toronto(20, 10)
THURSDAY_TEN = toronto(21, 10)
SECOND = timedelta(seconds=1)


@dataclass
class Shop:
    """Mme Roy teaches from nine to five every day."""

    course: UUID
    roy: UUID


@pytest.fixture
def shop(world: World) -> Shop:
    course = world.school.course()
    return Shop(course, world.school.tutor(course))


@pytest.fixture
def zoe(world: World, shop: Shop) -> BookedStudent:
    """An hour on Wednesday the 20th at ten; it is Monday noon."""
    return BookedStudent.of(world, wanted(shop.course, TEN))


def starts(zoe: BookedStudent, **query: str) -> list[datetime]:
    answer = zoe.could_move_to(**query)
    assert answer.status == 200, answer.text
    return [datetime.fromisoformat(slot["start"]) for slot in answer.body["slots"]]


def on(day: date, first: datetime, last: datetime) -> list[datetime]:
    assert first.date() == last.date() == day
    return [first + timedelta(minutes=30 * n) for n in range(int((last - first) / timedelta(minutes=30)) + 1)]


# --- When ---------------------------------------------------------------------------------------------------


def test_exactly_a_day_before_it_can_still_be_moved(world: World, zoe: BookedStudent) -> None:
    world.clock.now = TEN - timedelta(hours=24)

    assert zoe.moves_to(toronto(22, 10)).status == 200


@pytest.mark.parametrize("late", [timedelta(seconds=1), timedelta(minutes=1)])
def test_any_later_it_cannot_and_nothing_has_changed(
    world: World, zoe: BookedStudent, late: timedelta
) -> None:
    appointment_id = zoe.appointment_id
    world.clock.now = TEN - timedelta(hours=24) + late

    with nothing_written(world.connection):
        moved = zoe.moves_to(toronto(22, 10), appointment_id)
        slots = zoe.could_move_to(appointment_id)

    assert [(answer.status, answer.code) for answer in (moved, slots)] == [(422, "RESCHEDULE_TOO_LATE")] * 2
    assert moved.body["detail"] == "Impossible de reprogrammer moins de 24 heures avant le rendez-vous"


def test_a_session_that_has_begun_cannot(world: World, zoe: BookedStudent) -> None:
    world.clock.now = TEN

    assert zoe.moves_to(toronto(22, 10)).code == "APPOINTMENT_PAST"


@pytest.mark.parametrize(
    ("start", "last_instant"),
    [
        (toronto(14, 9, month=3), toronto(13, 8, month=3)),  # a day of 23 hours
        (toronto(7, 9, month=11), datetime(2027, 11, 6, 14, tzinfo=UTC)),  # a day of 25: 10:00 the day before
    ],
)
def test_a_day_is_24_elapsed_hours_when_the_clocks_change(
    world: World, shop: Shop, start: datetime, last_instant: datetime
) -> None:
    world.clock.now = start - timedelta(days=20)
    zoe = BookedStudent.of(world, wanted(shop.course, start))
    to, appointment_id = start + timedelta(days=3), zoe.appointment_id

    world.clock.now = last_instant + timedelta(seconds=1)
    too_late = zoe.moves_to(to, appointment_id)
    world.clock.now = last_instant
    in_time = zoe.moves_to(to, appointment_id)

    assert (too_late.status, in_time.status) == (422, 200)


# --- Where to -----------------------------------------------------------------------------------------------


def test_offered_are_the_tutor_s_free_times_from_24_hours_to_30_days(zoe: BookedStudent) -> None:
    offered = starts(zoe)

    assert offered[0] == toronto(19, 12)
    assert offered[-1] == toronto(17, 12, month=2)
    assert [start for start in offered if start.date() == date(2027, 1, 25)] == on(
        date(2027, 1, 25), toronto(25, 9), toronto(25, 16)
    )


@pytest.mark.parametrize(
    ("to", "code"),
    [
        (toronto(19, 12), None),
        (toronto(19, 11, 30), "TOO_SOON"),
        (toronto(17, 12, month=2), None),
        (toronto(17, 12, 30, month=2), "TOO_FAR"),
        (toronto(22, 10, 15), "OFF_GRID"),
        (TEN, "SAME_TIME"),
        (toronto(22, 16, 30), "SLOT_UNAVAILABLE"),  # would run past five
        (toronto(22, 8), "SLOT_UNAVAILABLE"),
    ],
)
def test_both_ends_of_the_range_are_allowed_and_nothing_beyond(
    world: World, zoe: BookedStudent, to: datetime, code: str | None
) -> None:
    appointment_id = zoe.appointment_id
    if code is None:
        assert zoe.moves_to(to, appointment_id).status == 200
        return
    with nothing_written(world.connection):
        assert zoe.moves_to(to, appointment_id).code == code


@pytest.mark.parametrize("target", [toronto(14, 10, month=3), toronto(7, 10, month=11)])
@pytest.mark.parametrize(
    ("ahead", "code"),
    [
        (timedelta(hours=24), None),
        (timedelta(hours=24) - SECOND, "TOO_SOON"),
        (timedelta(days=30), None),
        (timedelta(days=30) + SECOND, "TOO_FAR"),
    ],
)
def test_the_range_is_of_elapsed_time_to_the_second_when_the_clocks_change(
    world: World, shop: Shop, target: datetime, ahead: timedelta, code: str | None
) -> None:
    target = target.astimezone(UTC)
    world.clock.now = target - ahead - timedelta(days=2)
    zoe = BookedStudent.of(world, wanted(shop.course, target + timedelta(days=3)))
    appointment_id = zoe.appointment_id
    world.clock.now = target - ahead

    is_offered = target in starts(zoe)
    answer = zoe.moves_to(target, appointment_id)

    assert is_offered == (code is None)
    assert (answer.status, answer.body.get("code")) == ((422, code) if code else (200, None))


def test_one_s_own_time_is_no_obstacle(world: World, zoe: BookedStudent) -> None:
    assert toronto(20, 10, 30) in starts(zoe)
    assert toronto(20, 10) not in starts(zoe)  # where it is already

    later = zoe.moves_to(toronto(20, 10, 30))
    back = zoe.moves_to(toronto(20, 10))

    assert (later.status, back.status) == (200, 200)


def test_a_time_off_of_exactly_one_s_own_minutes_still_is(
    world: World, shop: Shop, zoe: BookedStudent
) -> None:
    world.school.time_off(shop.roy, TEN, TEN + timedelta(hours=1))

    assert zoe.moves_to(toronto(20, 10, 30)).code == "SLOT_UNAVAILABLE"


def test_exceptions_time_off_appointments_and_holds_are_respected(
    world: World, shop: Shop, zoe: BookedStudent
) -> None:
    day = date(2027, 1, 22)
    world.school.exception(shop.roy, "closed", day, start=time(9), end=time(10))
    world.school.exception(shop.roy, "open", day, start=time(17), end=time(18))
    world.school.time_off(shop.roy, toronto(22, 11), toronto(22, 12))
    world.school.claim(shop.roy, toronto(22, 13), toronto(22, 14))
    assert world.add(world.browser(), shop.course, toronto(22, 15)).status == 201

    offered = [start for start in starts(zoe) if start.date() == day]

    assert offered == [toronto(22, hour, minute) for hour, minute in ((10, 0), (12, 0), (14, 0))] + on(
        day, toronto(22, 16), toronto(22, 17)
    )
    for taken in ((9, 30), (11, 0), (12, 30), (13, 0), (14, 30), (15, 0), (15, 30)):
        assert zoe.moves_to(toronto(22, *taken)).code == "SLOT_UNAVAILABLE", taken


def test_an_appointment_that_contains_the_new_time_is_found(
    world: World, shop: Shop, zoe: BookedStudent
) -> None:
    # the source missed it.
    world.school.claim(shop.roy, toronto(22, 9), toronto(22, 12))

    assert zoe.moves_to(toronto(22, 10)).code == "SLOT_UNAVAILABLE"


def test_an_expired_hold_is_no_obstacle(world: World, shop: Shop, zoe: BookedStudent) -> None:
    assert world.add(world.browser(), shop.course, toronto(22, 10)).status == 201
    world.clock.advance(minutes=15)

    assert zoe.moves_to(toronto(22, 10)).status == 200
    assert world.count("time_claims") == 1


def test_a_whole_session_must_fit(world: World, shop: Shop) -> None:
    long = BookedStudent.of(world, wanted(shop.course, TEN, 120))

    assert [start for start in starts(long) if start.date() == date(2027, 1, 22)] == on(
        date(2027, 1, 22), toronto(22, 9), toronto(22, 15)
    )
    assert long.moves_to(toronto(22, 15, 30)).code == "SLOT_UNAVAILABLE"
    assert long.moves_to(toronto(22, 15)).body["end"] == toronto(22, 17).isoformat()


def test_days_can_be_asked_for(zoe: BookedStudent) -> None:
    query = {"from": "2027-01-22", "to": "2027-01-23"}

    assert {start.date().day for start in starts(zoe, **query)} == {22, 23}
    assert starts(zoe, **{"from": "2027-06-01"}) == []
    assert zoe.could_move_to(**{"from": "2027-01-23", "to": "2027-01-22"}).code == "RANGE_REVERSED"
    assert zoe.could_move_to(**{"from": "demain"}).code == "VALIDATION_FAILED"


def test_slots_say_when_they_begin_and_end_on_a_24_hour_clock(zoe: BookedStudent) -> None:
    slots = zoe.could_move_to(**{"from": "2027-01-22", "to": "2027-01-22"}).body

    assert slots["duration_min"] == 60
    assert slots["slots"][-1] == {
        "start": "2027-01-22T16:00:00-05:00",
        "end": "2027-01-22T17:00:00-05:00",
        "duration_min": 60,
        "display_time": "16:00",
    }


def test_across_the_clock_change_times_are_those_of_the_wall_clock(world: World, shop: Shop) -> None:
    world.clock.now = toronto(10, 12, month=3)
    zoe = BookedStudent.of(world, wanted(shop.course, toronto(12, 10, month=3)))

    offered = starts(zoe, **{"from": "2027-03-13", "to": "2027-03-15"})

    assert {start.astimezone(toronto(1, 1).tzinfo).hour for start in offered} == set(range(9, 17))
    assert zoe.moves_to(toronto(14, 9, month=3)).body["start"] == "2027-03-14T09:00:00-04:00"


def test_a_tutor_who_no_longer_teaches_offers_nothing(world: World, shop: Shop, zoe: BookedStudent) -> None:
    world.connection.execute("UPDATE tutor_courses SET active = false")

    assert starts(zoe) == []
    assert zoe.moves_to(toronto(22, 10)).code == "SLOT_UNAVAILABLE"


# --- What follows -------------------------------------------------------------------------------------------


def test_each_move_is_written_down_with_its_number_and_told_newest_first(
    world: World, zoe: BookedStudent
) -> None:
    moves = [THURSDAY_TEN, toronto(22, 14), toronto(21, 15)]
    for start in moves:
        assert zoe.moves_to(start).status == 200

    assert world.rows("SELECT sequence FROM appointment_modifications ORDER BY created_at, sequence") == [
        {"sequence": number} for number in (1, 2, 3)
    ]
    [appointment] = zoe.appointments()
    history = zoe.gets(f"/v1/appointments/{appointment['id']}").body["history"]
    assert [change["new_start"] for change in history] == [start.isoformat() for start in reversed(moves)]


def test_claim_appointment_and_order_line_move_together(world: World, shop: Shop, zoe: BookedStudent) -> None:
    before = world.rows(
        "SELECT line_total_cad, earnings.* FROM order_items JOIN earnings ON order_item_id = id"
    )
    world.connection.execute("UPDATE appointments SET reminder_sent_at = created_at")

    answer = zoe.moves_to(THURSDAY_TEN)

    assert (answer.body["start"], answer.body["sequence"]) == (THURSDAY_TEN.isoformat(), 1)
    assert answer.body["reschedule_until"] == (THURSDAY_TEN - timedelta(days=1)).isoformat()
    at = {"s": THURSDAY_TEN, "e": THURSDAY_TEN + timedelta(hours=1)}
    assert world.rows("SELECT start_datetime AS s, end_datetime AS e FROM appointments") == [at]
    assert world.rows("SELECT start_datetime AS s, end_datetime AS e FROM session_items") == [at]
    assert world.rows("SELECT lower(during) AS s, upper(during) AS e FROM time_claims") == [at]
    assert (
        world.rows("SELECT line_total_cad, earnings.* FROM order_items JOIN earnings ON order_item_id = id")
        == before
    )
    assert world.rows("SELECT reminder_sent_at FROM appointments") == [{"reminder_sent_at": None}]


def test_the_old_time_can_be_bought_at_once_and_the_new_one_cannot(
    world: World, shop: Shop, zoe: BookedStudent
) -> None:
    zoe.moves_to(THURSDAY_TEN)

    assert world.add(world.browser(), shop.course, TEN).status == 201
    assert world.add(world.browser(), shop.course, THURSDAY_TEN).code == "SLOT_UNAVAILABLE"


def test_each_move_is_told_once_and_kept(world: World, zoe: BookedStudent) -> None:
    world.connection.execute("UPDATE appointments SET meeting_link = 'https://exemple.ca/salle'")
    zoe.moves_to(THURSDAY_TEN, reason="Match de soccer")
    zoe.moves_to(toronto(22, 10), reason="Examen")

    events = [event for event in recorded(world) if event["type"] == "booking.rescheduled"]
    assert [event["sequence"] for event in events] == [1, 2]
    first = events[0]["payload"]
    assert (first["rescheduled_by"], first["rescheduled_by_id"]) == ("student", str(zoe.user_id))
    assert (
        first["reason"],
        first["old_start_datetime"],
        first["new_start_datetime"],
        first["new_end_datetime"],
    ) == (
        "Match de soccer",
        "2027-01-20T15:00:00.000Z",
        "2027-01-21T15:00:00.000Z",
        "2027-01-21T16:00:00.000Z",
    )
    assert (first["old_span_fr"], first["new_span_fr"], first["meeting_link"]) == (
        "mercredi 20 janvier 2027, de 10 h à 11 h",
        "jeudi 21 janvier 2027, de 10 h à 11 h",
        "https://exemple.ca/salle",
    )
    lines = world.rows("SELECT id::text, modification_type::text FROM appointment_modifications")
    assert {line["id"] for line in lines} == {event["payload"]["modification_id"] for event in events}
    history = [(line["old_start"], line["new_start"], line["reason"]) for line in zoe.shows()["history"]]
    assert history == [
        ("2027-01-21T10:00:00-05:00", "2027-01-22T10:00:00-05:00", "Examen"),
        ("2027-01-20T10:00:00-05:00", "2027-01-21T10:00:00-05:00", "Match de soccer"),
    ]


@pytest.mark.parametrize("body", [{"reason": ""}, {"reason": "  "}, {"reason": None}])
def test_a_reason_is_required(world: World, zoe: BookedStudent, body: dict[str, Any]) -> None:
    appointment_id = zoe.appointment_id

    with nothing_written(world.connection):
        answer = zoe.moves_to(THURSDAY_TEN, appointment_id, **body)

    assert (answer.status, answer.code) == (422, "VALIDATION_FAILED")


def test_a_cancelled_session_cannot_be_moved(world: World, zoe: BookedStudent) -> None:
    appointment_id = zoe.appointment_id
    zoe.cancels(appointment_id)

    with nothing_written(world.connection):
        answer = zoe.moves_to(THURSDAY_TEN, appointment_id)

    assert (answer.status, answer.code) == (409, "NOT_RESCHEDULABLE")
    assert answer.body["detail"] == "Ce rendez-vous est annulé et ne peut pas être reprogrammé"


@pytest.mark.parametrize(
    ("start", "code"),
    [
        (1800432000, "VALIDATION_FAILED"),
        ("2027-01-22T10:00:00", "VALIDATION_FAILED"),
        ("9999-12-31T23:30:00-05:00", "TOO_FAR"),
        ("0001-01-01T00:00:00+14:00", "TOO_SOON"),
    ],
)
def test_a_start_is_an_instant_however_far_away(
    world: World, zoe: BookedStudent, start: Any, code: str
) -> None:
    path = f"/v1/appointments/{zoe.appointment_id}/reschedule"

    with nothing_written(world.connection):
        answer = zoe.browser.post(path, {"start": start, "reason": "Examen"})

    assert (answer.status, answer.code) == (422, code)
