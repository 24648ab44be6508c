"""Coupons in the cart (spec 3.4, appendix A.3)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.browser import Answer, Browser
from tests.support.shop import Shop
from tests.support.tables import nothing_written
from tests.support.world import World, toronto

MOMENT = timedelta(milliseconds=1)
ONE = toronto(18, 13)


@pytest.fixture
def shop(world: World) -> Shop:
    return Shop(world)


def put(visitor: Browser, code: str) -> Answer:
    return visitor.put("/v1/cart/coupon", {"code": code})


def sums(cart: dict[str, Any]) -> tuple[str, str, str]:
    return cart["subtotal_cad"], cart["discount_cad"], cart["total_cad"]


def full_cart(shop: Shop, visitor: Browser) -> None:
    """Two sessions at 90.00."""
    shop.added(visitor, shop.wanted(9, minutes=120), shop.wanted(11, minutes=120))


@pytest.mark.parametrize("who", ["guest", "student"])
@pytest.mark.parametrize("typed", ["SAVE10", "save10", "  Save10 "])
def test_ten_percent_of_180_whatever_the_case_and_whoever_types_it(shop: Shop, typed: str, who: str) -> None:
    """A.3.1."""
    shop.world.school.coupon("SAVE10")
    visitor = shop.guest() if who == "guest" else shop.signed_in()
    full_cart(shop, visitor)

    answer = put(visitor, typed)

    assert (answer.status, sums(answer.body)) == (200, ("180.00", "18.00", "162.00"))
    assert answer.body["coupon"] == {"code": "SAVE10", "type": "percent", "value": "10.00", "valid": True}
    assert shop.cart(visitor) == answer.body


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("fixed", "20", ("180.00", "20.00", "160.00")),
        ("fixed", "500", ("180.00", "180.00", "0.00")),  # A.3.2
        ("percent", "100", ("180.00", "180.00", "0.00")),
        ("percent", "33.33", ("180.00", "59.99", "120.01")),
    ],
)
def test_a_coupon_never_takes_more_than_there_is(
    shop: Shop, kind: str, value: str, expected: tuple[str, str, str]
) -> None:
    shop.world.school.coupon("CODE", kind, value)
    guest = shop.guest()
    full_cart(shop, guest)

    assert sums(put(guest, "CODE").body) == expected


def test_the_discount_follows_the_sessions(shop: Shop) -> None:
    shop.world.school.coupon("SAVE10")
    guest = shop.guest()
    assert sums(put(guest, "SAVE10").body) == ("0.00", "0.00", "0.00")

    cart = shop.added(guest, shop.wanted(9), shop.wanted(10), shop.wanted(11))
    assert sums(cart) == ("135.00", "13.50", "121.50")

    after = guest.delete(f"/v1/cart/items/{cart['items'][0]['id']}").body
    assert sums(after) == ("90.00", "9.00", "81.00")


def test_a_coupon_takes_the_place_of_the_one_before(shop: Shop) -> None:
    shop.world.school.coupon("SAVE10")
    shop.world.school.coupon("MOINS20", "fixed", "20")
    guest = shop.guest()
    full_cart(shop, guest)
    put(guest, "SAVE10")

    cart = put(guest, "MOINS20").body

    assert (cart["coupon"]["code"], sums(cart)) == ("MOINS20", ("180.00", "20.00", "160.00"))


def test_a_coupon_taken_off_leaves_the_full_price(shop: Shop) -> None:
    shop.world.school.coupon("SAVE10")
    guest = shop.guest()
    full_cart(shop, guest)
    put(guest, "SAVE10")

    answers = [guest.delete("/v1/cart/coupon") for _ in range(2)]  # again is harmless

    for answer in answers:
        assert (answer.status, answer.body["coupon"]) == (200, None)
        assert sums(answer.body) == ("180.00", "0.00", "180.00")


def test_a_coupon_is_on_one_cart_only(shop: Shop) -> None:
    shop.world.school.coupon("SAVE10")
    guest = shop.guest()
    put(guest, "SAVE10")

    assert shop.cart(shop.guest())["coupon"] is None
    assert shop.cart(guest)["coupon"] is not None


def test_a_coupon_in_a_cart_is_not_a_redemption(shop: Shop) -> None:
    shop.world.school.coupon("UNIQUE", max_redemptions=1)
    for guest in (shop.guest(), shop.guest()):
        assert put(guest, "UNIQUE").status == 200

    assert shop.world.rows("SELECT redemption_count FROM coupons") == [{"redemption_count": 0}]
    assert shop.world.count("coupon_redemptions") == 0


@pytest.mark.parametrize(
    ("coupon", "reason"),
    [
        ({"active": False}, "Ce code promo est inactif"),
        ({"starts_at": ONE}, "Ce code promo n'est pas encore valide"),
        ({"ends_at": toronto(18, 12)}, "Ce code promo est expiré"),
        ({"max_redemptions": 3, "redemption_count": 3}, "Ce code promo a atteint sa limite d'utilisation"),
        (None, "Code promo invalide"),
    ],
    ids=["inactive", "not started", "over", "used up", "unknown"],
)
def test_a_coupon_that_cannot_be_used_is_refused_with_its_reason(
    shop: Shop, coupon: dict[str, Any] | None, reason: str
) -> None:
    """A.3.3. The cart keeps the coupon it had."""
    guest = shop.guest()
    shop.world.school.coupon("SAVE10")
    full_cart(shop, guest)
    put(guest, "SAVE10")
    if coupon is not None:
        shop.world.school.coupon("PERDU", **coupon)

    with nothing_written(shop.world.connection):
        answer = put(guest, "perdu")

    assert (answer.status, answer.code, answer.body["detail"]) == (422, "COUPON_INVALID", reason)
    assert shop.cart(guest)["coupon"]["code"] == "SAVE10"


@pytest.mark.parametrize(
    "code", ["", "   ", "SAVE 10", "SAVE1", "SAVE100", "%", "SAVE10';--", "é", "ﬀ" * 100]
)
def test_a_code_nobody_issued_is_invalid(shop: Shop, code: str) -> None:
    shop.world.school.coupon("SAVE10")

    with nothing_written(shop.world.connection):
        answer = put(shop.guest(), code)

    assert (answer.status, answer.code) == (422, "COUPON_INVALID")
    assert answer.body["detail"] == "Code promo invalide"


def at(shop: Shop, instant: datetime) -> None:
    shop.world.clock.now = instant.astimezone(UTC)


def test_a_coupon_can_be_used_from_its_first_instant_until_just_before_its_last(shop: Shop) -> None:
    shop.world.school.coupon("HEURE", starts_at=ONE, ends_at=toronto(18, 14))
    guest = shop.guest()
    outcomes = []
    for instant in (ONE - MOMENT, ONE, toronto(18, 14) - MOMENT, toronto(18, 14)):
        at(shop, instant)
        answer = put(guest, "HEURE")
        outcomes.append((answer.status, answer.body.get("detail")))

    assert outcomes == [
        (422, "Ce code promo n'est pas encore valide"),
        (200, None),
        (200, None),
        (422, "Ce code promo est expiré"),
    ]


def test_an_expired_coupon_is_expired_ever_after(shop: Shop) -> None:
    """Also once a day has passed, and one that the job of former versions has put away."""
    shop.world.school.coupon("HEURE", ends_at=toronto(18, 14))
    shop.world.school.coupon("RANGE", ends_at=toronto(18, 14), active=False)
    for day in (18, 19, 30):
        at(shop, toronto(day, 14))
        details = [put(shop.guest(), code).body["detail"] for code in ("HEURE", "RANGE")]
        assert details == ["Ce code promo est expiré"] * 2


def test_one_use_left_is_enough_and_none_is_not(shop: Shop) -> None:
    shop.world.school.coupon("TROIS", max_redemptions=3, redemption_count=2)
    assert put(shop.guest(), "TROIS").status == 200

    shop.world.connection.execute("UPDATE coupons SET redemption_count = 3")
    assert put(shop.guest(), "TROIS").status == 422


@pytest.mark.parametrize(
    "change",
    ["active = false", "ends_at = '2027-01-18 17:00:00+00'", "max_redemptions = 1, redemption_count = 1"],
)
def test_a_coupon_that_ends_while_in_the_cart_stays_visible_and_takes_nothing_off(
    shop: Shop, change: str
) -> None:
    shop.world.school.coupon("SAVE10")
    guest = shop.guest()
    full_cart(shop, guest)
    put(guest, "SAVE10")

    shop.world.connection.execute(f"UPDATE coupons SET {change}")  # noqa: S608

    cart = shop.cart(guest)
    assert cart["coupon"] == {"code": "SAVE10", "type": "percent", "value": "10.00", "valid": False}
    assert sums(cart) == ("180.00", "0.00", "180.00")


def test_a_deleted_coupon_leaves_the_cart(shop: Shop) -> None:
    shop.world.school.coupon("SAVE10")
    guest = shop.guest()
    full_cart(shop, guest)
    put(guest, "SAVE10")

    shop.world.connection.execute("DELETE FROM coupons")

    assert (shop.cart(guest)["coupon"], sums(shop.cart(guest))) == (None, ("180.00", "0.00", "180.00"))
