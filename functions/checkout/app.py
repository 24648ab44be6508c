"""Paying for a cart, and following the payment."""

from typing import Any
from uuid import UUID

from aws_lambda_powertools.event_handler import Request, Response

from adapters.following import let_in
from adapters.http import Visit, answers, create_resolver
from adapters.idempotency import KEYED, answer_with_lease
from adapters.selling import shop
from adapters.settings import setting
from adapters.stripe_payments import stripe_payments
from adapters.throttling import counting_successes, spend
from domain.cart.purchase import count_lapsed
from domain.checkout import start_checkout
from domain.checkout.models import CheckoutStarted, EmailCheck, EmailExists
from domain.idempotency import Keyed
from domain.products import follow_checkout
from domain.throttling.limits import CART_ADDS, CHECKOUT_READS, CHECKOUTS, EMAIL_CHECKS
from domain.tutoring.models import CheckoutState, StartCheckout
from domain.tutoring.read_request import read_request
from domain.tutoring.show_checkout import show_checkout

app = create_resolver()

ANY_BODY = ("MALFORMED_JSON", "UNSUPPORTED_MEDIA_TYPE", "VALIDATION_FAILED")


@app.post(
    "/v1/checkout/email-check",
    summary="Savoir si un courriel a déjà un compte",
    tags=["Paiement"],
    responses=answers(*ANY_BODY, "EMAIL_INVALID", "RATE_LIMITED"),
)
def check_email(request: Request, body: EmailCheck) -> Response[EmailExists]:
    visit = Visit(request)
    spend(visit, EMAIL_CHECKS)
    return visit.answer(EmailExists(exists=start_checkout.email_exists(visit.connection, body.email)))


@app.post(
    "/v1/checkout",
    summary="Commencer à payer son panier",
    tags=["Paiement"],
    status_code=201,
    responses=answers(
        *ANY_BODY,
        *KEYED,
        "UNAUTHENTICATED",
        "BOOKING_NOT_ALLOWED",
        "CART_EMPTY",
        "EMAIL_INVALID",
        "PASSWORD_TOO_SHORT",
        "PASSWORD_MISMATCH",
        "USER_ALREADY_EXISTS",
        "SLOTS_UNAVAILABLE",
        "PRICE_CHANGED",
        "COUPON_INVALID",
        "INSUFFICIENT_CREDITS",
        "AMOUNT_TOO_SMALL",
        "PAYMENT_IN_PROGRESS",
        "PAYMENT_RETURNED",
        "PAYMENT_UNAVAILABLE",
        "HOLD_LIMIT",
        "RATE_LIMITED",
        success=201,
    ),
)
def post_checkout(request: Request, body: StartCheckout) -> Response[CheckoutStarted]:
    visit = Visit(request)

    def start(keyed: Keyed | None, begun_id: UUID | None) -> Response[CheckoutStarted]:
        spend(visit, CHECKOUTS)
        with counting_successes(visit, CART_ADDS, count_lapsed(visit.connection, visit.buyer, visit.now)):
            started = start_checkout.start_checkout(
                visit.connection,
                stripe_payments(),
                shop(),
                "tutoring",
                visit.buyer,
                read_request(visit.buyer, body),
                setting("STRIPE_PUBLISHABLE_KEY"),
                visit.now,
                keyed,
                begun_id,
            )
            return visit.answer(started, 201)

    return answer_with_lease(visit, start)


@app.get(
    "/v1/checkout/<checkout_id>",
    summary="Suivre un paiement",
    tags=["Paiement"],
    responses=answers(
        "UNAUTHENTICATED", "VALIDATION_FAILED", "CHECKOUT_NOT_FOUND", "PAYMENT_UNAVAILABLE", "RATE_LIMITED"
    ),
)
def get_checkout(request: Request, checkout_id: UUID) -> Response[CheckoutState]:
    visit = Visit(request)
    spend(visit, CHECKOUT_READS)
    answered = follow_checkout.follow_checkout(
        visit.connection,
        stripe_payments(),
        shop(),
        "tutoring",
        checkout_id,
        visit.buyers,
        visit.header("x-client-secret"),
        visit.now,
        signs_in=not visit.only_looks,
    )
    let_in(visit, answered.entry)
    state = show_checkout(visit.connection, answered.followed, answered.session_token)
    return visit.answer(state, retry_after=answered.followed.retry_after)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
