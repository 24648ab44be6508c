"""Paying for a cart, and following the payment."""

from typing import Any
from uuid import UUID

from aws_lambda_powertools.event_handler import Request, Response

from adapters.http import CART_COOKIE, SESSION_COOKIE, Visit, answers, create_resolver
from adapters.idempotency import KEYED, answer_with_lease
from adapters.settings import environment, max_holds, setting
from adapters.stripe_payments import stripe_payments
from adapters.throttling import counting_successes, spend
from domain.accounts.sign_ins import SESSION_TTL
from domain.cart.purchase import count_lapsed
from domain.checkout import follow_checkout, start_checkout
from domain.checkout.models import CheckoutStarted, CheckoutState, EmailCheck, EmailExists, StartCheckout
from domain.idempotency import Keyed
from domain.throttling.limits import CART_ADDS, CHECKOUT_READS, CHECKOUTS, EMAIL_CHECKS

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
                visit.buyer,
                body,
                setting("STRIPE_PUBLISHABLE_KEY"),
                environment(),
                visit.now,
                keyed,
                begun_id,
                max_holds(),
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
    followed = follow_checkout.follow_checkout(
        visit.connection,
        stripe_payments(),
        checkout_id,
        visit.buyers,
        visit.header("x-client-secret"),
        environment(),
        visit.now,
        max_holds(),
        signs_in=not visit.only_looks,
    )
    if followed.entry:
        visit.set_cookie(SESSION_COOKIE, followed.entry.session.token, int(SESSION_TTL.total_seconds()))
        if visit.guest and followed.entry.guest_is_gone:
            visit.forget_cookie(CART_COOKIE)
    return visit.answer(followed.state, retry_after=followed.retry_after)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
