"""ASGI applications on listening sockets, with uvicorn."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn


def server(application: Any) -> uvicorn.Server:
    """A uvicorn server that says nothing and ends promptly."""
    return uvicorn.Server(
        uvicorn.Config(
            application,
            loop="asyncio",
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            proxy_headers=False,  # what a client says of its address is not asked, as on AWS
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=3,
        )
    )


@contextlib.contextmanager
def served(application: Any, *listeners: socket.socket) -> Iterator[None]:
    """Serve an application on a thread of its own for as long as the context lasts."""
    running = server(application)
    thread = threading.Thread(target=running.run, kwargs={"sockets": list(listeners)}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        running.should_exit = True
        thread.join()
