"""The gateway as an ASGI application."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Any

from local.functions import Event
from local.gateway import cors, events, responses
from local.gateway.events import Scope
from local.gateway.responses import Answer
from local.gateway.routes import Routes
from local.template import Application

LARGEST_REQUEST = 10 * 1024 * 1024  # what API Gateway accepts, bytes
LARGEST_EVENT = 6 * 1024 * 1024  # what it can pass on to Lambda, bytes

type Invoke = Callable[[str, Event], Any]
type Receive = Callable[[], Awaitable[dict[str, Any]]]
type Send = Callable[[dict[str, Any]], Awaitable[None]]

logger = logging.getLogger(__name__)

_NOT_FOUND = responses.refuse(404, "Not Found")
_TOO_LARGE = responses.refuse(413, "Request Entity Too Large")
_FAILED = responses.refuse(500, "Internal Server Error")


class Gateway:
    """Turns requests into events, calls functions, turns results into answers.

    Parameters
    ----------
    application
        Whose routes and CORS to serve.
    invoke
        Calls a function by name with an event; what it raises becomes a 500 and a line in the log.
    executor
        Threads to call functions on. Without it they are called on the event loop: exactly one request at a
        time, as in one Lambda container, and nothing spent on passing it around.
    """

    def __init__(self, application: Application, invoke: Invoke, executor: Executor | None = None) -> None:
        self._routes = Routes(application.functions)
        self._cors = application.cors
        self._invoke = invoke
        self._executor = executor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        answer = await self._answer(scope, receive)
        length, body = len(answer.body), answer.body
        if scope["method"] == "HEAD":
            length, body = length if answer.length is None else answer.length, b""
        sized = [*answer.headers, (b"content-length", str(length).encode())]
        headers = answer.headers if answer.status == 204 else sized
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        if self._cors is None:
            return await self._call(scope, receive)
        headers = dict(scope["headers"])
        if cors.is_preflight(scope["method"], headers):
            return cors.preflight(self._cors, headers)
        return cors.with_permission(self._cors, headers.get(b"origin"), await self._call(scope, receive))

    async def _call(self, scope: Scope, receive: Receive) -> Answer:
        match = self._routes.find(scope["method"], scope["path"])
        if match is None:
            return _NOT_FOUND
        body = await _read(receive)
        if body is None:
            return _TOO_LARGE
        event = events.build(scope, body, match)
        if len(event.get("body", "")) > LARGEST_EVENT:
            return _TOO_LARGE
        name = match.function.name
        try:
            if self._executor is None:
                result = self._invoke(name, event)
            else:
                loop = asyncio.get_running_loop()
                result = await loop.run_in_executor(self._executor, self._invoke, name, event)
            return responses.answer(result)
        except Exception:
            logger.exception("%s failed on %s %s", name, scope["method"], scope["path"])
            return _FAILED


async def _read(receive: Receive) -> bytes | None:
    """The whole body, `None` when it is larger than API Gateway accepts."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST_REQUEST:
            return None
    return body if len(body) <= LARGEST_REQUEST else None
