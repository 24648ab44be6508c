"""Relay and dispatcher on a clock that a test moves: an in-memory queue, a real receiver, a real PostgreSQL."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID, uuid4

from psycopg import Connection

from adapters.make import MakeReceiver
from adapters.make_routes import events_per_second, routes
from domain.webhooks.dispatch import dispatch
from domain.webhooks.outbox import record_facts
from domain.webhooks.outcomes import Outcome
from domain.webhooks.relay import Message, relay, seconds_until
from tests.support.receiver import Receiver

START = datetime(2027, 1, 18, 17, tzinfo=UTC)
ROUNDS = 50
SQS_AT_MOST = 900


@dataclass(frozen=True)
class Fact:
    """Something to tell of; its payload says nothing of interest."""

    type: ClassVar[str]
    dedupe_key: str
    ordering_key: str
    told_until: datetime | None = None
    about_user: UUID | None = None
    about_order: UUID | None = None

    def model_dump_json(self) -> str:
        return '{"cancellation_reason":"Empêchement"}'

    def broken_promises(self) -> list[str]:
        return []


@dataclass
class Delivering:
    """A minute is a run of the relay; between two, the dispatcher takes each message at its second."""

    connection: Connection[Any]
    make: Receiver
    receiver: MakeReceiver
    now: datetime = START
    queue: list[tuple[datetime, str]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    dead_letters: int = 0
    answer: Callable[[datetime], int] | None = None
    draw: Callable[[], float] = lambda: 0.5

    def tell(
        self,
        *types: str,
        dedupe_key: str | None = None,
        about: str | None = None,
        until: datetime | None = None,
    ) -> None:
        """Record facts, committed, now; worth telling `until` then."""
        for event_type in types:
            key = dedupe_key or f"{event_type}:{uuid4()}"
            fact = type("Told", (Fact,), {"type": event_type})(key, about or f"thing:{key}", until)
            record_facts(self.connection, [fact], "dev", self.now)

    def send(self, messages: Sequence[Message]) -> list[str]:
        self.queue += [(self.now + timedelta(seconds=wait), event_id) for event_id, wait in messages]
        return []

    def relay(self) -> int:
        return relay(self.connection, self, routes(), events_per_second(), self.now, ROUNDS)

    def dispatch(self, event_id: str) -> Outcome | None:
        """What the dispatcher's handler does with one message."""
        if self.answer is not None:
            self.make.answers[:] = [self.answer(self.now)]
        try:
            outcome = dispatch(
                self.connection, self.receiver, event_id, self.now, self.draw, self._wait_for_departure
            )
        except Exception:
            self.dead_letters += 1
            raise
        if outcome:
            self.outcomes.append(outcome)
            wait = seconds_until(outcome.due, self.now) if outcome.due else SQS_AT_MOST + 1
            if wait <= SQS_AT_MOST:
                self.send([Message(event_id, wait)])
        return outcome

    def _wait_for_departure(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def pass_time(self, **duration: float) -> None:
        """Live through that much time, minute by minute."""
        end = self.now + timedelta(**duration)
        while self.now < end:
            self.relay()
            self.dispatch_until(min(self.now + timedelta(minutes=1), end))

    def dispatch_until(self, until: datetime) -> None:
        """Take the messages that appear before that instant, in their order, at their time."""
        while due := sorted((one for one in self.queue if one[0] < until), key=lambda one: one[0]):
            at, event_id = due[0]
            self.queue.remove(due[0])
            self.now = max(self.now, at)
            self.dispatch(event_id)
        self.now = until

    def rows(self, columns: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(
            f"SELECT {columns} FROM outbox ORDER BY created_at, event_id"  # noqa: S608
        ).fetchall()

    def statuses(self) -> dict[str, int]:
        return dict(
            self.connection.execute("SELECT status::text, count(*) FROM outbox GROUP BY status").fetchall()
        )

    def count(self, table: str) -> int:
        row = self.connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
        return int(row[0]) if row else 0

    def endpoint(self, area: str) -> tuple[Any, ...]:
        row = self.connection.execute(
            "SELECT state::text, reason FROM webhook_endpoints WHERE area = %s", (area,)
        ).fetchone()
        return row or ("active", None)

    @property
    def alerts(self) -> list[str]:
        return [alert for outcome in self.outcomes for alert in outcome.alerts]

    @property
    def delivered_ids(self) -> list[str]:
        return [request.headers["webhook-id"] for request in self.make.posted]
