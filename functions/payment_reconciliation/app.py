"""Every five minutes: refunds that are due are paid."""

from typing import Any

from adapters import database
from adapters.jobs import report, scheduled_time
from adapters.stripe_payments import stripe_payments
from domain.payments.refunds import pay_refunds


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    paid, waiting = pay_refunds(database.connection(), stripe_payments(), scheduled_time(event))
    return report(refunds_paid=paid, refunds_waiting=waiting)
