"""A database that does not answer, answers late, or is another one now: what a visitor and a schedule see of it."""

import io
import json
import os
import select
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from types import ModuleType
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters import database as adapter
from adapters import http, patience
from adapters.jobs import RunFailed
from domain.audit.audit import audit as take_stock
from functions.appointment_completion import app as appointment_completion
from functions.audit import app as audit
from functions.hold_cleanup import app as hold_cleanup
from functions.payment_reconciliation import app as payment_reconciliation
from functions.reminders import app as reminders
from functions.retention import app as retention
from functions.webhook_dispatch import app as webhook_dispatch
from tests.conftest import Database
from tests.faults.line import Lines, Moment, between
from tests.support.booked_student import BookedStudent
from tests.support.browser import CONTEXT, Answer
from tests.support.guest import Guest
from tests.support.local_stack import wait_until
from tests.support.race import until_blocked
from tests.support.world import World, form, toronto, wanted

TEN = toronto(20, 10)
EVENT = f"evt_{0:032x}"
JOBS = [appointment_completion, audit, hold_cleanup, payment_reconciliation, reminders, retention]


@pytest.fixture
def course(world: World) -> UUID:
    course = world.school.course()
    world.school.tutor(course)
    return course


@pytest.fixture
def hurried(configured: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the roles are, with a tenth of a second for every second of theirs."""
    for name, url in configured.settings.items():
        options = "-c lock_timeout=300ms -c statement_timeout=800ms -c transaction_timeout=900ms"
        monkeypatch.setenv(name, make_conninfo(url, options=options))


def end_idle(world: World) -> int:
    """The server ends every connection that rests, as a proxy does after half an hour; answers how many."""
    ended = world.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND usename LIKE 'booking%%' AND state = 'idle'"
    )
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and world.rows(
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND usename LIKE 'booking%%'"
    ):
        pass
    return len(ended)


# --- A connection that ended while it rested --------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/v1/health", "/v1/courses", "/v1/cart", "/v1/me", "/v1/appointments", "/v1/orders", "/v1/credits"],
)
def test_the_first_request_after_it_is_answered_like_any_other(world: World, course: UUID, path: str) -> None:
    zoe = BookedStudent.of(world, wanted(course, TEN))
    before = zoe.browser.get(path)
    assert end_idle(world) >= 1

    after = zoe.browser.get(path)

    assert (before.status, after.status) == (200, 200)


def test_a_request_that_changes_something_too(world: World, course: UUID) -> None:
    browser = world.browser()
    assert browser.get("/v1/courses").status == 200
    assert end_idle(world) >= 1

    assert browser.post("/v1/cart/items", {"items": [wanted(course, TEN)]}).status == 201


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.__name__.split(".")[1])
def test_no_scheduled_run_is_lost(world: World, job: ModuleType) -> None:
    event = {"time": world.clock().isoformat()}
    job.lambda_handler(event, CONTEXT)
    assert end_idle(world) >= 1

    job.lambda_handler(event, CONTEXT)


def test_one_that_ended_unheard_is_asked_after_a_rest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frozen container gets no word of the end; a closed socket of ours is what it finds when it wakes up."""
    kept = adapter.connection()
    monkeypatch.setattr(adapter, "TRUSTED_FOR_SECONDS", 0.0)
    assert adapter.connection() is kept
    end_idle(world)

    assert adapter.connection() is not kept


def test_a_word_from_the_server_is_no_end(world: World) -> None:
    """It makes us ask, and what answers stays."""
    kept = adapter.connection()
    kept.execute("LISTEN word")
    world.connection.execute("NOTIFY word")
    assert select.select([kept.fileno()], [], [], 10)[0]

    assert adapter.connection() is kept
    assert not select.select([kept.fileno()], [], [], 0)[0]  # it was asked, and its word read


# --- A server that is not there ---------------------------------------------------------------------------------


def test_without_a_server_a_visitor_is_told_in_time(
    world: World, course: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://booking_web@127.0.0.1:1/nothing")
    adapter.disconnect()
    began = time.monotonic()

    answer = world.browser().get("/v1/courses")

    assert unavailable(answer)
    assert time.monotonic() - began < 7


# --- A lock that somebody keeps ---------------------------------------------------------------------------------


@contextmanager
def locked(world: World, statement: str) -> Iterator[None]:
    with psycopg.connect(world.connection.info.dsn) as holder:
        holder.execute(statement)
        yield
        holder.rollback()


def unavailable(answer: Answer) -> bool:
    told = (answer.status, answer.code, answer.headers.get("Retry-After"))
    return told == (503, "TEMPORARILY_UNAVAILABLE", "5")


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    "statement", ["LOCK TABLE time_claims", "LOCK TABLE carts", "SELECT FROM tutors FOR UPDATE"]
)
def test_who_waits_for_a_stuck_lock_is_told_in_time_and_nothing_happens_later(
    world: World, course: UUID, statement: str
) -> None:
    browser = world.browser()
    began = time.monotonic()

    with locked(world, statement):
        answer = browser.post("/v1/cart/items", {"items": [wanted(course, TEN)]})
        assert unavailable(answer), answer.text
        assert time.monotonic() - began < 2
        [waiting] = world.rows(
            "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database()"
            " AND usename = 'booking_web' AND state <> 'idle'"
        )

    assert waiting["n"] == 0
    assert (world.count("time_claims"), world.count("cart_sessions")) == (0, 0)
    assert browser.post("/v1/cart/items", {"items": [wanted(course, TEN)]}).status == 201


@pytest.mark.usefixtures("hurried")
def test_a_purchase_that_waits_keeps_no_lease_and_goes_on_afterwards(world: World, course: UUID) -> None:
    student = BookedStudent.of(world, wanted(course, TEN))
    student.browser.post("/v1/cart/items", {"items": [wanted(course, toronto(21, 10))]})
    sent = {"billing": {"address": "1, rue Un", "city": "Laval", "province": "QC", "country": "CA"}}
    with locked(world, "LOCK TABLE checkouts"):
        assert unavailable(student.browser.post("/v1/checkout", sent, idempotency_key="achat-1"))

    assert student.browser.post("/v1/checkout", sent, idempotency_key="achat-1").status == 201


@pytest.mark.usefixtures("hurried")
def test_a_run_that_waits_fails_without_quoting_the_server_and_the_next_does_its_work(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    tutor = world.school.tutor(world.school.course())
    world.connection.execute(
        "INSERT INTO time_claims (id, tutor_id, during, kind, expires_at)"
        " VALUES (%s, %s, tstzrange(%s, %s), 'hold', %s)",
        (uuid4(), tutor, TEN, toronto(20, 11), world.clock()),
    )
    event = {"time": world.clock().isoformat()}
    with (
        locked(world, "LOCK TABLE time_claims"),
        pytest.raises(RunFailed, match="LockNotAvailable") as failed,
    ):
        hold_cleanup.lambda_handler(event, CONTEXT)

    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__
    assert hold_cleanup.lambda_handler(event, CONTEXT) == {"expired_holds_deleted": 1}


# --- A connection that ends while something is asked ------------------------------------------------------------


@pytest.fixture
def lines(configured: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """A way to the database that can be cut."""
    address = conninfo_to_dict(configured.url)
    with between((str(address["host"]), int(address["port"] or 5432))) as lines:
        for name, url in configured.settings.items():
            through = make_conninfo(
                url, host="127.0.0.1", port=lines.port, sslmode="disable", gssencmode="disable"
            )
            monkeypatch.setenv(name, through)
        adapter.disconnect()
        yield lines
        adapter.disconnect()


def meanwhile(world: World, statement: str, strike: Callable[[], None], act: Callable[[], object]) -> None:
    """Do it while somebody keeps a lock, and strike once it waits for that lock."""
    with ThreadPoolExecutor(1) as other, locked(world, statement):

        def wait_and_strike() -> None:
            until_blocked(world.connection, 1)
            strike()

        struck = other.submit(wait_and_strike)
        act()
        struck.result()


def at_work(world: World) -> int:
    rows = world.rows(
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND usename LIKE 'booking%%'"
        " AND state <> 'idle'"
    )
    return len(rows)


@pytest.mark.parametrize(("moment", "prepared"), [("asked", "on"), ("half", "on"), ("asked", "off")])
def test_nothing_appears_of_a_request_whose_connection_was_cut_while_it_waited(
    world: World, course: UUID, lines: Lines, moment: Moment, prepared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the server hears that it was cut or not. Behind RDS Proxy no statement is prepared, and it hears."""
    monkeypatch.setenv("DATABASE_PREPARED_STATEMENTS", prepared)
    browser = world.browser()
    assert browser.get("/v1/courses").status == 200
    answers: list[Answer] = []

    def add() -> None:
        answers.append(browser.post("/v1/cart/items", {"items": [wanted(course, TEN)]}))
        assert at_work(world) == 0

    meanwhile(world, "LOCK TABLE time_claims", lambda: lines.cut_those_asking(moment), add)

    assert unavailable(answers[0])
    assert (world.count("time_claims"), world.count("cart_sessions")) == (0, 0)
    assert browser.post("/v1/cart/items", {"items": [wanted(course, TEN)]}).status == 201


def test_nothing_appears_of_a_run_whose_connection_was_cut_while_it_waited(
    world: World, lines: Lines
) -> None:
    tutor = world.school.tutor(world.school.course())
    world.school.claim(tutor, TEN, toronto(20, 11), expires_at=world.clock())
    event = {"time": world.clock().isoformat()}

    def clean_up() -> None:
        with pytest.raises(RunFailed):
            hold_cleanup.lambda_handler(event, CONTEXT)
        assert at_work(world) == 0

    meanwhile(world, "LOCK TABLE time_claims", lambda: lines.cut_those_asking("half"), clean_up)

    assert world.count("time_claims") == 1
    assert hold_cleanup.lambda_handler(event, CONTEXT) == {"expired_holds_deleted": 1}


def test_an_answer_that_could_not_be_kept_leaves_the_key_free(
    world: World, course: UUID, lines: Lines
) -> None:
    """Whoever comes again with it is not told to wait for somebody who has given up."""
    guest = Guest(world).chooses(wanted(course, TEN))
    stripe = world.stripe.faults.add("stall", method="POST", path="/v1/payment_intents")

    def cut_at_the_end() -> None:
        assert stripe.reached.wait(10)
        with locked(world, "LOCK TABLE idempotency_keys"):
            stripe.release()
            until_blocked(world.connection, 1)
            (waiting,) = world.rows(
                "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            lines.cut_those_asking("half")
            wait_until(lambda: not world.rows("SELECT FROM pg_stat_activity WHERE pid = %s", waiting["pid"]))

    with ThreadPoolExecutor(1) as other:
        struck = other.submit(cut_at_the_end)
        first = guest.browser.post("/v1/checkout", form(guest.email), idempotency_key="achat-1")
        struck.result()
    again = guest.browser.post("/v1/checkout", form(guest.email), idempotency_key="achat-1")

    assert unavailable(first)
    assert again.status == 201, again.text
    assert world.count("checkouts") == 1


def test_a_process_that_has_the_number_of_one_that_was_left_goes_on(world: World) -> None:
    """As after a server was started again: it is younger than our connection was."""
    adapter.connection()
    kept = adapter._all_kept()["DATABASE_URL"]
    with psycopg.connect(os.environ["DATABASE_URL"]) as younger:
        kept.backend, kept.opened_at = younger.info.backend_pid, kept.opened_at - 3600
        kept.connection.close()
        adapter.connection()

        assert younger.execute("SELECT 1").fetchone() == (1,)


# --- A connection that nothing comes through any more -----------------------------------------------------------


@pytest.mark.parametrize("newcomers", [False, True])
def test_a_request_of_a_connection_gone_silent_is_told_in_time_and_the_next_is_answered(
    world: World, course: UUID, lines: Lines, monkeypatch: pytest.MonkeyPatch, *, newcomers: bool
) -> None:
    """Nor is anything waited for twice where others do not get through either."""
    browser = world.browser()
    assert browser.get("/v1/courses").status == 200
    lines.fall_silent(Random(1), 1.0, newcomers=newcomers)
    with monkeypatch.context() as hurried:
        hurried.setattr(patience, "REQUEST_SECONDS", 0.5)
        began = time.monotonic()
        answer = browser.post("/v1/cart/items", {"items": [wanted(course, TEN)]})
        took = time.monotonic() - began

    assert unavailable(answer), answer.text
    assert 0.5 <= took < 0.5 + adapter.END_SECONDS + 1
    lines.let_newcomers_in()
    assert browser.post("/v1/cart/items", {"items": [wanted(course, TEN)]}).status == 201


def test_a_run_of_a_connection_gone_silent_fails_and_the_next_does_its_work(
    world: World, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = {"time": world.clock().isoformat()}
    hold_cleanup.lambda_handler(event, CONTEXT)
    lines.fall_silent(Random(1), 1.0, newcomers=False)
    with monkeypatch.context() as hurried:
        hurried.setattr(patience, "JOB_SECONDS", 0.5)
        with pytest.raises(RunFailed, match="ServerSilent"):
            hold_cleanup.lambda_handler(event, CONTEXT)

    assert hold_cleanup.lambda_handler(event, CONTEXT) == {"expired_holds_deleted": 0}


def test_a_request_waits_for_the_database_so_long_altogether(world: World) -> None:
    """Not so long for each answer: several that are late are late together."""
    kept = adapter.connection()
    with patience.waiting_at_most(5.0, 0.5):
        kept.execute("SELECT pg_sleep(0.2)")
        kept.execute("SELECT pg_sleep(0.2)")
        with pytest.raises(patience.ServerSilent):
            kept.execute("SELECT pg_sleep(0.2)")

    assert adapter.connection().execute("SELECT 1").fetchone() == (1,)


# --- A server that takes no writes ------------------------------------------------------------------------------


def test_while_the_database_is_read_only_reading_works_writing_is_told_and_then_works_again(
    world: World, course: UUID, configured: Database
) -> None:
    browser = world.browser()
    assert browser.get("/v1/courses").status == 200
    with read_only(world, configured):
        answers: dict[str, Answer] = {
            "read": browser.get("/v1/courses"),
            "write": browser.post("/v1/cart/items", {"items": [wanted(course, TEN)]}),
        }
        with pytest.raises(RunFailed, match="ReadOnlySqlTransaction"):
            hold_cleanup.lambda_handler({"time": world.clock().isoformat()}, CONTEXT)
    assert answers["read"].status == 200
    assert unavailable(answers["write"]), answers["write"].text

    assert browser.post("/v1/cart/items", {"items": [wanted(course, TEN)]}).status == 201
    hold_cleanup.lambda_handler({"time": world.clock().isoformat()}, CONTEXT)


@contextmanager
def read_only(world: World, configured: Database) -> Iterator[None]:
    """As after a failover to a reader: open connections find out, new ones begin so."""
    name = configured.name
    world.connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    end_idle(world)
    try:
        yield
    finally:
        world.connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")


# --- What a log says of it --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("hurried")
def test_every_line_of_a_request_bears_its_ids_and_route(
    world: World, course: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    for handler in http.logger.handlers:
        monkeypatch.setattr(handler, "stream", written)
    with locked(world, "LOCK TABLE time_claims"):
        answer = world.browser().post("/v1/cart/items", {"items": [wanted(course, TEN)]})

    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["message"] for line in lines] == ["database unavailable"]
    assert {(line["request_id"], line["invocation_id"], line["route"]) for line in lines} == {
        (answer.body["instance"], CONTEXT.aws_request_id, "$default")  # the tests' browser knows no routes
    }


def test_the_dispatcher_leaves_a_server_that_takes_no_writes(
    world: World, configured: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch swallows what one message fails of; the next must find another connection."""
    monkeypatch.setenv("WEBHOOK_DELIVERY_ENABLED", "true")
    record = {
        "messageId": "1",
        "receiptHandle": "r",
        "body": json.dumps({"event_id": EVENT}),
        "attributes": {},
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:ca-central-1:000000000000:queue",
        "awsRegion": "ca-central-1",
    }
    world.connection.execute(
        "INSERT INTO outbox (event_id, type, dedupe_key, ordering_key, sequence, body, status, next_attempt_at,"
        " created_at) VALUES (%s, 'booking.created', 'k', 'order:1', 1, '{}', 'enqueued', now(), now())",
        (EVENT,),
    )
    with read_only(world, configured):
        failed = webhook_dispatch.lambda_handler({"Records": [record]}, CONTEXT)

    assert failed == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert webhook_dispatch.lambda_handler({"Records": [record]}, CONTEXT) == {"batchItemFailures": []}
    world.connection.execute("DELETE FROM outbox")  # no event of ours


@pytest.mark.usefixtures("hurried")
def test_the_audit_has_its_own_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As much as its function, not as its role: it reads everything."""
    limits = ("statement_timeout", "transaction_timeout")
    asked = {name: f"SELECT current_setting('{name}')" for name in limits}
    monkeypatch.setattr("domain.audit.audit.FINDINGS", asked)

    found = take_stock(adapter.connection_for_jobs(), world.clock())

    assert {finding.sentence: finding.examples for finding in found} == {name: ["280s"] for name in limits}
    after = adapter.connection_for_jobs().execute("SELECT current_setting('statement_timeout')").fetchone()
    assert after == ("800ms",)
