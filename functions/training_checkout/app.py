"""Paying for trainings, and following the payment."""

from typing import Any
from uuid import UUID

from aws_lambda_powertools.event_handler import Request, Response

from adapters.following import let_in
from adapters.http import Visit, answers, create_resolver
from adapters.idempotency import KEYED, answer_with_lease
from adapters.selling import shop
from adapters.settings import setting
from adapters.stripe_payments import stripe_payments
from adapters.throttling import spend
from adapters.training_buyer import training_buyer
from domain.checkout import start_checkout
from domain.checkout.models import CheckoutStarted
from domain.idempotency import Keyed
from domain.products import follow_checkout
from domain.throttling.limits import CHECKOUT_READS, CHECKOUTS
from domain.training.checkout_models import StartTrainingCheckout, TrainingCheckoutState
from domain.training.read_request import read_request
from domain.training.show_checkout import show_checkout

app = create_resolver()
TAGS = ["Paiement de formations"]


@app.post(
    "/v1/trainings/checkout",
    summary="Commencer à payer son panier de cours",
    tags=TAGS,
    status_code=201,
    responses=answers(
        *KEYED,
        "MALFORMED_JSON",
        "UNSUPPORTED_MEDIA_TYPE",
        "UNAUTHENTICATED",
        "ACCOUNT_SUSPENDED",
        "PURCHASE_NOT_ALLOWED",
        "CART_EMPTY",
        "EMAIL_INVALID",
        "PASSWORD_TOO_SHORT",
        "PASSWORD_MISMATCH",
        "USER_ALREADY_EXISTS",
        "TRAININGS_UNAVAILABLE",
        "PRICE_CHANGED",
        "COUPON_INVALID",
        "AMOUNT_TOO_SMALL",
        "PAYMENT_IN_PROGRESS",
        "PAYMENT_RETURNED",
        "PAYMENT_UNAVAILABLE",
        "RATE_LIMITED",
        success=201,
    ),
)
def post_checkout(request: Request, body: StartTrainingCheckout) -> Response[CheckoutStarted]:
    visit = Visit(request)

    def start(keyed: Keyed | None, begun_id: UUID | None) -> Response[CheckoutStarted]:
        buyer = training_buyer(visit)
        spend(visit, CHECKOUTS)
        started = start_checkout.start_checkout(
            visit.connection,
            stripe_payments(),
            shop(),
            "training",
            buyer,
            read_request(buyer, body),
            setting("STRIPE_PUBLISHABLE_KEY"),
            visit.now,
            keyed,
            begun_id,
        )
        return visit.answer(started, 201)

    return answer_with_lease(visit, start)


@app.get(
    "/v1/trainings/checkout/<checkout_id>",
    summary="Suivre le paiement de ses cours",
    tags=TAGS,
    responses=answers(
        "UNAUTHENTICATED", "VALIDATION_FAILED", "CHECKOUT_NOT_FOUND", "PAYMENT_UNAVAILABLE", "RATE_LIMITED"
    ),
)
def get_checkout(request: Request, checkout_id: UUID) -> Response[TrainingCheckoutState]:
    visit = Visit(request)
    spend(visit, CHECKOUT_READS)
    answered = follow_checkout.follow_checkout(
        visit.connection,
        stripe_payments(),
        shop(),
        "training",
        checkout_id,
        visit.buyers,
        visit.header("x-client-secret"),
        visit.now,
        signs_in=not visit.only_looks,
    )
    let_in(visit, answered.entry)
    state = show_checkout(visit.connection, answered.followed, answered.session_token, visit.now)
    return visit.answer(state, retry_after=answered.followed.retry_after)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
