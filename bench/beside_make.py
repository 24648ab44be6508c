"""Buying while Make.com never answers, and while the queue does not either: the buyer must not notice (B-9)."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from threading import Thread
from time import perf_counter
from typing import NoReturn
from uuid import uuid4

import psycopg

from adapters.make import MakeReceiver
from adapters.sqs import nudged_queue
from bench.stage import WallClock, a_shop
from bench.table import Row
from bench.timing import p95
from bench.webhooks import DISPATCHERS, answering, black_hole, point_at
from domain.clock import TORONTO
from domain.webhooks.dispatch import dispatch
from tests.support.student import Student
from tests.support.world import World, wanted

BLOCKS, PURCHASES = 6, 20
SLACK_MS = 10
NUDGE_MS = 300


@dataclass
class Times:
    """Milliseconds of each purchase, a list for each block: what the buyer waited for, and what Stripe did."""

    buyer: list[list[float]] = field(default_factory=list)
    stripe: list[list[float]] = field(default_factory=list)

    @property
    def both(self) -> list[list[float]]:
        return [
            [buyer + stripe for buyer, stripe in zip(*blocks, strict=True)]
            for blocks in zip(self.buyer, self.stripe, strict=True)
        ]


def quietest_p95(blocks: list[list[float]]) -> float:
    """The p95 of the block with the least: a noisy neighbour may spoil a measurement, never improve it."""
    return min(p95(block) for block in blocks)


def rows() -> Iterable[Row]:
    """Blocks of purchases in turn, so that a busy moment of the machine is everybody's."""
    healthy, silent, doubly_silent = Times(), Times(), Times()
    with a_shop(WallClock()) as world, answering() as make, answering() as queue, black_hole() as hole:
        for _ in range(BLOCKS):
            for times, make_url, queue_url in (
                (healthy, make, queue),
                (silent, hole, queue),
                (doubly_silent, hole, hole),
            ):
                with delivering_to(world.connection.info.dsn, make_url), queue_at(queue_url):
                    buy(world)
                    bought = [buy(world) for _ in range(PURCHASES)]
                times.buyer.append([buyer for buyer, _ in bought])
                times.stripe.append([stripe for _, stripe in bought])
    bar = quietest_p95(healthy.both)
    yield Row("buying: checkout, settlement, status, Make healthy (p95)", bar)
    yield Row("  the same, Make never answers (p95)", quietest_p95(silent.both), at_most=bar + SLACK_MS)
    bar = quietest_p95(healthy.buyer)
    yield Row("  what the buyer waits for, Make healthy (p95)", bar)
    yield Row(
        "  the same, Make and the queue never answer (p95)",
        quietest_p95(doubly_silent.buyer),
        at_most=bar + SLACK_MS,
    )
    bar = quietest_p95(healthy.stripe)
    yield Row("  what Stripe waits for, Make healthy (p95)", bar)
    yield Row(
        "  the same, Make and the queue never answer (p95)",
        quietest_p95(doubly_silent.stripe),
        at_most=bar + NUDGE_MS + SLACK_MS,
    )


def buy(world: World) -> tuple[float, float]:
    """One student's purchase through the handlers: the milliseconds of the buyer's requests, and of Stripe's."""
    student = Student(world, f"{uuid4().hex}@exemple.ca")
    course = world.school.course(uuid4().hex)
    world.school.tutor(course)
    noon = (world.clock().astimezone(TORONTO) + timedelta(days=3)).replace(
        hour=12, minute=0, second=0, microsecond=0
    )
    student.chooses(wanted(course, noon))
    started = timed(student.starts)
    student.pays()
    (message,) = world.stripe.webhooks.take("payment_intent.succeeded")
    settled = timed(lambda: world.deliver(message))
    asked = timed(student.asks)
    assert student.asks().body["status"] == "settled"
    return started + asked, settled


def timed(action: Callable[[], object]) -> float:
    began = perf_counter()
    action()
    return (perf_counter() - began) * 1000


@contextmanager
def queue_at(url: str) -> Iterator[None]:
    """What the handlers nudge."""
    os.environ |= {"AWS_ENDPOINT_URL": url, "WEBHOOK_QUEUE_URL": f"{url}/webhooks"}
    nudged_queue.cache_clear()
    yield
    nudged_queue.cache_clear()


@contextmanager
def delivering_to(database_url: str, make_url: str) -> Iterator[None]:
    """Dispatchers at work in a process of their own, as functions of their own are."""
    process = get_context("spawn").Process(target=deliver, args=(database_url, make_url), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


def deliver(database_url: str, make_url: str) -> None:
    """Deliver whatever there is, for ever."""
    point_at(make_url)
    for _ in range(DISPATCHERS - 1):
        Thread(target=_deliver, args=(database_url,), daemon=True).start()
    _deliver(database_url)


def _deliver(database_url: str) -> NoReturn:
    receiver = MakeReceiver()
    with psycopg.connect(database_url, autocommit=True) as connection:
        while True:
            waiting = connection.execute(
                "SELECT event_id FROM outbox WHERE status = 'enqueued' ORDER BY random() LIMIT 5"
            ).fetchall()
            for (event_id,) in waiting:
                dispatch(connection, receiver, event_id, datetime.now(UTC))
            time.sleep(0.05)
