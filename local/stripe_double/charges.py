"""Charges: one attempt to move money, made by confirming a payment intent."""

from local.stripe_double import cards
from local.stripe_double.forms import Params
from local.stripe_double.ids import new_id
from local.stripe_double.lists import page
from local.stripe_double.sandbox import Resource, Sandbox


def retrieve(sandbox: Sandbox, params: Params, charge: str) -> Resource:
    """The charge as it is."""
    return sandbox.get("charge", charge)


def listing(sandbox: Sandbox, params: Params) -> Resource:
    """Charges, newest first, of a payment intent or a customer."""
    return page(sandbox, "charge", params, "/v1/charges", filters=("payment_intent", "customer"))


def record(
    sandbox: Sandbox, intent: Resource, payment_method: Resource, decline: cards.Decline | None
) -> Resource:
    """The attempt to charge this intent's amount to this card: succeeded, or failed when it is declined."""
    paid = decline is None
    charge = sandbox.add(
        {
            "id": new_id("ch"),
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": intent["amount"] if paid else 0,
            "amount_refunded": 0,
            "application": None,
            "application_fee": None,
            "application_fee_amount": None,
            "balance_transaction": None,
            "billing_details": payment_method["billing_details"],
            "calculated_statement_descriptor": None,
            "captured": paid,
            "created": sandbox.now(),
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": False,
            "failure_balance_transaction": None,
            "failure_code": decline.code if decline else None,
            "failure_message": decline.message if decline else None,
            "fraud_details": {},
            "livemode": False,
            "metadata": dict(intent["metadata"]),
            "on_behalf_of": None,
            "outcome": _outcome(decline),
            "paid": paid,
            "payment_intent": intent["id"],
            "payment_method": payment_method["id"],
            "payment_method_details": {"card": _card_details(payment_method, intent), "type": "card"},
            "radar_options": {},
            "receipt_email": intent["receipt_email"],
            "receipt_number": None,
            "receipt_url": None,
            "refunded": False,
            "review": None,
            "shipping": None,
            "source_transfer": None,
            "statement_descriptor": None,
            "statement_descriptor_suffix": None,
            "status": "succeeded" if paid else "failed",
            "transfer_data": None,
            "transfer_group": None,
        }
    )
    sandbox.emit("charge.succeeded" if paid else "charge.failed", charge)
    return charge


def reach_balance(sandbox: Sandbox, charge: Resource) -> None:
    """The money enters the balance, a little after the payment succeeded (`automatic_async` capture)."""
    sandbox.change(charge, "charge.updated", balance_transaction=new_id("txn"))


def refundable(charge: Resource) -> int:
    """Cents not refunded yet."""
    return int(charge["amount"] - charge["amount_refunded"])


def given_back(charge: Resource, amount: int) -> Resource:
    """The values of a charge once `amount` more cents of it are refunded, or less when negative."""
    total = charge["amount_refunded"] + amount
    return {"amount_refunded": total, "refunded": total == charge["amount"]}


def _outcome(decline: cards.Decline | None) -> Resource:
    if decline is None:
        return {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "approved_by_network",
            "reason": None,
            "risk_level": "normal",
            "risk_score": 20,
            "seller_message": "Payment complete.",
            "type": "authorized",
        }
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "declined_by_network",
        "reason": decline.decline_code or decline.code,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": "The bank did not return any further details with this decline.",
        "type": "issuer_declined",
    }


def _card_details(payment_method: Resource, intent: Resource) -> Resource:
    card = payment_method["card"]
    kept = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
    authenticated = cards.behind(payment_method).authenticates
    return {
        **{name: card[name] for name in kept},
        "amount_authorized": intent["amount"],
        "authorization_code": None,
        "installments": None,
        "mandate": None,
        "network": card["brand"],
        "regulated_status": card["regulated_status"],
        "three_d_secure": {"result": "authenticated", "version": "2.2.0"} if authenticated else None,
        "wallet": None,
    }
