"""Trainings are bought: from a guest's cart to access, once, whatever happens on the way (courses 3, 11)."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe

from tests.support.dojo import Dojo, Learner
from tests.support.people import sign_in
from tests.support.world import World


@pytest.fixture
def dojo(world: World) -> Dojo:
    return Dojo(world)


@pytest.fixture
def zoe(dojo: Dojo) -> Learner:
    return dojo.buyer()


def test_a_guest_buys_with_a_coupon(dojo: Dojo, zoe: Learner) -> None:
    """courses 11.1."""
    dojo.coupon("DOJO15", "percent", "15", max_redemptions=10)
    zoe.chooses(dojo.ccvm).uses_coupon("dojo15").starts()
    assert (zoe.started["subtotal_cad"], zoe.started["discount_cad"], zoe.started["total_cad"]) == (
        "299.00",
        "44.85",
        "254.15",
    )
    assert dojo.enrolments() == []
    assert dojo.world.count("users") == 0

    zoe.pays()
    assert [answer.status for answer in dojo.world.webhooks()] == [200]

    (enrolment,) = dojo.enrolments()
    charge = dojo.world.stripe.all("charge")[-1]
    paid_at = datetime.fromtimestamp(charge["created"], UTC)
    assert (enrolment["starts_at"], enrolment["expires_at"]) == (paid_at, paid_at + timedelta(days=365))
    assert dojo.world.rows("SELECT redemption_count FROM coupons") == [{"redemption_count": 1}]
    state = zoe.asks().body
    assert state["status"] == "settled"
    assert state["order"]["number"] == "DOJO-000001"
    assert state["order"]["total_cad"] == "254.15"
    assert state["session_token"]
    assert zoe.cart()["items"] == []


def told(world: World, kind: str) -> list[dict[str, Any]]:
    """The events of that type as they are sent, in order."""
    bodies = world.rows("SELECT body FROM outbox WHERE type = %s ORDER BY created_at, sequence", kind)
    return [json.loads(bytes(row["body"])) for row in bodies]


def test_make_is_told_of_the_sale(dojo: Dojo, zoe: Learner) -> None:
    other = dojo.training("placements", "Placements", "59.99", days=30)
    dojo.coupon("DOJO15", "percent", "15")
    zoe.chooses(dojo.ccvm)
    dojo.world.clock.advance(minutes=1)
    zoe.chooses(other).uses_coupon("DOJO15").starts().pays()
    dojo.world.webhooks()

    (event,) = told(dojo.world, "payment.success")
    enrolments = {row["training_id"]: row for row in dojo.enrolments()}
    (order,) = dojo.world.rows("SELECT id, user_id, stripe_payment_intent_id FROM orders")
    assert {name: event[name] for name in event if name not in ("eventId", "occurredAt", "purchasedAt")} | {
        "items": None
    } == {
        "eventType": "payment.success",
        "sequence": 1,
        "environment": "dev",
        "paymentIntentId": zoe.intent_id,
        "orderId": str(order["id"]),
        "orderNumber": "DOJO-000001",
        "userId": str(order["user_id"]),
        "email": "zoe@exemple.ca",
        "firstName": None,
        "lastName": None,
        "isNewUser": True,
        "couponCode": "DOJO15",
        "courseId": str(dojo.ccvm),
        "enrollmentId": str(enrolments[dojo.ccvm]["id"]),
        "originalAmount": 358.99,
        "discountAmount": 53.85,
        "amount": 305.14,
        "refundedAmount": 0,
        "originalAmountFr": event["originalAmountFr"],
        "discountAmountFr": event["discountAmountFr"],
        "amountFr": "305,14 $",
        "refundedAmountFr": event["refundedAmountFr"],
        "purchasedFr": event["purchasedFr"],
        "coursesFr": event["coursesFr"],
        "items": None,
    }
    assert [(item["courseId"], item["enrollmentId"], item["accessDays"]) for item in event["items"]] == [
        (str(dojo.ccvm), str(enrolments[dojo.ccvm]["id"]), 365),
        (str(other), str(enrolments[other]["id"]), 30),
    ]
    assert told(dojo.world, "signup") == []


def test_make_is_told_of_each_refused_card_once_and_of_a_refund_once(dojo: Dojo, zoe: Learner) -> None:
    zoe.chooses(dojo.ccvm).starts()
    for _ in range(2):
        with suppress(stripe.CardError):
            zoe.pays("pm_card_chargeDeclinedExpiredCard")
    messages = dojo.world.stripe.webhooks.take("payment_intent.payment_failed")
    for message in (*messages, *messages):
        assert dojo.world.deliver(message).status == 200
    failed = told(dojo.world, "payment.failed")
    assert [(event["message"], event["email"], event["userId"]) for event in failed] == [
        ("Votre carte a expiré. Veuillez utiliser une autre carte.", "zoe@exemple.ca", None)
    ] * 2

    zoe.pays()
    dojo.world.webhooks()
    dojo.world.stripe.dashboard.refund(zoe.intent_id, 5000)
    dojo.world.webhooks("charge.refunded")
    dojo.world.webhooks("refund.created")
    (refunded,) = told(dojo.world, "payment.refunded")
    assert (refunded["amount"], refunded["partial"], refunded["totalRefunded"], refunded["net"]) == (
        50,
        True,
        50,
        249,
    )
    assert [(item["courseId"], item["refundedAmount"]) for item in refunded["items"]] == [
        (str(dojo.ccvm), 50)
    ]
    assert dojo.world.rows("SELECT revoked_at FROM enrolments") == [{"revoked_at": None}]


def test_the_same_event_twice_is_one_enrolment(dojo: Dojo, zoe: Learner) -> None:
    """courses 11.2."""
    zoe.buys(dojo.ccvm)
    dojo.world.webhooks()
    assert zoe.asks().body["status"] == "settled"
    assert dojo.world.count("enrolments") == dojo.world.count("orders") == 1


def test_the_status_call_before_the_webhook_gives_the_same(dojo: Dojo, zoe: Learner) -> None:
    """courses 11.3."""
    zoe.chooses(dojo.ccvm).starts().pays()
    assert zoe.asks().body["status"] == "settled"
    before = dojo.enrolments()
    dojo.world.webhooks()
    assert dojo.enrolments() == before


def test_a_refused_card_is_told_in_french_and_the_same_payment_can_be_tried_again(
    dojo: Dojo, zoe: Learner
) -> None:
    """courses 11.6."""
    zoe.chooses(dojo.ccvm).starts()
    with suppress(stripe.CardError):
        zoe.pays("pm_card_chargeDeclinedInsufficientFunds")
    assert [answer.status for answer in dojo.world.webhooks("payment_intent.payment_failed")] == [200]

    state = zoe.asks().body
    assert state["status"] == "requires_payment"
    assert state["failure"] == {
        "code": "card_declined",
        "decline_code": "insufficient_funds",
        "detail": "Fonds insuffisants. Veuillez utiliser une autre carte.",
    }
    assert (dojo.world.count("users"), dojo.world.count("enrolments")) == (0, 0)

    zoe.pays()
    dojo.world.webhooks()
    settled = zoe.asks().body
    assert (settled["status"], settled["failure"]) == ("settled", None)
    assert dojo.world.count("enrolments") == 1


def test_an_e_mail_that_has_an_account_is_stopped_before_any_charge(dojo: Dojo, zoe: Learner) -> None:
    """courses 11.7."""
    zoe.buys(dojo.ccvm)
    other = dojo.training("placements", "Placements", "59.99")
    again = dojo.buyer().chooses(other)
    answer = again.sends_form()
    assert (answer.status, answer.code) == (409, "USER_ALREADY_EXISTS")
    assert len(dojo.world.stripe.all("payment_intent")) == 1


def test_a_whole_discount_is_a_free_order_without_stripe(dojo: Dojo, zoe: Learner) -> None:
    """courses 11.8."""
    dojo.coupon("CADEAU", "fixed", "300")
    zoe.chooses(dojo.ccvm).uses_coupon("CADEAU").starts()
    assert zoe.started["status"] == "settled"
    assert dojo.world.stripe.all("payment_intent") == []
    (enrolment,) = dojo.enrolments()
    assert enrolment["expires_at"] - enrolment["starts_at"] == timedelta(days=365)
    assert dojo.world.rows("SELECT source::text, discount_cad::text FROM orders") == [
        {"source": "free", "discount_cad": "299.00"}
    ]


def test_what_a_card_cannot_be_charged_is_refused(dojo: Dojo, zoe: Learner) -> None:
    dojo.coupon("PRESQUE", "fixed", "298.51")
    zoe.chooses(dojo.ccvm).uses_coupon("PRESQUE")
    answer = zoe.sends_form()
    assert (answer.status, answer.code) == (422, "AMOUNT_TOO_SMALL")
    assert dojo.world.count("checkouts") == 0


def test_the_last_use_of_a_coupon_goes_to_one_of_two(dojo: Dojo, zoe: Learner) -> None:
    """courses 11.9."""
    dojo.coupon("UNEFOIS", "percent", "10", max_redemptions=1)
    zoe.chooses(dojo.ccvm).uses_coupon("UNEFOIS")
    lea = dojo.buyer("lea@exemple.ca").chooses(dojo.ccvm).uses_coupon("UNEFOIS")
    zoe.starts()
    answer = lea.sends_form()
    assert (answer.status, answer.code) == (422, "COUPON_INVALID")
    assert answer.body["detail"] == "Ce coupon a atteint sa limite d'utilisation"


def test_a_person_s_limit_counts_the_e_mail_of_a_guest(dojo: Dojo, zoe: Learner) -> None:
    """courses 11.10."""
    dojo.coupon("PARTETE", "percent", "10", max_per_person=1)
    zoe.chooses(dojo.ccvm).uses_coupon("PARTETE").starts()
    again = dojo.buyer().chooses(dojo.ccvm).uses_coupon("PARTETE")
    answer = again.sends_form()
    assert (answer.status, answer.body["detail"]) == (422, "Vous avez déjà utilisé ce coupon")

    zoe.pays()
    dojo.world.webhooks()
    zoe.asks()
    other = dojo.training("placements", "Placements", "59.99")
    answer = Learner(dojo.world, signed_in=zoe.browser).chooses(other).applies("PARTETE")
    assert (answer.status, answer.body["detail"]) == (422, "Vous avez déjà utilisé ce coupon")


def test_two_purchases_at_once_are_one_enrolment_and_one_refund(dojo: Dojo, zoe: Learner) -> None:
    zoe.buys(dojo.ccvm)
    zoe.asks()
    other = dojo.training("placements", "Placements", "60.00")
    phone = Learner(dojo.world, signed_in=zoe.browser).chooses(other).starts()
    # the same account, another cart: bought as a guest whose e-mail got the account meanwhile
    laptop = dojo.buyer("autre@exemple.ca").chooses(other).starts()
    dojo.world.connection.execute(
        "UPDATE checkouts SET buyer = jsonb_set(buyer, '{email}', '\"zoe@exemple.ca\"') WHERE id = %s",
        (laptop.started["checkout_id"],),
    )
    phone.pays()
    laptop.pays()
    dojo.world.webhooks()

    assert [row["training_id"] for row in dojo.enrolments()].count(other) == 1
    orders = dojo.world.rows(
        "SELECT status::text, refunded_cad::text FROM orders ORDER BY order_number OFFSET 1"
    )
    assert orders == [
        {"status": "paid", "refunded_cad": "0.00"},
        {"status": "refunded", "refunded_cad": "60.00"},
    ]
    assert dojo.world.rows("SELECT amount_cents, reason FROM refunds") == [
        {"amount_cents": 6000, "reason": "Accès déjà actif au moment du paiement"}
    ]


def test_what_is_owned_is_refused_until_it_has_expired(dojo: Dojo, zoe: Learner) -> None:
    zoe.buys(dojo.ccvm)
    zoe.asks()
    owner = Learner(dojo.world, signed_in=zoe.browser)
    answer = owner.adds(dojo.ccvm)
    assert (answer.status, answer.code) == (409, "ALREADY_ENROLLED")
    assert answer.body["detail"] == "Vous êtes déjà inscrit à ce cours"

    dojo.world.connection.execute("UPDATE auth_sessions SET expires_at = expires_at + interval '2 years'")
    (first,) = dojo.enrolments()
    dojo.world.clock.now = first["expires_at"]
    owner.buys(dojo.ccvm)
    _, renewed = dojo.enrolments()
    assert renewed["starts_at"] >= first["expires_at"]
    assert dojo.world.count("refunds") == 0


def test_prices_are_read_again_and_what_is_unpublished_leaves_with_a_notice(dojo: Dojo, zoe: Learner) -> None:
    other = dojo.training("placements", "Placements", "59.99")
    zoe.chooses(dojo.ccvm, other)
    dojo.change(dojo.ccvm, price_cad="199.00")
    dojo.change(other, state="archived")

    cart = zoe.cart()
    assert [(line["title_fr"], line["price_cad"]) for line in cart["items"]] == [("CCVM Volume 1", "199.00")]
    assert [(notice["code"], notice["detail"]) for notice in cart["notices"]] == [
        ("TRAINING_UNAVAILABLE", "« Placements » n'est plus offert et a été retiré de votre panier."),
        ("PRICE_CHANGED", "Le prix de « CCVM Volume 1 » a changé."),
    ]
    assert zoe.cart()["notices"] == []


def test_nobody_is_charged_another_price_than_they_saw(dojo: Dojo, zoe: Learner) -> None:
    zoe.chooses(dojo.ccvm)
    dojo.change(dojo.ccvm, price_cad="399.00")
    answer = zoe.sends_form()
    assert (answer.status, answer.code) == (409, "PRICE_CHANGED")
    assert (answer.body["old_subtotal_cad"], answer.body["new_subtotal_cad"]) == ("299.00", "399.00")
    zoe.starts()
    assert zoe.started["total_cad"] == "399.00"


def test_a_coupon_for_chosen_trainings_takes_something_off_these_alone(dojo: Dojo, zoe: Learner) -> None:
    other = dojo.training("placements", "Placements", "59.99")
    dojo.coupon("TIERS", "percent", "33.33", other)
    zoe.chooses(dojo.ccvm)
    answer = zoe.applies("TIERS")
    assert (answer.status, answer.body["detail"]) == (422, "Ce coupon n'est pas applicable à ce cours")
    assert zoe.cart()["coupon"] is None

    dojo.world.clock.advance(minutes=1)
    zoe.chooses(other).uses_coupon("TIERS")
    assert [(line["price_cad"], line["discount_cad"], line["total_cad"]) for line in zoe.cart()["items"]] == [
        ("299.00", "0.00", "299.00"),
        ("59.99", "19.99", "40.00"),
    ]


def test_the_carts_of_the_two_products_never_meet_and_one_cookie_finds_both(dojo: Dojo, zoe: Learner) -> None:
    zoe.chooses(dojo.ccvm)
    cookie = dict(zoe.browser.cookies)
    assert zoe.browser.get("/v1/cart").body["id"] is None
    course = dojo.world.school.course("francais")
    dojo.world.school.tutor(course)
    start = "2027-01-20T10:00:00-05:00"
    answer = zoe.browser.post(
        "/v1/cart/items", {"items": [{"course_id": str(course), "start": start, "duration_min": 60}]}
    )
    assert answer.status == 201, answer.text
    assert dict(zoe.browser.cookies) == cookie
    assert len(zoe.cart()["items"]) == len(zoe.browser.get("/v1/cart").body["items"]) == 1
    assert dojo.world.rows("SELECT product::text FROM carts ORDER BY carts.product") == [
        {"product": "tutoring"},
        {"product": "training"},
    ]


def test_a_guest_s_trainings_are_the_account_s_once_signed_in(dojo: Dojo, zoe: Learner) -> None:
    zoe.buys(dojo.ccvm)
    other = dojo.training("placements", "Placements", "59.99")
    guest = dojo.buyer().chooses(dojo.ccvm, other)
    assert sign_in(guest.browser, "zoe@exemple.ca", "motdepasse").status == 200
    mine = Learner(dojo.world, signed_in=guest.browser).cart()
    assert [line["slug"] for line in mine["items"]] == ["placements"]
    assert [notice["code"] for notice in mine["notices"]] == ["ALREADY_ENROLLED"]


def test_a_suspended_student_buys_nothing(dojo: Dojo, zoe: Learner) -> None:
    zoe.buys(dojo.ccvm)
    zoe.asks()
    dojo.world.connection.execute("UPDATE users SET status = 'suspended'")
    owner = Learner(dojo.world, signed_in=zoe.browser)
    answer = owner.adds(dojo.training("placements", "Placements", "59.99"))
    assert (answer.status, answer.code) == (403, "ACCOUNT_SUSPENDED")
    assert answer.body["detail"] == "Votre compte a été suspendu"
    answer = owner.sends_form()
    assert (answer.status, answer.code) == (403, "ACCOUNT_SUSPENDED")
