"""Refunds: give back all or part of a charge. Source: https://docs.stripe.com/refunds."""

from typing import Literal

from local.stripe_double import charges, metadata
from local.stripe_double.cards import behind
from local.stripe_double.errors import InvalidParameterError, invalid_request
from local.stripe_double.forms import Params
from local.stripe_double.ids import new_id
from local.stripe_double.lists import page
from local.stripe_double.sandbox import Resource, Sandbox


def create(sandbox: Sandbox, params: Params) -> Resource:
    """Refund `amount` cents, or all that is left, of a charge or of the charge a payment intent led to."""
    charge = _charge(sandbox, params)
    amount = _amount(charge, params)
    card = behind(sandbox.get("payment_method", charge["payment_method"]))
    refund = sandbox.add(
        {
            "id": new_id("re"),
            "object": "refund",
            "amount": amount,
            "balance_transaction": new_id("txn"),
            "charge": charge["id"],
            "created": sandbox.now(),
            "currency": charge["currency"],
            "customer": charge["customer"],
            "customer_account": None,
            "destination_details": {
                "card": {
                    "reference_status": "pending",
                    "reference_type": "acquirer_reference_number",
                    "type": "refund",
                },
                "type": "card",
            },
            "metadata": metadata.merged({}, params.get("metadata")),
            "payment_intent": charge["payment_intent"],
            "payment_method": charge["payment_method"],
            "reason": params.get("reason"),
            "receipt_number": None,
            "source_transfer_reversal": None,
            "status": "pending" if card.refund == "pends" else "succeeded",
            "transfer_reversal": None,
        }
    )
    if card.refund == "pends":
        refund["pending_reason"] = "processing"
    sandbox.emit("refund.created", refund)
    sandbox.change(charge, "charge.refunded", **charges.given_back(charge, amount))
    if card.refund != "succeeds":
        outcome: Literal["succeed", "fail"] = "fail" if card.refund == "fails" else "succeed"
        sandbox.later(lambda: _bank_answers(sandbox, refund, outcome))
    return refund


def retrieve(sandbox: Sandbox, params: Params, refund: str) -> Resource:
    """The refund as it is."""
    return sandbox.get("refund", refund)


def listing(sandbox: Sandbox, params: Params) -> Resource:
    """Refunds, newest first, of a payment intent or a charge."""
    return page(sandbox, "refund", params, "/v1/refunds", filters=("payment_intent", "charge"))


def settle(sandbox: Sandbox, refund: Resource, outcome: Literal["succeed", "fail"]) -> None:
    """The customer's bank takes the refund, or sends the money back, which may happen long after."""
    if refund["status"] == "failed" or (outcome == "succeed" and refund["status"] == "succeeded"):
        raise invalid_request(f"Refund {refund['id']} has a status of {refund['status']} already.")
    if outcome == "succeed":
        refund.pop("pending_reason", None)
        _tell(sandbox, refund, status="succeeded")
        return
    charge = sandbox.get("charge", refund["charge"])
    charge.update(charges.given_back(charge, -refund["amount"]))
    refund |= {"failure_reason": None, "failure_balance_transaction": None}
    _tell(
        sandbox,
        refund,
        status="failed",
        failure_reason="expired_or_canceled_card",
        failure_balance_transaction=new_id("txn"),
    )
    sandbox.emit("refund.failed", refund)


def _tell(sandbox: Sandbox, refund: Resource, **values: str) -> None:
    previous = {name: refund[name] for name in values}
    refund.update(values)
    for event in ("refund.updated", "charge.refund.updated"):
        sandbox.emit(event, refund, previous)


def _bank_answers(sandbox: Sandbox, refund: Resource, outcome: Literal["succeed", "fail"]) -> None:
    undecided = ("pending",) if outcome == "succeed" else ("pending", "succeeded")
    if refund["status"] in undecided:  # not settled by hand meanwhile
        settle(sandbox, refund, outcome)


def _charge(sandbox: Sandbox, params: Params) -> Resource:
    if "payment_intent" in params:
        intent = sandbox.get("payment_intent", params["payment_intent"], param="payment_intent")
        charge = sandbox.find("charge", intent["latest_charge"] or "")
        if charge is None or not charge["paid"]:
            raise invalid_request(
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund."
            )
        if params.get("charge", charge["id"]) != charge["id"]:
            raise invalid_request("The charge does not belong to the PaymentIntent.", param="charge")
    elif "charge" in params:
        charge = sandbox.get("charge", params["charge"], param="charge")
        if not charge["paid"]:
            raise invalid_request(f"Charge {charge['id']} has failed and cannot be refunded.")
    else:
        raise InvalidParameterError(
            "One of the following params should be provided for this request: payment_intent or charge.",
            "payment_intent",
            "parameter_missing",
        )
    if charge["disputed"]:
        raise invalid_request(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
        )
    return charge


def _amount(charge: Resource, params: Params) -> int:
    left = charges.refundable(charge)
    if left == 0:
        raise invalid_request(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    amount = int(params.get("amount", left))
    if amount < 1:
        raise InvalidParameterError("Invalid positive integer", "amount", "parameter_invalid_integer")
    if amount > left:  # Stripe gives this one no code
        raise invalid_request(
            f"Refund amount (${amount / 100:.2f}) is greater than unrefunded amount on charge"
            f" (${left / 100:.2f})",
            param="amount",
        )
    return amount
