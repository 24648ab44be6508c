"""ASGI applications on sockets of 127.0.0.1."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn

_BACKLOG = 2048


class PortTakenError(Exception):
    """Somebody else listens on the port; the text says so in one sentence."""


def listen(port: int = 0, *, shared: bool = False) -> socket.socket:
    """A socket that listens on 127.0.0.1: who connects before the application is ready simply waits.

    Parameters
    ----------
    port
        The port; 0 takes any free one.
    shared
        Let other sockets made with `shared` listen on the same port; the kernel spreads the connections.

    Raises
    ------
    PortTakenError
        The port is taken.
    """
    # Named TCP: asyncio turns Nagle off only where it sees it.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise PortTakenError(f"Port {port} is taken: stop what listens on it, or choose another.") from error
    return listener


def address(listener: socket.socket) -> str:
    """The address a listening socket is reached at, without a path."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


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
            server_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=3,
        )
    )


@contextlib.contextmanager
def served(application: Any, listener: socket.socket) -> Iterator[None]:
    """Serve an application on a thread of its own for as long as the context lasts."""
    running = server(application)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        running.should_exit = True
        thread.join()
