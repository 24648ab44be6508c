"""Functions in processes of their own, as Lambda runs them: one call at a time in each, as many as are needed.

Powertools keeps the current request in a class, so two calls may not share a process. One process imports the
functions once and forks a container whenever one is wanted and none of that function's is idle; a container has
the environment of its function alone, and keeps its connections from one call to the next.

    host (`Containers`)  ── forks wanted ──▶  nursery  ── fork ──▶  container
         └──────────────── call, result ─────────────────────────────────┘
"""

import gc
import json
import os
import pickle
import select
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
_LOAD_EVERYTHING = b"*"
_HOW_IS_EVERYBODY = b"?"


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
        variables = application.environment  # an error of the template is an error here, not in the nursery
        self._timeouts = {function.name: function.timeout_seconds for function in application.functions}
        self._idle: dict[str, list[_Container]] = defaultdict(list)
        self._lock = threading.Lock()
        self._nursery, theirs = socket.socketpair()
        self._answers = self._nursery.makefile("rb")
        command = [sys.executable, "-m", "local.containers", str(theirs.fileno()), str(os.getpid())]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                command,
                stdin=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        if self._process.stdin:
            with self._process.stdin as plan:
                pickle.dump((application, variables, dict(environment)), plan)

    def load_everything(self) -> None:
        """Let all functions be imported; until now, only the template's first and what was called."""
        with self._lock:
            self._nursery.sendall(_LOAD_EVERYTHING)
            self._answer()

    def wait_until_loaded(self) -> dict[str, str]:
        """Wait for all imports; the functions that could not be imported are returned, with the reason."""
        with self._lock:
            self._nursery.sendall(_HOW_IS_EVERYBODY)
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


class _Nursery:
    """Imports functions while nobody asks for anything, and whatever is asked for first.

    Until told to go on it imports only the first: two cores are few, and the API's database is starting too.
    """

    def __init__(
        self, host: socket.socket, application: Application, variables: dict[str, str], common: dict[str, str]
    ) -> None:
        self._host = host
        self._application = application
        self._variables = variables
        self._common = common
        self._missing = {function.name: function for function in application.functions}
        self._loaded: dict[str, LoadedFunction] = {}
        self._may_go_on = False

    def run(self) -> None:
        """Until the host hangs up."""
        functions.prepare(self._application, self._variables | self._common)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a container that ended
        while True:
            while self._missing and (self._may_go_on or not self._loaded) and not self._is_asked():
                self._load(next(iter(self._missing)))
            question, descriptors, _, _ = socket.recv_fds(self._host, _LARGEST_NAME, 1)
            if not question:
                return
            if question == _LOAD_EVERYTHING:
                answer: object = None
                self._may_go_on = True
            elif question == _HOW_IS_EVERYBODY:
                answer = self._failures()
            else:
                answer = self._fork(question.decode(), descriptors[0])
            self._host.sendall(json.dumps(answer).encode() + b"\n")

    def _is_asked(self) -> bool:
        return bool(select.select([self._host], [], [], 0)[0])

    def _load(self, name: str) -> None:
        if function := self._missing.pop(name, None):
            self._loaded[name] = LoadedFunction(function)

    def _failures(self) -> dict[str, str]:
        for name in list(self._missing):
            self._load(name)
        return {name: repr(each.import_error) for name, each in self._loaded.items() if each.import_error}

    def _fork(self, name: str, descriptor: int) -> int:
        self._load(name)
        gc.freeze()  # what is shared with the container is not to be touched by its collector
        pid = os.fork()
        if pid == 0:
            self._host.close()
            self._leave_only_variables_of(name)
            _serve(self._loaded[name], Connection(descriptor))
        os.close(descriptor)
        return pid

    def _leave_only_variables_of(self, name: str) -> None:
        """Forget those of other functions: one that is missing in the template is missing here too."""
        own = self._loaded[name].function.environment
        for variable in self._variables.keys() - own.keys() - self._common.keys():
            os.environ.pop(variable, None)


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
    leash.end_with_parent(int(sys.argv[2]), signal.SIGTERM)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a container never flushes at exit
    _Nursery(socket.socket(fileno=int(sys.argv[1])), *pickle.load(sys.stdin.buffer)).run()  # noqa: S301 - our host's
