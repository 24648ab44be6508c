"""One realistic event of each type of Le Dojo: Zoé pays for two trainings, and gets some of it back."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from domain.webhooks.events import (
    AskedCourse,
    BoughtCourse,
    Payload,
    PaymentFailed,
    PaymentRefunded,
    PaymentSuccess,
    RefundedCourse,
)
from domain.webhooks.events.cast import NOW, ZOE, example_id

ORDER, CCVM, ETHICS = example_id(20), example_id(21), example_id(22)
INTENT = "pi_3QhExempleDojo0001"
_VOLUME_1 = {
    "course_id": CCVM,
    "title": "CCVM, volume 1",
    "original_amount": Decimal("299.00"),
    "discount_amount": Decimal("44.85"),
    "amount": Decimal("254.15"),
}
_CONDUCT = {
    "course_id": ETHICS,
    "title": "Déontologie et pratique",
    "original_amount": Decimal("59.99"),
    "discount_amount": Decimal("9.00"),
    "amount": Decimal("50.99"),
}

PAYMENTS: Sequence[Payload] = (
    PaymentSuccess(
        payment_intent_id=INTENT,
        order_id=ORDER,
        order_number="DOJO-000042",
        user_id=ZOE.id,
        email=ZOE.email,
        first_name=ZOE.first_name,
        last_name=ZOE.last_name,
        is_new_user=True,
        coupon_code="DOJO15",
        items=[
            BoughtCourse(
                **_VOLUME_1,
                enrollment_id=example_id(23),
                access_days=365,
                expires_at=NOW + timedelta(days=365),
            ),
            BoughtCourse(**_CONDUCT, enrollment_id=None, access_days=180, expires_at=None),
        ],
        purchased_at=NOW,
    ),
    PaymentFailed(
        payment_intent_id=INTENT,
        checkout_id=example_id(24),
        user_id=ZOE.id,
        email=ZOE.email,
        coupon_code="DOJO15",
        items=[AskedCourse(**_VOLUME_1), AskedCourse(**_CONDUCT)],
        failure_code="card_declined",
        decline_code="insufficient_funds",
        message="Fonds insuffisants. Veuillez utiliser une autre carte.",
        failed_at=NOW - timedelta(minutes=2),
        charge_id="ch_3QhExempleDojo0001",
    ),
    PaymentRefunded(
        payment_intent_id=INTENT,
        order_id=ORDER,
        order_number="DOJO-000042",
        user_id=ZOE.id,
        email=ZOE.email,
        first_name=ZOE.first_name,
        last_name=ZOE.last_name,
        items=[
            RefundedCourse(
                course_id=ETHICS,
                enrollment_id=None,
                title="Déontologie et pratique",
                refunded_amount=Decimal("50.99"),
            )
        ],
        refund_id=example_id(25),
        stripe_refund_id="re_3QhExempleDojo0001",
        amount=Decimal("50.99"),
        order_amount=Decimal("305.14"),
        total_refunded=Decimal("50.99"),
        refunded_at=NOW + timedelta(minutes=1),
    ),
)
