"""Stripe's test payment methods. Source: https://docs.stripe.com/testing."""

from dataclasses import dataclass
from typing import Literal

from local.stripe_double.errors import no_such
from local.stripe_double.ids import new_id, new_secret
from local.stripe_double.sandbox import Resource, Sandbox

_DECLINED = "Your card was declined."


@dataclass(frozen=True)
class Decline:
    """How the bank refuses: the error code, its own decline code when it gives one, the sentence."""

    code: str
    decline_code: str | None = None
    message: str = _DECLINED
    param: str | None = None


@dataclass(frozen=True)
class Card:
    """A test card and what happens when it is charged or refunded."""

    last4: str
    brand: str = "visa"
    country: str = "US"
    decline: Decline | None = None
    authenticates: bool = False
    dispute: str | None = None
    refund: Literal["succeeds", "pends", "fails"] = "succeeds"


CARDS = {
    "visa": Card("4242"),
    "visa_debit": Card("5556"),
    "mastercard": Card("4444", "mastercard"),
    "amex": Card("8431", "amex"),
    "ca": Card("0000", country="CA"),
    "chargeDeclined": Card("0002", decline=Decline("card_declined", "generic_decline")),
    "chargeDeclinedInsufficientFunds": Card(
        "9995", decline=Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
    ),
    "chargeDeclinedLostCard": Card("9987", decline=Decline("card_declined", "lost_card")),
    "chargeDeclinedStolenCard": Card("9979", decline=Decline("card_declined", "stolen_card")),
    "chargeDeclinedFraudulent": Card("0019", decline=Decline("card_declined", "fraudulent")),
    "chargeDeclinedVelocityLimitExceeded": Card(
        "6975",
        decline=Decline(
            "card_declined",
            "card_velocity_exceeded",
            "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
        ),
    ),
    "chargeDeclinedExpiredCard": Card(
        "0069", decline=Decline("expired_card", None, "Your card has expired.", "exp_month")
    ),
    "chargeDeclinedIncorrectCvc": Card(
        "0127", decline=Decline("incorrect_cvc", None, "Your card's security code is incorrect.", "cvc")
    ),
    "chargeDeclinedProcessingError": Card(
        "0119",
        decline=Decline(
            "processing_error",
            None,
            "An error occurred while processing your card. Try again in a little bit.",
        ),
    ),
    "chargeCustomerFail": Card("0341", decline=Decline("card_declined", "generic_decline")),
    "authenticationRequired": Card("3184", authenticates=True),
    "threeDSecure2Required": Card("3220", authenticates=True),
    "threeDSecureRequiredChargeDeclined": Card(
        "1629", authenticates=True, decline=Decline("card_declined", "generic_decline")
    ),
    "createDispute": Card("0259", dispute="fraudulent"),
    "createDisputeProductNotReceived": Card("2685", dispute="product_not_received"),
    "pendingRefund": Card("7726", refund="pends"),
    "refundFail": Card("5126", refund="fails"),
}

_PREFIX = "pm_card_"


def present(sandbox: Sandbox, name: str) -> Resource:
    """The payment method to pay with: a new one for a test name (`pm_card_visa`), or one already used."""
    if not name.startswith(_PREFIX):
        return sandbox.get("payment_method", name, param="payment_method")
    short = name.removeprefix(_PREFIX)
    card = CARDS.get(short) or CARDS.get(short.removeprefix("visa_"))  # pm_card_visa_chargeDeclined
    if card is None:
        raise no_such("PaymentMethod", name, param="payment_method")
    return sandbox.add(_payment_method(card, sandbox.now()))


def behind(payment_method: Resource) -> Card:
    """The test card of a payment method."""
    last4 = payment_method["card"]["last4"]
    return next(card for card in CARDS.values() if card.last4 == last4)


def no_billing_details() -> Resource:
    """Billing details nobody gave."""
    address = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    return {"address": address, "email": None, "name": None, "phone": None, "tax_id": None}


def _payment_method(card: Card, now: int) -> Resource:
    return {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": no_billing_details(),
        "card": {
            "brand": card.brand,
            "checks": {
                "address_line1_check": None,
                "address_postal_code_check": None,
                "cvc_check": "fail" if card.last4 == CARDS["chargeDeclinedIncorrectCvc"].last4 else "pass",
            },
            "country": card.country,
            "display_brand": card.brand,
            "exp_month": 12,
            "exp_year": 2034,
            "fingerprint": new_secret(16),
            "funding": "credit",
            "generated_from": None,
            "last4": card.last4,
            "networks": {"available": [card.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        "created": now,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
    }
