"""The account's balance, here without fees: charges less refunds. A cheap call that needs the secret key."""

from collections import Counter

from local.stripe_double.forms import Params
from local.stripe_double.sandbox import Resource, Sandbox


def retrieve(sandbox: Sandbox, params: Params) -> Resource:
    """What was charged and not given back, by currency."""
    cents = Counter({"cad": 0})
    for charge in sandbox.all("charge"):
        cents[charge["currency"]] += charge["amount_captured"] - charge["amount_refunded"]
    available = [
        {"amount": amount, "currency": currency, "source_types": {"card": amount}}
        for currency, amount in cents.items()
    ]
    return {"object": "balance", "available": available, "livemode": False, "pending": []}
