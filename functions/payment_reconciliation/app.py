"""Every minute: checkouts are compared with Stripe, orphans are owed back, refunds that are due are paid.

The gauges among its metrics (refunds_overdue, refunds_failed, orphan_payments_unresolved, over_returns_unresolved,
disputes_open) stand until somebody has dealt with what they count; each has an alarm.
"""

from functools import partial
from typing import Any

from adapters import database
from adapters.jobs import job, logger, report, run_time
from adapters.selling import shop
from adapters.stripe_payments import stripe_payments
from domain.checkout.reconcile import reconcile
from domain.payments import disputes, orphans
from domain.payments.refunds import count_troubled, pay_refunds
from domain.returns.bring_in_line import bring_all_in_line, count_beyond

KEPT_FOR_REFUNDS = 0.25  # of the time there is
ENOUGH_FOR_ONE_MS = 20_000


@job
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    connection, payments, now = database.connection_for_jobs(), stripe_payments(), run_time(event)
    kept = int(context.get_remaining_time_in_millis() * KEPT_FOR_REFUNDS)
    compared = reconcile(connection, payments, shop(), now, partial(has_time, context, kept))
    for checkout_id, error in compared.failures:
        logger.error("checkout not reconciled", extra={"checkout_id": str(checkout_id), "error": error})
    owed = orphans.owe_orphans(connection, now)
    paid, waiting = pay_refunds(connection, payments, now, partial(has_time, context, ENOUGH_FOR_ONE_MS))
    brought = bring_all_in_line(connection, now, partial(has_time, context, ENOUGH_FOR_ONE_MS))
    overdue, failed = count_troubled(connection, now)
    return report(
        **{f"checkouts_{outcome}": count for outcome, count in compared.outcomes.items()},
        checkouts_not_reconciled=len(compared.failures),
        orphans_given_back=owed,
        refunds_paid=paid,
        refunds_waiting=waiting,
        refunds_overdue=overdue,
        refunds_failed=failed,
        orphan_payments_unresolved=orphans.count_unresolved(connection),
        orders_brought_in_line=brought,
        over_returns_unresolved=count_beyond(connection),
        disputes_open=disputes.count_open(connection),
    )


def has_time(context: Any, milliseconds: int) -> bool:
    """Whether more than that is left until Lambda stops this run."""
    return bool(context.get_remaining_time_in_millis() > milliseconds)
