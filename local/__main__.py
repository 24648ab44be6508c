"""`make run`: the whole system on this machine, until Ctrl-C.

PORT chooses the API's port (3000); several stacks run side by side, each on its own.
"""

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from socket import socket
from typing import TextIO

# What takes long to import is imported once signals are caught, so that Ctrl-C is never a traceback.

_FOLDER = Path(".local")


class _Stop(BaseException):
    """Somebody pressed Ctrl-C or sent SIGTERM."""


def _stop(*_: object) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # once is enough: what follows is the cleaning up
    raise _Stop


def main() -> int:
    """Run until told to stop; 0 when that is what ended it."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _stop)
        return _listen_and_run(Path("template.yaml"))
    except _Stop:
        return 0


def _listen_and_run(template: Path) -> int:
    from local import sockets

    port = _port()
    if port is None:
        print(f"PORT={os.environ['PORT']} is not a port: give a number from 1 to 65535.", file=sys.stderr)
        return 1
    try:
        listeners = sockets.listen_as_localhost(port)
    except sockets.PortTakenError as error:
        print(f"{error} For example: PORT={port % 65535 + 1} make run", file=sys.stderr)
        return 1
    log = _FOLDER / str(port) / "stack.log"
    with ExitStack() as open_files:
        for listener in listeners:
            open_files.enter_context(listener)
        console = open_files.enter_context(_divert_output(log))
        try:
            _run(template, listeners, console, log)
        except Exception as error:
            traceback.print_exc()  # into the log
            print(f"The stack cannot run: {error}\nThe log is {log}", file=console)
        return 1


def _run(template: Path, listeners: Sequence[socket], console: TextIO, log: Path) -> None:
    print("Starting …", file=console, flush=True)
    from local.notice import banner
    from local.stack import running

    with running(template, listeners, _FOLDER) as stack:
        for function, reason in stack.broken.items():
            print(f"{function} cannot be imported, all its routes answer 500: {reason}", file=console)
        print(banner(stack.configuration, stack.accounts, stack.timing, log), file=console, flush=True)
        while True:
            signal.pause()


def _port() -> int | None:
    text = os.environ.get("PORT") or "3000"
    return int(text) if text.isdecimal() and 0 < int(text) < 65536 else None


def _divert_output(log: Path) -> TextIO:
    """Send whatever we and our children print to a file; the terminal, which is returned, is for us alone."""
    log.parent.mkdir(parents=True, exist_ok=True)
    console = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    with log.open("wb") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    return console


if __name__ == "__main__":
    sys.exit(main())
