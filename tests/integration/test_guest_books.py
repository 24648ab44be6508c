"""A guest pays and becomes a student with booked sessions (spec 5.2; UR-01, UR-15; appendix A.4.1, A.4.2, A.4.4)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from hashlib import sha256
from typing import Any
from uuid import UUID

import psycopg
import pytest

from adapters import stripe_payments
from domain.accounts.callers import find_person
from domain.checkout.settle import settle
from domain.products.follow_checkout import follow_checkout
from tests.support.contract import BOOKING_CREATED, envelope, faults, recorded
from tests.support.guest import Guest
from tests.support.race import at_once, while_locked
from tests.support.selling import SHOP
from tests.support.tables import contents
from tests.support.world import FORM, World, form, toronto, wanted

MEETING_DAY = 20
ONE_HOUR = toronto(MEETING_DAY, 10)
AN_HOUR_AND_A_HALF = toronto(MEETING_DAY, 13, 30)


@dataclass
class Shop:
    french: UUID
    maths: UUID
    tutor: UUID


@pytest.fixture
def shop(world: World) -> Shop:
    """French at 45.00 an hour, maths at 45.35, one tutor paid 27.75."""
    french = world.school.course("francais", "45.00")
    maths = world.school.course("maths", "45.35")
    return Shop(french, maths, world.school.tutor(french, maths, name="Mme Roy", rate="27.75"))


@pytest.fixture
def guest(world: World, shop: Shop) -> Guest:
    """Somebody with an hour of French and an hour and a half of maths in the cart: 45.00 + 68.03."""
    return Guest(world).chooses(
        wanted(shop.french, ONE_HOUR), wanted(shop.maths, AN_HOUR_AND_A_HALF, 90, shop.tutor)
    )


# --- What is written ----------------------------------------------------------------------------------------


def test_the_checkout_answers_a_payment_to_confirm(world: World, guest: Guest) -> None:
    answer = guest.sends_form()

    (intent,) = world.stripe.all("payment_intent")
    assert answer.status == 201
    assert answer.body == {
        "checkout_id": str(world.rows("SELECT id FROM checkouts")[0]["id"]),
        "status": "requires_payment",
        "payment_intent_id": intent["id"],
        "client_secret": intent["client_secret"],
        "publishable_key": world.stripe.publishable_key,
        "amount_cad": "113.03",
        "currency": "CAD",
        "subtotal_cad": "113.03",
        "discount_cad": "0.00",
        "credits_applied_cad": "0.00",
        "total_cad": "113.03",
        "order_id": None,
    }
    assert (intent["amount"], intent["currency"]) == (11303, "cad")
    assert intent["payment_method_types"] == ["card"]
    assert intent["receipt_email"] == "zoe@exemple.ca"
    assert intent["metadata"] == {
        "checkout_id": answer.body["checkout_id"],
        "environment": "dev",
        "product": "tutoring",
    }
    assert (intent["setup_future_usage"], intent["customer"]) == (None, None)


def test_nothing_is_booked_before_the_payment(world: World, guest: Guest) -> None:
    guest.starts()

    assert guest.asks().body == {"status": "requires_payment", "order": None, "session_token": None}
    for table in ("orders", "order_items", "appointments", "outbox", "auth_sessions"):
        assert world.count(table) == 0
    assert world.rows("SELECT id FROM users WHERE role = 'student'") == []
    assert world.rows("SELECT DISTINCT kind FROM time_claims") == [{"kind": "hold"}]


def test_a_payment_opens_a_students_account(world: World, guest: Guest) -> None:
    guest.starts().pays()
    world.webhooks()

    (account,) = world.rows("SELECT * FROM users WHERE role = 'student'")
    password_hash = account.pop("password_hash")
    assert account == {
        "id": account["id"],
        "email": "zoe@exemple.ca",
        "first_name": "Zoé",
        "last_name": "Tremblay",
        "phone": "+15145550123",
        "role": "student",
        "status": "active",
        "stripe_customer_id": None,
        "created_at": world.clock(),
        "updated_at": world.clock(),
    }
    assert password_hash.startswith("$argon2id$")


def test_a_payment_writes_the_order(world: World, guest: Guest) -> None:
    guest.starts().pays()
    world.webhooks()

    (order,) = world.rows("SELECT * FROM orders")
    assert order == {
        "id": order["id"],
        "product": "tutoring",
        "order_number": 1,
        "user_id": _student(world),
        "status": "paid",
        "source": "stripe",
        "subtotal_cad": Decimal("113.03"),
        "discount_cad": Decimal("0.00"),
        "total_cad": Decimal("113.03"),
        "credits_applied_cad": Decimal("0.00"),
        "refunded_cad": Decimal("0.00"),
        "currency": "CAD",
        "stripe_payment_intent_id": guest.intent_id,
        "coupon_id": None,
        "coupon_code": None,
        "billing": FORM["billing"],
        "created_at": world.clock(),
        "updated_at": world.clock(),
    }


def test_each_item_keeps_its_price_and_the_tutors_pay(world: World, shop: Shop, guest: Guest) -> None:
    guest.starts().pays()
    world.webhooks()

    lines = world.rows("SELECT * FROM order_items ORDER BY position")
    first, second = (line["id"] for line in lines)
    common = {
        "order_id": world.rows("SELECT id FROM orders")[0]["id"],
        "kind": "session",
        "discount_share_cad": Decimal("0.00"),
        "credit_share_cad": Decimal("0.00"),
        "returned_cad": Decimal("0.00"),
        "credit_promised": False,
    }
    titles = {row["id"]: row["title_fr"] for row in world.rows("SELECT id, title_fr FROM courses")}
    cheap, dear = Decimal("45.00"), Decimal("68.03")  # 68.025, half-up
    assert lines == [
        {"id": first, "position": 0, "title_fr": titles[shop.french], "unit_price_cad": cheap}
        | {"line_total_cad": cheap}
        | common,
        {"id": second, "position": 1, "title_fr": titles[shop.maths], "unit_price_cad": dear}
        | {"line_total_cad": dear}
        | common,
    ]
    sold = {"kind": "session", "tutor_id": shop.tutor}
    assert world.rows("SELECT * FROM session_items ORDER BY start_datetime") == [
        sold
        | {
            "id": first,
            "course_id": shop.french,
            "start_datetime": ONE_HOUR,
            "end_datetime": toronto(MEETING_DAY, 11),
            "duration_min": 60,
        },
        sold
        | {
            "id": second,
            "course_id": shop.maths,
            "start_datetime": AN_HOUR_AND_A_HALF,
            "end_datetime": toronto(MEETING_DAY, 15),
            "duration_min": 90,
        },
    ]
    rate = {"tutor_id": shop.tutor, "rate_cad": Decimal("27.75"), "status": "scheduled", "paid_at": None}
    assert world.rows("SELECT * FROM earnings ORDER BY hours") == [
        rate | {"order_item_id": first, "hours": Decimal("1.00"), "amount_cad": Decimal("27.75")},
        rate  # 41.625, half-up
        | {"order_item_id": second, "hours": Decimal("1.50"), "amount_cad": Decimal("41.63")},
    ]


def test_each_item_becomes_an_appointment_that_owns_its_time(world: World, shop: Shop, guest: Guest) -> None:
    guest.starts().pays()
    world.webhooks()

    appointments = world.rows(
        "SELECT user_id, tutor_id, course_id, start_datetime, end_datetime, status, meeting_link, created_at"
        " FROM appointments ORDER BY start_datetime"
    )
    common = {
        "user_id": _student(world),
        "tutor_id": shop.tutor,
        "status": "scheduled",
        "meeting_link": None,
        "created_at": world.clock(),
    }
    assert appointments == [
        common
        | {
            "course_id": shop.french,
            "start_datetime": ONE_HOUR,
            "end_datetime": toronto(MEETING_DAY, 11),
        },
        common
        | {
            "course_id": shop.maths,
            "start_datetime": AN_HOUR_AND_A_HALF,
            "end_datetime": toronto(MEETING_DAY, 15),
        },
    ]
    assert world.rows(
        "SELECT a.id FROM appointments AS a JOIN session_items AS i ON i.id = a.order_item_id"
        " AND (i.tutor_id, i.course_id, i.start_datetime) = (a.tutor_id, a.course_id, a.start_datetime)"
        " JOIN time_claims AS c ON c.id = a.id AND c.kind = 'appointment' AND c.expires_at IS NULL"
        " AND c.tutor_id = a.tutor_id AND c.during = tstzrange(a.start_datetime, a.end_datetime)"
    ) == world.rows("SELECT id FROM appointments")
    assert world.count("time_claims") == 2


def test_the_cart_is_empty_afterwards(guest: Guest) -> None:
    guest.starts().pays()
    version = guest.cart["version"]
    guest.world.webhooks()

    assert (guest.cart["items"], guest.cart["total_cad"]) == ([], "0.00")
    assert guest.cart["version"] == version + 1


def test_orders_are_numbered_in_sequence(world: World, shop: Shop) -> None:
    first = Guest(world, "a@exemple.ca").books(wanted(shop.french, toronto(20, 9)))
    second = Guest(world, "b@exemple.ca").books(wanted(shop.french, toronto(20, 10)))

    assert [guest.asks().body["order"]["number"] for guest in (first, second)] == ["4AS-000001", "4AS-000002"]


def test_a_later_change_of_rate_does_not_touch_what_was_booked(
    world: World, shop: Shop, guest: Guest
) -> None:
    guest.starts()
    world.connection.execute("UPDATE tutors SET hourly_base_rate_cad = 99")
    world.connection.execute("UPDATE courses SET student_rate_cad = 99")
    guest.pays()
    world.webhooks()

    rows = world.rows(
        "SELECT line_total_cad, rate_cad, amount_cad FROM order_items JOIN earnings ON order_item_id = id ORDER BY 1"
    )
    assert [tuple(row.values()) for row in rows] == [
        (Decimal("45.00"), Decimal("27.75"), Decimal("27.75")),
        (Decimal("68.03"), Decimal("27.75"), Decimal("41.63")),
    ]


def test_the_status_call_shows_the_order(world: World, guest: Guest) -> None:
    guest.starts().pays()
    world.webhooks()

    body = guest.asks().body
    appointments = world.rows("SELECT id FROM appointments ORDER BY start_datetime")
    assert body.pop("session_token")
    assert body == {
        "status": "settled",
        "order": {
            "id": str(world.rows("SELECT id FROM orders")[0]["id"]),
            "number": "4AS-000001",
            "status": "paid",
            "items": [
                {
                    "appointment_id": str(appointments[0]["id"]),
                    "course_title_fr": "Cours francais",
                    "tutor_display_name": "Mme Roy",
                    "start": "2027-01-20T10:00:00-05:00",
                    "end": "2027-01-20T11:00:00-05:00",
                    "duration_min": 60,
                    "price_cad": "45.00",
                    "discount_share_cad": "0.00",
                    "refunded": False,
                },
                {
                    "appointment_id": str(appointments[1]["id"]),
                    "course_title_fr": "Cours maths",
                    "tutor_display_name": "Mme Roy",
                    "start": "2027-01-20T13:30:00-05:00",
                    "end": "2027-01-20T15:00:00-05:00",
                    "duration_min": 90,
                    "price_cad": "68.03",
                    "discount_share_cad": "0.00",
                    "refunded": False,
                },
            ],
            "subtotal_cad": "113.03",
            "discount_cad": "0.00",
            "total_cad": "113.03",
            "credits_applied_cad": "0.00",
            "refunded_cad": "0.00",
            "coupon_code": None,
            "currency": "CAD",
            "created_at": "2027-01-18T12:00:00-05:00",
        },
    }
    assert "27.75" not in guest.asks().text  # a tutor's pay is nobody else's business


# --- What Make.com is told ----------------------------------------------------------------------------------


def test_make_is_told_of_the_account_then_of_the_booking(world: World, shop: Shop, guest: Guest) -> None:
    guest.starts().pays()
    world.webhooks()

    signup, booking = recorded(world)
    student, (order,) = str(_student(world)), world.rows("SELECT id FROM orders")
    appointments = [
        str(row["id"]) for row in world.rows("SELECT id FROM appointments ORDER BY start_datetime")
    ]
    (tutor_email,) = world.rows("SELECT email::text FROM users WHERE id = %s", shop.tutor)
    contact = {
        "first_name": "Zoé",
        "last_name": "Tremblay",
        "email": "zoe@exemple.ca",
        "phone": "+15145550123",
    }
    assert signup == {
        "type": "signup",
        "event_id": signup["event_id"],
        "sent_at": "2027-01-18T17:00:00.000Z",
        "timestamp": "2027-01-18T17:00:00.000Z",
        "schema_version": 1,
        "sequence": 1,
        "environment": "dev",
        "payload": contact
        | {
            "user_id": student,
            "role": "student",
            "created_at": "2027-01-18T17:00:00.000Z",
            "created_fr": "lundi 18 janvier 2027 à 12 h",
            "source": "guest_checkout",
            "order_id": str(order["id"]),
        },
    }
    session = {"tutor_id": str(shop.tutor), "tutor_name": "Mme Roy", "tutor_email": tutor_email["email"]}
    assert booking["payload"] == {
        "order_id": str(order["id"]),
        "user_id": student,
        "currency": "CAD",
        "subtotal_cad": Decimal("113.03"),
        "discount_cad": Decimal(0),
        "total_cad": Decimal("113.03"),
        "coupon_code": None,
        "items": [
            session
            | {
                "appointment_id": appointments[0],
                "course_id": str(shop.french),
                "course_title_fr": "Cours francais",
                "start_datetime": "2027-01-20T15:00:00.000Z",
                "end_datetime": "2027-01-20T16:00:00.000Z",
                "start_local": "2027-01-20T10:00:00-05:00",
                "duration_min": 60,
                "price_cad": Decimal(45),
                "tutor_earnings_cad": Decimal("27.75"),
                "start_fr": "mercredi 20 janvier 2027 à 10 h",
                "span_fr": "mercredi 20 janvier 2027, de 10 h à 11 h",
                "end_local": "2027-01-20T11:00:00-05:00",
                "price_fr": "45,00 $",
                "tutor_earnings_fr": "27,75 $",
                "meeting_link": None,
            },
            session
            | {
                "appointment_id": appointments[1],
                "course_id": str(shop.maths),
                "course_title_fr": "Cours maths",
                "start_datetime": "2027-01-20T18:30:00.000Z",
                "end_datetime": "2027-01-20T20:00:00.000Z",
                "start_local": "2027-01-20T13:30:00-05:00",
                "duration_min": 90,
                "price_cad": Decimal("68.03"),
                "tutor_earnings_cad": Decimal("41.63"),
                "start_fr": "mercredi 20 janvier 2027 à 13 h 30",
                "span_fr": "mercredi 20 janvier 2027, de 13 h 30 à 15 h",
                "end_local": "2027-01-20T15:00:00-05:00",
                "price_fr": "68,03 $",
                "tutor_earnings_fr": "41,63 $",
                "meeting_link": None,
            },
        ],
        "created_at": "2027-01-18T17:00:00.000Z",
        "created_fr": "lundi 18 janvier 2027 à 12 h",
        "sessions_fr": "Cours francais (mercredi 20 janvier 2027, de 10 h à 11 h)"
        " ; Cours maths (mercredi 20 janvier 2027, de 13 h 30 à 15 h)",
        "student": contact | {"id": student},
        "source": "guest_checkout",
        "item_count": 2,
        "credit_applied_cad": Decimal(0),
        "amount_charged_cad": Decimal("113.03"),
        "is_new_user": True,
        "subtotal_fr": "113,03 $",
        "discount_fr": "0,00 $",
        "total_fr": "113,03 $",
        "credit_applied_fr": "0,00 $",
        "amount_charged_fr": "113,03 $",
        "payment_reference": guest.intent_id,
    }
    assert (booking["type"], booking["sequence"]) == ("booking.created", 2)


def test_every_declared_key_is_there_in_the_declared_form(world: World, guest: Guest) -> None:
    guest.starts().pays()
    world.webhooks()

    events = recorded(world)
    assert [event["type"] for event in events] == ["signup", "booking.created"]
    assert [faults(event, envelope(event["type"])) for event in events] == [[], []]


def test_the_check_of_the_payloads_can_fail(world: World, guest: Guest) -> None:
    """Negative control: each kind of fault is seen."""
    guest.starts().pays()
    world.webhooks()
    _, booking = recorded(world)

    payload = booking["payload"]
    payload["total_cad"] = "113.03"
    payload["created_at"] = "2027-01-18T17:00:00Z"
    payload["items"][0]["start_local"] = "2027-01-20T15:00:00+00:00"
    payload["extra"] = 1
    del payload["coupon_code"]
    found = faults(payload, BOOKING_CREATED)
    assert [fault.split(" ")[0] for fault in found] == [
        "coupon_code",
        "created_at",
        "extra",
        "items",
        "total_cad",
    ]


def test_events_keep_accents_and_are_compact_utf8(world: World, guest: Guest) -> None:
    guest.starts().pays()
    world.webhooks()

    for row in world.rows("SELECT body FROM outbox"):
        assert "Zoé".encode() in row["body"]
        assert b'": ' not in row["body"]


def test_the_outbox_rows_carry_the_keys_that_forbid_a_second_telling(world: World, guest: Guest) -> None:
    guest.starts().pays()
    world.webhooks()

    (order,) = world.rows("SELECT id FROM orders")
    events = recorded(world)
    rows = world.rows(
        "SELECT event_id, type, dedupe_key, ordering_key, sequence, status FROM outbox ORDER BY sequence"
    )
    assert [tuple(row.values()) for row in rows] == [
        (
            events[0]["event_id"],
            "signup",
            f"signup:{_student(world)}",
            f"order:{order['id']}",
            1,
            "pending",
        ),
        (
            events[1]["event_id"],
            "booking.created",
            f"booking.created:{order['id']}",
            f"order:{order['id']}",
            2,
            "pending",
        ),
    ]


# --- Who is signed in ---------------------------------------------------------------------------------------


def test_the_first_settled_answer_signs_the_buyer_in(world: World, guest: Guest) -> None:
    guest.starts().pays()
    world.webhooks()

    answer = guest.asks()
    token = answer.body["session_token"]
    cookie, guest_s = answer.cookies
    assert cookie == f"__Host-session={token}; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax"
    assert guest_s == "__Host-cart_session_id=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"
    person = find_person(world.connection, token, world.clock())
    assert person is not None
    assert (person.user_id, person.role) == (_student(world), "student")


def test_only_the_hash_of_the_session_token_is_kept(world: World, guest: Guest) -> None:
    guest.starts().pays()
    world.webhooks()
    token = guest.asks().body["session_token"]

    (session,) = world.rows("SELECT token_hash, created_at, expires_at FROM auth_sessions")
    assert session["token_hash"] == sha256(token.encode()).digest()
    assert len(token) >= 43  # 256 bits in base64
    assert (session["expires_at"] - session["created_at"]).days == 30


def test_the_session_is_opened_once_only(world: World, guest: Guest) -> None:
    guest.starts().pays()
    world.webhooks()
    guest.asks()

    again = guest.asks()
    assert (again.status, again.body["status"], again.body["session_token"]) == (200, "settled", None)
    assert again.cookies == []
    assert world.count("auth_sessions") == 1


def test_two_status_calls_at_the_same_time_open_one_session(world: World, guest: Guest) -> None:
    guest.starts().pays()
    world.webhooks()
    url = world.connection.info.dsn

    def asks() -> str | None:
        with psycopg.connect(url, autocommit=True) as connection:
            return follow_checkout(
                connection,
                stripe_payments.stripe_payments(),
                SHOP,
                "tutoring",
                UUID(guest.checkout_id),
                [],
                guest.client_secret,
                world.clock(),
            ).session_token

    with while_locked(url, "SELECT FROM checkouts FOR UPDATE", 2) as let_go:
        one, other, _ = at_once(asks, asks, let_go)
    assert [one.result(), other.result()].count(None) == 1
    assert world.count("auth_sessions") == 1


@pytest.mark.parametrize(("minutes", "sessions"), [(59, 1), (60, 0), (24 * 60, 0)])
def test_the_session_can_be_had_for_an_hour_after_the_payment(
    world: World, guest: Guest, minutes: int, sessions: int
) -> None:
    guest.starts().pays()
    world.webhooks()
    world.clock.advance(minutes=minutes)

    answer = guest.asks()
    assert answer.body["status"] == "settled"
    assert answer.body["order"]["number"] == "4AS-000001"
    assert (world.count("auth_sessions"), len(answer.cookies)) == (sessions, 2 * sessions)


def test_the_client_secret_proves_the_buyer_without_any_cookie(world: World, guest: Guest) -> None:
    guest.starts().pays()
    world.webhooks()

    stranger = world.browser()
    answer = stranger.get(f"/v1/checkout/{guest.checkout_id}", x_client_secret=guest.client_secret)
    assert (answer.status, answer.body["status"]) == (200, "settled")
    assert find_person(world.connection, answer.body["session_token"], world.clock()) is not None


def test_the_session_works_as_a_bearer_token_and_as_a_cookie(world: World, guest: Guest) -> None:
    guest.starts().pays()
    world.webhooks()
    token = guest.asks().body["session_token"]

    as_bearer = world.browser().get("/v1/cart", authorization=f"Bearer {token}").body
    assert guest.cart["id"] == as_bearer["id"]  # the browser kept the cookie
    assert world.rows("SELECT user_id FROM carts WHERE id = %s", as_bearer["id"]) == [
        {"user_id": _student(world)}
    ]


# --- However the news arrives -------------------------------------------------------------------------------


def test_the_status_call_settles_when_the_webhook_has_not_come(world: World, guest: Guest) -> None:
    guest.starts().pays()

    answer = guest.asks()
    assert (answer.body["status"], answer.body["order"]["number"]) == ("settled", "4AS-000001")
    assert len(answer.cookies) == 2
    assert _booked_once(world)


def test_a_browser_closed_right_after_paying_loses_nothing(world: World, guest: Guest) -> None:
    guest.starts().pays()

    world.webhooks()  # nobody ever asks how it went
    assert _booked_once(world)
    assert [event["type"] for event in recorded(world)] == ["signup", "booking.created"]


def test_the_webhook_five_times_books_once(world: World, guest: Guest) -> None:
    guest.starts().pays()
    (message,) = world.stripe.webhooks.take("payment_intent.succeeded")

    assert [world.deliver(message).body for _ in range(5)] == [{"received": True}] * 5
    assert _booked_once(world)
    assert world.rows("SELECT type, attempts FROM webhook_events") == [
        {"type": "payment_intent.succeeded", "attempts": 5}
    ]


def test_the_webhook_after_the_status_call_changes_nothing(world: World, guest: Guest) -> None:
    guest.starts().pays()
    guest.asks()
    before = world.rows("SELECT * FROM orders, appointments")

    world.webhooks()
    assert world.rows("SELECT * FROM orders, appointments") == before
    assert _booked_once(world)


def test_webhooks_and_status_calls_at_the_same_time_book_once(world: World, guest: Guest) -> None:
    guest.starts().pays()
    payment = stripe_payments.stripe_payments().find_intent(guest.intent_id)
    url = world.connection.info.dsn

    def hear_of_it(_: int) -> UUID | None:
        with psycopg.connect(url, autocommit=True) as connection:
            return settle(connection, UUID(guest.checkout_id), payment, SHOP, world.clock())

    orders = {future.result() for future in at_once(*(partial(hear_of_it, n) for n in range(6)))}
    assert orders == {row["id"] for row in world.rows("SELECT id FROM orders")}
    assert _booked_once(world)


def test_the_webhook_is_believed_even_when_it_says_less_than_stripe_knows(world: World, guest: Guest) -> None:
    """An event of an attempt that failed before the one that succeeded books nothing and hides nothing."""
    guest.starts()
    with pytest.raises(Exception, match="declined"):
        guest.pays("pm_card_chargeDeclined")
    guest.pays()

    assert [answer.status for answer in world.webhooks("payment_intent.payment_failed")] == [200]
    assert world.count("orders") == 0
    world.webhooks()
    assert _booked_once(world)


def test_a_declined_card_can_be_followed_by_a_good_one(world: World, guest: Guest) -> None:
    guest.starts()
    with pytest.raises(Exception, match="declined"):
        guest.pays("pm_card_chargeDeclined")

    assert guest.asks().body == {"status": "requires_payment", "order": None, "session_token": None}
    guest.pays()
    world.clock.advance(seconds=3)
    assert guest.asks().body["status"] == "settled"


def test_a_card_that_asks_for_authentication_books_once_it_is_given(world: World, guest: Guest) -> None:
    guest.starts().pays("pm_card_authenticationRequired")

    assert guest.asks().body["status"] == "requires_payment"
    assert world.count("orders") == 0
    world.stripe.dashboard.authenticate(guest.intent_id)
    world.clock.advance(seconds=3)
    assert guest.asks().body["status"] == "settled"


def test_a_payment_the_bank_still_thinks_about_is_processing(world: World, guest: Guest) -> None:
    world.stripe.dashboard.let_bank_answer("later")
    guest.starts().pays()

    assert guest.asks().body == {"status": "processing", "order": None, "session_token": None}
    world.stripe.dashboard.conclude(guest.intent_id)
    world.clock.advance(seconds=3)
    assert guest.asks().body["status"] == "settled"


# --- Coupons ------------------------------------------------------------------------------------------------


def test_save10_on_two_sessions_of_45_charges_81(world: World, shop: Shop) -> None:
    world.school.coupon("SAVE10", "percent", "10")
    guest = Guest(world).chooses(*(wanted(shop.french, toronto(20, hour)) for hour in (10, 11)))
    guest.uses_coupon(" save10 ").starts()

    started = guest.started
    assert [started[key] for key in ("subtotal_cad", "discount_cad", "total_cad", "amount_cad")] == [
        "90.00",
        "9.00",
        "81.00",
        "81.00",
    ]
    assert world.stripe.all("payment_intent")[0]["amount"] == 8100


def test_the_discount_is_shared_over_the_items(world: World, shop: Shop) -> None:
    world.school.coupon("DIX", "fixed", "10")
    guest = Guest(world).chooses(*(wanted(shop.french, toronto(20, hour)) for hour in (10, 11, 12)))
    guest.uses_coupon("DIX").starts().pays()
    world.webhooks()

    shares = world.rows("SELECT discount_share_cad AS share FROM order_items ORDER BY position")
    assert [row["share"] for row in shares] == [Decimal("3.34"), Decimal("3.33"), Decimal("3.33")]


def test_a_paid_order_redeems_its_coupon_once(world: World, shop: Shop) -> None:
    coupon = world.school.coupon("SAVE10", "percent", "10", max_redemptions=5, redemption_count=1)
    guest = Guest(world).chooses(*(wanted(shop.french, toronto(20, hour)) for hour in (10, 11)))
    guest.uses_coupon("SAVE10").starts()
    assert world.rows("SELECT redemption_count FROM coupons") == [{"redemption_count": 1}]
    guest.pays()
    (message,) = world.stripe.webhooks.take("payment_intent.succeeded")
    for _ in range(2):
        world.deliver(message)

    (order,) = world.rows(
        "SELECT id, subtotal_cad, discount_cad, total_cad, coupon_id, coupon_code FROM orders"
    )
    assert tuple(order.values())[1:] == (
        Decimal("90.00"),
        Decimal("9.00"),
        Decimal("81.00"),
        coupon,
        "SAVE10",
    )
    assert world.rows("SELECT redemption_count FROM coupons") == [{"redemption_count": 2}]
    assert world.rows("SELECT * FROM coupon_redemptions") == [
        {
            "order_id": order["id"],
            "coupon_id": coupon,
            "user_id": _student(world),
            "code": "SAVE10",
            "discount_cad": Decimal("9.00"),
            "over_limit": False,
            "created_at": world.clock(),
        }
    ]


def test_the_coupon_leaves_the_cart_with_the_order_and_is_named_in_the_event(
    world: World, shop: Shop
) -> None:
    world.school.coupon("SAVE10", "percent", "10")
    guest = Guest(world).chooses(*(wanted(shop.french, toronto(20, hour)) for hour in (10, 11)))
    guest.uses_coupon("SAVE10").starts().pays()
    world.webhooks()

    assert guest.cart["coupon"] is None
    payload = recorded(world)[1]["payload"]
    money = ("coupon_code", "subtotal_cad", "discount_cad", "total_cad", "amount_charged_cad")
    assert [payload[key] for key in money] == ["SAVE10", 90, 9, 81, 81]


def test_a_coupon_whose_limit_was_reached_meanwhile_is_still_honoured(world: World, shop: Shop) -> None:
    world.school.coupon("SAVE10", "percent", "10", max_redemptions=1)
    guest = Guest(world).chooses(wanted(shop.french, toronto(20, 10))).uses_coupon("SAVE10").starts()
    world.connection.execute("UPDATE coupons SET redemption_count = 1, active = false")
    guest.pays()
    world.webhooks()

    assert world.rows("SELECT discount_cad, over_limit FROM coupon_redemptions") == [
        {"discount_cad": Decimal("4.50"), "over_limit": True}
    ]
    assert world.rows("SELECT redemption_count FROM coupons") == [{"redemption_count": 1}]


@pytest.mark.parametrize(("kind", "value"), [("percent", "100"), ("fixed", "500")])
def test_an_order_that_costs_nothing_is_settled_at_once_without_stripe(
    world: World, shop: Shop, kind: str, value: str
) -> None:
    world.school.coupon("CADEAU", kind, value)
    guest = Guest(world).chooses(wanted(shop.french, toronto(20, 10))).uses_coupon("CADEAU").starts()

    (order,) = world.rows("SELECT id, status, source, total_cad, stripe_payment_intent_id FROM orders")
    assert tuple(order.values())[1:] == ("paid", "free", Decimal("0.00"), None)
    assert guest.started == {
        "checkout_id": guest.checkout_id,
        "status": "settled",
        "payment_intent_id": None,
        "client_secret": None,
        "publishable_key": None,
        "amount_cad": "0.00",
        "currency": "CAD",
        "subtotal_cad": "45.00",
        "discount_cad": "45.00",
        "credits_applied_cad": "0.00",
        "total_cad": "0.00",
        "order_id": str(order["id"]),
    }
    assert world.stripe.calls == []
    assert _booked_once(world)
    booking = recorded(world)[1]["payload"]
    assert (booking["total_cad"], booking["amount_charged_cad"], booking["payment_reference"]) == (0, 0, None)


def test_the_status_call_of_a_free_order_signs_the_buyer_in_once(world: World, shop: Shop) -> None:
    world.school.coupon("CADEAU", "percent", "100")
    guest = Guest(world).chooses(wanted(shop.french, toronto(20, 10))).uses_coupon("CADEAU").starts()

    first, second = guest.asks(), guest.asks()
    assert (first.body["status"], len(first.cookies)) == ("settled", 2)
    assert find_person(world.connection, first.body["session_token"], world.clock()) is not None
    assert (second.body["session_token"], second.cookies) == (None, [])
    assert world.stripe.calls == []


@pytest.mark.parametrize(("value", "accepted"), [("44.51", False), ("44.99", False), ("44.50", True)])
def test_less_than_half_a_dollar_cannot_be_charged(
    world: World, shop: Shop, value: str, accepted: bool
) -> None:
    world.school.coupon("RABAIS", "fixed", value)
    guest = Guest(world).chooses(wanted(shop.french, toronto(20, 10))).uses_coupon("RABAIS")
    answer = guest.sends_form()

    if accepted:
        assert (answer.status, answer.body["amount_cad"]) == (201, "0.50")
    else:
        assert (answer.status, answer.code) == (422, "AMOUNT_TOO_SMALL")
        assert answer.body["detail"] == "Le montant à payer par carte doit être d'au moins 0,50 $."
        assert (world.count("checkouts"), world.stripe.calls) == (0, [])


# --- The password -------------------------------------------------------------------------------------------

PASSWORD = "Tr3sSecret-et-unique"


@pytest.mark.usefixtures("todays_passwords")
def test_the_password_is_kept_as_an_argon2id_hash_only(
    world: World, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """Nowhere else: not in the database, not at Stripe, not at Make.com, not in a log (P6)."""
    guest = Guest(world).chooses(wanted(shop.french, ONE_HOUR))
    account = form("zoe@exemple.ca")["account"] | {"password": PASSWORD}
    mismatch = guest.sends_form(account=account | {"password_confirmation": PASSWORD + "!"})
    started = guest.sends_form(account=account | {"password_confirmation": PASSWORD})
    guest.started = started.body
    guest.pays()
    world.webhooks()
    settled = guest.asks()

    (row,) = world.rows("SELECT password_hash FROM users WHERE role = 'student'")
    assert row["password_hash"].startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    outside: list[Any] = [world.stripe.state(), recorded(world), mismatch.text, started.text, settled.text]
    outside += [_logged(caplog)]
    assert [place for place in outside if PASSWORD in str(place) or row["password_hash"] in str(place)] == []
    assert PASSWORD not in str(contents(world.connection))


def test_a_failure_logs_neither_the_password_nor_its_hash_nor_the_persons_details(
    world: World, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """PostgreSQL quotes the row it refuses; that quotation must not reach the log."""
    guest = Guest(world).chooses(wanted(shop.french, ONE_HOUR))
    world.connection.execute("ALTER TABLE checkouts ADD CONSTRAINT broken CHECK (total_cad < 0) NOT VALID")
    account = form("zoe@exemple.ca")["account"] | {"password": PASSWORD, "password_confirmation": PASSWORD}
    answer = guest.sends_form(account=account)

    assert (answer.status, answer.code) == (500, "INTERNAL_ERROR")
    logged = _logged(caplog)
    assert "CheckViolation" in logged
    assert [
        secret for secret in (PASSWORD, "argon2id", "zoe@exemple.ca", "Tremblay") if secret in logged
    ] == []


def test_settlement_erases_the_hash_from_the_checkout(world: World, guest: Guest) -> None:
    guest.starts()
    (before,) = world.rows("SELECT buyer FROM checkouts")
    assert before["buyer"]["password_hash"].startswith("$argon2id$")
    guest.pays()
    world.webhooks()

    assert world.rows("SELECT status, buyer, settled_at, account_created FROM checkouts") == [
        {"status": "settled", "buyer": None, "settled_at": world.clock(), "account_created": True}
    ]
    holders = [
        name
        for name, rows in contents(world.connection).items()
        if any(before["buyer"]["password_hash"] in row for row in rows)
    ]
    assert holders == ["users"]


def test_two_people_with_one_password_have_different_hashes(world: World, shop: Shop) -> None:
    Guest(world, "a@exemple.ca").books(wanted(shop.french, toronto(20, 9)))
    Guest(world, "b@exemple.ca").books(wanted(shop.french, toronto(20, 10)))

    assert len(world.rows("SELECT DISTINCT password_hash FROM users WHERE role = 'student'")) == 2


# --- Summer time --------------------------------------------------------------------------------------------


def test_times_in_summer_carry_summers_offset(world: World, shop: Shop) -> None:
    world.clock.now = datetime(2027, 3, 1, 17, tzinfo=UTC)
    guest = Guest(world).books(wanted(shop.french, toronto(15, 10, month=3)))  # the clocks change on the 14th

    (item,) = recorded(world)[1]["payload"]["items"]
    assert item["start_local"] == "2027-03-15T10:00:00-04:00"
    assert item["start_datetime"] == "2027-03-15T14:00:00.000Z"
    assert guest.asks().body["order"]["items"][0]["start"] == "2027-03-15T10:00:00-04:00"


def _student(world: World) -> UUID:
    (row,) = world.rows("SELECT id FROM users WHERE role = 'student'")
    student_id: UUID = row["id"]
    return student_id


def _booked_once(world: World) -> bool:
    """One order, each of its items booked once, one account."""
    items = world.count("order_items")
    return (world.count("orders"), world.count("appointments"), world.count("refunds")) == (1, items, 0) and (
        len(world.rows("SELECT id FROM users WHERE role = 'student'")) == 1
    )


def _logged(caplog: pytest.LogCaptureFixture) -> str:
    """What was logged, with every added field and traceback."""
    return caplog.text + str([vars(record) for record in caplog.records])
