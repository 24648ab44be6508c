"""Serve the double on a thread of this process, and keep its heart beating."""

import socket
import threading

import uvicorn
from starlette.applications import Starlette

from local.stripe_double.hang_up import DroppableProtocol
from local.stripe_double.sandbox import Sandbox
from local.stripe_double.webhooks import Webhooks

_BEAT = 0.05  # seconds: the clock may jump at any time, nobody announces it


class Server:
    """uvicorn on one thread, webhooks and delayed actions on another."""

    def __init__(self, app: Starlette, sandbox: Sandbox, webhooks: Webhooks, host: str, port: int) -> None:
        self._sandbox = sandbox
        self._webhooks = webhooks
        self._listener = _listen(host, port)
        self.url = "http://{}:{}".format(*self._listener.getsockname()[:2])
        config = uvicorn.Config(
            app,
            http=DroppableProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
        )
        self._uvicorn = uvicorn.Server(config)
        self._stopping = False
        self._threads = [
            threading.Thread(
                target=self._uvicorn.run, args=([self._listener],), name="stripe-double", daemon=True
            ),
            threading.Thread(target=self._beat, name="stripe-double-webhooks", daemon=True),
        ]

    def start(self) -> None:
        """Answer from now on: the socket listens already, so no call is lost."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Close the socket and end both threads."""
        self._uvicorn.should_exit = True
        with self._sandbox.changed:
            self._stopping = True
            self._sandbox.changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _beat(self) -> None:
        while not self._stopping:
            self._sandbox.run_due()
            self._webhooks.send_due()
            with self._sandbox.changed:
                if not self._stopping:
                    self._sandbox.changed.wait(_BEAT)


def _listen(host: str, port: int) -> socket.socket:
    """asyncio turns Nagle's algorithm off only on a socket that says TCP: it costs 40 ms an answer."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen()
    return listener
