"""Signing in and out, lost passwords, and one's own profile."""

from typing import Any

from aws_lambda_powertools.event_handler import Request, Response

from adapters.http import CART_COOKIE, SESSION_COOKIE, Visit, answers, create_resolver
from adapters.idempotency import KEYED, answer_once
from adapters.selling import shop
from adapters.settings import environment
from adapters.throttling import counting_refusals, spend
from domain.access import password_reset, profile, sign_in
from domain.access.models import (
    Credentials,
    NewSession,
    PasswordChange,
    PasswordReset,
    PasswordResetRequest,
    PersonView,
    ProfileChange,
    SignedIn,
)
from domain.accounts.contacts import read_email
from domain.accounts.sign_ins import SESSION_TTL
from domain.clock import on_toronto_clock
from domain.errors import Refused
from domain.throttling.limits import RESETS_OF_ADDRESS, RESETS_OF_EMAIL, SIGN_IN_FAILURES

app = create_resolver(answer_once)

ANY_BODY = ("MALFORMED_JSON", "UNSUPPORTED_MEDIA_TYPE", "VALIDATION_FAILED")
ANY_PASSWORD = ("PASSWORD_TOO_SHORT", "PASSWORD_MISMATCH")


@app.post(
    "/v1/auth/sign-in",
    summary="Se connecter, et retrouver le panier rempli avant",
    tags=["Compte"],
    responses=answers(*KEYED, *ANY_BODY, "EMAIL_INVALID", "INVALID_CREDENTIALS", "RATE_LIMITED"),
)
def post_sign_in(request: Request, body: Credentials) -> Response[SignedIn]:
    visit = Visit(request)
    with counting_refusals(visit, SIGN_IN_FAILURES, _as_written(body.email)):
        entry = sign_in.sign_in(visit.connection, shop(), body, visit.guest, visit.now)
    visit.set_cookie(SESSION_COOKIE, entry.answer.session_token, int(SESSION_TTL.total_seconds()))
    if visit.guest and entry.guest_is_gone:
        visit.forget_cookie(CART_COOKIE)
    return visit.answer(entry.answer)


@app.post(
    "/v1/auth/sign-out",
    summary="Se déconnecter",
    tags=["Compte"],
    status_code=204,
    responses=answers(*KEYED, success=204),
)
def post_sign_out(request: Request) -> Response[None]:
    visit = Visit(request)
    sign_in.sign_out(visit.connection, visit.session_token, visit.now)
    visit.forget_cookie(SESSION_COOKIE)
    return visit.done()


@app.post(
    "/v1/auth/password-reset",
    summary="Demander un lien pour choisir un nouveau mot de passe",
    tags=["Compte"],
    status_code=202,
    responses=answers(*KEYED, *ANY_BODY, "RATE_LIMITED", success=202),
)
def post_password_reset(request: Request, body: PasswordResetRequest) -> Response[dict[str, Any]]:
    visit = Visit(request)
    spend(visit, RESETS_OF_ADDRESS)
    spend(visit, RESETS_OF_EMAIL, _as_written(body.email))
    password_reset.request_reset(visit.connection, body, environment(), visit.now)
    return visit.answer({}, 202)


@app.post(
    "/v1/auth/password-reset/confirm",
    summary="Choisir un nouveau mot de passe avec le lien reçu",
    tags=["Compte"],
    status_code=204,
    responses=answers(*KEYED, *ANY_BODY, *ANY_PASSWORD, "RESET_TOKEN_INVALID", success=204),
)
def post_password_reset_confirm(request: Request, body: PasswordReset) -> Response[None]:
    visit = Visit(request)
    password_reset.confirm_reset(visit.connection, body, visit.now)
    return visit.done()


@app.get("/v1/me", summary="Voir son profil", tags=["Compte"], responses=answers("UNAUTHENTICATED"))
def get_me(request: Request) -> Response[PersonView]:
    visit = Visit(request)
    return visit.answer(profile.view_profile(visit.connection, visit.signed_in.user_id))


@app.patch(
    "/v1/me",
    summary="Changer son nom ou son téléphone",
    tags=["Compte"],
    responses=answers(*ANY_BODY, "UNAUTHENTICATED"),
)
def patch_me(request: Request, body: ProfileChange) -> Response[PersonView]:
    visit = Visit(request)
    return visit.answer(profile.change_profile(visit.connection, visit.signed_in, body, visit.now))


@app.post(
    "/v1/me/password",
    summary="Changer son mot de passe, et rester connecté avec un nouveau jeton",
    tags=["Compte"],
    responses=answers(
        *KEYED,
        *ANY_BODY,
        *ANY_PASSWORD,
        "UNAUTHENTICATED",
        "CURRENT_PASSWORD_INVALID",
        "RATE_LIMITED",
    ),
)
def post_password(request: Request, body: PasswordChange) -> Response[NewSession]:
    visit = Visit(request)
    with counting_refusals(visit, SIGN_IN_FAILURES, str(visit.signed_in.user_id)):
        session = profile.change_password(visit.connection, visit.signed_in, body, visit.now)
    visit.set_cookie(SESSION_COOKIE, session.token, int(SESSION_TTL.total_seconds()))
    expires_at = on_toronto_clock(session.expires_at)
    return visit.answer(NewSession(session_token=session.token, expires_at=expires_at))


def _as_written(email: str) -> str:
    """An e-mail as it is kept, so that no spelling of it is counted apart; what can be none as it was typed."""
    try:
        return read_email(email)
    except Refused:
        return email.lower()


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
