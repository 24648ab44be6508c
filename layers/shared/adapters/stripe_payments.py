"""Stripe behind `domain.payments.gateway.Payments` (decision 11). Cents and Stripe's words stay in here."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache, wraps
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID

import stripe
from aws_lambda_powertools import Logger

from adapters.settings import environment, optional_setting, setting
from domain.errors import Refused
from domain.payments.gateway import (
    CustomerGone,
    Dispute,
    Failure,
    MadeRefund,
    Payment,
    PaymentFailed,
    PaymentRefused,
    PaymentStatus,
    PaymentsUnavailable,
)
from domain.product import Product

if TYPE_CHECKING:
    from stripe.params import CustomerCreateParams, PaymentIntentCreateParams

API_VERSION = "2026-10-28.endive"
logger = Logger()

# A checkout makes up to two calls, and must still answer in French before its function is stopped.
TIMEOUT_SECONDS = 4
NETWORK_RETRIES = 1
SIGNATURE_TOLERANCE_SECONDS = 300

_STATUSES: dict[str, PaymentStatus] = {
    "requires_payment_method": "requires_payment",
    "requires_confirmation": "requires_payment",
    "requires_action": "requires_payment",
    "requires_capture": "processing",
    "processing": "processing",
    "succeeded": "succeeded",
    "canceled": "cancelled",
}


def _translated[**P, R](call: Callable[P, R]) -> Callable[P, R]:
    """Stripe's errors as the domain's: try again, or do not, or not with that customer."""

    @wraps(call)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call(*args, **kwargs)
        except (stripe.APIConnectionError, stripe.RateLimitError) as error:
            raise PaymentsUnavailable(type(error).__name__) from error
        except stripe.StripeError as error:
            # Its code and the request it can be found by at Stripe, not its message: that one may quote what was sent.
            logger.warning(
                "stripe refused",
                extra={
                    "call": call.__name__,
                    "code": error.code or type(error).__name__,
                    "status": error.http_status,
                    "stripe_request_id": error.request_id,
                },
            )
            if error.http_status and error.http_status >= 500:
                raise PaymentFailed(type(error).__name__) from error
            if error.http_status is None or error.http_status in (401, 409):
                raise PaymentsUnavailable(type(error).__name__) from error
            if error.code == "resource_missing" and getattr(error, "param", None) == "customer":
                raise CustomerGone(error.code) from error
            raise PaymentRefused(error.code or type(error).__name__) from error

    return run


class StripePayments:
    """Stripe's customers, PaymentIntents and refunds. Every write carries an idempotency key."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self._customers = client.v1.customers
        self._intents = client.v1.payment_intents
        self._refunds = client.v1.refunds

    @_translated
    def create_customer(self, user_id: UUID, email: str, name: str, instead_of: str | None) -> str:
        customer: CustomerCreateParams = {
            "email": email,
            "metadata": {"user_id": str(user_id)},
        }
        if name:
            customer["name"] = name
        # A day long Stripe would answer the same key with the one that is gone.
        key = f"customer:{user_id}:{_digest(email, name, *filter(None, [instead_of]))}"
        return self._customers.create(customer, {"idempotency_key": key}).id

    @_translated
    def create_intent(
        self,
        checkout_id: UUID,
        product: Product,
        amount_cents: int,
        receipt_email: str | None,
        customer_id: str | None,
        description: str | None,
    ) -> Payment:
        intent: PaymentIntentCreateParams = {
            "amount": amount_cents,
            "currency": "cad",
            "allowed_payment_method_types": ["card"],
            "metadata": {
                "checkout_id": str(checkout_id),
                "environment": environment(),
                "product": product,
            },
        }
        if receipt_email:
            intent["receipt_email"] = receipt_email
        if customer_id:
            intent["customer"] = customer_id
        if description:
            intent["description"] = description
        digest = _digest(receipt_email or "", customer_id or "", *filter(None, [description]))
        key = f"checkout:{checkout_id}:{amount_cents}:{digest}"
        return _payment(self._intents.create(intent, {"idempotency_key": key}))

    @_translated
    def find_intent(self, intent_id: str) -> Payment:
        return _payment(self._intents.retrieve(intent_id, {"expand": ["latest_charge"]}))

    @_translated
    def cancel_intent(self, intent_id: str) -> None:
        self._intents.cancel(intent_id)

    @_translated
    def refund(self, refund_id: UUID, intent_id: str, amount_cents: int, attempt: int) -> str:
        # Stripe keeps the answer to a key, a failure too, for a day and then forgets it: so every attempt has its
        # own key, and looks first for what an earlier one may have done.
        if attempt > 1 and (done := self._find_refund(refund_id, intent_id)):
            return done
        refund = self._refunds.create(
            {
                "payment_intent": intent_id,
                "amount": amount_cents,
                "reason": "requested_by_customer",
                "metadata": {"refund_id": str(refund_id)},
            },
            {"idempotency_key": f"refund:{refund_id}:{attempt}"},
        )
        return refund.id

    @_translated
    def refunds_of(self, intent_id: str) -> Sequence[MadeRefund]:
        return self._list_refunds(intent_id)

    def _find_refund(self, refund_id: UUID, intent_id: str) -> str | None:
        made = (made.service_id for made in self._list_refunds(intent_id) if made.refund_id == refund_id)
        return next(made, None)

    def _list_refunds(self, intent_id: str) -> Sequence[MadeRefund]:
        pages = self._refunds.list({"payment_intent": intent_id, "limit": 100})
        return [_made_refund(refund) for refund in pages.auto_paging_iter()]


@cache
def stripe_payments() -> StripePayments:
    """The container's client, from STRIPE_SECRET_KEY and, when it is not Stripe's own, STRIPE_API_BASE."""
    base = optional_setting("STRIPE_API_BASE")
    client = stripe.StripeClient(
        setting("STRIPE_SECRET_KEY"),
        stripe_version=API_VERSION,
        max_network_retries=NETWORK_RETRIES,
        http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
        base_addresses={"api": base} if base else {},
    )
    return StripePayments(client)


def read_event(body: str, signature: str | None, now: datetime) -> dict[str, Any]:
    """A webhook event whose signature over the raw body is Stripe's and fresh. Refuses with INVALID_SIGNATURE."""
    if signature and not signature.isascii():
        raise Refused("INVALID_SIGNATURE")  # Stripe's library compares ASCII alone
    try:
        stripe.WebhookSignature.verify_header(body, signature, setting("STRIPE_WEBHOOK_SECRET"))
        event: dict[str, Any] = json.loads(body)
    except (ValueError, stripe.SignatureVerificationError) as error:
        raise Refused("INVALID_SIGNATURE") from error
    if abs(now.timestamp() - _signed_at(signature or "")) > SIGNATURE_TOLERANCE_SECONDS:
        raise Refused("INVALID_SIGNATURE")
    return event


def _signed_at(signature: str) -> int:
    """The `t` that a verified Stripe-Signature header was verified with: its first, in Unix seconds."""
    return next(int(part[2:]) for part in signature.split(",") if part.startswith("t="))


def payment_of(intent: dict[str, Any]) -> Payment:
    """The facts of a PaymentIntent as an event carries it."""
    metadata = intent.get("metadata") or {}
    return Payment(
        intent_id=intent["id"],
        status=_STATUSES[intent["status"]],
        amount_cents=intent["amount"],
        received_cents=intent["amount_received"],
        currency=intent["currency"].upper(),
        checkout_id=_uuid(metadata.get("checkout_id")),
        client_secret=intent.get("client_secret"),
        environment=metadata.get("environment"),
        names_checkout="checkout_id" in metadata,
        paid_at=_charged_at(intent),
        product="training" if metadata.get("product") == "training" else "tutoring",
        failure=_failure_of(intent),
    )


def _charged_at(intent: dict[str, Any]) -> datetime | None:
    """When the card of a paid intent was charged; None where its charge is only named, as in an event."""
    charge = intent.get("latest_charge")
    if intent["status"] != "succeeded" or not isinstance(charge, dict):
        return None
    return datetime.fromtimestamp(charge["created"], UTC)


def _failure_of(intent: dict[str, Any]) -> Failure | None:
    error = intent.get("last_payment_error")
    if not error:
        return None
    return Failure(error.get("code"), error.get("decline_code"), error.get("type"), error.get("charge"))


def dispute_of(dispute: dict[str, Any]) -> Dispute:
    """The facts of a dispute as an event carries it."""
    return Dispute(
        id=dispute["id"],
        intent_id=dispute["payment_intent"] or "",
        amount_cents=dispute["amount"],
        currency=dispute["currency"].upper(),
        reason=dispute["reason"],
        status=dispute["status"],
        opened_at=datetime.fromtimestamp(dispute["created"], UTC),
        closed=dispute["status"] in ("won", "lost", "warning_closed", "prevented"),
    )


def _digest(*words: str) -> str:
    """What a person's details add to an idempotency key: Stripe refuses a key again with other parameters."""
    return sha256("\n".join(words).encode()).hexdigest()[:16]


def _made_refund(refund: stripe.Refund) -> MadeRefund:
    metadata = refund.to_dict()["metadata"] or {}
    return MadeRefund(
        service_id=refund.id,
        amount_cents=refund.amount,
        refund_id=_uuid(metadata.get("refund_id")),
        failed=refund.status in ("failed", "canceled"),
    )


def _payment(intent: stripe.PaymentIntent) -> Payment:
    return payment_of(intent.to_dict())


def _uuid(text: Any) -> UUID | None:
    try:
        return UUID(text)
    except (TypeError, ValueError):
        return None
