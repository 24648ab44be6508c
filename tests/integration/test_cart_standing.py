"""What the cart says of a session is what the checkout does with it (decision 20)."""

from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.support.browser import Browser
from tests.support.rush import overlapping_claims, sessions_without_their_hold
from tests.support.shop import NINE, Shop
from tests.support.student import Student
from tests.support.tables import nothing_written
from tests.support.world import FORM, World, toronto

TTL = timedelta(minutes=15)
MOMENT = timedelta(milliseconds=1)


@pytest.fixture
def shop(world: World) -> Shop:
    return Shop(world)


def time_off(shop: Shop, tutor: UUID) -> None:
    shop.world.school.time_off(tutor, toronto(20, 9, 50), toronto(20, 10, 5))


def closed_day(shop: Shop, tutor: UUID) -> None:
    shop.world.school.exception(tutor, "closed", NINE.date())


def closed_hours(shop: Shop, tutor: UUID) -> None:
    shop.world.school.exception(tutor, "closed", NINE.date(), start="09:30", end="10:00")


def no_more_hours(shop: Shop, tutor: UUID) -> None:
    shop.world.connection.execute("DELETE FROM availability_rules WHERE tutor_id = %s", (tutor,))


def later_hours(shop: Shop, tutor: UUID) -> None:
    shop.world.connection.execute(
        "UPDATE availability_rules SET start_time = '09:30' WHERE tutor_id = %s", (tutor,)
    )


def no_more_course_of_theirs(shop: Shop, tutor: UUID) -> None:
    shop.world.connection.execute("UPDATE tutor_courses SET active = false WHERE tutor_id = %s", (tutor,))


def deactivated(shop: Shop, tutor: UUID) -> None:
    shop.world.connection.execute("UPDATE tutors SET active = false WHERE id = %s", (tutor,))


def booked(shop: Shop, tutor: UUID) -> None:
    shop.world.school.claim(tutor, toronto(20, 9, 30), toronto(20, 10, 30))


def held_by_another(shop: Shop, tutor: UUID) -> None:
    expires_at = shop.world.clock() + timedelta(minutes=5)
    shop.world.school.claim(tutor, toronto(20, 8, 30), toronto(20, 9, 30), expires_at)


def course_gone(shop: Shop, tutor: UUID) -> None:
    shop.world.connection.execute("UPDATE courses SET active = false")


def less_than_twelve_hours_ahead(shop: Shop, tutor: UUID) -> None:
    shop.world.clock.now = (NINE - timedelta(hours=12) + MOMENT).astimezone(UTC)


def begun(shop: Shop, tutor: UUID) -> None:
    shop.world.clock.now = NINE.astimezone(UTC)


def over(shop: Shop, tutor: UUID) -> None:
    shop.world.clock.now = (NINE + timedelta(days=40)).astimezone(UTC)


type Change = Callable[[Shop, UUID], None]

HOURS: list[Change] = [
    time_off,
    closed_day,
    closed_hours,
    no_more_hours,
    later_hours,
    no_more_course_of_theirs,
]
"""What changes when a tutor teaches. A live hold stands through all of it."""
TAKES_A_TUTOR: list[Change] = [*HOURS, deactivated, booked, held_by_another]
TAKES_EVERYBODY: list[Change] = [course_gone, less_than_twelve_hours_ahead, begun, over]


def lapse(shop: Shop, change: Change) -> None:
    shop.world.clock.now += TTL
    shop.world.connection.execute("DELETE FROM time_claims")  # as the sweep does; another's claim may come
    change(shop, shop.mme_roy)


def said(cart: dict[str, Any]) -> list[tuple[str, bool]]:
    return [(item["start"][11:16], item["unavailable"]) for item in cart["items"]]


def sums(cart: dict[str, Any]) -> tuple[str, str, str]:
    return cart["subtotal_cad"], cart["discount_cad"], cart["total_cad"]


def pays(browser: Browser) -> Any:
    return browser.post("/v1/checkout", FORM)


def tutors(shop: Shop) -> list[tuple[UUID, UUID]]:
    """Who gives each session by the cart, and whose time it holds."""
    rows = shop.world.rows(
        "SELECT item.tutor_id AS cart, claim.tutor_id AS claim FROM cart_sessions AS item"
        "  JOIN time_claims AS claim ON claim.id = item.id"
        " WHERE item.removed_at IS NULL ORDER BY item.start_datetime"
    )
    return [(row["cart"], row["claim"]) for row in rows]


# --- one rule for the cart and the checkout -------------------------------------------------------------------


@pytest.mark.parametrize("change", [*TAKES_A_TUTOR, *TAKES_EVERYBODY], ids=lambda change: change.__name__)
@pytest.mark.parametrize("chosen", [True, False], ids=["chosen tutor", "any tutor"])
def test_what_the_checkout_refuses_the_cart_shows_as_unavailable(
    shop: Shop, change: Change, *, chosen: bool
) -> None:
    guest = shop.guest()
    shop.added(guest, shop.wanted(9, tutor=shop.mme_roy if chosen else None))
    lapse(shop, change)

    cart = shop.cart(guest)
    with nothing_written(shop.world.connection):
        answer = pays(guest)

    assert said(cart) == [("09:00", True)]
    assert (answer.status, answer.code, answer.body["items"]) == (409, "SLOTS_UNAVAILABLE", cart["items"])


@pytest.mark.parametrize("change", TAKES_A_TUTOR, ids=lambda change: change.__name__)
def test_a_session_for_any_tutor_stays_while_another_could_give_it_and_moves_when_it_is_paid(
    shop: Shop, change: Change
) -> None:
    m_caron = shop.m_caron()
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))
    lapse(shop, change)

    assert said(shop.cart(guest)) == [("09:00", False)]
    answer = pays(guest)

    assert (answer.status, answer.body["amount_cad"]) == (201, "45.00")
    assert tutors(shop) == [(m_caron, m_caron)]
    [item] = shop.cart(guest)["items"]
    assert (item["tutor_display_name"], item["hold_expired"], item["unavailable"]) == (
        "M. Caron",
        False,
        False,
    )


@pytest.mark.parametrize("change", TAKES_A_TUTOR, ids=lambda change: change.__name__)
def test_nobody_stands_in_for_a_chosen_tutor(shop: Shop, change: Change) -> None:
    shop.m_caron()
    guest = shop.guest()
    shop.added(guest, shop.wanted(9, tutor=shop.mme_roy))
    lapse(shop, change)

    assert said(shop.cart(guest)) == [("09:00", True)]
    with nothing_written(shop.world.connection):
        assert pays(guest).code == "SLOTS_UNAVAILABLE"


@pytest.mark.parametrize("change", TAKES_EVERYBODY, ids=lambda change: change.__name__)
def test_another_tutor_does_not_help_when_nobody_could(shop: Shop, change: Change) -> None:
    shop.m_caron()
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))
    lapse(shop, change)

    assert said(shop.cart(guest)) == [("09:00", True)]
    with nothing_written(shop.world.connection):
        assert pays(guest).code == "SLOTS_UNAVAILABLE"


def test_a_lapsed_session_keeps_its_tutor_while_that_tutor_is_free(shop: Shop) -> None:
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))
    shop.world.clock.now += TTL
    shop.m_caron(priority=1)

    assert pays(guest).status == 201
    assert tutors(shop) == [(shop.mme_roy, shop.mme_roy)]


# --- a live hold ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [*HOURS, course_gone], ids=lambda change: change.__name__)
@pytest.mark.parametrize("chosen", [True, False], ids=["chosen tutor", "any tutor"])
def test_a_live_hold_is_honoured_whatever_hours_changed(shop: Shop, change: Change, *, chosen: bool) -> None:
    guest = shop.guest()
    before = shop.added(guest, shop.wanted(9, tutor=shop.mme_roy if chosen else None))
    shop.world.clock.now += TTL - MOMENT
    change(shop, shop.mme_roy)

    assert shop.cart(guest) == before
    answer = pays(guest)

    assert (answer.status, answer.body["amount_cad"]) == (201, "45.00")
    assert tutors(shop) == [(shop.mme_roy, shop.mme_roy)]


def test_a_live_hold_of_a_deactivated_tutor_is_not_honoured(shop: Shop) -> None:
    shop.m_caron()
    guest = shop.guest()
    shop.added(guest, shop.wanted(9, tutor=shop.mme_roy))
    deactivated(shop, shop.mme_roy)

    cart = shop.cart(guest)
    with nothing_written(shop.world.connection):
        answer = pays(guest)

    assert (said(cart), cart["items"][0]["hold_expired"]) == ([("09:00", True)], False)
    assert sums(cart) == ("0.00", "0.00", "0.00")
    assert (answer.code, answer.body["items"]) == ("SLOTS_UNAVAILABLE", cart["items"])


def test_a_live_hold_of_a_deactivated_tutor_moves_when_any_tutor_will_do(shop: Shop) -> None:
    m_caron, guest = shop.m_caron(), shop.guest()
    shop.added(guest, shop.wanted(9))
    deactivated(shop, shop.mme_roy)

    assert said(shop.cart(guest)) == [("09:00", False)]
    assert pays(guest).status == 201
    assert tutors(shop) == [(m_caron, m_caron)]


def test_the_same_session_replaces_the_hold_of_a_deactivated_tutor(shop: Shop) -> None:
    m_caron, guest = shop.m_caron(), shop.guest()
    shop.added(guest, shop.wanted(9))
    deactivated(shop, shop.mme_roy)

    assert said(shop.added(guest, shop.wanted(9))) == [("09:00", False)]
    assert tutors(shop) == [(m_caron, m_caron)]
    assert len(shop.claims()) == 1


# --- what is unavailable is in nobody's way -------------------------------------------------------------------


def test_what_is_unavailable_is_not_counted(shop: Shop) -> None:
    shop.world.school.coupon("SAVE10")
    guest = shop.guest()
    shop.added(guest, shop.wanted(9), shop.wanted(14, minutes=120))
    guest.put("/v1/cart/coupon", {"code": "SAVE10"})
    assert sums(shop.cart(guest)) == ("135.00", "13.50", "121.50")
    lapse(shop, time_off)

    cart = shop.cart(guest)

    assert said(cart) == [("09:00", True), ("14:00", False)]
    assert sums(cart) == ("90.00", "9.00", "81.00")


def test_every_answer_about_a_cart_says_the_same(shop: Shop) -> None:
    shop.world.school.coupon("SAVE10")
    guest = shop.guest()
    shop.added(guest, shop.wanted(9), shop.wanted(11))
    lapse(shop, time_off)

    answers = [
        shop.add(guest, shop.wanted(14)),
        guest.put("/v1/cart/coupon", {"code": "SAVE10"}),
        guest.delete("/v1/cart/coupon"),
        guest.delete(f"/v1/cart/items/{shop.cart(guest)['items'][2]['id']}"),
        guest.get("/v1/cart"),
    ]

    assert [said(answer.body)[:2] for answer in answers] == [[("09:00", True), ("11:00", False)]] * 5
    assert [answer.body["total_cad"] for answer in answers] == ["90.00", "81.00", "90.00", "45.00", "45.00"]


@pytest.mark.parametrize("hour", [(8, 30), (9, 0), (9, 30)])
def test_another_choice_may_take_the_time_of_one_that_is_unavailable(
    shop: Shop, hour: tuple[int, int]
) -> None:
    m_caron = shop.m_caron()
    shop.world.connection.execute("UPDATE availability_rules SET start_time = '08:00'")
    guest = shop.guest()
    shop.added(guest, shop.wanted(9, tutor=shop.mme_roy))
    lapse(shop, closed_day)

    cart = shop.added(guest, shop.wanted(*hour))

    assert sorted((item["tutor_display_name"], item["unavailable"]) for item in cart["items"]) == [
        ("M. Caron", False),
        ("Mme Roy", True),
    ]
    assert (cart["total_cad"], cart) == ("45.00", shop.cart(guest))
    assert tutors(shop) == [(m_caron, m_caron)]


def test_a_lapsed_session_that_could_be_had_is_still_in_the_way(shop: Shop) -> None:
    shop.m_caron()
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))
    shop.world.clock.now += TTL

    with nothing_written(shop.world.connection):
        assert shop.add(guest, shop.wanted(9, 30)).code == "OVERLAP"


def test_an_earlier_choice_does_not_come_back_beside_the_later_one(shop: Shop) -> None:
    """The time off that made room for another choice is taken back: the two may not overlap."""
    shop.m_caron()
    guest = shop.guest()
    shop.added(guest, shop.wanted(9, tutor=shop.mme_roy))
    lapse(shop, time_off)
    shop.added(guest, shop.wanted(9, 30))
    shop.world.connection.execute("DELETE FROM time_offs")

    assert said(shop.cart(guest)) == [("09:00", True), ("09:30", False)]
    shop.world.clock.now += TTL
    cart = shop.cart(guest)
    assert (said(cart), cart["total_cad"]) == ([("09:00", True), ("09:30", False)], "45.00")

    guest.delete(f"/v1/cart/items/{cart['items'][1]['id']}")
    assert said(shop.cart(guest)) == [("09:00", False)]


def test_without_the_unavailable_session_the_rest_is_paid(shop: Shop) -> None:
    guest = shop.guest()
    shop.added(guest, shop.wanted(9), shop.wanted(14))
    lapse(shop, time_off)
    [lost] = pays(guest).body["items"]

    guest.delete(f"/v1/cart/items/{lost['id']}")

    assert pays(guest).body["amount_cad"] == "45.00"


def test_the_price_of_what_is_unavailable_does_not_matter(shop: Shop) -> None:
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))
    lapse(shop, time_off)
    shop.world.connection.execute("UPDATE courses SET student_rate_cad = 50")

    with nothing_written(shop.world.connection):
        assert pays(guest).code == "SLOTS_UNAVAILABLE"


# --- a session that moved -------------------------------------------------------------------------------------


def test_a_moved_session_is_booked_and_paid_to_the_tutor_it_moved_to(shop: Shop) -> None:
    m_caron = shop.world.school.tutor(shop.course, name="M. Caron", rate="40.00", priority=100)
    student = Student(shop.world).chooses(shop.wanted(9))
    lapse(shop, time_off)
    student.starts().pays()

    assert [answer.status for answer in shop.world.webhooks()] == [200]

    [line] = shop.world.rows("SELECT tutor_id, rate_cad::text AS rate FROM earnings")
    [appointment] = shop.world.rows("SELECT tutor_id FROM appointments")
    assert (line, appointment) == ({"tutor_id": m_caron, "rate": "40.00"}, {"tutor_id": m_caron})
    assert shop.world.count("refunds") == 0


def test_a_payment_started_with_the_first_tutor_is_not_taken_for_that_of_the_second(shop: Shop) -> None:
    m_caron = shop.m_caron()
    student = Student(shop.world).chooses(shop.wanted(9)).starts()
    first = student.intent_id
    lapse(shop, time_off)
    version = student.cart["version"]

    student.starts()

    assert student.intent_id != first
    assert student.cart["version"] == version + 1
    student.pays()
    assert [answer.status for answer in shop.world.webhooks()] == [200]
    assert shop.world.rows("SELECT tutor_id FROM appointments") == [{"tutor_id": m_caron}]


def test_a_payment_of_the_first_tutor_that_overtook_the_move_is_booked_with_the_second(shop: Shop) -> None:
    """Stripe took the money while the checkout moved the session: its live hold says who gives it."""
    m_caron = shop.world.school.tutor(shop.course, name="M. Caron", rate="40.00", priority=100)
    student = Student(shop.world).chooses(shop.wanted(9)).starts()
    student.pays()
    lapse(shop, time_off)
    student.sends_form()

    shop.world.webhooks()

    [line] = shop.world.rows("SELECT tutor_id, rate_cad::text AS rate FROM earnings")
    [appointment] = shop.world.rows("SELECT tutor_id FROM appointments")
    assert (line, appointment) == ({"tutor_id": m_caron, "rate": "40.00"}, {"tutor_id": m_caron})
    assert shop.world.count("refunds") == 0
    assert overlapping_claims(shop.world.connection) == 0
    assert sessions_without_their_hold(shop.world.connection, shop.world.clock()) == 0


def test_a_session_moves_to_the_next_tutor_when_the_first_is_taken_at_that_moment(shop: Shop) -> None:
    """Two that could: the best by priority gives it."""
    shop.m_caron(priority=30)
    blais = shop.world.school.tutor(shop.course, name="Mme Blais", priority=20)
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))
    lapse(shop, time_off)

    assert pays(guest).status == 201
    assert tutors(shop) == [(blais, blais)]
