"""What only the local stack has: its clock, its schedules at once, and a page that shows the API.

`POST /_local/clock {"now": "2027-01-18T09:00:00-05:00"}` moves the clock (`null` gives it back),
`POST /_local/schedules/{function}` runs a scheduled function and answers what it returned,
`GET /_local/docs` shows `/v1/openapi.json`.
"""

import importlib.util
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from local import clock
from local.containers import FunctionFailedError
from local.schedules import Schedules, UnknownScheduleError

_TORONTO = ZoneInfo("America/Toronto")
_PAGE = """<!doctype html>
<html lang="fr">
<meta charset="utf-8">
<title>API 4AS</title>
<link rel="stylesheet" href="docs/swagger-ui.min.css">
<div id="api"></div>
<script src="docs/swagger-ui-bundle.min.js"></script>
<script>SwaggerUIBundle({url: "/v1/openapi.json", dom_id: "#api", withCredentials: true})</script>
"""


class Controls:
    """An ASGI application that answers `/_local/…` itself and leaves the rest to the gateway."""

    def __init__(self, gateway: Any, schedules: Schedules) -> None:
        self._gateway = gateway
        self._schedules = schedules
        self._own = Starlette(
            routes=[
                Route("/_local/clock", self._move_clock, methods=["POST"]),
                Route("/_local/schedules/{function}", self._fire, methods=["POST"]),
                Route("/_local/docs", self._page, methods=["GET"]),
                Route("/_local/docs/{name}", self._asset, methods=["GET"]),
            ]
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request (ASGI)."""
        own = scope["path"].startswith("/_local/")
        await (self._own if own else self._gateway)(scope, receive, send)

    async def _move_clock(self, request: Request) -> Response:
        try:
            now = (await request.json())["now"]
            instant = None if now is None else datetime.fromisoformat(now)
            if instant and instant.tzinfo is None:
                raise ValueError("now must have an offset, as 2027-01-18T09:00:00-05:00")
        except (KeyError, TypeError, ValueError) as error:
            return JSONResponse({"message": f"{type(error).__name__}: {error}"}, 422)
        return JSONResponse({"now": clock.move(instant).astimezone(_TORONTO).isoformat()})

    async def _fire(self, request: Request) -> Response:
        try:
            result = await run_in_threadpool(self._schedules.fire, request.path_params["function"])
        except UnknownScheduleError as error:
            return JSONResponse({"message": str(error)}, 404)
        except FunctionFailedError as error:
            return JSONResponse({"message": str(error)}, 500)
        return JSONResponse(result)

    async def _page(self, _: Request) -> Response:
        return HTMLResponse(_PAGE)

    async def _asset(self, request: Request) -> Response:
        asset = _swagger_ui() / request.path_params["name"]
        if asset.suffix not in (".css", ".js") or not asset.is_file():
            return Response(status_code=404)
        return FileResponse(asset)


def _swagger_ui() -> Path:
    """Powertools carries Swagger UI's files: no address on the internet is needed to show the page."""
    package = importlib.util.find_spec("aws_lambda_powertools")
    if not package or not package.origin:
        raise ModuleNotFoundError("aws_lambda_powertools")
    return Path(package.origin).parent / "event_handler" / "openapi" / "swagger_ui"
