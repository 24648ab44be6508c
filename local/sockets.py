"""Listening sockets of 127.0.0.1, made before whoever serves them is ready."""

import socket

_BACKLOG = 2048


class PortTakenError(Exception):
    """Somebody else listens on the port; the text says so in one sentence."""


def listen(port: int = 0, *, shared: bool = False) -> socket.socket:
    """A socket that listens: who connects before there is an application simply waits.

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
    # Named TCP: asyncio turns Nagle's delay off only where it sees it.
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


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with listen() as probe:
        port: int = probe.getsockname()[1]
        return port
