"""The whole system: what is started, in which order, and stopped in the reverse.

Most of the time to readiness is Python importing and other programs starting, on two slow cores. So what the API
needs runs side by side (functions in their nursery, PostgreSQL in its process, our own imports here), and what
it does not need (Stripe, Make's inbox) follows once it answers. That is why modules are imported where they are
first used.
"""

import importlib
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from socket import socket
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from local import functions, postgres, seed, sockets
from local.configuration import PARAMETERS, Configuration, as_roles
from local.containers import Containers
from local.notice import Notice
from local.postgres import Server
from local.queues import Queues
from local.schedules import Schedules
from local.sqs import Sqs
from local.template import Application, load

_GATEWAY_THREADS = 8
_NEEDED_SOON = ("functions.migrate.app", "domain.accounts.passwords", "local.gateway.app", "local.controls")


@dataclass(frozen=True)
class Stack:
    """A stack that is ready.

    Attributes
    ----------
    configuration
        Its addresses and keys.
    accounts
        Who can sign in.
    timing
        How long it took, in words.
    broken
        The functions that could not be imported, and why.
    """

    configuration: Configuration
    accounts: dict[str, Any]
    timing: str
    broken: dict[str, str]


@contextmanager
def running(template: Path, api: Sequence[socket], folder: Path) -> Iterator[Stack]:
    """Run the whole system for as long as the context lasts.

    Parameters
    ----------
    template
        The SAM template.
    api
        The sockets the API is served on, all of one port; the other ports are any free ones.
    folder
        Where `stack.json` appears. A folder in it, named after the port, keeps this stack's own files; its
        database is new every time.
    """
    began = time.monotonic()
    with ExitStack() as cleanup:
        port = api[0].getsockname()[1]
        inbox = cleanup.enter_context(sockets.listen())
        sqs = Sqs()
        cleanup.callback(sqs.stop)
        database_port = sockets.free_port()
        configuration = Configuration(
            api=f"http://localhost:{port}",
            stripe_api=f"http://127.0.0.1:{sockets.free_port()}",
            make_inbox=sockets.address(inbox),
            aws_endpoint=sqs.address,
            database_url=_database_url(port, database_port),
        )
        notice = Notice(folder, configuration)
        notice.forget_the_dead()
        threads = cleanup.enter_context(ThreadPoolExecutor(_GATEWAY_THREADS))
        home, cache = folder / str(port), folder / "cache"
        database = cleanup.enter_context(postgres.start(home, port=database_port, keep=cache))
        application = load(template, PARAMETERS, sqs.address)
        containers = Containers(application, configuration.environment)
        cleanup.callback(containers.stop)
        functions.prepare(application, {})
        for module in _NEEDED_SOON:  # while PostgreSQL and the functions start
            importlib.import_module(module)
        _fill_database(database, configuration)
        _serve_api(application, containers, threads, api, cleanup)
        answering = time.monotonic() - began

        containers.load_everything()
        sqs.start(application.queues)
        _serve_inbox(inbox, cleanup)
        _start_stripe(configuration, cleanup)
        queues = Queues(application, sqs.address, containers.invoke)
        queues.start()
        cleanup.callback(queues.stop)
        sqs.wait_until_ready()
        broken = containers.wait_until_loaded()
        cleanup.callback(notice.withdraw)
        notice.publish(seed.accounts())
        ready = time.monotonic() - began
        timing = f"the API answered after {answering:.1f} s, everything was ready after {ready:.1f} s"
        yield Stack(configuration, seed.accounts(), timing, broken)


def _database_url(port: int, database_port: int) -> str:
    """Our own server's only database, or one named after the stack on the server of `DATABASE_URL`."""
    if given := os.environ.get("DATABASE_URL"):
        return urlunsplit(urlsplit(given)._replace(path=f"/booking_{port}"))
    return f"postgresql://postgres@127.0.0.1:{database_port}/postgres"


def _fill_database(server: Server, configuration: Configuration) -> None:
    """Everybody's password is hashed, and the database migrated and filled, while nobody uses it yet."""
    from domain.accounts.passwords import hash_password
    from functions.migrate.app import apply, set_passwords

    hashed_password = hash_password(seed.PASSWORD)
    server.wait_until_ready()
    if "DATABASE_URL" in os.environ:
        name = urlsplit(configuration.database_url).path[1:]
        server.drop_database(name)
        server.create_database(name)
    # Nothing has been promised to anybody: no need to wait for the disk at each step.
    hasty = f"{configuration.database_url}?options=-csynchronous_commit%3Doff"
    apply(hasty)
    set_passwords(configuration.database_url, *as_roles(configuration.database_url).values())
    seed.apply(hasty, hashed_password, datetime.now(UTC))


def _serve_api(
    application: Application,
    containers: Containers,
    threads: Executor,
    api: Sequence[socket],
    cleanup: ExitStack,
) -> None:
    from local.controls import Controls
    from local.gateway.app import Gateway
    from local.serving import served

    schedules = Schedules(application, containers.invoke)
    gateway = Gateway(application, containers.invoke, threads)
    cleanup.enter_context(served(Controls(gateway, schedules), *api))
    schedules.start()
    cleanup.callback(schedules.stop)


def _serve_inbox(inbox: socket, cleanup: ExitStack) -> None:
    from local.inbox import Inbox
    from local.serving import served

    cleanup.enter_context(served(Inbox().application, inbox))


def _start_stripe(configuration: Configuration, cleanup: ExitStack) -> None:
    from local.stripe_double import StripeDouble

    double = StripeDouble.running(
        urlsplit(configuration.stripe_api).port or 0,
        webhook_url=f"{configuration.api}/v1/stripe/webhook",
        webhook_secret=configuration.stripe_webhook_secret,
        secret_key=configuration.stripe_secret_key,
        publishable_key=configuration.stripe_publishable_key,
    )
    cleanup.enter_context(double)
