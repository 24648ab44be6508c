"""CORS as an HTTP API answers it: by itself, and instead of whatever the function says about it."""

from dataclasses import replace
from fnmatch import fnmatchcase

from local.gateway.responses import Answer, Headers
from local.template import Cors


def is_preflight(method: str, headers: dict[bytes, bytes]) -> bool:
    """Whether a browser is asking for permission rather than for the resource."""
    return method == "OPTIONS" and b"origin" in headers and b"access-control-request-method" in headers


def preflight(cors: Cors, headers: dict[bytes, bytes]) -> Answer:
    """The answer to a preflight; an origin that is not allowed gets no permission and no explanation."""
    permission = _common(cors, headers[b"origin"])
    if permission:
        for name, values in (
            (b"access-control-allow-methods", cors.methods),
            (b"access-control-allow-headers", cors.headers),
        ):
            if values:
                permission.append((name, ",".join(values).encode("latin-1")))
        if cors.max_age is not None:
            permission.append((b"access-control-max-age", str(cors.max_age).encode()))
    return Answer(204, permission, b"")


def with_permission(cors: Cors, origin: bytes | None, answer: Answer) -> Answer:
    """An answer with the API's CORS headers in place of the function's own."""
    headers = [header for header in answer.headers if not header[0].startswith(b"access-control-")]
    permission = _common(cors, origin) if origin is not None else []
    if permission and cors.exposed:
        permission.append((b"access-control-expose-headers", ",".join(cors.exposed).encode("latin-1")))
    headers += permission
    return replace(answer, headers=headers)


def _common(cors: Cors, origin: bytes) -> Headers:
    if "*" in cors.origins:
        allowed = b"*"
    elif any(fnmatchcase(origin.decode("latin-1"), pattern) for pattern in cors.origins):
        allowed = origin
    else:
        return []
    credentials = [(b"access-control-allow-credentials", b"true")] if cors.credentials else []
    return [(b"access-control-allow-origin", allowed), *credentials]
