"""Who calls: the merchant's server (secret key) or a customer's browser (publishable key)."""

import base64
import binascii
import secrets
from typing import Literal

from local.stripe_double.errors import StripeError, invalid_request
from local.stripe_double.ids import new_secret

Caller = Literal["secret", "publishable"]

_NO_KEY = (
    "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer"
    " auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for"
    " details, or we can help at https://support.stripe.com/."
)
_SECRET_KEY_REQUIRED = (
    "This API call cannot be made with a publishable API key. Please use a secret API key. You can find a list"
    " of your API keys at https://dashboard.stripe.com/account/apikeys."
)


class Keys:
    """The two API keys of the account."""

    def __init__(self, secret_key: str | None = None, publishable_key: str | None = None) -> None:
        self.secret = secret_key or f"sk_test_{new_secret(32)}"
        self.publishable = publishable_key or f"pk_test_{new_secret(32)}"

    def caller(self, authorization: str | None) -> Caller:
        """Who holds the key of this `Authorization` header: Bearer, or Basic with the key as user name."""
        key = _key(authorization or "")
        if not key:
            raise StripeError(401, _NO_KEY)
        if secrets.compare_digest(key.encode(), self.secret.encode()):
            return "secret"
        if secrets.compare_digest(key.encode(), self.publishable.encode()):
            return "publishable"
        raise StripeError(401, f"Invalid API Key provided: {key[:8]}{'*' * 12}{key[-4:]}")


def check_allowed(caller: Caller, *, publishable: bool, client_secret: str | None) -> None:
    """A publishable key opens few doors, and only with the client secret of the object behind."""
    if caller == "secret":
        return
    if not publishable:
        raise StripeError(403, _SECRET_KEY_REQUIRED, code="secret_key_required")
    if not client_secret:
        raise invalid_request(
            "Missing required param: client_secret.", code="parameter_missing", param="client_secret"
        )


def _key(authorization: str) -> str:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
