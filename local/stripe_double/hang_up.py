"""Leave a client without an answer: what a timeout or a broken connection looks like from its side."""

import asyncio
import contextlib
import socket
import struct

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_TRANSPORT = "stripe_double.transport"
_RESET = struct.pack("ii", 1, 0)  # linger on, for zero seconds: closing sends RST instead of FIN


class HangUp:
    """An ASGI answer that is none: silence for a while, then the connection is dropped, or reset."""

    def __init__(self, seconds: float = 0.0, *, reset: bool = False) -> None:
        self._seconds = seconds
        self._reset = reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._seconds:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(_disconnection(receive), self._seconds)
        transport: asyncio.Transport = scope["extensions"][_TRANSPORT]
        if self._reset:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
        await _disconnection(receive)


class DroppableProtocol(HttpToolsProtocol):
    """uvicorn's protocol, lending its connection to the application."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {_TRANSPORT: self.transport}  # type: ignore[dict-item]


async def _disconnection(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
