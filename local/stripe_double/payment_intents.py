"""Payment intents: create, retrieve, update, confirm, cancel, list.

The shapes are those of API version 2026-10-28.endive; since 2026-09-30 a merchant narrows the payment methods
with `allowed_payment_method_types`, and `payment_method_types` is only read.
"""

import copy
import secrets
from typing import Any

from local.stripe_double import cards, customers, metadata, payments
from local.stripe_double.errors import InvalidParameterError, StripeError, invalid_request
from local.stripe_double.forms import Params
from local.stripe_double.ids import new_id, new_secret
from local.stripe_double.lists import page
from local.stripe_double.sandbox import Resource, Sandbox

_SMALLEST = {
    "cad": 50,
    "usd": 50,
    "eur": 50,
}  # cents; https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
_LARGEST = 99_999_999
_ACCOUNT_TYPES = ("card", "link")  # what this account has switched on
_OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
_CANCELABLE = "requires_payment_method, requires_capture, requires_confirmation, requires_action"
_ALWAYS_UPDATABLE = ("metadata", "description", "receipt_email", "expand")

# What a publishable key may see ("a subset of properties"): nothing the merchant wrote for itself.
PUBLIC = frozenset(
    {
        *("id", "object", "amount", "amount_details", "automatic_payment_methods", "canceled_at"),
        *("cancellation_reason", "capture_method", "client_secret", "confirmation_method", "created"),
        *("currency", "description", "last_payment_error", "livemode", "next_action", "payment_method"),
        *("payment_method_configuration_details", "payment_method_types", "processing", "receipt_email"),
        *("setup_future_usage", "shipping", "source", "status"),
    }
)


def create(sandbox: Sandbox, params: Params) -> Resource:
    """A new intent to be paid, confirmed at once with `confirm`."""
    currency = _currency(params["currency"])
    _check_amount(params["amount"], currency)
    _check_customer(sandbox, params)
    automatic, types = _payment_methods(params)
    identifier = new_id("pi")
    intent: Resource = {
        "id": identifier,
        "object": "payment_intent",
        "allowed_payment_method_types": params.get("allowed_payment_method_types"),
        "amount": params["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": automatic,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{identifier}_secret_{new_secret(25)}",
        "confirmation_method": "automatic",
        "created": sandbox.now(),
        "currency": currency,
        "customer": params.get("customer"),
        "customer_account": None,
        "description": params.get("description"),
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": metadata.merged({}, params.get("metadata")),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
        "payment_method_types": types,
        "processing": None,
        "receipt_email": _email(params.get("receipt_email")),
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }
    if name := params.get("payment_method"):
        intent.update(payment_method=cards.present(sandbox, name)["id"], status="requires_confirmation")
    if params.get("confirm"):
        _check_confirmable(intent, params)
    sandbox.add(intent)
    sandbox.emit("payment_intent.created", intent)
    if params.get("confirm"):
        _attempt(sandbox, intent, params)
    return intent


def retrieve(sandbox: Sandbox, params: Params, intent: str) -> Resource:
    """The intent as it is. A client secret, when given, must be its own."""
    found = sandbox.get("payment_intent", intent)
    _check_secret(found, params)
    return found


def listing(sandbox: Sandbox, params: Params) -> Resource:
    """Intents, newest first, of a customer or a period."""
    return page(sandbox, "payment_intent", params, "/v1/payment_intents", filters=("customer",))


def update(sandbox: Sandbox, params: Params, intent: str) -> Resource:
    """Change what is given. What is charged, and to whom, can only change while the intent is open."""
    found = sandbox.get("payment_intent", intent)
    for name in params:
        if name not in _ALWAYS_UPDATABLE and found["status"] not in _OPEN:
            raise _cannot_update(found, name)
    values: Resource = {name: params[name] for name in ("amount", "currency") if name in params}
    values |= {name: params[name] or None for name in ("description", "customer") if name in params}
    merged = found | values
    values["currency"] = _currency(merged["currency"])
    _check_amount(merged["amount"], values["currency"])
    _check_customer(sandbox, params)
    values["metadata"] = metadata.merged(found["metadata"], params.get("metadata"))
    if "receipt_email" in params:
        values["receipt_email"] = _email(params["receipt_email"])
    if "payment_method" in params:
        values["payment_method"] = cards.present(sandbox, params["payment_method"])["id"]
    found.update(values, last_payment_error=None)
    if found["status"] == "requires_action" and params.keys() & {"amount", "currency", "payment_method"}:
        found["next_action"] = None  # what the customer was about to approve has changed
    if found["status"] in _OPEN and not found["next_action"]:
        found["status"] = "requires_confirmation" if found["payment_method"] else "requires_payment_method"
    return found


def confirm(sandbox: Sandbox, params: Params, intent: str) -> Resource:
    """Pay, as the server or as the customer's browser: see `payments`."""
    found = sandbox.get("payment_intent", intent)
    _check_secret(found, params)
    if found["status"] == "succeeded":
        raise _unexpected(
            found,
            "You cannot confirm this PaymentIntent because it has already succeeded after being previously"
            " confirmed.",
        )
    if found["status"] not in _OPEN:
        raise _unexpected(
            found, f"You cannot confirm this PaymentIntent because it has a status of {found['status']}."
        )
    _check_confirmable(found, params)
    _attempt(sandbox, found, params)
    return found


def cancel(sandbox: Sandbox, params: Params, intent: str) -> Resource:
    """Give up: no attempt can follow."""
    found = sandbox.get("payment_intent", intent)
    if found["status"] not in _OPEN:
        raise _unexpected(
            found,
            f"You cannot cancel this PaymentIntent because it has a status of {found['status']}. Only a"
            f" PaymentIntent with one of the following statuses may be canceled: {_CANCELABLE}.",
        )
    found.update(
        status="canceled",
        canceled_at=sandbox.now(),
        cancellation_reason=params.get("cancellation_reason"),
        next_action=None,
    )
    sandbox.emit("payment_intent.canceled", found)
    return found


def _attempt(sandbox: Sandbox, intent: Resource, params: Params) -> None:
    payment_method = cards.present(sandbox, params.get("payment_method") or intent["payment_method"])
    if "receipt_email" in params:
        intent["receipt_email"] = _email(params["receipt_email"])
    payments.attempt(sandbox, intent, payment_method, params.get("return_url"))


def _check_confirmable(intent: Resource, params: Params) -> None:
    if not (params.get("payment_method") or intent["payment_method"]):
        raise _unexpected(
            intent,
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update"
            " the PaymentIntent with a payment method and then confirm it again, or confirm it again directly"
            " with a payment method or ConfirmationToken.",
        )
    if "card" not in intent["payment_method_types"]:
        raise invalid_request(
            f"The PaymentMethod provided (card) is not allowed for this PaymentIntent. Please attach a PaymentMethod"
            f" of one of the following types: {', '.join(intent['payment_method_types'])}.",
            code="payment_intent_incompatible_payment_method",
        )
    automatic = intent["automatic_payment_methods"]
    if automatic and automatic["allow_redirects"] == "always" and not params.get("return_url"):
        raise invalid_request(
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some"
            " of these payment methods might redirect your customer off of your page, you must provide a"
            " `return_url`.",
            param="return_url",
        )


def _check_secret(intent: Resource, params: Params) -> None:
    secret = params.get("client_secret")
    if secret is not None and not secrets.compare_digest(secret, intent["client_secret"]):
        raise invalid_request(
            "The client_secret provided does not match the client_secret associated with the PaymentIntent.",
            code="payment_intent_invalid_parameter",
            param="client_secret",
        )


def _check_customer(sandbox: Sandbox, params: Params) -> None:
    if customer := params.get("customer"):
        customers.living(sandbox, customer, param="customer")


def _check_amount(amount: int, currency: str) -> None:
    if amount < 1:
        raise InvalidParameterError(
            "This value must be greater than or equal to 1.", "amount", "parameter_invalid_integer"
        )
    if amount < _SMALLEST[currency]:
        raise InvalidParameterError(f"Amount must be at least $0.50 {currency}", "amount", "amount_too_small")
    if amount > _LARGEST:
        raise InvalidParameterError("Amount must be no more than $999,999.99", "amount", "amount_too_large")


def _currency(currency: str) -> str:
    if currency.lower() not in _SMALLEST:
        known = ", ".join(_SMALLEST)
        raise InvalidParameterError(
            f"Invalid currency: {currency}. Stripe currently supports these currencies: {known}", "currency"
        )
    return currency.lower()


def _email(email: str | None) -> str | None:
    if email and "@" not in email:
        raise InvalidParameterError(f"Invalid email address: {email}", "receipt_email", "email_invalid")
    return email or None


def _payment_methods(params: Params) -> tuple[dict[str, Any] | None, list[str]]:
    """The `automatic_payment_methods` of the intent and the types it takes."""
    allowed, automatic = params.get("allowed_payment_method_types"), params.get("automatic_payment_methods")
    if allowed and automatic:
        raise InvalidParameterError(
            "You may only specify one of these parameters: allowed_payment_method_types,"
            " automatic_payment_methods.",
            "allowed_payment_method_types",
            "parameters_exclusive",
        )
    if allowed:
        types = [kind for kind in _ACCOUNT_TYPES if kind in allowed]
        if not types:
            raise invalid_request("No valid payment method types for this Payment Intent.")
        return None, types
    return {"enabled": True, "allow_redirects": "always"} | (automatic or {}), list(_ACCOUNT_TYPES)


def _cannot_update(intent: Resource, name: str) -> StripeError:
    return _unexpected(
        intent,
        f"This PaymentIntent's {name} could not be updated because it has a status of {intent['status']}. You may"
        f" only update the {name} of a PaymentIntent with one of the following statuses: {', '.join(_OPEN)}.",
        param=name,
    )


def _unexpected(intent: Resource, message: str, param: str | None = None) -> StripeError:
    return invalid_request(
        message,
        code="payment_intent_unexpected_state",
        param=param,
        payment_intent=copy.deepcopy(intent),
    )
