"""A guest's order and a student's are one order: same rows, same totals, same events (P7, UR-18, X-46, X-47, H-13).

{guest, student} x {coupon, none} x {one session, three, three of which one is lost while paying}: one list of
assertions for all twelve. What may differ is named in `Cell`, and nowhere else.
"""

from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any
from uuid import UUID

import pytest

from tests.support.audit import closing_audit
from tests.support.contract import envelope, faults, recorded
from tests.support.guest import Guest
from tests.support.student import Student
from tests.support.world import World, toronto, wanted

NINE, TEN, TWO = (toronto(20, hour) for hour in (9, 10, 14))


@dataclass(frozen=True)
class Cell:
    buyer: type[Guest]
    coupon: bool
    case: str

    @property
    def starts(self) -> list[Any]:
        return [TEN] if self.case == "one" else [NINE, TEN, TWO]

    @property
    def booked(self) -> list[Any]:
        """The tutor's ten o'clock is somebody else's when it is lost."""
        return [start for start in self.starts if self.case != "conflict" or start != TEN]

    @property
    def shares(self) -> list[Decimal]:
        """Of a fixed discount of 10.00."""
        if not self.coupon:
            return [Decimal("0.00") for _ in self.starts]
        return [Decimal(share) for share in (["10.00"] if self.case == "one" else ["3.34", "3.33", "3.33"])]

    @property
    def subtotal(self) -> Decimal:
        return 45 * Decimal(len(self.starts)).quantize(Decimal("0.01"))

    @property
    def discount(self) -> Decimal:
        return sum(self.shares, Decimal("0.00"))

    @property
    def lost_net(self) -> Decimal:
        return Decimal("45.00") - self.shares[1] if self.case == "conflict" else Decimal("0.00")

    @property
    def is_new(self) -> bool:
        return self.buyer is Guest

    def __str__(self) -> str:
        return f"{self.buyer.__name__.lower()}-{'coupon' if self.coupon else 'none'}-{self.case}"


CELLS = [Cell(*cell) for cell in product((Guest, Student), (True, False), ("one", "three", "conflict"))]


def buys(world: World, cell: Cell) -> tuple[Guest, UUID, UUID]:
    """The whole way: cart, coupon, form, card, Stripe's webhook, refunds. Answers the buyer, course and tutor."""
    course = world.school.course()
    tutor = world.school.tutor(course, name="Mme Roy", rate="30.00")
    coupon = world.school.coupon("DIX", "fixed", "10", max_redemptions=3)
    buyer = cell.buyer(world, "zoe@exemple.ca")
    buyer.chooses(*(wanted(course, start, tutor=tutor) for start in cell.starts))
    if cell.coupon:
        buyer.uses_coupon("DIX")
    buyer.starts()
    assert world.rows("SELECT coupon_id FROM coupon_reservations") == [{"coupon_id": coupon}] * cell.coupon
    if cell.case == "conflict":
        world.clock.advance(minutes=16)
        Guest(world, "rival@exemple.ca").chooses(wanted(course, TEN, tutor=tutor))
    buyer.pays()
    assert [answer.status for answer in world.webhooks()] == [200]
    return buyer, course, tutor


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_the_order_is_the_same_whoever_buys(world: World, cell: Cell) -> None:
    buyer, course, tutor = buys(world, cell)
    total = cell.subtotal - cell.discount

    # One student, with the details of the person.
    (user,) = world.rows("SELECT id, email::text, first_name, last_name FROM users WHERE role = 'student'")
    user_id = user.pop("id")
    assert user == {"email": "zoe@exemple.ca", "first_name": "Zoé", "last_name": "Tremblay"}

    # One order; what was paid is its total less its credits.
    (order,) = world.rows("SELECT * FROM orders")
    expected = {
        "user_id": user_id,
        "status": "paid" if cell.booked == cell.starts else "partially_refunded",
        "source": "stripe",
        "subtotal_cad": cell.subtotal,
        "discount_cad": cell.discount,
        "total_cad": total,
        "credits_applied_cad": Decimal("0.00"),
        "refunded_cad": cell.lost_net,
        "currency": "CAD",
        "stripe_payment_intent_id": buyer.intent_id,
        "coupon_code": "DIX" if cell.coupon else None,
    }
    assert {name: order[name] for name in expected} == expected
    (checkout,) = world.rows("SELECT * FROM checkouts")
    assert order["total_cad"] == Decimal(checkout["amount_cents"]) / 100 + order["credits_applied_cad"]
    assert (checkout["status"], checkout["order_id"], checkout["buyer"]) == ("settled", order["id"], None)
    assert (checkout["user_id"], checkout["account_created"]) == (user_id, cell.is_new)

    # One item per session, with the tutor's pay at today's rate; none is without hours, rate or standing.
    items = world.rows(
        "SELECT *, earnings.status::text AS earned FROM order_items JOIN session_items USING (id)"
        " JOIN earnings ON order_item_id = id ORDER BY start_datetime"
    )
    assert [
        (
            *(item["course_id"], item["tutor_id"], item["start_datetime"], item["line_total_cad"]),
            *(item["discount_share_cad"], item["amount_cad"], item["hours"]),
            *(item["rate_cad"], item["earned"]),
        )
        for item in items
    ] == [
        (
            *(course, tutor, start, Decimal("45.00")),
            *(share, Decimal("30.00"), Decimal("1.00")),
            *(Decimal("30.00"), "scheduled" if start in cell.booked else "cancelled"),
        )
        for start, share in zip(cell.starts, cell.shares, strict=True)
    ]

    # One appointment for each that could be booked, owning its time; no hold of the buyer's is left.
    assert world.rows(
        "SELECT user_id, start_datetime, status::text FROM appointments ORDER BY start_datetime"
    ) == [{"user_id": user_id, "start_datetime": start, "status": "scheduled"} for start in cell.booked]
    kinds = [row["kind"] for row in world.rows("SELECT kind::text FROM time_claims ORDER BY kind")]
    assert sorted(kinds) == ["appointment"] * len(cell.booked) + ["hold"] * (cell.case == "conflict")

    # The cart is empty and has no coupon; the coupon is counted once, nothing is reserved.
    assert (buyer.cart["items"], buyer.cart["coupon"], buyer.cart["total_cad"]) == ([], None, "0.00")
    assert world.rows("SELECT redemption_count, reserved_count FROM coupons") == [
        {"redemption_count": int(cell.coupon), "reserved_count": 0}
    ]
    assert world.rows("SELECT order_id, user_id, code, discount_cad, over_limit FROM coupon_redemptions") == [
        {
            "order_id": order["id"],
            "user_id": user_id,
            "code": "DIX",
            "discount_cad": Decimal("10.00"),
            "over_limit": False,
        }
    ] * int(cell.coupon)

    # Stripe: one intent of the total, refunded by what was lost; a student is a customer there.
    (intent,) = world.stripe.all("payment_intent")
    assert (intent["amount"], intent["amount_received"], intent["currency"]) == (
        int(total * 100),
        int(total * 100),
        "cad",
    )
    assert intent["metadata"].keys() <= {"checkout_id", "environment", "product"}
    assert intent["setup_future_usage"] is None
    assert [refund["amount"] for refund in world.stripe.all("refund")] == [int(cell.lost_net * 100)] * (
        cell.case == "conflict"
    )
    calls = [(call.method, call.path) for call in world.stripe.calls if call.method == "POST"]
    assert calls == [
        *[("POST", "/v1/customers")] * (not cell.is_new),
        ("POST", "/v1/payment_intents"),
        ("POST", f"/v1/payment_intents/{buyer.intent_id}/confirm"),
        *[("POST", "/v1/refunds")] * (cell.case == "conflict"),
    ]
    customers = [customer["id"] for customer in world.stripe.all("customer")]
    assert [intent["customer"]] == (customers or [None])
    assert world.rows("SELECT stripe_customer_id AS id FROM users WHERE role = 'student'") == [
        {"id": intent["customer"]}
    ]

    # The events, in order: a new account is told first, what goes back last.
    events = recorded(world)
    told = {event["type"]: event["payload"] for event in events}
    assert list(told) == [
        *["signup"] * cell.is_new,
        "booking.created",
        *["order.refunded"] * (cell.case == "conflict"),
    ]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    booking = told["booking.created"]
    assert (
        faults(next(e for e in events if e["type"] == "booking.created"), envelope("booking.created")) == []
    )
    net = total - cell.lost_net
    booked_shares = [
        share for start, share in zip(cell.starts, cell.shares, strict=True) if start in cell.booked
    ]
    assert {
        name: booking[name]
        for name in booking
        if name.endswith("_cad") or name in ("coupon_code", "item_count", "payment_reference", "source")
    } == {
        "subtotal_cad": 45 * len(cell.booked),
        "discount_cad": sum(booked_shares),
        "total_cad": net,
        "credit_applied_cad": 0,
        "amount_charged_cad": net,
        "coupon_code": "DIX" if cell.coupon else None,
        "item_count": len(cell.booked),
        "payment_reference": buyer.intent_id,
        "source": "guest_checkout" if cell.is_new else "account_checkout",
    }
    assert [item["start_local"] for item in booking["items"]] == [start.isoformat() for start in cell.booked]
    assert booking["is_new_user"] is cell.is_new
    assert [item["price_fr"] for item in booking["items"]] == ["45,00 $"] * len(cell.booked)
    for payload in told.values():
        assert payload["user_id"] == str(user_id)
        assert payload["order_id"] == str(order["id"])
    if cell.case == "conflict":
        assert told["order.refunded"]["refund_amount"] == cell.lost_net
        assert told["order.refunded"]["student"] == booking["student"]

    # And everything fits together.
    assert closing_audit(world.connection, world.stripe, world.clock()) == []


def test_there_are_twelve() -> None:
    assert len({str(cell) for cell in CELLS}) == 12
