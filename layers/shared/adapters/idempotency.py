"""The Idempotency-Key of a POST, at the edge. Without the header nothing here costs anything.

A key belongs to whoever sent it, known by the session or the cart's cookie: without either there is nobody the answer
could belong to, so the first request of a guest is kept under the cookie that it answers.

A kept answer is given to whoever could still read what it says (decision 22): a session that is open now, or a guest
whose cookie is still a guest's. One that opened a session is given as long as that session is open.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256, shake_256
from http.cookies import SimpleCookie
from typing import Any
from uuid import UUID

from aws_lambda_powertools.event_handler import ApiGatewayResolver, Response
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from pydantic import BaseModel

from adapters import database
from adapters.http import CART_COOKIE, SESSION_COOKIE, Visit
from domain import idempotency
from domain.accounts.callers import find_person
from domain.checkout.guests import has_started, is_known
from domain.errors import Refused
from domain.idempotency import Keyed

KEYED = ("VALIDATION_FAILED", "IDEMPOTENCY_IN_FLIGHT", "IDEMPOTENCY_KEY_REUSED")
"""What any POST with a key may be refused with."""
HEADER = "idempotency-key"
MAX_LENGTH = 255


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request with its key, before it is known whose it is."""

    key: str
    operation: str
    body: bytes

    def of(self, owner: str) -> Keyed:
        """The request as `owner`'s, who is a secret: a session token or a cart's cookie."""
        parts = [self.operation, self.key, owner]
        return Keyed(sha256(json.dumps(parts).encode()).digest(), sha256(self.body).digest())

    def mask(self, owner: str, text: bytes) -> bytes:
        """Hide an answer, or read it again, with what the database does not know: the key and its owner.

        The operation takes part, so that one key for two operations is two streams.
        """
        parts = ["answer", self.operation, self.key, owner]
        stream = shake_256(json.dumps(parts).encode()).digest(len(text))
        return bytes(one ^ other for one, other in zip(text, stream, strict=True))


def answer_once(app: ApiGatewayResolver, next_middleware: NextMiddleware) -> Response[Any]:
    """A POST with a key takes effect once and is answered the same again: for handlers that are one transaction.

    Whatever they write is written in the transaction that keeps their answer. A refusal is not kept.
    """
    visit = Visit(app.request)
    request = read_key(visit)
    if request is None:
        return next_middleware(app)
    refusal = None
    with database.transaction() as connection:
        owner = visit.owner
        if owner and (text := idempotency.claim(connection, request.of(owner), visit.now)):
            kept = from_text(request.mask(owner, text))
            if _may_have(visit, kept):
                return kept
        keeper = owner if _is_somebody(visit) else None  # as it is before a sign-in merges a guest's cart
        try:
            response = next_middleware(app)
        except Refused as error:  # has undone what it did
            refusal = error
        else:
            keeper = _new_guest(response) or keeper
            if keeper:
                text = request.mask(keeper, as_text(response))
                idempotency.keep(connection, request.of(keeper), text, visit.now)
    if refusal:
        raise refusal
    return response


def answer_with_lease(
    visit: Visit, work: Callable[[Keyed | None, UUID | None], Response[Any]]
) -> Response[Any]:
    """The same for a checkout, which is several transactions with Stripe's answers in between.

    `work` gets the key to tie its checkout to, and the checkout that was begun under the key before.
    """
    request, owner = read_key(visit), visit.owner
    if request is None or owner is None:
        return work(None, None)
    keyed = request.of(owner)
    known = idempotency.lease(visit.connection, keyed, visit.now)
    if known and known.answer:
        if _may_have_checkout(visit, known.checkout_id):
            return from_text(request.mask(owner, known.answer))
        return work(None, None)
    try:
        response = work(keyed, known.checkout_id if known else None)
        idempotency.keep(visit.connection, keyed, request.mask(owner, as_text(response)), visit.now)
    except BaseException:
        idempotency.end_lease(database.connection(), keyed)  # the one that failed may be gone
        raise
    return response


def _is_somebody(visit: Visit) -> bool:
    """Whether the caller is known here. Who is not could otherwise have answers kept without limit."""
    return not visit.owner_is_guest or (visit.guest is not None and is_known(visit.connection, visit.guest))


def _may_have(visit: Visit, kept: Response[Any]) -> bool:
    """Whether the caller, whose answer it was, may have it again."""
    token = _opened_session(kept)
    if token:
        return find_person(visit.connection, token, visit.now) is not None
    return _is_somebody(visit)


def _may_have_checkout(visit: Visit, checkout_id: UUID | None) -> bool:
    """The same for a checkout, which a guest may follow as long as it knows their cookie."""
    if not visit.owner_is_guest:
        return True
    return visit.guest is not None and has_started(visit.connection, visit.guest, checkout_id)


def _opened_session(kept: Response[Any]) -> str | None:
    """The token of the session that an answer opened."""
    cookies = SimpleCookie("; ".join(str(cookie).partition(";")[0] for cookie in kept.cookies))
    morsel = cookies.get(SESSION_COOKIE)
    return morsel.value if morsel and morsel.value else None


def read_key(visit: Visit) -> KeyedRequest | None:
    """The key of a POST, if it bears one. Refuses with VALIDATION_FAILED one that is empty, long or unprintable."""
    key = visit.header(HEADER)
    if key is None or visit.method != "POST":
        return None
    if not (0 < len(key) <= MAX_LENGTH and key.isascii() and key.isprintable()):
        fault = {"field": "Idempotency-Key", "code": "INVALID", "detail": "Cette valeur est invalide."}
        raise Refused("VALIDATION_FAILED", errors=[fault])
    return KeyedRequest(key, visit.path, visit.raw_body.encode(errors="surrogatepass"))


def _new_guest(response: Response[Any]) -> str | None:
    """The cookie that a guest without one has just been given."""
    return next((cookie.value for cookie in response.cookies if cookie.name == CART_COOKIE), None)


def as_text(response: Response[Any]) -> bytes:
    """An answer as it is kept."""
    body = response.body
    return json.dumps(
        {
            "status": response.status_code,
            "content_type": response.content_type,
            "headers": response.headers,
            "cookies": [str(cookie) for cookie in response.cookies],
            "body": body.model_dump(mode="json") if isinstance(body, BaseModel) else body,
        }
    ).encode()


def from_text(text: bytes) -> Response[Any]:
    """An answer as it was given."""
    kept = json.loads(text)
    return Response(
        status_code=kept["status"],
        content_type=kept["content_type"],
        headers=kept["headers"],
        cookies=kept["cookies"],
        body=kept["body"],
    )
