"""The worked examples of spec 3.4 to 3.6, through the cart, the checkout and the settlement."""

from decimal import Decimal
from uuid import UUID

import pytest

from tests.support.audit import closing_audit
from tests.support.contract import recorded
from tests.support.guest import Guest
from tests.support.student import Student
from tests.support.world import World, toronto, wanted

HOURS = (9, 11, 14)

# The rate per hour and the minutes of each session; the coupon; subtotal, discount, total.
EXAMPLES = [
    ("90.00", [60, 60], ("percent", "10"), ("180.00", "18.00", "162.00")),
    ("45.00", [60, 60, 60], ("percent", "10"), ("135.00", "13.50", "121.50")),
    ("45.35", [90], ("percent", "15"), ("68.03", "10.20", "57.83")),
    ("45.00", [60], ("fixed", "20"), ("45.00", "20.00", "25.00")),
    ("45.00", [60], ("fixed", "50"), ("45.00", "45.00", "0.00")),
    ("45.00", [60], ("percent", "100"), ("45.00", "45.00", "0.00")),
    ("45.00", [90], ("percent", "33.33"), ("67.50", "22.50", "45.00")),
]


def course_at(world: World, rate: str) -> UUID:
    course = world.school.course(rate=rate)
    world.school.tutor(course)
    return course


def chosen(kind: type[Guest], world: World, rate: str, lengths: list[int]) -> Guest:
    course = course_at(world, rate)
    sessions = [
        wanted(course, toronto(20, hour), minutes) for hour, minutes in zip(HOURS, lengths, strict=False)
    ]
    return kind(world).chooses(*sessions)


@pytest.mark.parametrize("kind", [Guest, Student])
@pytest.mark.parametrize(("rate", "lengths", "coupon", "expected"), EXAMPLES)
def test_what_a_coupon_takes_off(
    world: World,
    kind: type[Guest],
    rate: str,
    lengths: list[int],
    coupon: tuple[str, str],
    expected: tuple[str, str, str],
) -> None:
    world.school.coupon("SAVE10", *coupon)
    buyer = chosen(kind, world, rate, lengths).uses_coupon(" save10 ")
    names = ("subtotal_cad", "discount_cad", "total_cad")
    assert tuple(buyer.cart[name] for name in names) == expected

    buyer.starts()
    assert tuple(buyer.started[name] for name in names) == expected
    assert buyer.started["amount_cad"] == expected[2]
    if expected[2] == "0.00":
        assert (buyer.started["status"], world.stripe.calls) == ("settled", [])
    else:
        assert [intent["amount"] for intent in world.stripe.all("payment_intent")] == [
            int(Decimal(expected[2]) * 100)
        ]
        buyer.pays()
        world.webhooks()

    (order,) = world.rows("SELECT subtotal_cad, discount_cad, total_cad, source::text FROM orders")
    assert tuple(str(order[name]) for name in names) == expected
    assert order["source"] == ("free" if expected[2] == "0.00" else "stripe")
    told = recorded(world)[-1]["payload"]
    assert [Decimal(told[name]) for name in names] == [Decimal(amount) for amount in expected]
    assert closing_audit(world.connection, world.stripe, world.clock()) == []


@pytest.mark.parametrize(
    ("lengths", "discount", "shares"),
    [([60, 90], "11.25", ["4.50", "6.75"]), ([60, 60, 60], "10.00", ["3.34", "3.33", "3.33"])],
)
def test_how_a_discount_is_shared(world: World, lengths: list[int], discount: str, shares: list[str]) -> None:
    world.school.coupon("RABAIS", "fixed", discount)
    chosen(Guest, world, "45.00", lengths).uses_coupon("RABAIS").starts().pays()
    world.webhooks()

    items = world.rows("SELECT discount_share_cad::text AS share FROM order_items ORDER BY position")
    assert [item["share"] for item in items] == shares


@pytest.mark.parametrize(
    ("balance", "applied", "card", "left"),
    [("100.00", "45.00", "0.00", "55.00"), ("20.00", "20.00", "25.00", "0.00")],
)
def test_what_credits_pay(world: World, balance: str, applied: str, card: str, left: str) -> None:
    student = Student(world).has_credits(balance)
    student.chooses(wanted(course_at(world, "45.00"), toronto(20, 10))).starts(credits_cad="all")
    assert (student.started["credits_applied_cad"], student.started["amount_cad"]) == (applied, card)

    if card != "0.00":
        student.pays()
        world.webhooks()
    assert student.account == (Decimal(left), Decimal("0.00"))
    assert student.cart["credits_available_cad"] == left
    assert closing_audit(world.connection, world.stripe, world.clock()) == []


# --- Before any charge, for those who have an account -------------------------------------------------------


def test_a_price_that_changed_is_shown_before_credits_are_touched(world: World) -> None:
    world.school.coupon("SAVE10")
    student = Student(world).has_credits("20")
    student.chooses(wanted(course_at(world, "45.00"), toronto(20, 10))).uses_coupon("SAVE10")
    student.starts(credits_cad="all")
    before = student.started
    world.connection.execute("UPDATE courses SET student_rate_cad = 50.00")

    answer = student.sends_form(credits_cad="all")

    assert (answer.status, answer.code) == (409, "PRICE_CHANGED")
    assert (answer.body["old_total_cad"], answer.body["new_total_cad"]) == ("40.50", "45.00")
    assert student.account == (Decimal("20.00"), Decimal("0.00"))  # the dearer payment is withdrawn
    student.starts(credits_cad="all")
    assert (student.started["total_cad"], student.started["amount_cad"]) == ("45.00", "25.00")
    assert student.account == (Decimal("20.00"), Decimal("20.00"))
    assert {intent["id"]: intent["status"] for intent in world.stripe.all("payment_intent")} == {
        before["payment_intent_id"]: "canceled",
        student.intent_id: "requires_payment_method",
    }


def test_a_payment_of_an_older_cart_books_what_it_showed_and_keeps_the_rest(world: World) -> None:
    """Another tab pays what the cart was: with its price, its coupon and its credits."""
    world.school.coupon("SAVE10", max_redemptions=1)
    course = course_at(world, "45.00")
    student = Student(world).has_credits("20").chooses(wanted(course, toronto(20, 10))).uses_coupon("SAVE10")
    student.starts(credits_cad="all")
    student.chooses(wanted(course, toronto(20, 14)))

    student.pays()
    world.webhooks()

    assert student.asks().body["order"]["total_cad"] == "40.50"
    assert student.account == (Decimal("0.00"), Decimal("0.00"))
    assert world.rows("SELECT redemption_count, reserved_count FROM coupons") == [
        {"redemption_count": 1, "reserved_count": 0}
    ]
    (left,) = student.cart["items"]
    assert (left["start"], student.cart["coupon"], student.cart["total_cad"]) == (
        toronto(20, 14).isoformat(),
        None,
        "45.00",
    )
    student.starts(credits_cad="all").pays()
    world.webhooks()
    assert world.count("orders") == 2
    assert closing_audit(world.connection, world.stripe, world.clock()) == []


def test_a_checkout_that_expired_is_not_paid_any_more(world: World) -> None:
    student = Student(world).has_credits("20").chooses(wanted(course_at(world, "45.00"), toronto(25, 10)))
    old = student.starts(credits_cad="all").started
    world.clock.advance(hours=24)
    student.starts(credits_cad="all")

    assert student.started["checkout_id"] != old["checkout_id"]
    assert world.rows("SELECT status::text, count(*) FROM checkouts GROUP BY 1 ORDER BY 1") == [
        {"status": "cancelled", "count": 1},
        {"status": "open", "count": 1},
    ]
    assert student.account == (Decimal("20.00"), Decimal("20.00"))
