"""Disputes: the customer asks their bank for the money back."""

from typing import Literal

from local.stripe_double.errors import invalid_request
from local.stripe_double.ids import new_id
from local.stripe_double.sandbox import Resource, Sandbox

_DAYS_TO_ANSWER = 9


def open_dispute(sandbox: Sandbox, charge: Resource, reason: str) -> Resource:
    """The bank takes the amount back and Stripe asks for evidence."""
    _require_undisputed(charge)
    charge["disputed"] = True
    dispute = _add(sandbox, charge, reason, "needs_response")
    sandbox.emit("charge.dispute.created", dispute)
    sandbox.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def open_inquiry(sandbox: Sandbox, charge: Resource, reason: str) -> Resource:
    """The bank asks before it disputes: nothing is taken back, and the payment can be refunded."""
    _require_undisputed(charge)
    inquiry = _add(sandbox, charge, reason, "warning_needs_response")
    sandbox.emit("charge.dispute.created", inquiry)
    return inquiry


def escalate(sandbox: Sandbox, inquiry: Resource) -> None:
    """An inquiry becomes a dispute: now the bank takes the amount back."""
    if not inquiry["status"].startswith("warning_"):
        raise invalid_request(f"Dispute {inquiry['id']} is no inquiry: {inquiry['status']}.")
    sandbox.get("charge", inquiry["charge"])["disputed"] = True
    sandbox.change(inquiry, "charge.dispute.updated", status="needs_response", is_charge_refundable=False)
    sandbox.emit("charge.dispute.funds_withdrawn", inquiry)


def _require_undisputed(charge: Resource) -> None:
    if charge["disputed"] or not charge["paid"]:
        raise invalid_request(f"Charge {charge['id']} cannot be disputed.")


def _add(sandbox: Sandbox, charge: Resource, reason: str, status: str) -> Resource:
    return sandbox.add(
        {
            "id": new_id("du"),
            "object": "dispute",
            "amount": charge["amount"],
            "balance_transactions": [],
            "charge": charge["id"],
            "created": sandbox.now(),
            "currency": charge["currency"],
            "enhanced_eligibility_types": [],
            "evidence": {},
            "evidence_details": {
                "due_by": sandbox.now() + _DAYS_TO_ANSWER * 86_400,
                "enhanced_eligibility": {},
                "has_evidence": False,
                "past_due": False,
                "submission_count": 0,
            },
            "is_charge_refundable": status.startswith("warning_"),
            "livemode": False,
            "metadata": {},
            "payment_intent": charge["payment_intent"],
            "payment_method_details": {
                "card": {
                    "brand": charge["payment_method_details"]["card"]["brand"],
                    "case_type": "chargeback",
                    "network_reason_code": "10.4",
                },
                "type": "card",
            },
            "reason": reason,
            "status": status,
        }
    )


def close_dispute(sandbox: Sandbox, dispute: Resource, outcome: Literal["won", "lost"]) -> None:
    """The bank decides; a dispute that is won brings the money back."""
    if dispute["status"] in ("won", "lost"):
        raise invalid_request(f"Dispute {dispute['id']} is closed already: {dispute['status']}.")
    sandbox.change(dispute, "charge.dispute.closed", status=outcome)
    if outcome == "won":
        sandbox.emit("charge.dispute.funds_reinstated", dispute)
