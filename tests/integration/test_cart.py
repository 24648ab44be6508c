"""The cart through its routes: putting sessions in, holding their times, taking them out (appendix A.2)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.browser import Browser
from tests.support.shop import NINE, Shop
from tests.support.tables import nothing_written
from tests.support.world import FORM, World, toronto, wanted

TTL = timedelta(minutes=15)
MOMENT = timedelta(milliseconds=1)  # API Gateway tells the time in milliseconds


@pytest.fixture
def shop(world: World) -> Shop:
    return Shop(world)


def starts(cart: dict[str, Any]) -> list[str]:
    return [item["start"] for item in cart["items"]]


def tutors(cart: dict[str, Any]) -> list[str]:
    return [item["tutor_display_name"] for item in cart["items"]]


def expiries(cart: dict[str, Any]) -> dict[str, str]:
    return {item["id"]: item["hold_expires_at"] for item in cart["items"]}


# --- what a cart is -------------------------------------------------------------------------------------------


def test_a_first_visit_answers_an_empty_cart(shop: Shop) -> None:
    cart = shop.cart(shop.guest())

    assert cart == {
        "id": cart["id"],
        "version": 0,
        "items": [],
        "coupon": None,
        "subtotal_cad": "0.00",
        "discount_cad": "0.00",
        "total_cad": "0.00",
        "credits_available_cad": "0.00",
        "currency": "CAD",
    }


def test_the_second_visit_finds_the_same_cart(shop: Shop) -> None:
    guest = shop.guest()

    cart = shop.added(guest, shop.wanted(9))

    assert shop.cart(guest) == shop.cart(guest) == cart
    assert shop.world.count("carts") == 1


def test_a_cart_shows_each_session_with_its_price_its_tutor_and_its_hold(shop: Shop) -> None:
    cart = shop.added(shop.guest(), shop.wanted(9, minutes=90))

    assert cart["items"] == [
        {
            "id": cart["items"][0]["id"],
            "course_id": str(shop.course),
            "course_title_fr": "Cours francais-secondaire",
            "tutor_display_name": "Mme Roy",
            "start": "2027-01-20T09:00:00-05:00",
            "end": "2027-01-20T10:30:00-05:00",
            "duration_min": 90,
            "price_cad": "67.50",
            "hold_expires_at": "2027-01-18T12:15:00-05:00",
            "hold_expired": False,
            "unavailable": False,
            "student_overlap": False,
        }
    ]
    assert (cart["version"], cart["total_cad"], cart["currency"]) == (1, "67.50", "CAD")


def test_the_cart_that_adding_answers_is_the_cart_one_sees_afterwards(shop: Shop) -> None:
    guest = shop.guest()
    shop.world.school.coupon("SAVE10")
    shop.added(guest, shop.wanted(14))
    guest.put("/v1/cart/coupon", {"code": "SAVE10"})

    assert shop.added(guest, shop.wanted(9), shop.wanted(11)) == shop.cart(guest)


def test_a_cart_is_never_kept_by_a_cache(shop: Shop) -> None:
    assert shop.guest().get("/v1/cart").headers["Cache-Control"] == "no-store"


def test_no_answer_about_a_cart_contains_a_tutors_rate_or_id(shop: Shop) -> None:
    """A.2.7: what Mme Roy earns (31.41 an hour) stays between her and the house."""
    guest, school = shop.guest(), shop.world.school
    secret = school.tutor(shop.course, name="Mme Secret", rate="31.41", priority=1)
    school.coupon("SAVE10")
    shop.added(shop.guest(), shop.wanted(9, tutor=secret))
    answers = [
        shop.add(guest, shop.wanted(10), shop.wanted(14, tutor=secret)),
        shop.add(guest, shop.wanted(9, tutor=secret)),
        guest.get("/v1/cart"),
        guest.put("/v1/cart/coupon", {"code": "SAVE10"}),
        guest.delete("/v1/cart/coupon"),
    ]
    item_id = answers[0].body["items"][0]["id"]
    answers += [guest.delete(f"/v1/cart/items/{item_id}"), guest.delete(f"/v1/cart/items/{secret}")]

    assert [answer.status for answer in answers] == [201, 409, 200, 200, 200, 200, 404]
    for answer in answers:
        assert "31.41" not in answer.text
        assert str(secret) not in answer.text


@pytest.mark.parametrize(
    ("rate", "prices"),
    [("45.00", ["45.00", "67.50", "90.00"]), ("45.35", ["45.35", "68.03", "90.70"])],
)
def test_the_price_is_the_courses_rate_for_the_duration_whoever_gives_it(
    shop: Shop, rate: str, prices: list[str]
) -> None:
    shop.world.connection.execute("UPDATE courses SET student_rate_cad = %s", (rate,))

    cart = shop.added(
        shop.guest(), shop.wanted(9, minutes=60), shop.wanted(11, minutes=90), shop.wanted(14, minutes=120)
    )

    assert [item["price_cad"] for item in cart["items"]] == prices


# --- putting sessions in --------------------------------------------------------------------------------------


def test_three_sessions_then_two_and_the_first_time_is_offered_again_at_once(shop: Shop) -> None:
    """A.2.1."""
    guest = shop.guest()
    cart = shop.added(guest, shop.wanted(9), shop.wanted(10), shop.wanted(11))
    assert cart["total_cad"] == "135.00"
    assert not shop.offers(NINE)

    shop.world.clock.advance(minutes=3)
    first, *others = cart["items"]
    after = guest.delete(f"/v1/cart/items/{first['id']}")

    assert (after.status, after.body["total_cad"]) == (200, "90.00")
    assert after.body["items"] == others  # their expiry too
    assert shop.offers(NINE)
    assert [claim["expires_at"] for claim in shop.claims()] == [toronto(18, 12, 15)] * 2
    shop.added(shop.guest(), shop.wanted(9))


def test_sessions_are_shown_by_start_whatever_the_order_they_were_wanted_in(shop: Shop) -> None:
    cart = shop.added(shop.guest(), shop.wanted(14), shop.wanted(9), shop.wanted(11))

    assert starts(cart) == [toronto(20, hour).isoformat() for hour in (9, 11, 14)]


def test_each_session_of_the_cart_owns_its_time_under_its_own_id(shop: Shop) -> None:
    cart = shop.added(shop.guest(), shop.wanted(9), shop.wanted(14, 30, minutes=120))

    assert [
        (str(claim["id"]), claim["tutor_id"], claim["during"].lower, claim["during"].upper, claim["kind"])
        for claim in shop.claims()
    ] == [
        (cart["items"][0]["id"], shop.mme_roy, toronto(20, 9), toronto(20, 10), "hold"),
        (cart["items"][1]["id"], shop.mme_roy, toronto(20, 14, 30), toronto(20, 16, 30), "hold"),
    ]


def test_the_same_session_again_is_already_in_the_cart(shop: Shop) -> None:
    """A.2.2."""
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))

    with nothing_written(shop.world.connection):
        answer = shop.add(guest, shop.wanted(9))

    assert (answer.status, answer.code) == (409, "ALREADY_IN_CART")
    assert answer.body["detail"] == "Cet élément est déjà dans votre panier"


def test_the_same_session_with_anyone_is_already_in_the_cart_though_another_tutor_is_free(shop: Shop) -> None:
    guest = shop.guest()
    shop.m_caron()
    shop.added(guest, shop.wanted(9))

    assert shop.add(guest, shop.wanted(9)).code == "ALREADY_IN_CART"


def test_the_same_session_twice_in_one_list_is_refused(shop: Shop) -> None:
    with nothing_written(shop.world.connection):
        answer = shop.add(shop.guest(), shop.wanted(9), shop.wanted(9))

    assert (answer.status, answer.code) == (409, "ALREADY_IN_CART")


OVERLAP = "Vous ne pouvez pas sélectionner des créneaux qui se chevauchent. Veuillez choisir des heures différentes."


@pytest.mark.parametrize("in_one_list", [True, False])
@pytest.mark.parametrize(
    ("first", "second", "accepted"),
    [
        ("anyone", "anyone", False),
        ("anyone", "M. Caron", False),
        ("Mme Roy", "anyone", False),
        ("Mme Roy", "Mme Roy", False),
        ("Mme Roy", "M. Caron", True),
    ],
)
def test_only_two_different_chosen_tutors_may_overlap_in_one_cart(
    shop: Shop, first: str, second: str, *, accepted: bool, in_one_list: bool
) -> None:
    """A.2.4, X-54."""
    chosen = {"anyone": None, "Mme Roy": shop.mme_roy, "M. Caron": shop.m_caron()}
    one, other = shop.wanted(9, tutor=chosen[first]), shop.wanted(9, 30, tutor=chosen[second])
    guest = shop.guest()
    if not in_one_list:
        shop.added(guest, one)

    before = shop.cart(guest)
    answer = shop.add(guest, one, other) if in_one_list else shop.add(guest, other)

    if accepted:
        assert (answer.status, tutors(answer.body)) == (201, [first, second])
    else:
        assert (answer.status, answer.code, answer.body["detail"]) == (409, "OVERLAP", OVERLAP)
        assert shop.cart(guest) == before


def test_adjacent_sessions_do_not_overlap(shop: Shop) -> None:
    cart = shop.added(shop.guest(), shop.wanted(9), shop.wanted(10), shop.wanted(8 + 3))

    assert len(cart["items"]) == 3


def test_two_carts_of_two_people_may_overlap_with_two_tutors(shop: Shop) -> None:
    shop.m_caron()

    assert tutors(shop.added(shop.guest(), shop.wanted(9))) == ["Mme Roy"]
    assert tutors(shop.added(shop.guest(), shop.wanted(9, 30))) == ["M. Caron"]


# --- who gives it ---------------------------------------------------------------------------------------------


def test_without_a_choice_the_tutor_with_the_lowest_priority_number_gives_it(shop: Shop) -> None:
    shop.m_caron(priority=1)

    assert tutors(shop.added(shop.guest(), shop.wanted(9))) == ["M. Caron"]


def test_of_two_equal_tutors_the_older_account_gives_it(shop: Shop) -> None:
    shop.world.school.tutor(
        shop.course, name="M. Ancien", priority=10, created_at=datetime(2025, 1, 1, tzinfo=UTC)
    )

    assert tutors(shop.added(shop.guest(), shop.wanted(9))) == ["M. Ancien"]


def test_when_the_best_tutor_is_taken_the_next_ones_follow_by_priority(shop: Shop) -> None:
    shop.m_caron(priority=30)
    shop.world.school.tutor(shop.course, name="Mme Blais", priority=20)

    given = [tutors(shop.added(shop.guest(), shop.wanted(9))) for _ in range(3)]
    answer = shop.add(shop.guest(), shop.wanted(9))

    assert given == [["Mme Roy"], ["Mme Blais"], ["M. Caron"]]
    assert (answer.status, answer.code) == (409, "SLOT_UNAVAILABLE")


@pytest.mark.parametrize("reason", ["appointment", "hold", "time off", "closed day", "hours"])
def test_a_better_tutor_who_cannot_is_passed_over(shop: Shop, reason: str) -> None:
    shop.m_caron()
    keep_from_nine_to_ten(shop, reason)

    assert tutors(shop.added(shop.guest(), shop.wanted(9))) == ["M. Caron"]


def test_a_chosen_tutor_gives_it_though_a_better_one_is_free(shop: Shop) -> None:
    cart = shop.added(shop.guest(), shop.wanted(9, tutor=shop.m_caron()))

    assert tutors(cart) == ["M. Caron"]


def test_nobody_stands_in_for_a_chosen_tutor(shop: Shop) -> None:
    shop.m_caron()
    shop.added(shop.guest(), shop.wanted(9, tutor=shop.mme_roy))

    with nothing_written(shop.world.connection):
        answer = shop.add(shop.guest(), shop.wanted(9, 30, tutor=shop.mme_roy))

    assert (answer.status, answer.code) == (409, "SLOT_UNAVAILABLE")


# --- what is refused ------------------------------------------------------------------------------------------


def keep_from_nine_to_ten(shop: Shop, reason: str) -> None:
    school, now = shop.world.school, shop.world.clock()
    match reason:
        case "appointment":
            school.claim(shop.mme_roy, NINE, toronto(20, 10))
        case "hold":
            school.claim(shop.mme_roy, NINE, toronto(20, 10), expires_at=now + MOMENT)
        case "time off":
            school.time_off(shop.mme_roy, toronto(20, 9, 50), toronto(20, 10, 5))
        case "closed day":
            school.exception(shop.mme_roy, "closed", NINE.date())
        case "hours":
            shop.world.connection.execute(
                "UPDATE availability_rules SET start_time = '09:30' WHERE tutor_id = %s", (shop.mme_roy,)
            )


@pytest.mark.parametrize("reason", ["appointment", "hold", "time off", "closed day", "hours"])
@pytest.mark.parametrize("chosen", [True, False])
def test_a_time_that_is_not_offered_cannot_be_had(shop: Shop, reason: str, *, chosen: bool) -> None:
    """X-07: everything that makes the calendar is asked again, whatever the page showed."""
    keep_from_nine_to_ten(shop, reason)
    assert not shop.offers(NINE)

    with nothing_written(shop.world.connection):
        answer = shop.add(shop.guest(), shop.wanted(9, tutor=shop.mme_roy if chosen else None))

    assert (answer.status, answer.code) == (409, "SLOT_UNAVAILABLE")
    assert answer.body["detail"] == "Ce créneau n'est plus disponible"


@pytest.mark.parametrize(("hour", "minute"), [(8, 30), (9, 30), (10, 0)])
def test_a_stranger_s_hold_blocks_its_whole_length(shop: Shop, hour: int, minute: int) -> None:
    shop.world.connection.execute("UPDATE availability_rules SET start_time = '08:00'")
    shop.added(shop.guest(), shop.wanted(9, minutes=90))

    with nothing_written(shop.world.connection):
        answer = shop.add(shop.guest(), shop.wanted(hour, minute))

    assert (answer.status, answer.code) == (409, "SLOT_UNAVAILABLE")


def test_a_session_that_does_not_fit_before_the_tutor_leaves_is_refused(shop: Shop) -> None:
    assert shop.add(shop.guest(), shop.wanted(16, minutes=60)).status == 201
    assert shop.add(shop.guest(), shop.wanted(14, 30, minutes=120)).code == "SLOT_UNAVAILABLE"
    assert shop.add(shop.guest(), shop.wanted(15, 0, minutes=60)).status == 201


def test_a_session_in_the_past_or_too_close_is_refused_to_the_boundary(shop: Shop) -> None:
    shop.world.clock.now = (NINE - timedelta(hours=12) + MOMENT).astimezone(UTC)
    with nothing_written(shop.world.connection):
        answer = shop.add(shop.guest(), shop.wanted(9))
    assert (answer.status, answer.code) == (422, "TOO_SOON")
    assert answer.body["detail"] == "Ce créneau doit être réservé au moins 12 heures à l'avance"

    shop.world.clock.now -= MOMENT
    assert shop.add(shop.guest(), shop.wanted(9)).status == 201


def test_eleven_hours_fifty_nine_is_too_close(shop: Shop) -> None:
    shop.world.clock.now = (NINE - timedelta(hours=11, minutes=59)).astimezone(UTC)

    assert shop.add(shop.guest(), shop.wanted(9)).code == "TOO_SOON"


def test_sixty_days_ahead_can_be_had_and_not_a_half_hour_more(shop: Shop) -> None:
    last = wanted(shop.course, toronto(19, 12, month=3))  # an hour later on the wall clock: summer time
    last["start"] = (shop.world.clock() + timedelta(days=60)).isoformat()
    beyond = last | {"start": (shop.world.clock() + timedelta(days=60, minutes=30)).isoformat()}

    with nothing_written(shop.world.connection):
        answer = shop.add(shop.guest(), beyond)
    assert (answer.status, answer.code) == (422, "TOO_FAR")
    assert answer.body["detail"] == "Ce créneau ne peut pas être réservé plus de 60 jours à l'avance"

    assert starts(shop.added(shop.guest(), last)) == ["2027-03-19T13:00:00-04:00"]


def test_a_course_that_is_not_sold_cannot_be_had(shop: Shop) -> None:
    closed = shop.world.school.course("ferme", active=False)
    shop.world.school.assign(shop.mme_roy, closed)

    with nothing_written(shop.world.connection):
        answer = shop.add(shop.guest(), wanted(closed, NINE))

    assert (answer.status, answer.code, answer.body["detail"]) == (
        404,
        "COURSE_NOT_FOUND",
        "Cours introuvable",
    )


@pytest.mark.parametrize("who", ["inactive", "inactive assignment", "of another course"])
def test_a_tutor_who_does_not_give_the_course_cannot_be_chosen(shop: Shop, who: str) -> None:
    school = shop.world.school
    match who:
        case "inactive":
            tutor = school.tutor(shop.course, active=False)
        case "inactive assignment":
            tutor = school.tutor()
            school.assign(tutor, shop.course, active=False)
        case _:
            tutor = school.tutor(school.course("maths"))

    with nothing_written(shop.world.connection):
        answer = shop.add(shop.guest(), shop.wanted(9, tutor=tutor))

    assert (answer.status, answer.code, answer.body["detail"]) == (
        404,
        "TUTOR_NOT_FOUND",
        "Tuteur introuvable",
    )


def test_a_course_nobody_gives_has_no_time_to_offer(shop: Shop) -> None:
    answer = shop.add(shop.guest(), wanted(shop.world.school.course("latin"), NINE))

    assert (answer.status, answer.code) == (409, "SLOT_UNAVAILABLE")


# --- all or nothing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ({"hour": 12}, "SLOT_UNAVAILABLE"),
        ({"hour": 10, "minute": 30}, "OVERLAP"),
        ({"hour": 9}, "ALREADY_IN_CART"),
        ({"hour": 12, "minutes": 45}, "INVALID_DURATION"),
        ({"hour": 12, "minute": 15}, "OFF_GRID"),
        ({"hour": 20, "day": 18}, "TOO_SOON"),
    ],
)
def test_one_bad_session_among_three_and_nothing_is_written(
    shop: Shop, bad: dict[str, Any], code: str, place: int
) -> None:
    guest = shop.guest()
    shop.added(shop.guest(), shop.wanted(12))
    shop.added(guest, shop.wanted(9), shop.wanted(10))
    sessions = [shop.wanted(14), shop.wanted(15)]
    sessions.insert(place, shop.wanted(**bad))
    version = shop.cart(guest)["version"]

    with nothing_written(shop.world.connection):
        answer = shop.add(guest, *sessions)

    assert answer.code == code
    assert shop.cart(guest)["version"] == version
    assert shop.offers(toronto(20, 14))


def test_a_list_of_courses_is_refused_whole_when_one_course_is_unknown(shop: Shop) -> None:
    with nothing_written(shop.world.connection):
        answer = shop.add(shop.guest(), shop.wanted(9), wanted(shop.mme_roy, toronto(20, 10)))

    assert answer.code == "COURSE_NOT_FOUND"


def test_each_change_moves_the_version_by_one_and_looking_does_not(shop: Shop) -> None:
    guest = shop.guest()
    shop.world.school.coupon("SAVE10")
    cart = shop.added(guest, shop.wanted(9), shop.wanted(10), shop.wanted(11))
    item_id = cart["items"][0]["id"]

    versions = [
        cart["version"],
        shop.cart(guest)["version"],
        guest.delete(f"/v1/cart/items/{item_id}").body["version"],
        guest.put("/v1/cart/coupon", {"code": "save10"}).body["version"],
        guest.delete("/v1/cart/coupon").body["version"],
        shop.cart(guest)["version"],
    ]

    assert versions == [1, 1, 2, 3, 4, 4]


# --- holds ----------------------------------------------------------------------------------------------------


def test_a_hold_stands_for_fifteen_minutes_to_the_instant(shop: Shop) -> None:
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))

    shop.world.clock.now += TTL - MOMENT
    assert [(item["hold_expired"], item["unavailable"]) for item in shop.cart(guest)["items"]] == [
        (False, False)
    ]
    assert not shop.offers(NINE)
    assert shop.add(shop.guest(), shop.wanted(9)).code == "SLOT_UNAVAILABLE"

    shop.world.clock.now += MOMENT
    assert [(item["hold_expired"], item["unavailable"]) for item in shop.cart(guest)["items"]] == [
        (True, False)
    ]
    assert shop.offers(NINE)
    shop.added(shop.guest(), shop.wanted(9))
    assert [(item["hold_expired"], item["unavailable"]) for item in shop.cart(guest)["items"]] == [
        (True, True)
    ]


def look(shop: Shop, guest: Browser) -> int:
    return guest.get("/v1/cart").status


def add_it_again(shop: Shop, guest: Browser) -> int:
    return shop.add(guest, shop.wanted(9)).status


def add_another(shop: Shop, guest: Browser) -> int:
    return shop.add(guest, shop.wanted(14)).status


def add_one_that_collides(shop: Shop, guest: Browser) -> int:
    return shop.add(guest, shop.wanted(9, 30)).status


def remove_another(shop: Shop, guest: Browser) -> int:
    cart = shop.added(guest, shop.wanted(14))
    return guest.delete(f"/v1/cart/items/{cart['items'][1]['id']}").status


def put_a_coupon_on(shop: Shop, guest: Browser) -> int:
    return guest.put("/v1/cart/coupon", {"code": "SAVE10"}).status


def take_the_coupon_off(shop: Shop, guest: Browser) -> int:
    return guest.delete("/v1/cart/coupon").status


def start_to_pay(shop: Shop, guest: Browser) -> int:
    return guest.post("/v1/checkout", FORM).status


def start_to_pay_twice(shop: Shop, guest: Browser) -> int:
    start_to_pay(shop, guest)
    return start_to_pay(shop, guest)


def start_to_pay_without_success(shop: Shop, guest: Browser) -> int:
    return guest.post("/v1/checkout", FORM | {"account": FORM["account"] | {"password": "court"}}).status


@pytest.mark.parametrize(
    ("act", "status"),
    [
        (look, 200),
        (add_it_again, 409),
        (add_another, 201),
        (add_one_that_collides, 409),
        (remove_another, 200),
        (put_a_coupon_on, 200),
        (take_the_coupon_off, 200),
        (start_to_pay, 201),
        (start_to_pay_twice, 201),
        (start_to_pay_without_success, 422),
    ],
)
def test_nothing_makes_a_hold_last_longer(shop: Shop, act: Any, status: int) -> None:
    shop.world.school.coupon("SAVE10")
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))
    shop.world.clock.advance(minutes=14)

    assert act(shop, guest) == status

    nine = next(item for item in shop.cart(guest)["items"] if item["start"] == NINE.isoformat())
    assert nine["hold_expires_at"] == "2027-01-18T12:15:00-05:00"
    assert shop.claims()[0]["expires_at"] == toronto(18, 12, 15)


def test_adding_the_same_session_once_its_hold_has_lapsed_holds_it_anew(shop: Shop) -> None:
    guest = shop.guest()
    shop.world.school.coupon("SAVE10")
    guest.put("/v1/cart/coupon", {"code": "SAVE10"})
    [old] = shop.added(guest, shop.wanted(9))["items"]
    shop.world.clock.now += TTL

    cart = shop.added(guest, shop.wanted(9))

    [new] = cart["items"]
    assert new["id"] != old["id"]
    assert (new["hold_expired"], new["unavailable"]) == (False, False)
    assert new["hold_expires_at"] == "2027-01-18T12:30:00-05:00"
    assert [str(claim["id"]) for claim in shop.claims()] == [new["id"]]
    assert cart["total_cad"] == "40.50"
    assert guest.delete(f"/v1/cart/items/{old['id']}").body["items"] == [new]


def test_a_session_with_anyone_may_come_back_with_another_tutor(shop: Shop) -> None:
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))
    shop.world.clock.now += TTL
    shop.added(shop.guest(), shop.wanted(9))
    shop.m_caron()

    assert tutors(shop.added(guest, shop.wanted(9))) == ["M. Caron"]


def test_a_lapsed_session_somebody_else_took_cannot_be_added_again(shop: Shop) -> None:
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))
    shop.world.clock.now += TTL
    shop.added(shop.guest(), shop.wanted(9, 30))

    with nothing_written(shop.world.connection):
        answer = shop.add(guest, shop.wanted(9))

    assert (answer.status, answer.code) == (409, "SLOT_UNAVAILABLE")


def test_one_lapsed_session_does_not_disturb_those_added_later(shop: Shop) -> None:
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))
    shop.world.clock.advance(minutes=5)
    shop.added(guest, shop.wanted(11))
    shop.world.clock.advance(minutes=10)

    assert [item["hold_expired"] for item in shop.cart(guest)["items"]] == [True, False]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE courses SET active = false",
        "UPDATE tutors SET active = false",
        "UPDATE tutor_courses SET active = false",
    ],
)
def test_a_lapsed_session_that_is_not_taught_any_more_is_unavailable(shop: Shop, statement: str) -> None:
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))
    shop.world.clock.now += TTL
    assert [item["unavailable"] for item in shop.cart(guest)["items"]] == [False]

    shop.world.connection.execute(statement)

    assert [item["unavailable"] for item in shop.cart(guest)["items"]] == [True]


def test_a_lapsed_session_is_available_again_once_its_next_holder_let_it_lapse_too(shop: Shop) -> None:
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))
    shop.world.clock.now += TTL
    shop.added(shop.guest(), shop.wanted(9, 30))

    shop.world.clock.now += TTL - MOMENT
    assert [item["unavailable"] for item in shop.cart(guest)["items"]] == [True]
    shop.world.clock.now += MOMENT
    assert [item["unavailable"] for item in shop.cart(guest)["items"]] == [False]


def test_a_hold_that_was_swept_away_shows_as_expired(shop: Shop) -> None:
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))
    shop.world.clock.now += TTL
    shop.world.connection.execute("DELETE FROM time_claims")

    [item] = shop.cart(guest)["items"]

    assert (item["hold_expired"], item["unavailable"]) == (True, False)
    assert item["hold_expires_at"] == "2027-01-18T12:15:00-05:00"


def test_paying_holds_a_lapsed_session_anew_when_its_time_is_free(shop: Shop) -> None:
    """A.2.6."""
    guest = shop.guest()
    [lapsed] = shop.added(guest, shop.wanted(9))["items"]
    shop.world.clock.now += TTL

    answer = guest.post("/v1/checkout", FORM)

    assert (answer.status, answer.body["status"]) == (201, "requires_payment")
    assert shop.cart(guest)["items"] == [lapsed | {"hold_expires_at": "2027-01-18T12:30:00-05:00"}]
    assert [claim["expires_at"] for claim in shop.claims()] == [toronto(18, 12, 30)]


def test_paying_is_refused_with_the_lost_sessions_when_a_time_is_gone(shop: Shop) -> None:
    """A.2.6."""
    guest = shop.guest()
    shop.added(guest, shop.wanted(9), shop.wanted(11))
    shop.world.clock.now += TTL
    shop.added(shop.guest(), shop.wanted(9, 30))

    with nothing_written(shop.world.connection):
        answer = guest.post("/v1/checkout", FORM)

    assert (answer.status, answer.code) == (409, "SLOTS_UNAVAILABLE")
    assert answer.body["detail"] == "Certains créneaux de votre panier ne sont plus disponibles"
    assert [(item["start"], item["unavailable"]) for item in answer.body["items"]] == [
        (NINE.isoformat(), True)
    ]
    assert not shop.world.stripe.webhooks.take("payment_intent.created")


def let_it_lapse_and_spoil_it(shop: Shop, how: str) -> None:
    shop.world.clock.now += TTL
    match how:
        case "time off":
            shop.world.school.time_off(shop.mme_roy, NINE, toronto(20, 10))
        case "closed day":
            shop.world.school.exception(shop.mme_roy, "closed", NINE.date())
        case "no more hours":
            shop.world.connection.execute("DELETE FROM availability_rules")
        case "tutor gone":
            shop.world.connection.execute("UPDATE tutors SET active = false")
        case "assignment gone":
            shop.world.connection.execute("UPDATE tutor_courses SET active = false")
        case "course gone":
            shop.world.connection.execute("UPDATE courses SET active = false")
        case "too soon":
            shop.world.clock.now = (NINE - timedelta(hours=12) + MOMENT).astimezone(UTC)
        case "past":
            shop.world.clock.now = (NINE + timedelta(days=1)).astimezone(UTC)


@pytest.mark.parametrize(
    "how",
    [
        "time off",
        "closed day",
        "no more hours",
        "tutor gone",
        "assignment gone",
        "course gone",
        "too soon",
        "past",
    ],
)
def test_a_lapsed_session_that_could_not_be_added_any_more_cannot_be_paid(shop: Shop, how: str) -> None:
    """X-07 for the second hold too: nobody pays for a session that is over, or on a tutor's day off."""
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))
    let_it_lapse_and_spoil_it(shop, how)

    with nothing_written(shop.world.connection):
        answer = guest.post("/v1/checkout", FORM)

    assert (answer.status, answer.code) == (409, "SLOTS_UNAVAILABLE")
    assert [item["start"] for item in answer.body["items"]] == [NINE.isoformat()]


def test_a_lapsed_session_can_be_paid_until_twelve_hours_before(shop: Shop) -> None:
    guest = shop.guest()
    shop.added(guest, shop.wanted(9))
    shop.world.clock.now = (NINE - timedelta(hours=12)).astimezone(UTC)

    assert guest.post("/v1/checkout", FORM).status == 201


def test_lapsed_sessions_of_different_days_and_tutors_are_held_anew_together(shop: Shop) -> None:
    guest, m_caron = shop.guest(), shop.m_caron()
    shop.added(guest, shop.wanted(9), shop.wanted(14, day=25), shop.wanted(10, day=22, tutor=m_caron))
    shop.world.clock.now += TTL
    shop.added(guest, shop.wanted(16))
    shop.world.clock.advance(minutes=5)

    assert guest.post("/v1/checkout", FORM).status == 201

    assert [item["hold_expires_at"][11:16] for item in shop.cart(guest)["items"]] == [
        "12:35",
        "12:30",
        "12:35",
        "12:35",
    ]


# --- the cap on holds (X-73) ----------------------------------------------------------------------------------


def twenty(shop: Shop) -> list[dict[str, Any]]:
    return [shop.wanted(hour, day=day) for day in (20, 21, 22) for hour in range(9, 17)][:20]


def test_the_twenty_first_hold_is_refused_until_the_first_one_lapses(shop: Shop) -> None:
    guest, one_more = shop.guest(), shop.wanted(16, day=23)
    first, *others = twenty(shop)
    shop.added(guest, first)
    shop.world.clock.advance(minutes=4, seconds=30)
    shop.added(guest, *others)

    with nothing_written(shop.world.connection):
        answer = shop.add(guest, one_more)
    assert (answer.status, answer.code) == (429, "HOLD_LIMIT")
    assert answer.headers["Retry-After"] == "630"
    assert answer.body["detail"] == (
        "Vous réservez déjà le nombre maximal de créneaux. Payez-les ou retirez-en avant d'en ajouter."
    )

    shop.world.clock.advance(seconds=630)
    assert len(shop.added(guest, one_more)["items"]) == 21


def test_a_session_taken_out_makes_room_for_another(shop: Shop) -> None:
    guest = shop.guest()
    cart = shop.added(guest, *twenty(shop))
    guest.delete(f"/v1/cart/items/{cart['items'][7]['id']}")

    assert len(shop.added(guest, shop.wanted(16, day=23))["items"]) == 20


def test_a_list_that_would_pass_the_cap_is_refused_whole(shop: Shop) -> None:
    with nothing_written(shop.world.connection):
        answer = shop.add(shop.guest(), *twenty(shop), shop.wanted(16, day=23))

    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (429, "HOLD_LIMIT", "900")


def test_one_person_s_holds_leave_the_next_person_room(shop: Shop) -> None:
    shop.added(shop.guest(), *twenty(shop))

    assert shop.add(shop.guest(), shop.wanted(16, day=23)).status == 201


# --- taking sessions out --------------------------------------------------------------------------------------


def test_taking_out_twice_is_harmless(shop: Shop) -> None:
    guest = shop.guest()
    cart = shop.added(guest, shop.wanted(9), shop.wanted(10))
    path = f"/v1/cart/items/{cart['items'][0]['id']}"
    once = guest.delete(path)

    with nothing_written(shop.world.connection):
        twice = guest.delete(path)

    assert (once.status, twice.status) == (200, 200)
    assert twice.body == once.body
    assert starts(twice.body) == [toronto(20, 10).isoformat()]


def test_the_last_session_out_leaves_the_coupon_on_an_empty_cart(shop: Shop) -> None:
    guest = shop.guest()
    shop.world.school.coupon("SAVE10")
    [item] = shop.added(guest, shop.wanted(9))["items"]
    guest.put("/v1/cart/coupon", {"code": "SAVE10"})

    cart = guest.delete(f"/v1/cart/items/{item['id']}").body

    assert (cart["items"], cart["coupon"]["code"], cart["discount_cad"], cart["total_cad"]) == (
        [],
        "SAVE10",
        "0.00",
        "0.00",
    )
    assert shop.claims() == []


def test_taking_out_a_lapsed_session_leaves_whoever_has_its_time_now_in_peace(shop: Shop) -> None:
    guest, other = shop.guest(), shop.guest()
    [item] = shop.added(guest, shop.wanted(9))["items"]
    shop.world.clock.now += TTL
    theirs = shop.added(other, shop.wanted(9))

    assert guest.delete(f"/v1/cart/items/{item['id']}").body["items"] == []
    assert shop.cart(other) == theirs
    assert [str(claim["id"]) for claim in shop.claims()] == [theirs["items"][0]["id"]]


@pytest.mark.parametrize("caller", ["with a cart", "with an empty cart", "without a cookie", "signed in"])
def test_a_strangers_session_an_old_one_of_theirs_and_an_unknown_one_look_the_same(
    shop: Shop, caller: str
) -> None:
    """A.2.5."""
    stranger = shop.guest()
    cart = shop.added(stranger, shop.wanted(9), shop.wanted(10))
    removed, kept = (item["id"] for item in cart["items"])
    stranger.delete(f"/v1/cart/items/{removed}")
    me = shop.signed_in() if caller == "signed in" else shop.guest()
    if caller != "without a cookie":
        shop.cart(me)
    if caller == "with a cart":
        shop.added(me, shop.wanted(14))

    with nothing_written(shop.world.connection):
        answers = [me.delete(f"/v1/cart/items/{item_id}") for item_id in (removed, kept, shop.course)]

    for answer in answers:
        assert (answer.status, answer.code, answer.body["detail"]) == (
            404,
            "ITEM_NOT_FOUND",
            "Élément introuvable",
        )
    strip = [{**answer.body, "instance": ""} for answer in answers]
    assert strip[0] == strip[1] == strip[2]
    assert [answer.headers for answer in answers] == [answers[0].headers] * 3
    assert [answer.cookies for answer in answers] == [[]] * 3
    assert len(shop.cart(stranger)["items"]) == 1
