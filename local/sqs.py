"""SQS, played by moto in a process of its own: importing it takes longer than everything else together.

The listening socket is made first and passed on, so whoever calls before moto is ready waits a moment instead of
failing, and finds the queues there.
"""

import json
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
from typing import Any

from local import leash, sockets, sqs_protocol
from local.cloudformation import ACCOUNT, REGION
from local.template import Queue

_POLITENESS = 10


class Sqs:
    """The SQS of the local stack: an address at once, a service when moto has loaded."""

    def __init__(self) -> None:
        self._listener = sockets.listen()
        self.address = sockets.address(self._listener)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, queues: tuple[Queue, ...]) -> None:
        """Start the service with these queues in it."""
        descriptor = self._listener.fileno()
        command = [sys.executable, "-m", "local.sqs", str(descriptor), str(os.getpid())]
        with self._listener:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                command,
                stdin=subprocess.PIPE,
                pass_fds=[descriptor],
                start_new_session=True,
            )
        if self._process.stdin:
            with self._process.stdin as plan:
                pickle.dump(queues, plan)

    def wait_until_ready(self) -> None:
        """Wait until the service answers."""
        sqs_protocol.call(self.address, "ListQueues")

    def stop(self) -> None:
        """End the service and forget its messages."""
        self._listener.close()
        if self._process:
            self._process.terminate()
            self._process.wait()


def _serve(listener: socket.socket, queues: tuple[Queue, ...]) -> None:
    os.nice(_POLITENESS)  # the API must be ready first
    from moto.backends import get_backend
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    backend: Any = get_backend("sqs")[ACCOUNT][REGION]
    for queue in sorted(queues, key=lambda queue: queue.dead_letter_queue is not None):
        backend.create_queue(queue.name, {}, **_attributes(queue))
    server = make_server(
        "127.0.0.1",
        0,
        DomainDispatcherApplication(create_backend_app),
        threaded=True,
        request_handler=MotoRequestHandler,
        fd=listener.fileno(),
    )
    server.serve_forever()


def _attributes(queue: Queue) -> dict[str, str]:
    attributes = {"VisibilityTimeout": str(queue.visibility_seconds)}
    if queue.dead_letter_queue:
        target = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue.dead_letter_queue}"
        policy = {"deadLetterTargetArn": target, "maxReceiveCount": queue.max_receive_count}
        attributes["RedrivePolicy"] = json.dumps(policy)
    return attributes


if __name__ == "__main__":
    leash.end_with_parent(int(sys.argv[2]), signal.SIGTERM)
    _serve(socket.socket(fileno=int(sys.argv[1])), pickle.load(sys.stdin.buffer))  # noqa: S301 - our parent's
