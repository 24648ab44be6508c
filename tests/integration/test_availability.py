"""Free times as a visitor sees them: appendix A.1, UR-03 to UR-05, X-14 to X-16, over the API."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.conftest import Database
from tests.support.browser import Answer, Browser
from tests.support.wall_clock import HALF_HOUR, Exceptional, Rule, Schedule, half_hours_of, offered_on
from tests.support.wire import counted
from tests.support.world import FORM, World, toronto

COURSE = "/v1/courses/francais-secondaire"
MONDAY, TUESDAY = (
    date(2027, 1, 25),
    date(2027, 1, 26),
)  # the world's clock starts on Monday 18 January 2027 at noon
A_DAY = timedelta(days=1)
MORNING = (time(9), time(12))
HOURS_OF_A_MORNING = ["09:00", "09:30", "10:00", "10:30", "11:00"]
ON_MONDAYS = (1,)


def slots(visitor: Browser, day: date = MONDAY, duration: int = 60, tutor: UUID | None = None) -> Answer:
    query = {"date": str(day), "duration": str(duration)} | ({"tutor_id": str(tutor)} if tutor else {})
    return visitor.get(f"{COURSE}/slots", query)


def days(visitor: Browser, first: date, last: date, duration: int = 60, tutor: UUID | None = None) -> Answer:
    query = {"from": str(first), "to": str(last), "duration": str(duration)}
    return visitor.get(f"{COURSE}/availability", query | ({"tutor_id": str(tutor)} if tutor else {}))


def hours(answer: Answer) -> list[str]:
    """The starts of the day, on the wall clock."""
    assert answer.status == 200, answer.text
    return [slot["start"][11:16] for slot in answer.body["slots"]]


@pytest.fixture
def course(world: World) -> UUID:
    return world.school.course()


@pytest.fixture
def visitor(world: World) -> Browser:
    return world.browser()


@pytest.fixture
def tutor(world: World, course: UUID) -> UUID:
    """Monday mornings, 09:00 to 12:00."""
    return world.school.tutor(course, hours=MORNING, weekdays=ON_MONDAYS)


# --- appendix A.1 --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("tutor")
@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (60, HOURS_OF_A_MORNING),
        (90, ["09:00", "09:30", "10:00", "10:30"]),
        (120, ["09:00", "09:30", "10:00"]),
    ],
)
def test_a_morning_offers_every_start_whose_session_ends_by_noon(
    visitor: Browser, duration: int, expected: list[str]
) -> None:
    assert hours(slots(visitor, duration=duration)) == expected


@pytest.mark.usefixtures("tutor")
def test_a_slot_says_when_it_begins_and_ends_how_long_it_is_and_what_it_costs(visitor: Browser) -> None:
    answer = slots(visitor, duration=90)

    assert answer.headers["Cache-Control"] == "no-store"
    assert {**answer.body, "slots": answer.body["slots"][:1]} == {
        "date": "2027-01-25",
        "duration_min": 90,
        "has_availability": True,
        "slots": [
            {
                "start": "2027-01-25T09:00:00-05:00",
                "end": "2027-01-25T10:30:00-05:00",
                "duration_min": 90,
                "price_cad": "67.50",
            }
        ],
    }


@pytest.mark.usefixtures("tutor")
def test_sixty_minutes_are_what_is_shown_when_nobody_says_how_long(visitor: Browser) -> None:
    answer = visitor.get(f"{COURSE}/slots", {"date": str(MONDAY)})

    assert answer.body["duration_min"] == 60
    assert hours(answer) == HOURS_OF_A_MORNING


def test_an_appointment_hides_every_start_that_would_overlap_it(
    world: World, visitor: Browser, tutor: UUID
) -> None:
    world.school.claim(tutor, toronto(25, 10), toronto(25, 11))

    assert hours(slots(visitor)) == ["09:00", "11:00"]


@pytest.mark.usefixtures("tutor")
def test_the_hold_of_another_guest_hides_its_full_length(
    world: World, visitor: Browser, course: UUID
) -> None:
    added = world.add(world.browser(), course, toronto(25, 9), minutes=90)

    assert added.status == 201
    assert hours(slots(visitor)) == ["10:30", "11:00"]


@pytest.mark.usefixtures("tutor")
def test_ones_own_hold_is_hidden_too(world: World, visitor: Browser, course: UUID) -> None:
    world.add(visitor, course, toronto(25, 9), minutes=90)

    assert hours(slots(visitor)) == ["10:30", "11:00"]


@pytest.mark.usefixtures("tutor")
def test_a_hold_hides_its_time_until_the_very_end_of_its_fifteen_minutes(
    world: World, visitor: Browser, course: UUID
) -> None:
    world.add(world.browser(), course, toronto(25, 9), minutes=90)

    world.clock.advance(minutes=15, milliseconds=-1)
    assert hours(slots(visitor)) == ["10:30", "11:00"]

    world.clock.advance(milliseconds=1)
    assert hours(slots(visitor)) == HOURS_OF_A_MORNING
    assert world.count("time_claims") == 1  # the row is still there: nobody had to clean it up first


@pytest.mark.usefixtures("tutor")
def test_a_removed_item_frees_its_time_at_once(world: World, visitor: Browser, course: UUID) -> None:
    guest = world.browser()
    [item] = world.add(guest, course, toronto(25, 9)).body["items"]
    assert hours(slots(visitor)) == ["10:00", "10:30", "11:00"]

    guest.delete(f"/v1/cart/items/{item['id']}")

    assert hours(slots(visitor)) == HOURS_OF_A_MORNING


def test_a_closed_exception_empties_its_day(world: World, visitor: Browser, tutor: UUID) -> None:
    world.school.exception(tutor, "closed", MONDAY)

    answer = slots(visitor)

    assert hours(answer) == []
    assert answer.body["has_availability"] is False
    assert hours(slots(visitor, MONDAY + 7 * A_DAY)) == HOURS_OF_A_MORNING


def test_a_closed_stretch_closes_that_stretch_on_every_day_it_covers(
    world: World, visitor: Browser, tutor: UUID
) -> None:
    world.school.exception(tutor, "closed", MONDAY, MONDAY + 7 * A_DAY, "09:00", "10:30")

    assert hours(slots(visitor)) == ["10:30", "11:00"]
    assert hours(slots(visitor, MONDAY + 7 * A_DAY)) == ["10:30", "11:00"]
    assert hours(slots(visitor, MONDAY + 14 * A_DAY)) == HOURS_OF_A_MORNING


def test_an_open_exception_adds_hours_to_a_day_without_rules(
    world: World, visitor: Browser, tutor: UUID
) -> None:
    world.school.exception(tutor, "open", TUESDAY, start="18:00", end="20:00")

    assert hours(slots(visitor, TUESDAY)) == ["18:00", "18:30", "19:00"]


def test_where_an_open_and_a_closed_exception_meet_closed_wins(
    world: World, visitor: Browser, tutor: UUID
) -> None:
    world.school.exception(tutor, "open", MONDAY, start="08:00", end="14:00")
    world.school.exception(tutor, "closed", MONDAY, start="10:00", end="12:00")

    assert hours(slots(visitor)) == ["08:00", "08:30", "09:00", "12:00", "12:30", "13:00"]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (toronto(25, 10), toronto(25, 10, 30), ["09:00", "10:30", "11:00"]),
        (toronto(25, 10, 10), toronto(25, 10, 20), ["09:00", "10:30", "11:00"]),
        (toronto(25, 10, 29), toronto(25, 10, 31), ["09:00", "11:00"]),
        (toronto(25, 12), toronto(25, 13), HOURS_OF_A_MORNING),
        (toronto(1, 9), toronto(25, 10, 30), ["10:30", "11:00"]),  # began weeks ago
    ],
)
def test_time_off_hides_every_start_whose_session_it_touches(
    world: World, visitor: Browser, tutor: UUID, start: datetime, end: datetime, expected: list[str]
) -> None:
    world.school.time_off(tutor, start, end)

    assert hours(slots(visitor)) == expected


@pytest.mark.parametrize(
    ("now", "first"),
    [
        (toronto(18, 8), "20:00"),
        (toronto(18, 8) + timedelta(milliseconds=1), "20:30"),
        (toronto(18, 8) - timedelta(milliseconds=1), "20:00"),
    ],
)
def test_a_session_can_be_booked_until_exactly_twelve_hours_before(
    world: World, visitor: Browser, course: UUID, now: datetime, first: str
) -> None:
    world.school.tutor(course, hours=(time(18), time(22)), weekdays=ON_MONDAYS)
    world.clock.now = now.astimezone(UTC)

    assert hours(slots(visitor, date(2027, 1, 18)))[0] == first


@pytest.mark.parametrize(
    ("late", "last"), [(timedelta(0), "12:00"), (timedelta(milliseconds=-1), "11:30"), (HALF_HOUR, "12:30")]
)
def test_a_session_can_be_booked_from_exactly_sixty_days_before(
    world: World, visitor: Browser, course: UUID, late: timedelta, last: str
) -> None:
    world.school.tutor(course)
    world.clock.now += late
    in_sixty_days = (world.clock.now + timedelta(days=60)).date()  # 19 March, after the change of clocks

    # sixty times 24 hours after noon in winter is one o'clock in summer
    summer = {"11:30": "12:30", "12:00": "13:00", "12:30": "13:30"}
    assert hours(slots(visitor, in_sixty_days))[-1] == summer[last]
    assert hours(slots(visitor, in_sixty_days + A_DAY)) == []


def test_the_tutors_of_a_course_stand_by_name_whatever_their_priority(
    world: World, visitor: Browser, course: UUID
) -> None:
    for name, priority in (("M. Roy", 1), ("mme Abel", 3), ("M. Caron", 2)):
        world.school.tutor(course, name=name, priority=priority)

    names = [tutor["display_name"] for tutor in visitor.get(COURSE).body["tutors"]]
    assert names == ["M. Caron", "M. Roy", "mme Abel"]


def test_two_tutors_free_at_the_same_time_are_one_slot(
    world: World, visitor: Browser, course: UUID, tutor: UUID
) -> None:
    world.school.tutor(course, priority=10, hours=MORNING, weekdays=ON_MONDAYS)

    assert hours(slots(visitor)) == HOURS_OF_A_MORNING


def test_choosing_the_tutor_of_lower_priority_still_shows_the_times_shared_with_a_better_one(
    world: World, visitor: Browser, course: UUID, tutor: UUID
) -> None:
    best = world.school.tutor(course, priority=10, hours=(time(9), time(10)), weekdays=ON_MONDAYS)

    assert hours(slots(visitor, tutor=tutor)) == HOURS_OF_A_MORNING
    assert hours(slots(visitor, tutor=best)) == ["09:00"]


def test_the_times_of_several_tutors_are_put_together(world: World, visitor: Browser, course: UUID) -> None:
    for start, end in ((9, 10), (11, 12), (14, 15)):
        world.school.tutor(course, hours=(time(start), time(end)), weekdays=ON_MONDAYS)

    assert hours(slots(visitor)) == ["09:00", "11:00", "14:00"]
    assert hours(slots(visitor, duration=90)) == []


def test_an_inactive_tutor_gives_nothing(world: World, visitor: Browser, course: UUID) -> None:
    inactive = world.school.tutor(course, active=False)

    assert hours(slots(visitor)) == []
    assert slots(visitor, tutor=inactive).code == "TUTOR_NOT_FOUND"


def test_an_inactive_assignment_gives_nothing(world: World, visitor: Browser, course: UUID) -> None:
    unassigned = world.school.tutor()
    world.school.assign(unassigned, course, active=False)

    assert hours(slots(visitor)) == []
    assert slots(visitor, tutor=unassigned).code == "TUTOR_NOT_FOUND"


def test_an_inactive_course_does_not_exist(world: World, visitor: Browser) -> None:
    world.school.tutor(world.school.course("latin", active=False))

    answers = [
        visitor.get("/v1/courses/latin"),
        visitor.get("/v1/courses/latin/slots", {"date": str(MONDAY)}),
        visitor.get(
            "/v1/courses/latin/availability", {"from": str(MONDAY), "to": str(MONDAY), "duration": "60"}
        ),
    ]

    assert [(answer.status, answer.code) for answer in answers] == [(404, "COURSE_NOT_FOUND")] * 3


def test_in_march_a_rule_from_one_to_four_is_two_hours(world: World, visitor: Browser, course: UUID) -> None:
    world.school.tutor(course, hours=(time(1), time(4)), weekdays=(0,))
    spring = date(2027, 3, 14)

    assert [slot["start"] for slot in slots(visitor, spring).body["slots"]] == [
        "2027-03-14T01:00:00-05:00",
        "2027-03-14T01:30:00-05:00",
        "2027-03-14T03:00:00-04:00",
    ]
    assert slots(visitor, spring, 90).body["slots"][1] == {
        "start": "2027-03-14T01:30:00-05:00",
        "end": "2027-03-14T04:00:00-04:00",
        "duration_min": 90,
        "price_cad": "67.50",
    }


def test_in_november_the_repeated_hour_is_offered_twice_and_each_can_be_taken_alone(
    world: World, visitor: Browser, course: UUID
) -> None:
    world.school.tutor(course, hours=(time(0, 30), time(3)), weekdays=(0,))
    world.clock.now = datetime(2027, 10, 20, 16, tzinfo=UTC)
    autumn = date(2027, 11, 7)
    offered = [slot["start"] for slot in slots(visitor, autumn).body["slots"]]

    assert offered == [
        "2027-11-07T00:30:00-04:00",
        "2027-11-07T01:00:00-04:00",
        "2027-11-07T01:30:00-04:00",
        "2027-11-07T01:00:00-05:00",
        "2027-11-07T01:30:00-05:00",
        "2027-11-07T02:00:00-05:00",
    ]

    world.add(visitor, course, datetime.fromisoformat(offered[3]))

    assert [slot["start"] for slot in slots(visitor, autumn).body["slots"]] == [
        "2027-11-07T00:30:00-04:00",
        "2027-11-07T01:00:00-04:00",
        "2027-11-07T02:00:00-05:00",
    ]


def test_a_session_may_run_past_midnight_when_the_next_days_hours_continue(
    world: World, visitor: Browser, course: UUID
) -> None:
    night_owl = world.school.tutor(course, hours=None)
    world.school.rule(night_owl, 1, "22:00", "24:00")
    world.school.rule(night_owl, 2, "00:00", "01:00")

    assert hours(slots(visitor, MONDAY, 120)) == ["22:00", "22:30", "23:00"]
    assert hours(slots(visitor, TUESDAY)) == ["00:00"]


def test_an_evening_session_is_on_its_local_day_though_utc_is_a_day_ahead(
    world: World, visitor: Browser, course: UUID
) -> None:
    world.school.tutor(course, hours=(time(20), time(21)), weekdays=ON_MONDAYS)

    assert hours(slots(visitor, MONDAY)) == ["20:00"]
    assert hours(slots(visitor, TUESDAY)) == []
    assert days(visitor, MONDAY, TUESDAY).body == {"days": {"2027-01-25": True, "2027-01-26": False}}


@pytest.mark.usefixtures("tutor")
def test_a_day_that_is_gone_or_out_of_reach_is_empty_and_no_error(visitor: Browser) -> None:
    far_away = [date(2027, 1, 11), date(2027, 4, 5), date(1, 1, 1), date(9999, 12, 31)]

    assert [hours(slots(visitor, day)) for day in far_away] == [[], [], [], []]
    assert days(visitor, date(9999, 12, 30), date(9999, 12, 31)).body == {
        "days": {"9999-12-30": False, "9999-12-31": False}
    }
    assert days(visitor, date(1, 1, 1), date(1, 1, 2)).body == {
        "days": {"0001-01-01": False, "0001-01-02": False}
    }


# --- days of a range -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("tutor")
def test_a_range_has_one_key_per_day_asked_for_and_includes_the_last(visitor: Browser) -> None:
    answer = days(visitor, MONDAY - A_DAY, MONDAY + 7 * A_DAY)

    assert answer.status == 200
    assert list(answer.body["days"]) == [str(MONDAY + n * A_DAY) for n in range(-1, 8)]
    assert [day for day, free in answer.body["days"].items() if free] == ["2027-01-25", "2027-02-01"]


@pytest.mark.usefixtures("tutor")
def test_sixty_two_days_can_be_asked_for_at_once(visitor: Browser) -> None:
    answer = days(visitor, date(2027, 1, 18), date(2027, 1, 18) + 61 * A_DAY)

    assert len(answer.body["days"]) == 62
    assert [day for day, free in answer.body["days"].items() if free] == [
        str(MONDAY + 7 * n * A_DAY) for n in range(8)
    ]


def test_a_day_of_a_range_has_availability_exactly_when_it_has_a_slot(
    world: World, visitor: Browser, tutor: UUID
) -> None:
    world.school.exception(tutor, "closed", MONDAY)
    world.school.time_off(tutor, toronto(1, 9, 30, month=2), toronto(1, 11, 30, month=2))
    world.school.exception(tutor, "open", TUESDAY, start="23:00", end="24:00")

    for duration in (60, 90):
        dotted = days(visitor, MONDAY, MONDAY + 14 * A_DAY, duration).body["days"]
        assert dotted == {
            day: slots(visitor, date.fromisoformat(day), duration).body["has_availability"] for day in dotted
        }


def test_the_days_of_one_tutor_are_that_tutors_alone(
    world: World, visitor: Browser, course: UUID, tutor: UUID
) -> None:
    on_tuesdays = world.school.tutor(course, priority=1, hours=MORNING, weekdays=(2,))

    assert days(visitor, MONDAY, TUESDAY).body["days"] == {"2027-01-25": True, "2027-01-26": True}
    assert days(visitor, MONDAY, TUESDAY, tutor=tutor).body["days"] == {
        "2027-01-25": True,
        "2027-01-26": False,
    }
    assert days(visitor, MONDAY, TUESDAY, tutor=on_tuesdays).body["days"] == {
        "2027-01-25": False,
        "2027-01-26": True,
    }


# --- who gets an any-tutor session ---------------------------------------------------------------------------


def test_the_best_priority_goes_first_then_the_oldest_account_then_the_smallest_id(
    world: World, course: UUID
) -> None:
    old, older = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    last = world.school.tutor(course, priority=100, created_at=datetime(2025, 1, 1, tzinfo=UTC))
    twins = [world.school.tutor(course, priority=10, created_at=old) for _ in range(3)]
    second = world.school.tutor(course, priority=10, created_at=older)
    first = world.school.tutor(course, priority=0, created_at=old)

    for _ in range(6):
        assert world.add(world.browser(), course, toronto(25, 9)).status == 201
        world.clock.advance(seconds=1)

    given_to = [
        row["tutor_id"] for row in world.rows("SELECT tutor_id FROM cart_sessions ORDER BY created_at")
    ]
    assert given_to == [first, second, *sorted(twins), last]
    assert world.add(world.browser(), course, toronto(25, 9)).code == "SLOT_UNAVAILABLE"
    assert hours(slots(world.browser()))[:3] == ["10:00", "10:30", "11:00"]


# --- what a student may not know -----------------------------------------------------------------------------


def secretive_tutor(world: World, course: UUID) -> UUID:
    """Earns 31.17 an hour: 46.76 for 90 minutes, 62.34 for 120."""
    return world.school.tutor(course, name="Anastasia Quartz", rate="31.17", priority=7919)


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a JSON document with the name it stands under."""
    match value:
        case dict():
            for name, inner in value.items():
                yield from leaves(inner, name)
        case list():
            for inner in value:
                yield from leaves(inner, key)
        case _:
            yield key, value


def names_in(value: Any) -> set[str]:
    """Every key of a JSON document."""
    if isinstance(value, dict):
        return set(value).union(*(names_in(inner) for inner in value.values()))
    return set().union(*(names_in(inner) for inner in value)) if isinstance(value, list) else set()


def test_any_tutor_mode_says_nothing_of_who_would_give_the_session(
    world: World, visitor: Browser, course: UUID
) -> None:
    secret = secretive_tutor(world, course)
    world.school.tutor(course, name="Bob Quartz", priority=7920)

    slots_shown, days_shown = slots(visitor), days(visitor, MONDAY, TUESDAY)

    assert names_in(slots_shown.body) == {
        "date",
        "duration_min",
        "has_availability",
        "slots",
        "start",
        "end",
        "price_cad",
    }
    assert names_in(days_shown.body) == {"days", "2027-01-25", "2027-01-26"}
    for answer in (slots_shown, days_shown):
        everything = answer.text + str(answer.headers) + str(answer.cookies)
        assert not [
            word for word in (str(secret), secret.hex, "Quartz", "7919", "31.17") if word in everything
        ]


def test_a_chosen_tutor_is_named_by_id_alone(world: World, visitor: Browser, course: UUID) -> None:
    chosen = secretive_tutor(world, course)

    answer = slots(visitor, tutor=chosen)

    assert {slot["tutor_id"] for slot in answer.body["slots"]} == {str(chosen)}
    assert names_in(answer.body["slots"]) == {"start", "end", "duration_min", "price_cad", "tutor_id"}
    assert names_in(days(visitor, MONDAY, MONDAY, tutor=chosen).body) == {"days", "2027-01-25"}


def test_no_rate_no_priority_and_no_earnings_reach_a_guest_from_the_first_look_to_the_receipt(
    world: World, visitor: Browser, course: UUID
) -> None:
    tutor = secretive_tutor(world, course)
    world.school.coupon()
    looks = [
        visitor.get("/v1/courses"),
        visitor.get(COURSE),
        slots(visitor),
        slots(visitor, tutor=tutor),
        days(visitor, MONDAY, TUESDAY, tutor=tutor),
        *(
            world.add(visitor, course, toronto(25, 9 + 2 * place), minutes)
            for place, minutes in enumerate((60, 90, 120))
        ),
        world.add(visitor, course, toronto(25, 9)),  # refused: already there
        visitor.put("/v1/cart/coupon", {"code": "SAVE10"}),
        visitor.get("/v1/cart"),
    ]
    checkout = visitor.post("/v1/checkout", FORM)
    world.pay(checkout.body["payment_intent_id"])
    settled = visitor.get(f"/v1/checkout/{checkout.body['checkout_id']}")
    assert settled.body["status"] == "settled"

    rate_of_60_90_120 = {"31.17", "46.76", "62.34"}
    for answer in [*looks, checkout, settled]:
        words = {word for name in names_in(answer.body) for word in name.split("_")}
        assert not words & {"priority", "hourly", "base", "earnings", "margin", "worked"}, answer.text
        assert {name for name in names_in(answer.body) if "rate" in name.split("_")} <= {"student_rate_cad"}
        assert not [
            (name, value)
            for name, value in leaves(answer.body)
            if str(value) == "7919" or any(amount in str(value) for amount in rate_of_60_90_120)
        ]


# --- what cannot be asked ------------------------------------------------------------------------------------

LONG = 10_000  # characters
NOT_A_NUMBER = ["une heure", "60.5", "", "6" * LONG, "60\0", "½"]
NOT_A_DAY = [
    "2027-02-30",
    "2027-1-5",
    "20270125",
    "2027-01-25T00:00:00",
    "1800000000",
    "demain",
    "0000-00-00",
    "２０２７-01-25",
    "2027-01-2\0",
    "",
    "2" * LONG,
]
NOT_AN_ID = ["1", "", "\0", "é" * LONG]


def both_ways(visitor: Browser, asked: dict[str, str]) -> tuple[Answer, Answer]:
    """The slots of a Monday and the days from it to the next, with `asked` instead of what makes sense."""
    of_a_day = visitor.get(f"{COURSE}/slots", {"date": str(MONDAY), "duration": "60"} | asked)
    of_a_range = {"from" if name == "date" else name: value for name, value in asked.items()}
    sensible = {"from": str(MONDAY), "to": str(TUESDAY), "duration": "60"}
    return of_a_day, visitor.get(f"{COURSE}/availability", sensible | of_a_range)


@pytest.mark.usefixtures("tutor")
def test_a_session_lasts_60_90_or_120_minutes(visitor: Browser) -> None:
    for minutes in ("45", "0", "-60", "61", "1440", "9" * 30):
        for answer in both_ways(visitor, {"duration": minutes}):
            assert (answer.status, answer.code) == (422, "INVALID_DURATION")
            assert answer.body["detail"] == "Durée invalide"


@pytest.mark.usefixtures("tutor")
@pytest.mark.parametrize(
    ("name", "values"), [("duration", NOT_A_NUMBER), ("date", NOT_A_DAY), ("tutor_id", NOT_AN_ID)]
)
def test_what_is_no_number_no_day_or_no_id_is_refused_by_the_name_of_its_field(
    visitor: Browser, name: str, values: list[str]
) -> None:
    for value in values:
        of_a_day, of_a_range = both_ways(visitor, {name: value})
        for answer, field in ((of_a_day, name), (of_a_range, "from" if name == "date" else name)):
            assert (answer.status, answer.code) == (422, "VALIDATION_FAILED"), value
            assert answer.body["detail"] == "Certains champs sont invalides."
            assert answer.body["errors"] == [
                {"field": field, "code": "INVALID", "detail": "Cette valeur est invalide."}
            ]
            assert len(answer.text) < 1000  # what was sent does not come back


@pytest.mark.usefixtures("course")
def test_the_dates_must_be_given(visitor: Browser) -> None:
    slots_of_no_day = visitor.get(f"{COURSE}/slots")
    range_of_no_days = visitor.get(f"{COURSE}/availability")

    missing = {"code": "MISSING", "detail": "Ce champ est obligatoire."}
    assert (slots_of_no_day.status, slots_of_no_day.code) == (422, "VALIDATION_FAILED")
    assert slots_of_no_day.body["errors"] == [{"field": "date", **missing}]
    assert {"field": "from", **missing} in range_of_no_days.body["errors"]
    assert {"field": "to", **missing} in range_of_no_days.body["errors"]


@pytest.mark.usefixtures("tutor")
@pytest.mark.parametrize(
    ("first", "last", "code", "detail"),
    [
        (MONDAY, MONDAY + 62 * A_DAY, "RANGE_TOO_LONG", "La période demandée ne peut pas dépasser 62 jours."),
        (
            date(1, 1, 1),
            date(9999, 12, 31),
            "RANGE_TOO_LONG",
            "La période demandée ne peut pas dépasser 62 jours.",
        ),
        (TUESDAY, MONDAY, "RANGE_REVERSED", "La date de fin doit suivre la date de début."),
        (date(9999, 12, 31), date(1, 1, 1), "RANGE_REVERSED", "La date de fin doit suivre la date de début."),
    ],
)
def test_a_range_is_forward_and_at_most_sixty_two_days(
    visitor: Browser, first: date, last: date, code: str, detail: str
) -> None:
    answer = days(visitor, first, last)

    assert (answer.status, answer.code, answer.body["detail"]) == (422, code, detail)


def test_a_tutor_who_does_not_teach_the_course_is_not_found(
    world: World, visitor: Browser, course: UUID
) -> None:
    elsewhere = world.school.tutor(world.school.course("maths"))

    for stranger in (elsewhere, uuid4(), UUID(int=0)):
        for answer in (slots(visitor, tutor=stranger), days(visitor, MONDAY, TUESDAY, tutor=stranger)):
            assert (answer.status, answer.code, answer.body["detail"]) == (
                404,
                "TUTOR_NOT_FOUND",
                "Tuteur introuvable",
            )


@pytest.mark.usefixtures("tutor")
@pytest.mark.parametrize(
    ("slugs", "status", "code", "detail"),
    [
        (
            ["inconnu", "FRANCAIS-SECONDAIRE", "français-secondaire", "' OR 1=1 --", "%00", "a" * 200],
            404,
            "COURSE_NOT_FOUND",
            "Cours introuvable",
        ),
        # characters that no slug has, so that the resolver has no route for them
        (["\0", "💥", "a\u202eb", "\ud800", ""], 404, "NOT_FOUND", "Cette adresse n'existe pas."),
        (["a" * 201, "a" * LONG], 422, "VALIDATION_FAILED", "Certains champs sont invalides."),
    ],
)
def test_a_course_that_does_not_exist_is_not_found(
    visitor: Browser, slugs: list[str], status: int, code: str, detail: str
) -> None:
    for slug in slugs:
        course = f"/v1/courses/{slug}"
        for answer in (
            visitor.get(f"{course}/slots", {"date": str(MONDAY)}),
            visitor.get(f"{course}/availability", {"from": str(MONDAY), "to": str(MONDAY), "duration": "60"}),
        ):
            assert (answer.status, answer.code, answer.body["detail"]) == (status, code, detail), slug
            assert len(answer.text) < 1000


# --- what it costs the database ------------------------------------------------------------------------------


@pytest.mark.parametrize("tutors", [1, 50])
def test_free_times_take_one_statement_and_one_round_trip_however_many_tutors_there_are(
    world: World, visitor: Browser, course: UUID, database: Database, tutors: int
) -> None:
    for number in range(tutors):
        tutor = world.school.tutor(course, hours=MORNING, weekdays=ON_MONDAYS)
        world.school.claim(tutor, toronto(25, 9), toronto(25, 10))
        world.school.time_off(tutor, toronto(25, 10 + number % 2), toronto(25, 10 + number % 2, 10))
        world.school.exception(tutor, "closed", TUESDAY)

    with counted(database) as wire:
        assert hours(slots(visitor)) == (["10:00", "10:30", "11:00"] if tutors > 1 else ["10:30", "11:00"])
        assert (wire.statements, wire.round_trips) == (1, 1), wire.sql
        wire.reset()

        assert days(visitor, MONDAY, TUESDAY).body["days"] == {"2027-01-25": True, "2027-01-26": False}
        assert (wire.statements, wire.round_trips) == (1, 1), wire.sql
        wire.reset()

        assert days(visitor, MONDAY, MONDAY + 61 * A_DAY, tutor=tutor).status == 200
        assert (wire.statements, wire.round_trips) == (1, 1), wire.sql


# --- any school against the wall clock -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_what_the_api_offers_is_what_the_wall_clock_says(
    world: World, visitor: Browser, course: UUID, seed: int
) -> None:
    """Rows of every kind, drawn at random around a change of clocks, through SQL, engine and handler."""
    draw = random.Random(seed)
    change = draw.choice([date(2027, 3, 14), date(2027, 11, 7)])
    midnight = half_hours_of(change)[0]
    world.clock.now = midnight - timedelta(days=draw.choice([1, 30, 59]), minutes=draw.randrange(1440))
    schedules = [_enrol(world, course, draw, change) for _ in range(draw.choice([1, 3]))]

    range_shown = days(visitor, change - 3 * A_DAY, change + 3 * A_DAY, 90).body["days"]

    for day in (change + n * A_DAY for n in range(-3, 4)):
        for duration in (60, 90, 120):
            shown = [
                datetime.fromisoformat(slot["start"]) for slot in slots(visitor, day, duration).body["slots"]
            ]
            assert shown == offered_on(schedules, day, duration, world.clock.now)
        assert range_shown[str(day)] == bool(offered_on(schedules, day, 90, world.clock.now))


def _enrol(world: World, course: UUID, draw: random.Random, change: date) -> Schedule:
    """A tutor with random hours, in the database and as the wall clock is told of them."""
    tutor = world.school.tutor(course, hours=None)
    midnight = half_hours_of(change)[0]
    rules, exceptions, busy = [], [], []
    for weekday in range(7):
        cuts = sorted(draw.sample(range(49), 4))
        for start, end in (cuts[:2], cuts[2:]):
            rules.append(Rule(weekday, start * 30, end * 30))
            world.school.rule(tutor, weekday, _wall(start), _wall(end))
    for _ in range(3):
        first = change + draw.randrange(-3, 3) * A_DAY
        last = first + draw.randrange(3) * A_DAY
        start, end = sorted(draw.sample(range(49), 2))
        kind = draw.choice(["open", "closed", "closed all day"])
        if kind == "closed all day":
            exceptions.append(Exceptional(first, last, opens=False))
            world.school.exception(tutor, "closed", first, last)
        else:
            exceptions.append(Exceptional(first, last, kind == "open", start * 30, end * 30))
            world.school.exception(tutor, kind, first, last, _wall(start), _wall(end))
    for place in draw.sample(range(-36, 36), 12):
        begins = midnight + place * timedelta(hours=2)
        ends = begins + draw.choice([2, 3, 4]) * HALF_HOUR
        expires_at = draw.choice([None, world.clock.now, world.clock.now + timedelta(minutes=1)])
        world.school.claim(tutor, begins, ends, expires_at)
        if expires_at != world.clock.now:
            busy.append((begins, ends))
    for _ in range(3):
        begins = midnight + timedelta(seconds=draw.randrange(-259_200, 259_200))
        ends = begins + timedelta(seconds=draw.randrange(1, 90_000))
        world.school.time_off(tutor, begins, ends)
        busy.append((begins, ends))
    return Schedule(rules, exceptions, busy)


def _wall(half_hour: int) -> str:
    return f"{half_hour // 2:02}:{half_hour % 2 * 30:02}"


def test_rules_of_one_tutor_and_weekday_cannot_overlap(world: World, tutor: UUID) -> None:
    with pytest.raises(psycopg.errors.ExclusionViolation):
        world.school.rule(tutor, 1, "11:30", "13:00")
    world.school.rule(tutor, 1, "12:00", "13:00")  # touching is not overlapping

    assert world.count("availability_rules") == 2
