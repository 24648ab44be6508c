"""`python -m local.gateway`: the HTTP API alone, over a database that is already there.

    DATABASE_URL=… python -m local.gateway --workers 2 --port 3000

Each worker is a process that answers one request at a time, as a Lambda container does. A variable that is
set wins over the template. One line is printed when every worker is ready.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from local import leash, sockets


def main() -> int:
    """Start the workers, say so, and end with them."""
    arguments = _arguments()
    if arguments.fd is not None:
        _serve(arguments.template, socket.socket(fileno=arguments.fd))
        return 0
    try:
        sockets.listen(arguments.port).close()
        first = sockets.listen(arguments.port, shared=True)
        port = first.getsockname()[1]
        listeners = [first, *(sockets.listen(port, shared=True) for _ in range(arguments.workers - 1))]
    except sockets.PortTakenError as error:
        print(error, file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    workers = [_start_worker(arguments.template, listener) for listener in listeners]
    try:
        for worker in workers:
            if not worker.stdout or not worker.stdout.readline():
                return 1
        print(f"http://127.0.0.1:{port} is served by {len(workers)} process(es)", flush=True)
        for worker in workers:
            worker.wait()
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.gateway", description="Serve the HTTP API.")
    parser.add_argument(
        "--workers", type=int, default=1, help="processes, each answering one request at a time"
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        choices=[1],
        help="always 1: Powertools keeps the request in a class",
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--template", type=Path, default=Path("template.yaml"))
    parser.add_argument("--fd", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def _start_worker(template: Path, listener: socket.socket) -> subprocess.Popen[bytes]:
    this = [
        sys.executable,
        "-m",
        "local.gateway",
        "--template",
        str(template),
        "--fd",
        str(listener.fileno()),
    ]
    with listener:
        return subprocess.Popen(  # noqa: S603 - ourselves
            leash.command(signal.SIGTERM, this), stdout=subprocess.PIPE, pass_fds=[listener.fileno()]
        )


def _serve(template: Path, listener: socket.socket) -> None:
    # Imported by workers only: the parent has nothing to answer.
    from local import functions, serving
    from local.configuration import PARAMETERS
    from local.gateway.app import Gateway
    from local.template import load

    application = load(template, PARAMETERS)
    loaded = functions.load(application, application.environment | dict(os.environ))
    gateway = Gateway(application, lambda name, event: loaded[name](event))
    print("ready", flush=True)
    serving.server(gateway).run(sockets=[listener])


if __name__ == "__main__":
    sys.exit(main())
