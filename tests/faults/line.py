"""A way to PostgreSQL that can be cut: while nothing is asked, in the middle of a question, before its answer.

It is a TCP proxy that knows where a message of the protocol ends, so that it knows what is being asked. It runs on a
thread of its own; whoever disturbs calls from another.
"""

import asyncio
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

type Moment = Literal["unsent", "asked", "answered", "committing", "committed", "half"]
"""When a line is cut: before the server hears the question; when it has; when it has answered and nobody heard it;
the same two of a COMMIT; and `half`: the server has the question and does not hear that the line was cut."""

COMMIT = re.compile(rb"\s*COMMIT\b", re.IGNORECASE)
CHUNK = 65536
HALF_DEAD_SECONDS = 12.0
"""How long a server does not hear that its client is gone: a network's own patience is longer."""

RESET = struct.pack("ii", 1, 0)


@dataclass(eq=False)
class Line:
    """One connection, from both sides."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    pid: int = 0
    asking: bool = True
    cut_at: float | None = None
    cut_when: Moment | None = None
    silent: bool = False
    started: bool = False
    unread: dict[str, bytes] = field(default_factory=lambda: {"client": b"", "server": b""})

    def hear_client(self, received: bytes) -> tuple[bool, bool]:
        """What a client says: whether an answer is expected now, and whether it commits."""
        asks = commits = False
        for kind, body in self._messages("client", received):
            asks = asks or kind in b"QS"
            commits = commits or (kind in b"QP" and bool(COMMIT.match(body.lstrip(b"\0"))))
        self.asking = self.asking or asks
        return asks, commits

    def hear_server(self, received: bytes) -> bool:
        """What the server says: whether it has answered all of it."""
        for kind, body in self._messages("server", received):
            if kind == b"K":
                (self.pid,) = struct.unpack_from("!I", body)
            if kind == b"Z":
                self.asking = False
        return not self.asking

    def _messages(self, who: str, received: bytes) -> Iterator[tuple[bytes, bytes]]:
        unread = self.unread[who] + received
        while True:
            tag = 1 if who == "server" or self.started else 0  # a client's first message has no type
            if len(unread) < tag + 4:
                break
            end = tag + int(struct.unpack_from("!I", unread, tag)[0])
            if len(unread) < end:
                break
            yield unread[:tag], unread[tag + 4 : end]
            if who == "client":
                self.started = True
            unread = unread[end:]
        self.unread[who] = unread

    def cut(self, when: Moment | None = None) -> None:
        """The client finds its connection reset. So does the server, unless the line is half dead."""
        if self.cut_at is not None:
            return
        self.cut_at, self.cut_when = time.time(), when
        _reset(self.client)
        if when == "half":
            asyncio.get_running_loop().call_later(HALF_DEAD_SECONDS, _reset, self.server)
        else:
            self.server.close()  # what was written before still arrives


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    with suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


class Lines:
    """Every connection there is. `port` is where clients connect."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._all: list[Line] = []
        self._ends: list[asyncio.StreamWriter] = []
        self._conversations: list[asyncio.Task[None]] = []
        self._armed: list[Moment] = []
        self._closed_to_newcomers = False
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="lines", daemon=True)
        self.port = 0

    def start(self) -> None:
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    # --- What somebody does to them ---------------------------------------------------------------------------

    def arm(self, moment: Moment) -> None:
        """The next line for which the moment comes is cut."""
        self._do(self._armed.append, moment)

    def disarm(self) -> None:
        self._do(self._armed.clear)

    def cut_one_at_rest(self, dice: Random) -> None:
        self._do(self._cut_one, dice, lambda line: not line.asking)

    def cut_those_asking(self, moment: Moment) -> None:
        self._do(self._cut_asking, moment)

    def fall_silent(self, dice: Random, share: float, *, newcomers: bool) -> None:
        """Lines that nothing goes through any more, in either direction, and that nobody closes."""
        self._do(self._silence, dice, share, newcomers)

    def let_newcomers_in(self) -> None:
        self._do(self._silence, Random(0), 0.0, False)

    def cut_pids(self) -> dict[int, float]:
        """The server's processes whose clients are gone, and since when."""
        return self._do(
            lambda: {line.pid: line.cut_at for line in self._all if line.cut_at is not None and line.pid}
        )

    def count_cut(self) -> int:
        return self._do(lambda: sum(line.cut_at is not None for line in self._all))

    def _do[**P, R](self, deed: Callable[P, R], *args: P.args, **named: P.kwargs) -> R:
        """On the lines' own thread."""

        async def run() -> R:
            return deed(*args, **named)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def _cut_one(self, dice: Random, is_meant: Callable[[Line], bool]) -> None:
        if found := [line for line in self._all if line.cut_at is None and is_meant(line)]:
            dice.choice(found).cut()

    def _cut_asking(self, moment: Moment) -> None:
        for line in self._all:
            if line.cut_at is None and line.asking and line.pid:
                line.cut(moment)

    def _silence(self, dice: Random, share: float, newcomers: bool) -> None:
        self._closed_to_newcomers = newcomers
        for line in self._all:
            if line.cut_at is None and dice.random() < share:
                line.silent = True

    # --- What goes through them -------------------------------------------------------------------------------

    async def _serve(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopped.wait()
        listener.close()
        for end in self._ends:
            _reset(end)
        await asyncio.gather(*self._conversations)

    def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self._ends.append(client)
        self._conversations.append(self._loop.create_task(self._converse(reader, client)))

    async def _converse(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if self._closed_to_newcomers:
            with suppress(OSError):
                while await reader.read(CHUNK):
                    pass
            _reset(client)
            return
        try:
            answers, server = await asyncio.open_connection(*self._server)
        except OSError:
            _reset(client)
            return
        self._ends.append(server)
        line = Line(client, server)
        self._all.append(line)
        await asyncio.gather(
            self._pump(line, self._ask(line, reader)), self._pump(line, self._answer(line, answers))
        )
        for end in (client, server):
            end.close()

    async def _pump(self, line: Line, pumping: Coroutine[Any, Any, None]) -> None:
        with suppress(OSError):
            await pumping
        if line.silent:
            line.cut("half")
        if line.cut_when != "half":
            for end in (line.client, line.server):
                end.close()

    async def _ask(self, line: Line, reader: asyncio.StreamReader) -> None:
        while received := await reader.read(CHUNK):
            if line.silent:
                continue
            asks, commits = line.hear_client(received)
            moment = self._moment(asks=asks, commits=commits) if line.pid else None
            if moment == "unsent":
                line.cut(moment)
                return
            if moment in ("answered", "committed"):
                line.cut_when = moment  # when the answer is here
            line.server.write(received)
            await line.server.drain()
            if moment in ("asked", "committing", "half"):
                line.cut(moment)
                return

    async def _answer(self, line: Line, reader: asyncio.StreamReader) -> None:
        while received := await reader.read(CHUNK):
            answered = line.hear_server(received)
            if line.silent or line.cut_at is not None:
                continue
            if line.cut_when:
                if answered:
                    line.cut(line.cut_when)
                continue
            line.client.write(received)
            await line.client.drain()

    def _moment(self, *, asks: bool, commits: bool) -> Moment | None:
        """What was armed and has come, if anything."""
        if not asks:
            return None
        for moment in self._armed:
            if commits or not moment.startswith("commit"):
                self._armed.remove(moment)
                return moment
        return None


@contextmanager
def between(server: tuple[str, int]) -> Iterator[Lines]:
    """Lines to that server for as long as the block lasts."""
    lines = Lines(server)
    lines.start()
    try:
        yield lines
    finally:
        lines.stop()
