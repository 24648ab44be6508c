"""Start a program that cannot outlive its parent, and that never runs as root.

    python -I -S leash.py SIGINT PARENT_PID [--as UID:GID] PROGRAM ARGUMENT…

A throwaway server must end with whoever started it, even when that process is killed outright. Linux can
promise it (`PR_SET_PDEATHSIG`), but only from inside the new process and only after it has changed user:
hence this small step between `Popen` and the program. The promise is tied to the *thread* that started the
process, so start it from one that stays.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int, signal_number: int) -> None:
    """Have the kernel send `signal_number` to this process when process `parent` is gone."""
    library = ctypes.CDLL(None)
    if hasattr(library, "prctl"):
        library.prctl(_PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent:  # it died before the kernel was asked
        sys.exit(1)


def command(
    signal_number: signal.Signals, arguments: list[str], user: tuple[int, int] | None = None
) -> list[str]:
    """The command line that runs `arguments` on a leash, as `user` (uid and gid) when one is given."""
    identity = ["--as", f"{user[0]}:{user[1]}"] if user else []
    leash = [sys.executable, "-I", "-S", str(Path(__file__).resolve())]
    return [*leash, signal_number.name, str(os.getpid()), *identity, *arguments]


def _main(signal_name: str, parent: str, *arguments: str) -> None:
    if arguments[0] == "--as":
        uid, gid = arguments[1].split(":")
        arguments = arguments[2:]
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    end_with_parent(int(parent), signal.Signals[signal_name])
    os.execv(arguments[0], arguments)  # noqa: S606 - becoming the program is the point


if __name__ == "__main__":
    _main(*sys.argv[1:])
