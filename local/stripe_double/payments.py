"""The life of a payment between confirmation and its end.

    requires_payment_method ─ confirm ─┬─ requires_action ─ authenticate ─┐
            ▲                          └──────────────────────────────────┴─ (processing) ─ succeeded
            └──────────── declined, or authentication failed ─────────────────────┘

Source: https://docs.stripe.com/payments/paymentintents/lifecycle.
"""

import copy
from typing import Literal

from local.stripe_double import cards, charges, disputes
from local.stripe_double.errors import StripeError, invalid_request
from local.stripe_double.ids import new_id, new_secret
from local.stripe_double.sandbox import Resource, Sandbox

Outcome = Literal["succeed", "fail"]

_AUTHENTICATION_FAILED = (
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new "
    "PaymentMethod to attempt to fulfill this PaymentIntent again."
)


def attempt(sandbox: Sandbox, intent: Resource, payment_method: Resource, return_url: str | None) -> None:
    """Try to pay. Raises the card error when the bank declines at once."""
    intent.update(payment_method=payment_method["id"], last_payment_error=None, next_action=None)
    if cards.behind(payment_method).authenticates:
        intent.update(status="requires_action", next_action=_next_action(return_url))
        sandbox.emit("payment_intent.requires_action", intent)
        return
    if declined := _ask_bank(sandbox, intent):
        raise declined


def authenticate(sandbox: Sandbox, intent: Resource, outcome: Outcome) -> None:
    """The customer passes or fails the bank's challenge (3-D Secure)."""
    _require(intent, "requires_action", "authenticated")
    intent["next_action"] = None
    if outcome == "succeed":
        _ask_bank(sandbox, intent)
        return
    payment_method = sandbox.get("payment_method", intent["payment_method"])
    _fail(
        sandbox,
        intent,
        StripeError(
            402,
            _AUTHENTICATION_FAILED,
            code="payment_intent_authentication_failure",
            payment_method=copy.deepcopy(payment_method),
            payment_method_type="card",
        ),
    )


def conclude(sandbox: Sandbox, intent: Resource, outcome: Outcome | None = None) -> None:
    """The bank answers about a payment in `processing`: as asked, else as the card says."""
    _require(intent, "processing", "concluded")
    intent["processing"] = None
    _take_answer(sandbox, intent, outcome)


def _ask_bank(sandbox: Sandbox, intent: Resource) -> StripeError | None:
    if sandbox.bank_answers_later:
        intent.update(status="processing", processing={"type": "card", "card": {}})
        sandbox.emit("payment_intent.processing", intent)
        return None
    return _take_answer(sandbox, intent)


def _take_answer(sandbox: Sandbox, intent: Resource, outcome: Outcome | None = None) -> StripeError | None:
    payment_method = sandbox.get("payment_method", intent["payment_method"])
    card = cards.behind(payment_method)
    decline = card.decline
    if outcome is not None:
        decline = (decline or cards.CARDS["chargeDeclined"].decline) if outcome == "fail" else None
    charge = charges.record(sandbox, intent, payment_method, decline)
    intent["latest_charge"] = charge["id"]
    if decline:
        return _decline(sandbox, intent, charge, payment_method, decline)
    intent.update(status="succeeded", amount_received=intent["amount"])
    sandbox.emit("payment_intent.succeeded", intent)
    sandbox.later(lambda: charges.reach_balance(sandbox, charge))
    if card.dispute:
        disputes.open_dispute(sandbox, charge, card.dispute)
    return None


def _decline(
    sandbox: Sandbox, intent: Resource, charge: Resource, payment_method: Resource, decline: cards.Decline
) -> StripeError:
    details = {"decline_code": decline.decline_code} if decline.decline_code else {}
    error = StripeError(
        402,
        decline.message,
        kind="card_error",
        code=decline.code,
        param=decline.param,
        charge=charge["id"],
        payment_method=copy.deepcopy(payment_method),
        payment_method_type="card",
        **details,
    )
    _fail(sandbox, intent, error)
    return error


def _fail(sandbox: Sandbox, intent: Resource, error: StripeError) -> None:
    """Back to the start: another payment method may be tried on the same intent."""
    intent.update(status="requires_payment_method", payment_method=None, last_payment_error=dict(error.error))
    sandbox.emit("payment_intent.payment_failed", intent)
    error.error["payment_intent"] = copy.deepcopy(intent)


def _next_action(return_url: str | None) -> Resource:
    if return_url is None:
        source = new_id("src")
        return {
            "type": "use_stripe_sdk",
            "use_stripe_sdk": {"type": "three_d_secure_redirect", "source": source},
        }
    url = f"https://hooks.stripe.com/3d_secure_2/hosted?merchant=acct_double&source={new_secret(24)}"
    return {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": url}}


def _require(intent: Resource, status: str, participle: str) -> None:
    if intent["status"] != status:
        raise invalid_request(
            f"This PaymentIntent cannot be {participle} because it has a status of {intent['status']}.",
            code="payment_intent_unexpected_state",
        )
