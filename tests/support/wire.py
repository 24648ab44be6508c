"""Counts what a client says to PostgreSQL: SQL statements and round trips, exactly, pipelines included.

A TCP proxy in front of the server that understands the protocol's message boundaries, so nothing in the product
knows that it is being counted::

    with counted(database) as wire:
        browser.get(...)                                  # the handlers connect through it,
        psycopg.connect(wire.url, autocommit=True)        # and so may a test's own connections
        assert (wire.statements, wire.round_trips) == (2, 2)

`wire.sql` is what was executed, in order, and `wire.rows` how many rows came back; `wire.reset()` forgets what came
before, e.g. a first call that opens the connection. The start-up handshake is never counted.
"""

import os
import re
import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Protocol
from unittest.mock import patch

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters import database as adapter

PLAIN_TEXT_ONLY = {80877103, 80877104}  # SSLRequest, GSSENCRequest
TRANSACTION_CONTROL = re.compile(r"\s*(BEGIN|START|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)\b", re.IGNORECASE)


class HasUrl(Protocol):
    @property
    def url(self) -> str: ...


@dataclass
class Wire:
    """What went over the wire since the last reset."""

    url: str = ""
    sql: list[str] = field(default_factory=list)
    round_trips: int = 0
    rows: int = 0

    @property
    def statements(self) -> int:
        """How many SQL statements were executed, BEGIN, COMMIT, ROLLBACK and savepoints apart."""
        return sum(1 for text in self.sql if not TRANSACTION_CONTROL.match(text))

    def reset(self) -> None:
        """Forget what was counted so far."""
        self.sql.clear()
        self.round_trips = self.rows = 0


@contextmanager
def counted(database: HasUrl) -> Iterator[Wire]:
    """A way to that database that counts. Handlers called inside the block take it; so does whoever uses `url`."""
    wire = Wire()
    with _Proxy(database.url, wire), _handlers_connect_to(wire.url):
        yield wire


@contextmanager
def _handlers_connect_to(url: str) -> Iterator[None]:
    roles = {"DATABASE_URL": "booking_web", "DATABASE_JOBS_URL": "booking_jobs"}
    adapter.disconnect()
    with patch.dict(os.environ, {name: make_conninfo(url, user=role) for name, role in roles.items()}):
        try:
            yield
        finally:
            adapter.disconnect()


class _Proxy:
    """Accepts clients on a free port of 127.0.0.1 and gives each a connection to the server."""

    def __init__(self, upstream: str, wire: Wire) -> None:
        target = conninfo_to_dict(upstream)
        self._server = str(target["host"]), int(target.get("port") or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._bell, self._push = socket.socketpair()  # rings when it is time to stop
        self._wire = wire
        self._threads = [threading.Thread(target=self._accept)]
        wire.url = make_conninfo(
            upstream,
            host="127.0.0.1",
            port=self._listener.getsockname()[1],
            sslmode="disable",
            gssencmode="disable",
        )

    def __enter__(self) -> None:
        self._threads[0].start()

    def __exit__(self, *_: object) -> None:
        self._push.close()
        for thread in self._threads:
            thread.join()
        self._bell.close()
        self._listener.close()

    def _accept(self) -> None:
        while self._bell not in (ready := _readable(self._listener, self._bell)):
            assert ready
            client, _ = self._listener.accept()
            thread = threading.Thread(target=self._relay, args=(client,))
            self._threads.append(thread)
            thread.start()

    def _relay(self, client: socket.socket) -> None:
        with closing(client), closing(socket.create_connection(self._server)) as server:
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            said = _Conversation(self._wire)
            while self._bell not in (ready := _readable(client, server, self._bell)):
                # The client first: what it sends before it is answered belongs to one round trip.
                speaker = client if client in ready else server
                try:
                    if not (received := speaker.recv(65536)):
                        return
                    if speaker is server:
                        said.answered(received)
                        client.sendall(received)
                    else:
                        refusals, passed_on = said.hear(received)
                        client.sendall(refusals)
                        server.sendall(passed_on)
                except ConnectionError:
                    return


def _readable(*sockets: socket.socket) -> list[socket.socket]:
    return select.select(sockets, [], [])[0]


class _Conversation:
    """One client's side of the protocol, cut into messages (PostgreSQL's documentation, "Message Formats")."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._unread, self._unheard = b"", b""
        self._started = False
        self._waiting = False
        self._prepared: dict[bytes, str] = {}
        self._portals: dict[bytes, str] = {}

    def answered(self, received: bytes) -> None:
        """The server spoke: whatever the client asks next is another round trip."""
        self._waiting = False
        self._unheard += received
        while len(self._unheard) >= 5 and len(self._unheard) > (
            length := struct.unpack_from("!I", self._unheard, 1)[0]
        ):
            self._wire.rows += self._unheard[:1] == b"D"
            self._unheard = self._unheard[1 + length :]

    def hear(self, received: bytes) -> tuple[bytes, bytes]:
        """Count the messages that are complete now. Answers what to tell the client, and what the server."""
        self._unread += received
        refusals, passed_on = b"", b""
        while message := self._next_message():
            if self._started:
                self._count(message[:1], message[5:])
            elif struct.unpack("!I", message[4:8])[0] in PLAIN_TEXT_ONLY:
                refusals += b"N"
                continue
            else:
                self._started = True
            passed_on += message
        return refusals, passed_on

    def _next_message(self) -> bytes:
        tag = 1 if self._started else 0  # the first messages of a connection carry no type
        if len(self._unread) < tag + 4:
            return b""
        end = tag + int(struct.unpack_from("!I", self._unread, tag)[0])
        if len(self._unread) < end:
            return b""
        message, self._unread = self._unread[:end], self._unread[end:]
        return message

    def _count(self, kind: bytes, body: bytes) -> None:
        match kind:
            case b"Q":  # Query
                self._wire.sql.append(body.rstrip(b"\0").decode())
            case b"P":  # Parse: name, text
                name, text, _ = body.split(b"\0", 2)
                self._prepared[name] = text.decode()
            case b"B":  # Bind: portal, name of the prepared statement
                portal, name, _ = body.split(b"\0", 2)
                self._portals[portal] = self._prepared[name]
            case b"E":  # Execute: portal
                self._wire.sql.append(self._portals[body.split(b"\0", 1)[0]])
        # Query, Sync, Flush and CopyDone are the only messages after which a client can wait.
        if kind in b"QSHc" and not self._waiting:
            self._waiting = True
            self._wire.round_trips += 1
