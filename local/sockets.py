"""Listening sockets of this machine, made before whoever serves them is ready."""

import errno
import socket

_BACKLOG = 2048
_TAKEN = "Port {} is taken: stop what listens on it, or choose another."


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
        raise PortTakenError(_TAKEN.format(port)) from error
    return listener


def listen_as_localhost(port: int) -> list[socket.socket]:
    """Sockets that listen on a port of `localhost`, by whichever of 127.0.0.1 and ::1 a program reaches it.

    Raises PortTakenError. A machine without ::1 listens on 127.0.0.1 alone.
    """
    first = listen(port)
    second = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        second.bind(("::1", first.getsockname()[1]))
        second.listen(_BACKLOG)
    except OSError as error:
        second.close()
        if error.errno != errno.EADDRINUSE:
            return [first]
        first.close()
        raise PortTakenError(_TAKEN.format(port)) from error
    return [first, second]


def address(listener: socket.socket) -> str:
    """The address a listening socket is reached at, without a path."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with listen() as probe:
        port: int = probe.getsockname()[1]
        return port
