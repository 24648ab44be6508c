"""Answers that are a file and not JSON."""

from base64 import b64encode
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response

from adapters.http import answers


def file_answer(content: bytes, content_type: str, name: str) -> Response[str]:
    """A file to open or save, never kept by a shared cache. API Gateway carries bytes in base64."""
    answer = Response(
        status_code=HTTPStatus.OK,
        content_type=content_type,
        body=b64encode(content).decode(),
        headers={
            "Cache-Control": "private, no-store",
            "Content-Disposition": f'inline; filename="{name}"',
            "X-Content-Type-Options": "nosniff",
        },
    )
    answer.base64_encoded = True
    return answer


def file_answers(media_type: str, *refusals: str) -> dict[int, Any]:
    """The OpenAPI description of a route that answers a file of that type, or one of these refusals."""
    file = {"schema": {"type": "string", "format": "binary"}}
    return answers(*refusals) | {200: {"description": "Le fichier", "content": {media_type: file}}}
