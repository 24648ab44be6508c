"""A session beside one that the student already has is flagged, never refused (spec 2.6)."""

from typing import Any

import pytest

from tests.support.booked import book
from tests.support.browser import Browser
from tests.support.people import account, sign_in
from tests.support.shop import Shop
from tests.support.student import Student
from tests.support.world import FORM, World, toronto


@pytest.fixture
def shop(world: World) -> Shop:
    return Shop(world)


def has_a_session(shop: Shop, student: Student, hour: int = 9, minutes: int = 60) -> None:
    """Given by a tutor of another course."""
    tutor = shop.world.school.tutor(shop.world.school.course("maths"), name="M. Hubert")
    book(
        shop.world.connection,
        student.user_id,
        tutor,
        shop.world.rows("SELECT id FROM courses WHERE slug = 'maths'")[0]["id"],
        [toronto(20, hour)],
        shop.world.clock(),
        minutes,
    )


def flags(cart: dict[str, Any]) -> list[tuple[str, bool]]:
    return [(item["start"][11:16], item["student_overlap"]) for item in cart["items"]]


@pytest.mark.parametrize("chosen", [True, False], ids=["chosen tutor", "any tutor"])
def test_every_answer_flags_a_session_beside_one_the_student_has(shop: Shop, *, chosen: bool) -> None:
    tutor = shop.mme_roy if chosen else None
    student = Student(shop.world)
    has_a_session(shop, student)
    shop.world.school.coupon("SAVE10")

    added = shop.added(student.browser, shop.wanted(9, 30, tutor=tutor), shop.wanted(11, tutor=tutor))

    assert flags(added) == [("09:30", True), ("11:00", False)]
    assert shop.cart(student.browser) == added
    assert flags(student.browser.put("/v1/cart/coupon", {"code": "SAVE10"}).body) == flags(added)
    again = shop.added(student.browser, shop.wanted(14, tutor=tutor))
    assert flags(again) == [("09:30", True), ("11:00", False), ("14:00", False)]
    item_id = again["items"][2]["id"]
    assert flags(student.browser.delete(f"/v1/cart/items/{item_id}").body) == flags(added)


@pytest.mark.parametrize(
    ("hour", "minute", "minutes", "beside"),
    [
        (9, 0, 60, False),
        (9, 0, 90, True),
        (10, 0, 60, True),
        (10, 30, 60, True),
        (9, 30, 120, True),
        (11, 0, 60, False),
    ],
)
def test_only_sessions_that_share_time_are_flagged(
    shop: Shop, hour: int, minute: int, minutes: int, *, beside: bool
) -> None:
    """The student has ten to eleven."""
    student = Student(shop.world)
    has_a_session(shop, student, hour=10)

    [item] = shop.added(student.browser, shop.wanted(hour, minute, minutes))["items"]

    assert item["student_overlap"] is beside
    assert shop.cart(student.browser)["items"] == [item]


def test_it_is_paid_and_booked_all_the_same(shop: Shop) -> None:
    student = Student(shop.world)
    has_a_session(shop, student)
    student.books(shop.wanted(9))

    assert shop.world.rows("SELECT count(*) AS n FROM appointments WHERE status = 'scheduled'") == [{"n": 2}]


@pytest.mark.parametrize("status", ["cancelled", "completed", "refunded"])
def test_a_session_that_does_not_take_place_any_more_is_beside_nothing(shop: Shop, status: str) -> None:
    student = Student(shop.world)
    has_a_session(shop, student)
    shop.world.connection.execute(
        "UPDATE appointments SET status = %s, cancelled_at = CASE WHEN %s = 'cancelled' THEN now() END",
        (status, status),
    )

    added = shop.added(student.browser, shop.wanted(9))

    assert flags(added) == [("09:00", False)]
    assert shop.cart(student.browser) == added


def test_another_student_s_session_and_a_guest_s_cart_are_not_flagged(shop: Shop) -> None:
    has_a_session(shop, Student(shop.world, "autre@exemple.ca"))
    shop.m_caron()

    for visitor in (Student(shop.world).browser, shop.guest()):
        added = shop.added(visitor, shop.wanted(9))
        assert flags(added) == [("09:00", False)]
        assert shop.cart(visitor) == added


def test_what_is_booked_later_flags_what_is_already_in_the_cart(shop: Shop) -> None:
    student = Student(shop.world)
    assert flags(shop.added(student.browser, shop.wanted(9))) == [("09:00", False)]

    has_a_session(shop, student)

    assert flags(shop.cart(student.browser)) == [("09:00", True)]


def test_the_guest_s_session_is_flagged_once_they_are_signed_in(shop: Shop) -> None:
    student = Student(shop.world)
    student.user_id = account(shop.world)
    has_a_session(shop, student)
    browser: Browser = shop.guest()
    assert flags(shop.added(browser, shop.wanted(9))) == [("09:00", False)]

    assert sign_in(browser).status == 200

    assert flags(shop.cart(browser)) == [("09:00", True)]


def test_the_sessions_a_checkout_refuses_bear_the_flag_too(shop: Shop) -> None:
    student = Student(shop.world)
    has_a_session(shop, student)
    shop.added(student.browser, shop.wanted(9))
    shop.world.clock.advance(minutes=15)
    shop.world.school.time_off(shop.mme_roy, toronto(20, 9), toronto(20, 10))

    answer = student.browser.post("/v1/checkout", {"billing": FORM["billing"]})

    assert answer.code == "SLOTS_UNAVAILABLE"
    assert [(item["unavailable"], item["student_overlap"]) for item in answer.body["items"]] == [(True, True)]
