"""The whole system: what is started, in which order, and stopped in the reverse.

Most of the time to readiness is Python importing and other programs starting, on two slow cores. So what the API
needs runs side by side (functions in their nursery, PostgreSQL in its process, our own imports here), and what
it does not need (Stripe, Make's inbox) follows once it answers. That is why modules are imported where they are
first used.
"""

import importlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from socket import socket
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from local import postgres, seed, sockets
from local.configuration import PARAMETERS, Configuration
from local.containers import Containers
from local.notice import Notice
from local.queues import Queues
from local.schedules import Schedules
from local.sqs import Sqs
from local.template import Application, load

_GATEWAY_THREADS = 8
_FOR_THE_API = ("functions.migrate.app", "domain.accounts.passwords", "local.gateway.app", "local.controls")


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
def running(template: Path, api: socket, folder: Path) -> Iterator[Stack]:
    """Run the whole system for as long as the context lasts.

    Parameters
    ----------
    template
        The SAM template.
    api
        The socket the API is served on; the other ports are any free ones.
    folder
        Where `stack.json` appears. A folder in it, named after the port, keeps this stack's own files; its
        database is new every time.
    """
    began = time.monotonic()
    with ExitStack() as cleanup:
        port = api.getsockname()[1]
        inbox = cleanup.enter_context(sockets.listen())
        sqs = Sqs()
        cleanup.callback(sqs.stop)
        database_port = sockets.free_port()
        configuration = Configuration(
            api=sockets.address(api),
            stripe_api=f"http://127.0.0.1:{sockets.free_port()}",
            make_inbox=sockets.address(inbox),
            aws_endpoint=sqs.address,
            database_url=_database_url(database_port, f"booking_{port}"),
        )
        notice = Notice(folder, configuration)
        notice.forget_the_dead()
        application = load(template, PARAMETERS, sqs.address)

        containers = Containers(application, configuration.environment)
        cleanup.callback(containers.stop)
        _start_database(configuration, folder / str(port), database_port, cleanup)
        _serve_api(application, containers, api, cleanup)
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


def _database_url(port: int, name: str) -> str:
    address = os.environ.get("DATABASE_URL") or f"postgresql://postgres@127.0.0.1:{port}/"
    return urlunsplit(urlsplit(address)._replace(path=f"/{name}"))


def _start_database(configuration: Configuration, home: Path, port: int, cleanup: ExitStack) -> None:
    with ThreadPoolExecutor(1) as aside:
        prepared = aside.submit(_prepare)
        server = cleanup.enter_context(postgres.serve(home, port=port))
        hashed_password = prepared.result()
    from functions.migrate.app import apply

    name = urlsplit(configuration.database_url).path[1:]
    server.drop_database(name)
    # Nobody has been promised anything yet: no need to wait for the disk at each step.
    hasty = f"{server.create_database(name)}?options=-csynchronous_commit%3Doff"
    apply(hasty)
    seed.apply(hasty, hashed_password, datetime.now(UTC))


def _serve_api(application: Application, containers: Containers, api: socket, cleanup: ExitStack) -> None:
    from local.controls import Controls
    from local.gateway.app import Gateway
    from local.serving import served

    schedules = Schedules(application, containers.invoke)
    threads = cleanup.enter_context(ThreadPoolExecutor(_GATEWAY_THREADS))
    # A second time, so that calls in progress end before the threads that wait for them and the database.
    cleanup.callback(containers.stop)
    gateway = Gateway(application, containers.invoke, threads)
    cleanup.enter_context(served(Controls(gateway, schedules), api))
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


def _prepare() -> str:
    """Import what the API needs, and hash everybody's password."""
    for module in _FOR_THE_API:
        importlib.import_module(module)
    from domain.accounts.passwords import hash_password

    return hash_password(seed.PASSWORD)
