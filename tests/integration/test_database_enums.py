"""Every value an enum type of the database can hold is one that the code knows, and the reverse."""

from typing import Any

import psycopg

from domain import product
from domain.access import models as access
from domain.appointments import models as appointments
from domain.appointments import sold
from domain.cart import cart
from domain.checkout import checkout
from domain.coupons import coupons
from domain.credits import ledger
from domain.orders import models as orders
from domain.orders import orders as written
from domain.returns import lines
from domain.scheduling import claims
from domain.training import own_enrolments
from domain.webhooks import breaker, steps
from tests.conftest import Database


def values(kind: Any) -> set[str]:
    return set(getattr(kind, "__value__", kind).__args__)


TYPED: dict[str, Any] = {
    "checkout_status": checkout.CheckoutStatus,
    "claim_kind": claims.ClaimKind,
    "coupon_type": coupons.CouponType,
    "earnings_status": sold.EarningsStatus,
    "item_kind": written.LineKind,
    "order_source": written.OrderSource,
    "enrolment_source": own_enrolments.EnrolmentSource,
    "product": product.Product,
    "tutor_selection": cart.TutorSelection,
    "appointment_status": appointments.AppointmentStatus,
    "credit_entry_type": ledger.EntryType,
    "delivery_status": steps.Status,
    "endpoint_state": breaker.State,
    "modification_type": appointments.ChangeView.model_fields["type"].annotation,
    "order_status": orders.OrderStatus,
    "refund_status": orders.RefundStatus,
    "return_way": lines.ReturnWay,
    "user_role": access.PersonView.model_fields["role"].annotation,
    "user_status": access.PersonView.model_fields["status"].annotation,
}

# Only SQL reads these yet: whoever writes the type in Python compares it here.
READ_BY_SQL_ALONE = {"exception_kind", "publication"}


def test_the_code_knows_each_value_that_the_database_can_hold(database: Database) -> None:
    statement = """
        SELECT typname, array_agg(enumlabel::text) FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid
         WHERE typnamespace = 'public'::regnamespace GROUP BY 1
    """
    with psycopg.connect(database.url) as connection:
        held = {name: set(labels) for name, labels in connection.execute(statement)}

    assert set(held) == set(TYPED) | READ_BY_SQL_ALONE
    assert {name: held[name] for name in TYPED} == {name: values(kind) for name, kind in TYPED.items()}
