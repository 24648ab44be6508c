"""From a payment to an order or back to the card: no third state (spec 5.6 to 5.8, decision 12; A.4.4 to A.4.7)."""

import hmac
import json
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from stripe.params import PaymentIntentUpdateParams

from adapters.stripe_payments import stripe_payments
from domain.checkout.settle import settle
from domain.payments.gateway import Payment
from domain.payments.refunds import pay_refunds
from functions.hold_cleanup import app as hold_cleanup
from local.postgres import Server
from local.stripe_double.faults import Kind
from tests.conftest import Database
from tests.support.audit import closing_audit
from tests.support.browser import CONTEXT, Answer
from tests.support.contract import envelope, faults, recorded
from tests.support.guest import Guest
from tests.support.race import at_once, while_locked
from tests.support.rush import HELD, adds, no_deadlock, rush, session
from tests.support.rush import guest as somebody
from tests.support.selling import SHOP
from tests.support.tables import contents, nothing_written
from tests.support.wire import counted
from tests.support.world import World, toronto, wanted

TEN = toronto(20, 10)
ELEVEN = toronto(20, 11)
TWO = toronto(20, 14)


@dataclass
class Shop:
    """A course at 45.00 an hour; Mme Roy, paid 30.00, comes before M. Côté, paid 36.50."""

    course: UUID
    roy: UUID
    cote: UUID


@pytest.fixture
def shop(world: World) -> Shop:
    course = world.school.course()
    roy = world.school.tutor(course, name="Mme Roy", rate="30.00", priority=1)
    return Shop(course, roy, world.school.tutor(course, name="M. Côté", rate="36.50", priority=2))


def rows(world: World, statement: str) -> list[tuple[Any, ...]]:
    return world.connection.execute(statement).fetchall()


def lapse(world: World) -> None:
    """The holds of everybody so far run out."""
    world.clock.advance(minutes=16)


def sweep(world: World) -> None:
    hold_cleanup.lambda_handler({"time": world.clock().isoformat()}, CONTEXT)


def given_back(world: World, intent_id: str) -> list[int]:
    """What Stripe has refunded of a payment, in cents."""
    return [r["amount"] for r in world.stripe.all("refund") if r["payment_intent"] == intent_id]


# --- The hold lapsed while paying ---------------------------------------------------------------------------


@pytest.mark.parametrize("swept", [False, True])
def test_a_lapsed_hold_is_booked_when_its_time_is_still_free(world: World, shop: Shop, swept: bool) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN, tutor=shop.cote)).starts()
    lapse(world)
    if swept:
        sweep(world)
        assert world.count("time_claims") == 0
    guest.pays()
    world.webhooks()

    assert rows(world, "SELECT tutor_id, start_datetime, status FROM appointments") == [
        (shop.cote, TEN, "scheduled")
    ]
    assert rows(world, "SELECT status, refunded_cad FROM orders") == [("paid", Decimal("0.00"))]
    assert rows(world, "SELECT kind, expires_at FROM time_claims") == [("appointment", None)]
    assert world.count("refunds") == 0


@pytest.mark.parametrize("rival", ["hold", "appointment"])
def test_a_session_with_a_chosen_tutor_whose_time_was_taken_is_refunded(
    world: World, shop: Shop, rival: str
) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN, tutor=shop.roy), wanted(shop.course, TWO)).starts()
    lapse(world)
    taken_by = Guest(world, "rival@exemple.ca").chooses(wanted(shop.course, TEN, tutor=shop.roy))
    if rival == "appointment":
        taken_by.starts().pays()
        world.webhooks()
    before = world.count("appointments")
    guest.pays()
    world.webhooks()

    (order,) = world.rows(
        "SELECT id, status, total_cad, refunded_cad FROM orders WHERE stripe_payment_intent_id = %s",
        guest.intent_id,
    )
    assert tuple(order.values())[1:] == ("partially_refunded", Decimal("90.00"), Decimal("45.00"))
    items = world.rows(
        "SELECT i.id, s.start_datetime, e.status::text AS earnings_status, a.id AS appointment"
        "  FROM order_items AS i JOIN session_items AS s USING (id) JOIN earnings AS e ON e.order_item_id = i.id"
        " LEFT JOIN appointments AS a ON a.order_item_id = i.id WHERE order_id = %s ORDER BY 2",
        order["id"],
    )
    assert [(item["start_datetime"], item["earnings_status"]) for item in items] == [
        (TEN, "cancelled"),
        (TWO, "scheduled"),
    ]
    assert [item["appointment"] is None for item in items] == [True, False]
    assert world.count("appointments") == before + 1
    assert world.rows(
        "SELECT payment_intent_id, order_id, order_item_id, amount_cents, reason, status FROM refunds"
    ) == [
        {
            "payment_intent_id": guest.intent_id,
            "order_id": order["id"],
            "order_item_id": items[0]["id"],
            "amount_cents": 4500,
            "reason": "Créneau devenu indisponible pendant le paiement",
            "status": "processed",
        }
    ]
    assert given_back(world, guest.intent_id) == [4500]


def test_the_buyer_sees_what_was_refunded(world: World, shop: Shop) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN, tutor=shop.roy), wanted(shop.course, TWO)).starts()
    lapse(world)
    Guest(world, "rival@exemple.ca").chooses(wanted(shop.course, TEN, tutor=shop.roy))
    guest.pays()

    body = guest.asks().body
    assert (body["status"], body["order"]["status"]) == ("settled", "partially_refunded")
    assert (body["order"]["total_cad"], body["order"]["refunded_cad"]) == ("90.00", "45.00")
    assert [(item["refunded"], item["appointment_id"] is None) for item in body["order"]["items"]] == [
        (True, True),
        (False, False),
    ]


def test_make_is_told_of_the_booked_sessions_only(world: World, shop: Shop) -> None:
    world.school.coupon("DIX", "fixed", "10")
    guest = Guest(world).chooses(
        wanted(shop.course, TEN, tutor=shop.roy), wanted(shop.course, ELEVEN), wanted(shop.course, TWO)
    )
    guest.uses_coupon("DIX").starts()
    lapse(world)
    Guest(world, "rival@exemple.ca").chooses(wanted(shop.course, TEN, tutor=shop.roy))
    guest.pays()
    world.webhooks()

    _, booking, refund = recorded(world)
    assert faults(booking, envelope("booking.created")) == []
    payload = booking["payload"]
    money = ("subtotal_cad", "discount_cad", "total_cad", "amount_charged_cad")
    assert [payload[key] for key in money] == [
        Decimal("90"),
        Decimal("6.66"),
        Decimal("83.34"),
        Decimal("83.34"),
    ]
    assert [item["start_local"][:16] for item in payload["items"]] == ["2027-01-20T11:00", "2027-01-20T14:00"]
    assert given_back(world, guest.intent_id) == [4166]  # 45.00 less its share of the discount, 3.34
    (row,) = world.rows("SELECT id, order_id FROM refunds")
    (user,) = world.rows("SELECT id FROM users WHERE role = 'student'")
    assert (refund["type"], refund["sequence"]) == ("order.refunded", 3)
    student = refund["payload"].pop("student")
    assert student == payload["student"]
    assert refund["payload"] == {
        "order_id": str(row["order_id"]),
        "user_id": str(user["id"]),
        "refund_amount": Decimal("41.66"),
        "refund_amount_fr": "41,66 $",
        "refund_reason": "Créneau devenu indisponible pendant le paiement",
        "stripe_refund_id": None,
        "processed_by": "00000000-0000-0000-0000-000000000000",
        "affected_appointments": [],
        "timestamp": booking["payload"]["created_at"],
        "timestamp_fr": booking["payload"]["created_fr"],
        "refund_id": str(row["id"]),
        "is_full_refund": False,
        "ordered_at": booking["payload"]["created_at"],
        "ordered_fr": booking["payload"]["created_fr"],
        "order_total_cad": Decimal("125.00"),
        "order_total_fr": "125,00 $",
        "refunded_total_cad": Decimal("41.66"),
        "refunded_total_fr": "41,66 $",
        "to_card_cad": Decimal("41.66"),
        "to_card_fr": "41,66 $",
        "to_credit_cad": Decimal("0.00"),
        "to_credit_fr": "0,00 $",
        "refunded_to_fr": "sur la carte",
        "sessions": [
            {
                "appointment_id": None,
                "course_title_fr": payload["items"][0]["course_title_fr"],
                "tutor_name": "Mme Roy",
                "start_datetime": "2027-01-20T15:00:00.000Z",
                "end_datetime": "2027-01-20T16:00:00.000Z",
                "start_fr": "mercredi 20 janvier 2027 à 10 h",
                "span_fr": "mercredi 20 janvier 2027, de 10 h à 11 h",
                "refund_cad": Decimal("41.66"),
                "refund_fr": "41,66 $",
            }
        ],
        "sessions_fr": f"{payload['items'][0]['course_title_fr']} (mercredi 20 janvier 2027, de 10 h à 11 h)",
    }
    assert rows(world, "SELECT total_cad, refunded_cad FROM orders") == [
        (Decimal("125.00"), Decimal("41.66"))
    ]


def test_a_session_with_any_tutor_moves_to_another_who_is_free_at_that_ones_pay(
    world: World, shop: Shop
) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN, 90)).starts()
    assert guest.cart["items"][0]["tutor_display_name"] == "Mme Roy"
    lapse(world)
    Guest(world, "rival@exemple.ca").chooses(wanted(shop.course, TEN, 60, shop.roy))
    guest.pays()
    world.webhooks()

    assert rows(
        world,
        "SELECT tutor_id, rate_cad, hours, amount_cad, line_total_cad, status"
        "  FROM order_items JOIN earnings ON order_item_id = id",
    ) == [
        (shop.cote, Decimal("36.50"), Decimal("1.50"), Decimal("54.75"), Decimal("67.50"), "scheduled"),
    ]
    assert rows(world, "SELECT tutor_id, start_datetime, end_datetime FROM appointments") == [
        (shop.cote, TEN, toronto(20, 11, 30))
    ]
    assert rows(world, "SELECT status, refunded_cad FROM orders") == [("paid", Decimal("0.00"))]
    (item,) = recorded(world)[1]["payload"]["items"]
    assert (item["tutor_id"], item["tutor_name"]) == (str(shop.cote), "M. Côté")
    assert item["tutor_earnings_cad"] == Decimal("54.75")
    assert guest.asks().body["order"]["items"][0]["tutor_display_name"] == "M. Côté"


def test_sessions_lost_on_two_days_both_move_to_another_tutor(world: World, shop: Shop) -> None:
    days = (TEN, toronto(22, 10))
    guest = Guest(world).chooses(*(wanted(shop.course, day) for day in days)).starts()
    lapse(world)
    Guest(world, "rival@exemple.ca").chooses(*(wanted(shop.course, day, tutor=shop.roy) for day in days))
    guest.pays()
    world.webhooks()

    assert rows(world, "SELECT tutor_id, start_datetime FROM appointments ORDER BY start_datetime") == [
        (shop.cote, day) for day in days
    ]
    assert given_back(world, guest.intent_id) == []


@pytest.mark.parametrize("away", [0, 1])
def test_of_sessions_lost_on_two_days_the_one_whose_other_tutor_is_away_goes_back(
    world: World, shop: Shop, away: int
) -> None:
    days = (TEN, toronto(22, 10))
    guest = Guest(world).chooses(*(wanted(shop.course, day) for day in days)).starts()
    lapse(world)
    Guest(world, "rival@exemple.ca").chooses(*(wanted(shop.course, day, tutor=shop.roy) for day in days))
    world.school.time_off(shop.cote, days[away], days[away] + timedelta(hours=2))
    guest.pays()
    world.webhooks()

    assert rows(world, "SELECT tutor_id, start_datetime FROM appointments") == [(shop.cote, days[1 - away])]
    assert given_back(world, guest.intent_id) == [4500]


def test_it_does_not_move_to_a_tutor_who_is_away(world: World, shop: Shop) -> None:
    """Negative control: the other tutor has the same hours, and a time off."""
    guest = Guest(world).chooses(wanted(shop.course, TEN)).starts()
    lapse(world)
    Guest(world, "rival@exemple.ca").chooses(wanted(shop.course, TEN, tutor=shop.roy))
    world.school.time_off(shop.cote, toronto(20, 10, 30), toronto(20, 12))
    guest.pays()
    world.webhooks()

    assert rows(world, "SELECT status FROM orders") == [("refunded",)]
    assert given_back(world, guest.intent_id) == [4500]


def test_it_moves_to_the_best_of_those_who_are_free(world: World, shop: Shop) -> None:
    third = world.school.tutor(shop.course, name="Mme Gagnon", rate="20.00", priority=3)
    fourth = world.school.tutor(shop.course, name="M. Morin", rate="21.00", priority=4)
    guest = Guest(world).chooses(wanted(shop.course, TEN)).starts()
    lapse(world)
    for tutor in (shop.roy, shop.cote):
        Guest(world, "rival@exemple.ca").chooses(wanted(shop.course, TEN, tutor=tutor))
    guest.pays()
    world.webhooks()

    assert rows(world, "SELECT tutor_id FROM appointments") == [(third,)]
    assert third != fourth


def test_an_order_that_lost_every_session_is_refunded_whole(world: World, shop: Shop) -> None:
    guest = (
        Guest(world).chooses(*(wanted(shop.course, start, tutor=shop.roy) for start in (TEN, TWO))).starts()
    )
    lapse(world)
    Guest(world, "rival@exemple.ca").chooses(
        *(wanted(shop.course, start, tutor=shop.roy) for start in (TEN, TWO))
    )
    guest.pays()
    world.webhooks()

    assert rows(world, "SELECT status, total_cad, refunded_cad FROM orders") == [
        ("refunded", Decimal("90.00"), Decimal("90.00"))
    ]
    assert sorted(given_back(world, guest.intent_id)) == [4500, 4500]
    assert world.count("appointments") == 0
    signup, refund = recorded(world)
    assert (signup["type"], refund["type"]) == ("signup", "order.refunded")
    assert (refund["payload"]["refund_amount"], refund["payload"]["is_full_refund"]) == (90, True)
    answer = guest.asks()
    assert (answer.body["status"], answer.body["order"]["status"]) == ("refunded", "refunded")
    assert answer.body["session_token"] is not None  # the account exists and is theirs


def test_a_free_order_that_lost_a_session_refunds_nothing(world: World, shop: Shop) -> None:
    """The time goes between the snapshot and its settlement: only possible by a rival inside the same instant."""
    world.school.coupon("CADEAU", "percent", "100")
    world.connection.execute(
        "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN DELETE FROM time_claims; INSERT INTO time_claims SELECT gen_random_uuid(), tutor_id,"
        " tstzrange(start_datetime, start_datetime + interval '1 hour'), 'appointment', NULL FROM cart_sessions;"
        " RETURN NULL; END $$; "
        "CREATE TRIGGER lose AFTER INSERT ON checkouts EXECUTE FUNCTION lose()"
    )
    guest = Guest(world).chooses(wanted(shop.course, TEN, tutor=shop.roy)).uses_coupon("CADEAU").starts()

    assert guest.started["status"] == "settled"
    assert rows(world, "SELECT status, source, total_cad, refunded_cad FROM orders") == [
        ("refunded", "free", Decimal("0.00"), Decimal("0.00"))
    ]
    assert (world.count("refunds"), world.count("appointments"), world.stripe.calls) == (0, 0, [])


def test_a_lapsed_session_whose_course_was_closed_meanwhile_goes_back(world: World, shop: Shop) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN), wanted(shop.course, TWO, tutor=shop.cote)).starts()
    lapse(world)
    world.connection.execute("UPDATE courses SET active = false")
    guest.pays()
    world.webhooks()

    assert rows(world, "SELECT status, refunded_cad FROM orders") == [("refunded", Decimal("90.00"))]
    assert (world.count("appointments"), world.count("time_claims")) == (0, 0)
    assert sum(given_back(world, guest.intent_id)) == 9000


@pytest.mark.parametrize("closed", ["time off", "hours removed", "closed day"])
@pytest.mark.parametrize("lapsed", [True, False])
def test_a_live_hold_is_honoured_whatever_hours_changed_and_a_lapsed_one_is_not(
    world: World, shop: Shop, closed: str, lapsed: bool
) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN, tutor=shop.roy)).starts()
    if closed == "time off":
        world.school.time_off(shop.roy, TEN, TWO)
    elif closed == "hours removed":
        world.connection.execute("DELETE FROM availability_rules")
    else:
        world.school.exception(shop.roy, "closed", TEN.date())
    if lapsed:
        lapse(world)
    guest.pays()
    world.webhooks()

    assert world.count("appointments") == (0 if lapsed else 1)
    assert given_back(world, guest.intent_id) == ([4500] if lapsed else [])


def test_a_lapsed_any_tutor_session_moves_away_from_a_time_off(world: World, shop: Shop) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN)).starts()
    world.school.time_off(shop.roy, TEN, TWO)
    lapse(world)
    guest.pays()
    world.webhooks()

    assert rows(world, "SELECT tutor_id FROM appointments") == [(shop.cote,)]
    assert given_back(world, guest.intent_id) == []


def test_a_live_hold_with_a_tutor_who_was_deactivated_is_not_booked(world: World, shop: Shop) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN), wanted(shop.course, TWO, tutor=shop.roy)).starts()
    world.connection.execute("UPDATE tutors SET active = false WHERE id = %s", (shop.roy,))
    guest.pays()
    world.webhooks()

    assert rows(world, "SELECT tutor_id, start_datetime FROM appointments") == [(shop.cote, TEN)]
    assert given_back(world, guest.intent_id) == [4500]


def test_the_lead_time_does_not_count_once_paid(world: World, shop: Shop) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN, tutor=shop.roy)).starts()
    world.clock.now = TEN - timedelta(minutes=1)
    guest.pays()
    world.webhooks()

    assert rows(world, "SELECT tutor_id, start_datetime FROM appointments") == [(shop.roy, TEN)]


@pytest.mark.parametrize("late", [timedelta(0), timedelta(hours=12)])
def test_nothing_that_has_begun_is_booked(world: World, shop: Shop, late: timedelta) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN), wanted(shop.course, TWO + timedelta(days=2)))
    guest.starts()
    world.clock.now = TEN + late
    guest.pays()
    world.webhooks()

    assert rows(world, "SELECT start_datetime FROM appointments") == [(TWO + timedelta(days=2),)]
    assert given_back(world, guest.intent_id) == [4500]
    assert rows(world, "SELECT status, refunded_cad FROM orders") == [
        ("partially_refunded", Decimal("45.00"))
    ]


# --- The buyer's own newer hold -----------------------------------------------------------------------------


@pytest.mark.parametrize("lapsed", [True, False])
@pytest.mark.parametrize("chosen", [True, False])
def test_the_same_session_put_back_in_the_cart_is_what_was_paid_for(
    world: World, shop: Shop, lapsed: bool, chosen: bool
) -> None:
    tutor = shop.roy if chosen else None
    guest = Guest(world).chooses(wanted(shop.course, TEN, tutor=tutor), wanted(shop.course, TWO)).starts()
    if lapsed:
        lapse(world)
    guest.drops(item=0).chooses(wanted(shop.course, TEN, tutor=tutor))
    world.school.time_off(shop.roy, TEN, TEN + timedelta(hours=1))  # a newer hold is honoured too
    guest.pays()
    world.webhooks()

    assert rows(world, "SELECT tutor_id, start_datetime FROM appointments ORDER BY 2") == [
        (shop.roy, TEN),
        (shop.roy, TWO),
    ]
    assert guest.cart["items"] == []
    assert rows(world, "SELECT kind::text FROM time_claims") == [("appointment",), ("appointment",)]
    assert given_back(world, guest.intent_id) == []
    assert closing_audit(world.connection, world.stripe, world.clock()) == []


def test_an_any_tutor_session_is_booked_with_the_tutor_of_the_newer_hold(world: World, shop: Shop) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN)).starts()
    guest.drops(item=0).chooses(wanted(shop.course, TEN, tutor=shop.cote))
    world.school.claim(shop.roy, TEN, TEN + timedelta(hours=1))
    guest.pays()
    world.webhooks()

    assert rows(world, "SELECT tutor_id FROM appointments") == [(shop.cote,)]
    assert rows(world, "SELECT amount_cad FROM earnings") == [(Decimal("36.50"),)]
    assert (guest.cart["items"], world.count("refunds")) == ([], 0)


def test_another_tutor_s_hold_is_not_taken_for_a_chosen_one(world: World, shop: Shop) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN, tutor=shop.roy)).starts()
    guest.drops(item=0).chooses(wanted(shop.course, TEN, tutor=shop.cote))
    world.school.claim(shop.roy, TEN, TEN + timedelta(hours=1))
    guest.pays()
    world.webhooks()

    assert (world.count("appointments"), given_back(world, guest.intent_id)) == (0, [4500])
    assert [item["tutor_display_name"] for item in guest.cart["items"]] == ["M. Côté"]


@pytest.mark.parametrize("what", ["longer", "later", "another course"])
def test_one_s_own_newer_hold_on_another_session_is_not_in_the_way(
    world: World, shop: Shop, what: str
) -> None:
    other = world.school.course("mathematiques")
    world.school.assign(shop.roy, other)
    newer = {
        "longer": wanted(shop.course, TEN, 90, shop.roy),
        "later": wanted(shop.course, TEN + timedelta(minutes=30), tutor=shop.roy),
        "another course": wanted(other, TEN, tutor=shop.roy),
    }[what]
    guest = Guest(world).chooses(wanted(shop.course, TEN, tutor=shop.roy)).starts()
    guest.drops(item=0).chooses(newer, wanted(shop.course, TWO, tutor=shop.roy))
    guest.pays()
    world.webhooks()

    assert rows(world, "SELECT start_datetime, end_datetime FROM appointments") == [
        (TEN, TEN + timedelta(hours=1))
    ]
    assert world.count("refunds") == 0
    assert [(item["unavailable"], item["hold_expired"]) for item in guest.cart["items"]] == [
        (True, True),
        (False, False),
    ]


def test_it_is_not_in_the_way_whatever_others_have_booked(world: World, shop: Shop) -> None:
    Guest(world, "autre@exemple.ca").chooses(wanted(shop.course, TWO, tutor=shop.cote)).starts().pays()
    world.webhooks()
    guest = Guest(world).chooses(wanted(shop.course, TEN, tutor=shop.roy)).starts()
    guest.drops(item=0).chooses(wanted(shop.course, TEN, 90, shop.roy))
    guest.pays()
    world.webhooks()

    assert rows(world, "SELECT start_datetime FROM appointments ORDER BY 1") == [(TEN,), (TWO,)]
    assert world.count("refunds") == 0


def test_a_hold_that_stepped_aside_for_nothing_stands_again(world: World, shop: Shop) -> None:
    """The time that was paid for is partly somebody else's: it is not booked, and the buyer's newer hold is theirs."""
    guest = Guest(world).chooses(wanted(shop.course, TEN, 90, shop.roy)).starts()
    lapse(world)
    Guest(world, "rivale@exemple.ca").chooses(wanted(shop.course, TEN, tutor=shop.roy))
    guest.chooses(wanted(shop.course, TEN + timedelta(hours=1), tutor=shop.roy))
    before = guest.cart["items"][-1]
    guest.pays()
    world.webhooks()

    assert (world.count("appointments"), given_back(world, guest.intent_id)) == (0, [6750])
    assert guest.cart["items"] == [before]
    assert before["hold_expired"] is False


def test_a_hold_that_stepped_aside_for_two_sessions_stays_given_up_when_one_of_them_is_booked(
    world: World, shop: Shop
) -> None:
    """It is over both. The first cannot be booked, but the second has a part of the hold's time."""
    guest = (
        Guest(world)
        .chooses(*(wanted(shop.course, start, tutor=shop.roy) for start in (TEN, ELEVEN)))
        .starts()
    )
    lapse(world)
    half = timedelta(minutes=30)
    Guest(world, "rivale@exemple.ca").chooses(wanted(shop.course, TEN - half, tutor=shop.roy))
    guest.drops(item=1).chooses(wanted(shop.course, TEN + half, 90, shop.roy)).pays()
    assert [answer.status for answer in world.webhooks()] == [200]

    assert rows(world, "SELECT start_datetime FROM appointments") == [(ELEVEN,)]
    assert given_back(world, guest.intent_id) == [4500]
    assert [(item["duration_min"], item["hold_expired"]) for item in guest.cart["items"]] == [(90, True)]


def test_a_coupon_put_on_meanwhile_stays_with_the_rest_of_the_cart(world: World, shop: Shop) -> None:
    world.school.coupon("SAVE10")
    guest = Guest(world).chooses(wanted(shop.course, TEN)).starts()
    guest.chooses(wanted(shop.course, TWO)).uses_coupon("SAVE10").pays()
    world.webhooks()

    assert (guest.cart["coupon"]["code"], guest.cart["total_cad"]) == ("SAVE10", "40.50")


def test_a_strangers_newer_hold_is_not_taken(world: World, shop: Shop) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN, tutor=shop.roy)).starts()
    lapse(world)
    stranger = Guest(world, "autre@exemple.ca").chooses(wanted(shop.course, TEN, tutor=shop.roy))
    guest.pays()
    world.webhooks()

    assert (world.count("appointments"), given_back(world, guest.intent_id)) == (0, [4500])
    assert [item["hold_expired"] for item in stranger.cart["items"]] == [False]


def test_many_who_paid_for_one_lapsed_time_get_one_booking_and_refunds(
    world: World, shop: Shop, postgres: Server, database: Database
) -> None:
    guests = []
    for n in range(6):
        sessions = [
            wanted(shop.course, start, tutor=tutor) for start, tutor in ((TEN, shop.roy), (TWO, shop.cote))
        ]
        guests.append(Guest(world, f"g{n}@exemple.ca").chooses(*sessions[:: (-1) ** n]).starts().pays())
        lapse(world)
    sweep(world)

    with no_deadlock(postgres, database.name):
        for outcome in at_once(*(partial(settles, world, guest) for guest in guests)):
            outcome.result()

    assert rows(world, "SELECT status::text, count(*) FROM orders GROUP BY 1 ORDER BY 1")[-1][0] == "refunded"
    assert rows(world, "SELECT tutor_id, count(*) FROM appointments GROUP BY 1 ORDER BY 2, 1") == sorted(
        [(shop.roy, 1), (shop.cote, 1)]
    )
    assert rows(world, "SELECT sum(refunded_cad), sum(total_cad) FROM orders") == [
        (Decimal("450.00"), Decimal("540.00"))
    ]
    world.reconcile()
    assert sum(sum(given_back(world, guest.intent_id)) for guest in guests) == 45000


def test_a_settlement_and_a_rival_who_want_the_same_lapsed_times_at_once_agree(
    world: World, shop: Shop, postgres: Server, database: Database
) -> None:
    """Whoever is first has them; the other is refunded, or told so. Nobody waits in a circle."""
    payers, rivals = [], []
    for day in range(20, 25):
        times = [(toronto(day, 10), shop.roy), (toronto(day, 14), shop.cote)]
        sessions = [wanted(shop.course, start, tutor=tutor) for start, tutor in times]
        payers.append(Guest(world, f"g{day}@exemple.ca").chooses(*sessions).starts().pays())
        wishes = [session(shop.course, start, 60, tutor) for start, tutor in reversed(times)]
        rivals.append(adds(somebody(), *wishes, now=world.clock() + timedelta(minutes=16)))
    lapse(world)

    with no_deadlock(postgres, database.name):
        outcomes = rush(
            database.url, *(lambda _, payer=payer: str(settles(world, payer)) for payer in payers), *rivals
        )
    held = outcomes[len(payers) :].count(HELD)
    assert set(outcomes[len(payers) :]) <= {HELD, "SLOT_UNAVAILABLE"}
    statuses = [status for (status,) in rows(world, "SELECT status::text FROM orders")]
    assert (statuses.count("refunded"), statuses.count("paid")) == (held, len(payers) - held)
    world.reconcile()
    assert closing_audit(world.connection, world.stripe, world.clock()) == []


# --- A payment that is not the one that was asked -----------------------------------------------------------


@pytest.mark.parametrize("change", [{"amount": 100}, {"amount": 9001}, {"currency": "usd"}])
def test_another_amount_or_currency_books_nothing_and_goes_back(
    world: World, shop: Shop, change: PaymentIntentUpdateParams
) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN), wanted(shop.course, TWO)).starts()
    world.stripe_client.v1.payment_intents.update(guest.intent_id, change)
    guest.pays()
    world.webhooks()

    for table in ("orders", "appointments", "outbox", "auth_sessions"):
        assert world.count(table) == 0
    assert world.rows("SELECT id FROM users WHERE role = 'student'") == []
    received = change.get("amount", 9000)
    assert rows(world, "SELECT payment_intent_id, order_id, amount_cents, status, reason FROM refunds") == [
        (
            guest.intent_id,
            None,
            received,
            "processed",
            "Paiement d'un montant ou d'une devise inattendus",
        )
    ]
    assert given_back(world, guest.intent_id) == [received]
    assert rows(world, "SELECT status, buyer, order_id FROM checkouts") == [("refunded", None, None)]
    assert guest.asks().body == {"status": "refunded", "order": None, "session_token": None}
    assert len(guest.cart["items"]) == 2  # nothing was sold


def test_a_refunded_checkout_stays_refunded_however_often_it_is_told(world: World, shop: Shop) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN)).starts()
    world.stripe_client.v1.payment_intents.update(guest.intent_id, {"amount": 100})
    guest.pays()
    (message,) = world.stripe.webhooks.take("payment_intent.succeeded")
    for _ in range(3):
        assert world.deliver(message).status == 200
        assert guest.asks().body["status"] == "refunded"
    world.reconcile()

    assert given_back(world, guest.intent_id) == [100]


def test_a_second_payment_that_is_heard_of_again_is_owed_back_once(world: World, shop: Shop) -> None:
    """The first time, the function died after it had owed the money and before it had finished the event."""
    world.school.coupon("GRATUIT", "percent", "100")
    guest = Guest(world).chooses(wanted(shop.course, TEN)).uses_coupon("GRATUIT").starts()
    intent = world.stripe_client.v1.payment_intents.create(
        {
            "amount": 4500,
            "currency": "cad",
            "allowed_payment_method_types": ["card"],
            "metadata": {"environment": "dev", "checkout_id": guest.checkout_id},
        }
    )
    world.pay(intent.id)
    (message,) = world.stripe.webhooks.take("payment_intent.succeeded")
    for _ in range(2):
        assert world.deliver(message).status == 200
        world.connection.execute("UPDATE webhook_events SET processed_at = NULL")

    assert rows(world, "SELECT payment_intent_id, amount_cents FROM refunds") == [(intent.id, 4500)]
    assert given_back(world, intent.id) == [4500]


def test_the_cart_of_a_wrong_payment_can_be_paid_rightly(world: World, shop: Shop) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN)).starts()
    world.stripe_client.v1.payment_intents.update(guest.intent_id, {"amount": 100})
    guest.pays()
    world.webhooks()
    guest.starts().pays()
    world.webhooks()

    assert guest.asks().body["order"]["status"] == "paid"
    assert world.count("appointments") == 1


# --- A checkout that the cart has left behind ---------------------------------------------------------------


def test_a_payment_of_an_older_cart_books_what_it_showed_and_leaves_the_rest(
    world: World, shop: Shop
) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN)).starts()
    old = guest.started
    guest.chooses(wanted(shop.course, TWO)).pays()
    answer = guest.sends_form()  # Stripe will not withdraw what was paid
    assert (answer.code, answer.body["checkout_id"]) == ("PAYMENT_IN_PROGRESS", old["checkout_id"])
    world.webhooks()

    assert rows(world, "SELECT start_datetime FROM appointments") == [(TEN,)]
    assert rows(world, "SELECT stripe_payment_intent_id, total_cad FROM orders") == [
        (old["payment_intent_id"], Decimal("45.00"))
    ]
    (left,) = guest.cart["items"]
    assert (left["start"], left["hold_expired"]) == ("2027-01-20T14:00:00-05:00", False)


def test_a_session_that_was_taken_out_of_the_cart_is_booked_when_its_older_checkout_was_paid(
    world: World, shop: Shop
) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN), wanted(shop.course, TWO)).starts().pays()
    guest.drops(item=0)
    world.webhooks()

    assert rows(world, "SELECT start_datetime FROM appointments ORDER BY 1") == [(TEN,), (TWO,)]
    assert guest.cart["items"] == []


def leave_it_payable(world: World) -> None:
    """A withdrawn checkout whose intent is taken for closed and is not: nothing we do leaves one, an error might."""
    world.connection.execute("UPDATE checkouts SET intent_closed_at = created_at WHERE status = 'cancelled'")


def test_a_session_paid_through_two_checkouts_is_refunded_the_second_time(world: World, shop: Shop) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN)).starts()
    first = guest.intent_id
    guest.chooses(wanted(shop.course, TWO, tutor=shop.cote)).pays()
    leave_it_payable(world)
    guest.starts().pays()
    assert len(world.webhooks()) == 2

    assert rows(world, "SELECT start_datetime, status FROM appointments ORDER BY 1") == [
        (TEN, "scheduled"),
        (TWO, "scheduled"),
    ]
    assert rows(world, "SELECT status, total_cad, refunded_cad FROM orders ORDER BY total_cad") == [
        ("paid", Decimal("45.00"), Decimal("0.00")),
        ("partially_refunded", Decimal("90.00"), Decimal("45.00")),
    ]
    assert (given_back(world, first), given_back(world, guest.intent_id)) == ([], [4500])


@pytest.mark.parametrize("put_back", [False, True])
def test_a_session_booked_by_one_payment_and_cancelled_is_not_booked_by_another(
    world: World, shop: Shop, put_back: bool
) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN)).starts()
    first = guest.intent_id
    older = guest.checkout_id
    guest.chooses(wanted(shop.course, TWO, tutor=shop.cote))
    world.connection.execute(  # taken for closed and payable all the same: only an error leaves one so
        "UPDATE checkouts SET status = 'cancelled', intent_closed_at = created_at"
    )
    guest.starts()
    world.pay(first)
    assert len(world.webhooks()) == 1
    assert guest.browser.get(f"/v1/checkout/{older}").body["status"] == "settled"
    (booked,) = guest.browser.get("/v1/appointments", {"filter": "all"}).body["items"]
    assert guest.browser.post(f"/v1/appointments/{booked['id']}/cancel", {}).status == 200
    if put_back:
        guest.chooses(wanted(shop.course, TEN))

    guest.pays()
    assert len(world.webhooks()) == 1
    assert rows(world, "SELECT start_datetime, status FROM appointments ORDER BY 1") == [
        (TEN, "cancelled"),
        (TWO, "scheduled"),
    ]
    assert (given_back(world, first), given_back(world, guest.intent_id)) == ([], [4500])
    assert [item["hold_expired"] for item in guest.cart["items"]] == [False] * put_back
    assert closing_audit(world.connection, world.stripe, world.clock()) == []


def test_the_same_whatever_order_the_news_comes_in(world: World, shop: Shop) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN)).starts()
    first = guest.intent_id
    guest.chooses(wanted(shop.course, TWO)).pays()
    leave_it_payable(world)
    guest.starts().pays()
    for message in reversed(world.stripe.webhooks.take("payment_intent.succeeded")):
        world.deliver(message)

    assert world.count("appointments") == 2
    assert (given_back(world, first), given_back(world, guest.intent_id)) == ([4500], [])
    assert rows(world, "SELECT status, total_cad FROM orders ORDER BY total_cad") == [
        ("refunded", Decimal("45.00")),
        ("paid", Decimal("90.00")),
    ]


def test_a_second_payment_of_one_checkout_goes_back_whole(world: World, shop: Shop) -> None:
    """An intent that carries our checkout's id but is not its own: nothing we do makes one, an error might."""
    guest = Guest(world).books(wanted(shop.course, TEN))
    other = world.stripe_client.v1.payment_intents.create(
        {
            "amount": 4500,
            "currency": "cad",
            "allowed_payment_method_types": ["card"],
            "metadata": {"checkout_id": guest.checkout_id},
        }
    )
    world.pay(other.id)
    world.webhooks()

    assert world.count("orders") == 1
    assert (given_back(world, guest.intent_id), given_back(world, other.id)) == ([], [4500])


# --- The account exists by then -----------------------------------------------------------------------------


def test_an_account_made_while_paying_gets_the_order_and_keeps_its_password(world: World, shop: Shop) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN)).starts()
    owner = world.school.user("zoe@exemple.ca")
    world.connection.execute("UPDATE users SET password_hash = 'theirs' WHERE id = %s", (owner,))
    guest.pays()
    world.webhooks()

    assert (
        rows(world, "SELECT user_id FROM orders")
        == rows(world, "SELECT user_id FROM appointments")
        == [(owner,)]
    )
    assert world.rows("SELECT password_hash FROM users WHERE role = 'student'") == [
        {"password_hash": "theirs"}
    ]
    assert rows(world, "SELECT status, buyer, account_created, user_id FROM checkouts") == [
        ("settled", None, False, None)
    ]
    (booking,) = recorded(world)
    assert (booking["type"], booking["sequence"]) == ("booking.created", 1)
    assert booking["payload"]["user_id"] == booking["payload"]["student"]["id"] == str(owner)


def test_who_paid_for_an_existing_account_must_sign_in(world: World, shop: Shop) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN)).starts()
    world.school.user("zoe@exemple.ca")
    guest.pays()

    for asks in (guest.asks, partial(guest.asks, x_client_secret=guest.client_secret)):
        answer: Answer = asks()
        assert answer.body == {"status": "sign_in_required", "order": None, "session_token": None}
        assert answer.cookies == []
    assert world.count("auth_sessions") == 0


def test_two_guests_with_one_new_email_share_one_account(world: World, shop: Shop) -> None:
    one = Guest(world, "zoe@exemple.ca").chooses(wanted(shop.course, TEN)).starts().pays()
    other = Guest(world, "ZOE@exemple.ca").chooses(wanted(shop.course, TWO)).starts().pays()
    url = world.connection.info.dsn
    with while_locked(url, "LOCK TABLE users IN SHARE MODE", 2) as let_go:
        outcomes = at_once(partial(settles, world, one), partial(settles, world, other), let_go)
    assert [outcome.exception() for outcome in outcomes] == [None, None, None]

    assert len(world.rows("SELECT id FROM users WHERE role = 'student'")) == 1
    assert rows(world, "SELECT count(DISTINCT user_id), count(*) FROM orders") == [(1, 2)]
    assert sorted(event["type"] for event in recorded(world)) == [
        "booking.created",
        "booking.created",
        "signup",
    ]
    assert sorted(guest.asks().body["status"] for guest in (one, other)) == ["settled", "sign_in_required"]


# --- Twice at once, and half way ----------------------------------------------------------------------------


def test_two_settlements_of_one_checkout_at_the_same_time_make_one_order(world: World, shop: Shop) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN), wanted(shop.course, TWO)).starts().pays()
    with while_locked(world.connection.info.dsn, "SELECT FROM carts FOR UPDATE", 2) as let_go:
        first, second, _ = at_once(partial(settles, world, guest), partial(settles, world, guest), let_go)

    assert first.result() == second.result() is not None
    assert (world.count("orders"), world.count("appointments"), world.count("outbox")) == (1, 2, 2)


BREAKDOWNS = {
    "an error": "RAISE EXCEPTION 'broken'",
    "the connection ends": "PERFORM pg_terminate_backend(pg_backend_pid())",
}


@pytest.mark.parametrize("breakdown", BREAKDOWNS)
@pytest.mark.parametrize(
    "table",
    [
        "users",
        "orders",
        "order_items",
        "session_items",
        "earnings",
        "appointments",
        "outbox",
        "time_claims",
    ],
)
def test_a_settlement_that_breaks_writes_nothing_and_the_next_one_books(
    world: World, shop: Shop, table: str, breakdown: str
) -> None:
    Guest(world).chooses(wanted(shop.course, TEN)).starts().pays()
    (message,) = world.stripe.webhooks.take("payment_intent.succeeded")
    before = contents(world.connection, besides=["webhook_events"])
    world.connection.execute(
        f"CREATE FUNCTION break_down() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN {BREAKDOWNS[breakdown]}; RETURN NEW; END $$;"
        f"CREATE TRIGGER break_down BEFORE INSERT OR UPDATE ON {table}"
        f" FOR EACH ROW EXECUTE FUNCTION break_down()"
    )
    assert world.deliver(message).status in (500, 503)
    assert contents(world.connection, besides=["webhook_events"]) == before
    assert rows(world, "SELECT processed_at, attempts FROM webhook_events") == [(None, 1)]

    world.connection.execute(f"DROP TRIGGER break_down ON {table}")
    assert world.deliver(message).status == 200
    assert (world.count("orders"), world.count("appointments"), world.count("outbox")) == (1, 1, 2)
    assert rows(world, "SELECT processed_at, attempts FROM webhook_events") == [(world.clock(), 2)]


def test_a_broken_database_is_said_in_french_without_details(world: World, shop: Shop) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN)).starts().pays()
    world.connection.execute("ALTER TABLE orders ADD CONSTRAINT broken CHECK (total_cad < 0)")

    answer = guest.asks()
    assert (answer.status, answer.code) == (500, "INTERNAL_ERROR")
    assert answer.body["detail"] == "Une erreur est survenue"
    assert "broken" not in answer.text


# --- Money back ---------------------------------------------------------------------------------------------


def owes_a_refund(world: World, shop: Shop) -> Guest:
    """Somebody who paid for two sessions and lost one of them; nothing settled yet."""
    guest = Guest(world).chooses(wanted(shop.course, TEN, tutor=shop.roy), wanted(shop.course, TWO)).starts()
    lapse(world)
    Guest(world, "rival@exemple.ca").chooses(wanted(shop.course, TEN, tutor=shop.roy))
    return guest.pays()


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        ("rate_limit", 1),
        ("server_error", 1),
        ("server_error_after_commit", 1),
        ("timeout_before", 9),
        ("timeout_after_commit", 9),
        ("connection_reset", 9),
    ],
)
@pytest.mark.parametrize("later", [{"minutes": 5}, {"hours": 25}])
def test_a_refund_whose_call_failed_is_paid_later_exactly_once(
    world: World, shop: Shop, fault: Kind, times: int, later: dict[str, float]
) -> None:
    """Also after a day, when Stripe has forgotten the idempotency key."""
    guest = owes_a_refund(world, shop)
    world.stripe.faults.add(fault, method="POST", path="/v1/refunds", times=times)
    assert [answer.status for answer in world.webhooks()] == [200]
    assert rows(world, "SELECT status, attempts, stripe_refund_id FROM refunds") == [("pending", 1, None)]
    world.stripe.faults.clear()

    assert world.reconcile() == {"refunds_paid": 0, "refunds_waiting": 0}  # its lease still runs
    world.clock.advance(**later)
    assert world.reconcile() == {"refunds_paid": 1, "refunds_waiting": 0}
    assert world.reconcile() == {"refunds_paid": 0, "refunds_waiting": 0}
    (refund,) = world.stripe.all("refund")
    assert (refund["payment_intent"], refund["amount"]) == (guest.intent_id, 4500)
    assert rows(world, "SELECT status, attempts, stripe_refund_id, processed_at FROM refunds") == [
        ("processed", 2, refund["id"], world.clock())
    ]


def test_a_refund_is_recorded_even_when_the_webhook_dies_right_after(world: World, shop: Shop) -> None:
    """The row commits with the order; whoever comes next pays it."""
    guest = owes_a_refund(world, shop)
    settles(world, guest)
    assert given_back(world, guest.intent_id) == []

    assert world.reconcile() == {"refunds_paid": 1, "refunds_waiting": 0}
    assert given_back(world, guest.intent_id) == [4500]


def test_two_reconciliations_at_the_same_time_pay_a_refund_once(world: World, shop: Shop) -> None:
    guest = owes_a_refund(world, shop)
    settles(world, guest)
    outcomes = at_once(*[partial(pays_refunds, world)] * 4)

    assert sum(outcome.result()[0] for outcome in outcomes) == 1
    assert given_back(world, guest.intent_id) == [4500]


def test_a_refund_made_by_hand_at_stripe_is_not_made_again(world: World, shop: Shop) -> None:
    guest = owes_a_refund(world, shop)
    settles(world, guest)
    world.stripe.dashboard.refund(guest.intent_id)

    assert world.reconcile() == {"refunds_paid": 0, "refunds_waiting": 1}
    assert rows(world, "SELECT status FROM refunds") == [("failed",)]
    assert given_back(world, guest.intent_id) == [9000]


# --- What Stripe says ---------------------------------------------------------------------------------------


def signed(body: bytes, secret: str, timestamp: int) -> str:
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, "sha256").hexdigest()
    return f"t={timestamp},v1={digest}"


def forgeries(now: int, secret: str, body: bytes) -> dict[str, str | None]:
    good = signed(body, secret, now)
    old = signed(body, secret, now - 301)
    return {
        "absent": None,
        "empty": "",
        "no header at all": "rien",
        "no signature": f"t={now}",
        "no time": good.partition(",")[2],
        "another secret": signed(body, "whsec_autre", now),
        "no secret": signed(body, "", now),
        "another body": signed(body + b" ", secret, now),
        "another time": good.replace(f"t={now}", f"t={now + 1}"),
        "too old": old,
        "too early": signed(body, secret, now + 301),
        "old, with a fresh time after it": f"{old},t={now}",
        "old, with a fresh time before it": f"t={now},{old}",
        "the unsigned scheme": good.replace("v1=", "v0="),
        "time that is none": good.replace(f"t={now}", "t=x"),
        "letters that are not ASCII": f"t={now},v1=\u00e9",
        "a time that is not ASCII": good.replace(f"t={now}", "t=\u0661"),
    }


def test_an_event_that_is_not_stripes_is_refused_and_writes_nothing(world: World, shop: Shop) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN)).starts().pays()
    (message,) = world.stripe.webhooks.take("payment_intent.succeeded")
    now = int(world.clock().timestamp())

    for name, signature in forgeries(now, world.stripe.webhook_secret, message.body).items():
        with nothing_written(world.connection):
            headers = {} if signature is None else {"stripe_signature": signature}
            answer = world.browser().post("/v1/stripe/webhook", message.body.decode(), **headers)
        assert (answer.status, answer.code) == (400, "INVALID_SIGNATURE"), name
        assert answer.body["detail"] == "Signature invalide"
    assert guest.asks().body["status"] == "settled"


@pytest.mark.parametrize("age", [0, 299, 300, -300])
def test_an_event_is_believed_within_five_minutes(world: World, shop: Shop, age: int) -> None:
    """Negative control of the test above."""
    Guest(world).chooses(wanted(shop.course, TEN)).starts().pays()
    (message,) = world.stripe.webhooks.take("payment_intent.succeeded")
    signature = signed(message.body, world.stripe.webhook_secret, int(world.clock().timestamp()) - age)

    answer = world.browser().post("/v1/stripe/webhook", message.body.decode(), stripe_signature=signature)
    assert (answer.status, answer.body) == (200, {"received": True})
    assert world.count("orders") == 1


def test_other_events_are_noted_and_acknowledged(world: World, shop: Shop) -> None:
    guest = Guest(world).chooses(wanted(shop.course, TEN)).starts()
    with pytest.raises(Exception, match="declined"):
        guest.pays("pm_card_chargeDeclined")
    guest.pays()
    messages = [m for m in world.stripe.webhooks.take() if m.event_type != "payment_intent.succeeded"]
    before = contents(world.connection, besides=["webhook_events", "checkouts"])

    assert {world.deliver(message).status for message in messages} == {200}
    assert contents(world.connection, besides=["webhook_events", "checkouts"]) == before
    assert rows(world, "SELECT status::text, failure_decline_code FROM checkouts") == [
        ("open", "generic_decline")
    ]
    kinds = {"payment_intent.created", "payment_intent.payment_failed", "charge.succeeded"}
    assert kinds <= {kind for (kind,) in rows(world, "SELECT type FROM webhook_events")}
    assert rows(world, "SELECT DISTINCT source, processed_at FROM webhook_events") == [
        ("stripe", world.clock())
    ]


def test_no_payload_of_stripe_is_kept(world: World, shop: Shop) -> None:
    Guest(world).books(wanted(shop.course, TEN))
    assert [set(row) for row in world.rows("SELECT * FROM webhook_events")] == [
        {"source", "external_event_id", "type", "received_at", "processed_at", "attempts"}
    ]


@pytest.mark.parametrize("metadata", [{}, {"checkout_id": "autre"}, {"checkout_id": str(uuid4())}])
def test_a_payment_that_is_nobodys_is_acknowledged_and_raises_an_alarm(
    world: World, caplog: pytest.LogCaptureFixture, metadata: dict[str, str]
) -> None:
    intent = world.stripe_client.v1.payment_intents.create(
        {"amount": 4500, "currency": "cad", "allowed_payment_method_types": ["card"], "metadata": metadata}
    )
    world.pay(intent.id)

    assert [answer.status for answer in world.webhooks()] == [200]
    assert (world.count("orders"), world.count("refunds")) == (0, 0)
    (alarm,) = [record for record in caplog.records if record.message == "ORPHAN_PAYMENT"]
    assert alarm.levelname == "ERROR"
    assert vars(alarm)["payment_intent_id"] == intent.id


def test_an_event_of_an_unpaid_intent_books_nothing(world: World, shop: Shop) -> None:
    """A.4.5: only a succeeded intent does, whatever an event of another type carries."""
    guest = Guest(world).chooses(wanted(shop.course, TEN)).starts()
    for answer in [world.deliver(message) for message in world.stripe.webhooks.take()]:
        assert answer.status == 200

    assert (world.count("orders"), guest.asks().body["status"]) == (0, "requires_payment")


def test_two_events_of_one_payment_book_once(world: World, shop: Shop) -> None:
    """Stripe may send two events with different ids for one fact."""
    Guest(world).chooses(wanted(shop.course, TEN)).starts().pays()
    (message,) = world.stripe.webhooks.take("payment_intent.succeeded")
    twin = json.loads(message.body) | {"id": "evt_twin"}
    body = json.dumps(twin).encode()
    signature = signed(body, world.stripe.webhook_secret, int(world.clock().timestamp()))
    world.deliver(message)
    answer = world.browser().post("/v1/stripe/webhook", body.decode(), stripe_signature=signature)

    assert answer.status == 200
    assert (world.count("orders"), world.count("webhook_events"), world.count("refunds")) == (1, 2, 0)


# --- How much it asks of the database -----------------------------------------------------------------------


@pytest.mark.parametrize("held", [True, False])
def test_ten_sessions_are_settled_in_few_round_trips(
    world: World, shop: Shop, database: Database, held: bool
) -> None:
    guest = Guest(world)
    sessions = [wanted(shop.course, toronto(day, hour)) for day in range(20, 25) for hour in (10, 14)]
    guest.chooses(*sessions).starts().pays()
    if not held:
        lapse(world)
        sweep(world)
    payment = stripe_payments().find_intent(guest.intent_id)
    with counted(database) as wire, psycopg.connect(wire.url, autocommit=True) as connection:
        wire.reset()
        settle(connection, UUID(guest.checkout_id), payment, SHOP, world.clock())

    assert world.count("appointments") == 10
    assert wire.round_trips <= (8 if held else 8 + len(sessions))  # measured: 6 and 17


def settles(world: World, guest: Guest) -> UUID | None:
    """What the webhook and the status call do, on a connection of its own."""
    payment: Payment = stripe_payments().find_intent(guest.intent_id)
    with psycopg.connect(world.connection.info.dsn, autocommit=True) as connection:
        return settle(connection, UUID(guest.checkout_id), payment, SHOP, world.clock())


def pays_refunds(world: World) -> tuple[int, int]:
    with psycopg.connect(world.connection.info.dsn, autocommit=True) as connection:
        return pay_refunds(connection, stripe_payments(), world.clock())
