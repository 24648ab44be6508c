"""Make.com, as far as we see it: an inbox that accepts whatever is posted to it, and tells what came.

`POST /anything` is a delivery. `GET /deliveries` lists them, `DELETE /deliveries` forgets them, and
`PUT /behaviour {"status": 503, "delay_ms": 0, "retry_after": null}` makes the inbox misbehave until told otherwise.
"""

import asyncio
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route


@dataclass(frozen=True)
class Behaviour:
    """How the inbox answers deliveries."""

    status: int = 200
    delay_ms: int = 0
    retry_after: str | None = None


class Inbox:
    """What was delivered, and how the next delivery is answered."""

    def __init__(self) -> None:
        self._deliveries: list[dict[str, Any]] = []
        self._behaviour = Behaviour()
        self.application = Starlette(
            routes=[
                Route("/deliveries", self._list, methods=["GET"]),
                Route("/deliveries", self._forget, methods=["DELETE"]),
                Route("/behaviour", self._behave, methods=["PUT"]),
                Route("/{path:path}", self._receive, methods=["POST"]),
            ]
        )

    async def _receive(self, request: Request) -> Response:
        behaviour = self._behaviour
        body = await request.body()
        self._deliveries.append(
            {
                "path": request.url.path,
                "headers": dict(request.headers),
                "body": body.decode(errors="replace"),
                "status": behaviour.status,
                "received_at": datetime.now(UTC).isoformat(),
            }
        )
        await asyncio.sleep(behaviour.delay_ms / 1000)
        headers = {} if behaviour.retry_after is None else {"Retry-After": behaviour.retry_after}
        accepted = "Accepted" if behaviour.status < 300 else "Refused"
        return PlainTextResponse(accepted, behaviour.status, headers)

    async def _list(self, _: Request) -> Response:
        return JSONResponse({"items": self._deliveries})

    async def _forget(self, _: Request) -> Response:
        self._deliveries.clear()
        return Response(status_code=204)

    async def _behave(self, request: Request) -> Response:
        try:
            wanted = await request.json()
            behaviour = Behaviour(
                status=int(wanted.get("status", 200)),
                delay_ms=int(wanted.get("delay_ms", 0)),
                retry_after=None if wanted.get("retry_after") is None else str(wanted["retry_after"]),
            )
            if not 200 <= behaviour.status <= 599:
                raise ValueError("status is not between 200 and 599")
        except (AttributeError, TypeError, ValueError) as error:
            return JSONResponse({"message": str(error)}, 422)
        self._behaviour = behaviour
        return JSONResponse(asdict(behaviour))
