"""A child process that does one thing and is killed on the way, before a chosen step.

A step is an exchange with PostgreSQL (so every commit is one) or a call to Stripe. Both are counted where our code
meets the libraries: psycopg's connection and the HTTP client of stripe-python; nothing of ours is replaced. Nothing
leaves the process between two steps, so "after one" is "before the next". SIGKILL leaves no time for any clean-up.
"""

import os
import signal
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from typing import Any

import stripe

from adapters import database, jobs, patience
from domain.accounts import passwords
from functions.payment_reconciliation import app as payment_reconciliation
from tests.support.browser import CONTEXT, Browser
from tests.support.quick_passwords import QUICK

PATIENCE_SECONDS = 60
SETTINGS = (
    "DATABASE_URL",
    "DATABASE_JOBS_URL",
    "ENVIRONMENT",
    "STRIPE_SECRET_KEY",
    "STRIPE_PUBLISHABLE_KEY",
    "STRIPE_WEBHOOK_SECRET",
    "STRIPE_API_BASE",
)
PROCESSES = get_context("forkserver")  # what it has imported, every child has at once
PROCESSES.set_forkserver_preload([__name__])


@dataclass
class Fate:
    """Lets so many steps pass and ends the process before the next."""

    steps_to_live: int

    def step(self) -> None:
        if self.steps_to_live == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.steps_to_live -= 1


@dataclass(frozen=True)
class Request:
    """An HTTP request to one of our handlers; without a path, a run of the reconciliation."""

    now: datetime
    path: str = ""
    body: Any = None
    headers: Mapping[str, str] | None = None
    cookies: Mapping[str, str] | None = None

    def send(self) -> None:
        if self.path:
            browser = Browser(lambda: self.now, dict(self.cookies or {}))
            browser.request("POST", self.path, self.body, headers=dict(self.headers or {}))
        else:
            payment_reconciliation.lambda_handler({"time": self.now.isoformat()}, CONTEXT)


def survives(request: Request, steps: int) -> bool:
    """Do it in a process that is killed after so many steps; answers whether it came to its end."""
    settings = {name: os.environ[name] for name in SETTINGS}
    process = PROCESSES.Process(target=_live, args=(request, steps, settings))
    process.start()
    process.join(PATIENCE_SECONDS)
    assert process.exitcode in (0, -signal.SIGKILL), f"the child ended with {process.exitcode}"
    return process.exitcode == 0


def _live(request: Request, steps: int, settings: Mapping[str, str]) -> None:
    os.environ.update(settings)
    passwords._hasher = QUICK
    fate = Fate(steps)

    class Doomed(patience.Timely):
        def wait[R](self, gen: Generator[Any, Any, R], *options: Any, **named: Any) -> R:
            fate.step()
            return super().wait(gen, *options, **named)

    database.Timely = Doomed  # type: ignore[attr-defined]
    jobs.present = lambda: request.now
    stripe.RequestsClient.request = _counted(stripe.RequestsClient.request, fate)  # type: ignore[method-assign]
    request.send()
    fate.step()


def _counted[**P, R](call: Callable[P, R], fate: Fate) -> Callable[P, R]:
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        fate.step()
        return call(*args, **kwargs)

    return run
