"""A PostgreSQL of our own that can be killed and started again over the same data."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from local import leash
from local.postgres import OwnServer
from local.postgres_binaries import find_binaries

PATIENCE_SECONDS = 60


class MortalServer(OwnServer):
    """Keeps when every transaction committed (`pg_xact_commit_timestamp`), so that what came too late is seen."""

    def _start(self, binaries: Path, keep: Path | None) -> subprocess.Popen[bytes]:
        self._programs = binaries
        return super()._start(binaries, keep)

    def _settings(self) -> list[str]:
        return [*super()._settings(), "--track_commit_timestamp=on"]

    def signal(self, number: signal.Signals) -> None:
        """SIGKILL ends the server's first process alone; SIGQUIT is its immediate shutdown."""
        assert self._process
        self._process.send_signal(number)
        self._process.wait(PATIENCE_SECONDS)

    def start_again(self) -> None:
        """Start it over the data that is there, as often as its dead processes still keep it from starting."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while not self._takes_connections():
            assert self._process
            assert time.monotonic() < give_up_at, f"PostgreSQL does not start again; its log is {self._log}"
            if self._process.poll() is not None:
                self._process = self._start_once()
            time.sleep(0.05)

    def _start_once(self) -> subprocess.Popen[bytes]:
        command = [str(self._programs / "postgres"), *self._settings()]
        with self._log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603  the programs that it was started from
                leash.command(signal.SIGINT, command, self._home.owner),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self._home.data,
            )


@contextmanager
def serve(folder: Path) -> Iterator[MortalServer]:
    """The server, ready. It survives a power cut, as the one in production does."""
    with MortalServer(folder, find_binaries(), durable=True) as server:
        server.wait_until_ready()
        yield server


def connect(url: str) -> psycopg.Connection[Any]:
    """A way to the server past everything that is disturbed, for who watches."""
    options = "-c default_transaction_read_only=off"
    return psycopg.connect(url, autocommit=True, connect_timeout=5, options=options)


def end_backend(pid: int) -> None:
    """Kill one of the server's processes outright: it takes all the others down with it, and recovers."""
    os.kill(pid, signal.SIGKILL)
