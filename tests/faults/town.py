"""The whole system of `make run`, with its functions as on AWS, over a PostgreSQL that can be cut off and killed.

A container per function and call that is under way, each stopped when the template's timeout has passed; schedules,
queue, Stripe double and Make's inbox beside them. All of them reach PostgreSQL through `Lines`.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from local import leash, sockets
from tests.faults.client import Town
from tests.faults.line import Lines, between
from tests.faults.post import Post, open_post
from tests.faults.server import MortalServer, serve
from tests.support.local_stack import Answer, ask, wait_until

ROOT = Path(__file__).parents[2]
START_SECONDS = 120


@dataclass(frozen=True)
class System:
    """Everything that runs."""

    town: Town
    server: MortalServer
    lines: Lines
    post: Post
    log: Path

    def fire(self, function: str) -> Answer:
        """Run a schedule's function now."""
        return ask("POST", f"{self.town.api}/_local/schedules/{function}")

    def double(self) -> dict[str, Any]:
        """Everything that the Stripe double knows."""
        state: dict[str, Any] = ask("GET", f"{self.town.stripe_api}/_double/state").json
        return state

    def move_clock(self, now: str) -> None:
        """For everything but PostgreSQL."""
        assert ask("POST", f"{self.town.api}/_local/clock", json.dumps({"now": now})).status == 200


@contextmanager
def running(folder: Path, *, behind_proxy: bool) -> Iterator[System]:
    """The system, ready. `folder` is where its database and its log are kept.

    `behind_proxy`: as with RDS Proxy in between, which prepares no statements and hides the server's processes.
    """
    with serve(folder / "server") as server, open_post() as post:
        address = urlsplit(server.url())
        with between((str(address.hostname), int(address.port or 0))) as lines:
            through = urlunsplit(address._replace(netloc=f"postgres@127.0.0.1:{lines.port}"))
            settings = {
                "DATABASE_URL": through,
                "FAULTS_DATABASE": "aurora" if behind_proxy else "existing",
                "FAULTS_POST": post.url,
            }
            with _stack(folder, settings) as facts:
                path = urlsplit(facts["database_url"]).path
                yield System(
                    Town(
                        facts["api"].replace("localhost", "127.0.0.1"),
                        facts["stripe_api"],
                        facts["stripe_secret_key"],
                        urlunsplit(address._replace(path=path)),
                    ),
                    server,
                    lines,
                    post,
                    folder / ".local" / path.rpartition("_")[2] / "stack.log",
                )


@contextmanager
def _stack(folder: Path, settings: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The stack in that folder; what its notice says."""
    (folder / "template.yaml").symlink_to(ROOT / "template.yaml")
    port = sockets.free_port()
    environment = {
        **os.environ,
        **settings,
        "PYTHONPATH": f"{ROOT / 'layers/shared'}:{ROOT}",
        "PORT": str(port),
        "PGSSLMODE": "disable",  # the lines understand what is said
        "PGGSSENCMODE": "disable",
    }
    notice = folder / ".local" / f"stack-{port}.json"
    command = leash.command(signal.SIGTERM, [sys.executable, "-m", "tests.faults.stack"])
    with subprocess.Popen(  # noqa: S603  our own module
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL
    ) as process:
        try:
            wait_until(lambda: notice.exists() or process.poll() is not None, seconds=START_SECONDS)
            yield json.loads(notice.read_text())
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def until(condition: Callable[[], object], seconds: float) -> bool:
    """Wait for a condition; answers whether it came true in time."""
    give_up_at = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.2)
    return True
