"""A student cancels: to the second, for the whole net line, told once (OP-S06, spec 2.9, 3.6; A.5.1)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.credits.ledger import Entry, enter
from tests.support.booked_student import BookedStudent
from tests.support.contract import recorded
from tests.support.tables import contents, nothing_written
from tests.support.world import World, toronto, wanted

TEN, TWO = toronto(20, 10), toronto(20, 14)


@dataclass
class Shop:
    course: UUID
    roy: UUID


@pytest.fixture
def shop(world: World) -> Shop:
    course = world.school.course()
    return Shop(course, world.school.tutor(course, rate="30.00"))


@pytest.fixture
def zoe(world: World, shop: Shop) -> BookedStudent:
    return BookedStudent.of(world, wanted(shop.course, TEN))


def it_is(world: World, instant: datetime) -> None:
    world.clock.now = instant


def told(world: World, kind: str) -> list[dict[str, Any]]:
    return [event["payload"] for event in recorded(world) if event["type"] == kind]


# --- When ---------------------------------------------------------------------------------------------------


def test_exactly_two_hours_before_it_can_still_be_cancelled(world: World, zoe: BookedStudent) -> None:
    it_is(world, TEN - timedelta(hours=2))

    answer = zoe.cancels()

    assert (answer.status, answer.body["appointment"]["status"]) == (200, "cancelled")


def test_a_second_later_it_cannot_and_nothing_has_changed(world: World, zoe: BookedStudent) -> None:
    appointment_id = zoe.appointment_id
    it_is(world, TEN - timedelta(hours=2) + timedelta(seconds=1))

    with nothing_written(world.connection):
        answer = zoe.cancels(appointment_id)

    assert (answer.status, answer.code) == (422, "CANCELLATION_TOO_LATE")
    assert answer.body["detail"] == "Annulation trop tardive. Contactez le support si nécessaire."


@pytest.mark.parametrize(
    ("start", "last_instant"),
    [
        (toronto(14, 9, month=3), toronto(14, 7, month=3)),  # the morning the clocks go forward
        (toronto(14, 4, month=3), toronto(14, 1, month=3)),  # over the hour that does not exist
        (toronto(7, 2, month=11), toronto(7, 1, month=11)),  # over the hour that comes twice
    ],
)
def test_two_hours_are_elapsed_hours_when_the_clocks_change(
    world: World, shop: Shop, start: datetime, last_instant: datetime
) -> None:
    world.connection.execute("UPDATE availability_rules SET start_time = '00:00', end_time = '24:00'")
    it_is(world, start - timedelta(days=20))
    zoe = BookedStudent.of(world, wanted(shop.course, start))
    appointment_id = zoe.appointment_id

    shown = zoe.shows(appointment_id)["cancel_until"]
    it_is(world, last_instant + timedelta(seconds=1))
    too_late = zoe.cancels(appointment_id)
    it_is(world, last_instant)
    in_time = zoe.cancels(appointment_id)

    assert datetime.fromisoformat(shown).timestamp() == last_instant.timestamp()
    assert (too_late.status, in_time.status) == (422, 200)


# --- What follows -------------------------------------------------------------------------------------------


def test_the_session_its_time_its_pay_its_history_and_the_event(
    world: World, shop: Shop, zoe: BookedStudent
) -> None:
    answer = zoe.cancels(reason="  Empêchement ")

    appointment = answer.body["appointment"]
    assert (answer.body["credit_issued_cad"], answer.body["credits_balance_cad"]) == ("45.00", "45.00")
    assert (appointment["cancellation_reason"], appointment["cancelled_by"]) == ("Empêchement", "student")
    assert (appointment["can_cancel"], appointment["can_reschedule"], appointment["cancel_until"]) == (
        False,
        False,
        None,
    )
    assert appointment["history"] == [
        {
            "type": "cancellation",
            "changed_by": "student",
            "changed_by_name": "Zoé Tremblay",
            "reason": "Empêchement",
            "old_start": None,
            "new_start": None,
            "old_status": "scheduled",
            "new_status": "cancelled",
            "changed_at": "2027-01-18T12:00:00-05:00",
        }
    ]
    assert world.count("time_claims") == 0
    assert world.rows("SELECT status::text FROM earnings") == [{"status": "cancelled"}]
    [event] = told(world, "booking.cancelled")
    assert event["appointment_id"] == appointment["id"]
    assert (event["cancelled_by"], event["cancelled_by_id"]) == ("student", str(zoe.user_id))
    assert (event["cancellation_reason"], event["cause"]) == ("Empêchement", "request")
    assert (event["price_cad"], event["credit_issued"], event["duration_min"]) == (45, 45, 60)
    assert event["start_datetime"] == "2027-01-20T15:00:00.000Z"
    assert (event["student"]["email"], event["tutor"]["id"]) == ("zoe@exemple.ca", str(shop.roy))


def test_without_a_reason_one_is_given(zoe: BookedStudent) -> None:
    assert zoe.cancels().body["appointment"]["cancellation_reason"] == "Annulé par étudiant"


def test_without_a_body_it_is_cancelled_too(zoe: BookedStudent) -> None:
    assert zoe.browser.post(f"/v1/appointments/{zoe.appointment_id}/cancel", None).status == 200


def test_somebody_else_can_have_the_time_at_once(world: World, shop: Shop, zoe: BookedStudent) -> None:
    taken = world.add(world.browser(), shop.course, TEN)
    zoe.cancels()
    free = world.add(world.browser(), shop.course, TEN)

    assert (taken.status, free.status) == (409, 201)


def test_the_credit_is_the_line_without_its_share_of_the_discount(world: World, shop: Shop) -> None:
    world.school.coupon("DIX", kind="fixed", value="10.00")
    zoe = BookedStudent.of(
        world,
        *(wanted(shop.course, start) for start in (TEN, TWO, toronto(21, 10))),
        coupon="DIX",
    )

    credits = [zoe.cancels(appointment["id"]).body["credit_issued_cad"] for appointment in zoe.appointments()]

    assert credits == ["41.66", "41.67", "41.67"]
    assert zoe.gets("/v1/credits").body["balance_cad"] == "125.00"


def test_a_session_paid_in_part_with_credits_gives_the_whole_line_back_as_credits(
    world: World, zoe: BookedStudent
) -> None:
    # Whatever the mix of card and credit (spec 3.6): the card paid 25.00 of these 45.00.
    enter(
        world.connection,
        Entry(zoe.user_id, Decimal("20.00"), "admin_adjustment", reason="Geste", created_by=zoe.user_id),
        world.clock(),
    )
    world.connection.execute("UPDATE orders SET credits_applied_cad = 20.00")

    answer = zoe.cancels()

    assert (answer.body["credit_issued_cad"], answer.body["credits_balance_cad"]) == ("45.00", "65.00")


def test_a_session_that_cost_nothing_gives_no_credit_and_no_entry(world: World, zoe: BookedStudent) -> None:
    world.connection.execute("UPDATE order_items SET unit_price_cad = 0, line_total_cad = 0")

    answer = zoe.cancels()

    assert (answer.body["credit_issued_cad"], world.count("credit_transactions")) == ("0.00", 0)
    assert told(world, "booking.cancelled")[0]["credit_issued"] is None


# --- What is refused ----------------------------------------------------------------------------------------


def test_cancelling_twice_is_refused_and_credits_once(world: World, zoe: BookedStudent) -> None:
    appointment_id = zoe.appointment_id
    zoe.cancels(appointment_id)

    with nothing_written(world.connection):
        again = zoe.cancels(appointment_id)

    assert (again.status, again.code) == (409, "NOT_CANCELLABLE")
    assert len(told(world, "booking.cancelled")) == 1


def test_somebody_else_s_session_does_not_exist(world: World, shop: Shop, zoe: BookedStudent) -> None:
    luc = BookedStudent.of(world, wanted(shop.course, TWO), email="luc@exemple.ca")
    theirs = zoe.appointment_id

    with nothing_written(world.connection):
        answers = [
            luc.browser.get(f"/v1/appointments/{theirs}"),
            luc.cancels(theirs),
            luc.moves_to(toronto(22, 10), theirs),
            luc.could_move_to(theirs),
            luc.browser.get(f"/v1/appointments/{theirs}/calendar.ics"),
            luc.cancels(str(uuid4())),
        ]

    assert [(answer.status, answer.code) for answer in answers] == [(404, "APPOINTMENT_NOT_FOUND")] * 6
    assert [appointment["start"] for appointment in luc.appointments()] == [TWO.isoformat()]


def test_only_students_have_these_routes(world: World, zoe: BookedStudent) -> None:
    path = f"/v1/appointments/{zoe.appointment_id}"
    world_before = contents(world.connection)
    as_guest = [world.browser().get("/v1/appointments"), world.browser().post(f"{path}/cancel", {})]
    world.connection.execute("UPDATE users SET role = 'admin' WHERE id = %s", (zoe.user_id,))
    as_admin = [zoe.browser.get("/v1/appointments"), zoe.browser.post(f"{path}/cancel", {})]
    world.connection.execute("UPDATE users SET role = 'student' WHERE id = %s", (zoe.user_id,))

    assert [(answer.status, answer.code) for answer in as_guest] == [(401, "UNAUTHENTICATED")] * 2
    assert [(answer.status, answer.code) for answer in as_admin] == [(403, "FORBIDDEN")] * 2
    assert contents(world.connection) == world_before


@pytest.mark.parametrize("reason", ["x" * 501, "a\x00b", 3, "\ud800"])
def test_a_reason_is_readable_text_of_at_most_500_characters(
    world: World, zoe: BookedStudent, reason: Any
) -> None:
    appointment_id = zoe.appointment_id

    with nothing_written(world.connection):
        answer = zoe.cancels(appointment_id, reason=reason)

    assert (answer.status, answer.code) == (422, "VALIDATION_FAILED")


def test_a_suspended_student_still_sees_and_cancels_but_takes_no_other_time(
    world: World, zoe: BookedStudent
) -> None:
    world.connection.execute("UPDATE users SET status = 'suspended' WHERE id = %s", (zoe.user_id,))

    moved = zoe.moves_to(toronto(22, 10))
    cancelled = zoe.cancels()

    assert (moved.status, moved.code) == (403, "BOOKING_NOT_ALLOWED")
    assert cancelled.status == 200
