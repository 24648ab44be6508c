"""Functions in processes of their own, as Lambda runs them: one call at a time in each, as many as are needed.

Powertools keeps the current request in a class, so two calls may not share a process. One process imports all
functions once and forks a container whenever one is wanted and none of that function's is idle; a container has
the environment of its function alone, and keeps its connections from one call to the next.

    host (`Containers`)  ── forks wanted ──▶  nursery  ── fork ──▶  container
         └──────────────── call, result ─────────────────────────────────┘
"""

import gc
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from local import clock, functions, leash
from local.functions import Event, LoadedFunction
from local.template import Application

_LARGEST_NAME = 1024


class FunctionFailedError(Exception):
    """The handler raised, ran out of time or ended its process; the text is its traceback."""


class Containers:
    """Calls functions, from any thread.

    Parameters
    ----------
    application
        What the template says.
    environment
        Variables that every function gets besides its own, as secrets are on AWS.
    """

    def __init__(self, application: Application, environment: Mapping[str, str]) -> None:
        self._timeouts = {function.name: function.timeout_seconds for function in application.functions}
        self._idle: dict[str, list[_Container]] = defaultdict(list)
        self._lock = threading.Lock()
        self._nursery, theirs = socket.socketpair()
        self._answers = self._nursery.makefile("rb")
        command = [sys.executable, "-m", "local.containers", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                leash.command(signal.SIGTERM, command),
                stdin=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        if self._process.stdin:
            with self._process.stdin as plan:
                pickle.dump((application, dict(environment)), plan)

    def wait_until_ready(self) -> dict[str, str]:
        """Wait for the imports; the functions that could not be imported are returned, with the reason."""
        failures: dict[str, str] = self._answer()
        return failures

    def invoke(self, name: str, event: Event) -> Any:
        """Call a function and wait for its result.

        Raises
        ------
        FunctionFailedError
            There is no result.
        """
        container = self._take(name)
        try:
            result = container.call(event, self._timeouts[name])
        except BaseException:
            container.kill()
            raise
        with self._lock:
            self._idle[name].append(container)
        if "error" in result:
            raise FunctionFailedError(result["error"])
        return result["result"]

    def stop(self) -> None:
        """End every container, whatever it is doing; once is enough, twice is harmless."""
        with self._lock:
            self._answers.close()
            self._nursery.close()
            for container in [each for idle in self._idle.values() for each in idle]:
                container.close()
            self._idle.clear()
        self._process.terminate()  # and its containers with it: they are on a leash
        self._process.wait()

    def _take(self, name: str) -> "_Container":
        with self._lock:
            return self._idle[name].pop() if self._idle[name] else self._fork(name)

    def _fork(self, name: str) -> "_Container":
        ours, theirs = socket.socketpair()
        with ours, theirs:
            try:
                socket.send_fds(self._nursery, [name.encode()], [theirs.fileno()])
            except OSError as error:
                raise FunctionFailedError("The functions have stopped.") from error
            pid: int = self._answer()
            return _Container(Connection(ours.detach()), pid)

    def _answer(self) -> Any:
        if line := self._answers.readline():
            return json.loads(line)
        raise FunctionFailedError("The functions have stopped.")


class _Container:
    """This side of one container."""

    def __init__(self, connection: Connection, pid: int) -> None:
        self._connection = connection
        self._pid = pid

    def call(self, event: Event, timeout_seconds: int) -> dict[str, Any]:
        try:
            self._connection.send_bytes(json.dumps([clock.offset(), event]).encode())
            if not self._connection.poll(timeout_seconds):
                raise FunctionFailedError(f"Task timed out after {timeout_seconds:.2f} seconds")
            result: dict[str, Any] = json.loads(self._connection.recv_bytes())
        except (EOFError, OSError) as error:
            raise FunctionFailedError("Runtime exited without providing a reason") from error
        return result

    def close(self) -> None:
        self._connection.close()

    def kill(self) -> None:
        self.close()
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)


# --- In the nursery -------------------------------------------------------------------------------------------


def _nursery(host: socket.socket, application: Application, environment: dict[str, str]) -> None:
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a container never flushes at exit
    loaded = functions.load(application, application.environment | environment)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a container that ended
    gc.collect()
    gc.freeze()
    failures = {name: repr(each.import_error) for name, each in loaded.items() if each.import_error}
    host.sendall(json.dumps(failures).encode() + b"\n")
    while True:
        name, descriptors, _, _ = socket.recv_fds(host, _LARGEST_NAME, 1)
        if not name:
            return
        pid = os.fork()
        if pid == 0:
            host.close()
            function = loaded[name.decode()]
            _leave_only(application, {**function.function.environment, **environment})
            _serve(function, Connection(descriptors[0]))
        os.close(descriptors[0])
        host.sendall(json.dumps(pid).encode() + b"\n")


def _leave_only(application: Application, environment: Mapping[str, str]) -> None:
    """Forget the variables of other functions: one that is missing in the template is missing here too."""
    for name in application.environment.keys() - environment.keys():
        os.environ.pop(name, None)


def _serve(function: LoadedFunction, host: Connection) -> None:
    """Be a container until the host hangs up."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        leash.end_with_parent(os.getppid(), signal.SIGKILL)
        while True:
            offset, event = json.loads(host.recv_bytes())
            clock.follow(offset)
            try:
                answer = json.dumps({"result": function(event)})
            except Exception:
                answer = json.dumps({"error": traceback.format_exc()})
            host.send_bytes(answer.encode())
    except (EOFError, OSError):
        pass
    finally:
        os._exit(0)


if __name__ == "__main__":
    _nursery(socket.socket(fileno=int(sys.argv[1])), *pickle.load(sys.stdin.buffer))  # noqa: S301 - our parent's
