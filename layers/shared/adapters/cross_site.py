"""Where a request comes from, as browsers tell it: a page of somebody else's may not act with a visitor's cookies."""

from collections.abc import Mapping

from adapters.settings import optional_setting

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PROOFS = ("authorization", "stripe-signature")
"""Headers that authenticate by themselves. A page can send them to another origin only with CORS's permission."""


def is_forged(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a page that is neither ours nor a configured front end's would change something with this request.

    Arguments: the header names in small letters. Who is no browser says nothing of where it comes from.
    """
    if method in SAFE_METHODS or any(headers.get(proof) for proof in PROOFS):
        return False
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site") == "cross-site"
    own = f"{headers.get('x-forwarded-proto', 'https')}://{headers.get('host')}"
    return not origin or origin not in (own, *optional_setting("ALLOWED_ORIGINS").split(","))
