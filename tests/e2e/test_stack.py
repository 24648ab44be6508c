"""`make run`: the whole system as it is started, used and stopped from a terminal."""

import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from local import sockets
from tests.support.local_stack import ask, wait_until

REPOSITORY = Path(__file__).parents[2]
KEYS = {
    "api",
    "stripe_api",
    "stripe_publishable_key",
    "stripe_secret_key",
    "make_inbox",
    "make_signing_secrets",
    "database_url",
    "aws_endpoint",
    "seed",
}
ALLOWED_ORIGIN = "http://localhost:5173"


@dataclass
class Run:
    """One `python -m local`, the folder it runs in, and how to recognise everything it starts."""

    process: subprocess.Popen[str]
    folder: Path
    port: int
    mark: str

    @property
    def own_notice(self) -> Path:
        return self.folder / ".local" / f"stack-{self.port}.json"

    def facts(self) -> dict[str, Any]:
        """What the notice says, once it is there."""
        wait_until(lambda: self.own_notice.exists() or self.process.poll() is not None, seconds=60)
        facts: dict[str, Any] = json.loads(self.own_notice.read_text())
        return facts

    def family(self) -> list[int]:
        """Every living process that carries our mark in its environment: the run and all it started."""
        return [int(place.name) for place in Path("/proc").glob("[0-9]*") if self.mark in _environment(place)]


def _environment(process: Path) -> str:
    try:
        return (process / "environ").read_text(errors="replace")
    except OSError:
        return ""


@contextmanager
def started(folder: Path, port: int) -> Iterator[Run]:
    """Start a stack in a folder that looks like a checkout."""
    template = folder / "template.yaml"
    if not template.exists():
        template.symlink_to(REPOSITORY / "template.yaml")
    mark = f"LOCAL_STACK_TEST={uuid.uuid4()}"
    name, _, value = mark.partition("=")
    environment = {
        **{key: text for key, text in os.environ.items() if key != "DATABASE_URL"},
        "PYTHONPATH": f"{REPOSITORY / 'layers/shared'}:{REPOSITORY}",
        "PORT": str(port),
        name: value,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "local"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    run = Run(process, folder, port, mark)
    try:
        yield run
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with started(tmp_path_factory.mktemp("checkout"), sockets.free_port()) as run:
        run.facts()
        yield run


@pytest.fixture
def stack(first: Run) -> Iterator[dict[str, Any]]:
    """What `stack.json` says about a stack on the real clock."""
    facts = first.facts()
    yield facts
    ask("POST", f"{facts['api']}/_local/clock", '{"now": null}')


def test_stack_json_says_where_everything_is_and_everything_is_there(stack: dict[str, Any]) -> None:
    assert stack.keys() == KEYS
    assert stack["make_signing_secrets"]["MAKE_BOOKING_WEBHOOK_URL"].startswith("whsec_")
    assert stack["seed"].keys() == {"admin", "tutors", "student"}
    with psycopg.connect(stack["database_url"]) as connection:
        assert connection.execute("SELECT count(*) > 0 FROM courses").fetchone() == (True,)
    balance = ask(
        "GET",
        f"{stack['stripe_api']}/v1/balance",
        headers={"Authorization": f"Bearer {stack['stripe_secret_key']}"},
    )
    assert balance.status != 401
    assert ask("GET", f"{stack['make_inbox']}/deliveries").json == {"items": []}
    assert ask("GET", f"{stack['aws_endpoint']}/moto-api/").status == 200


def test_the_api_is_healthy_and_has_the_demonstration_courses(stack: dict[str, Any]) -> None:
    assert ask("GET", f"{stack['api']}/v1/health").json["status"] == "ok"
    courses = ask("GET", f"{stack['api']}/v1/courses").json["items"]
    assert "francais-secondaire" in [course["slug"] for course in courses]


def test_it_answers_as_localhost_by_either_address(stack: dict[str, Any]) -> None:
    port = urlsplit(stack["api"]).port
    assert stack["api"] == f"http://localhost:{port}"
    for host in ("127.0.0.1", "[::1]", "localhost"):
        assert ask("GET", f"http://{host}:{port}/v1/health").status == 200


def test_an_unknown_path_and_an_unknown_method_are_answered_by_the_product(stack: dict[str, Any]) -> None:
    unknown = ask("GET", f"{stack['api']}/v1/nothing")
    method = ask("DELETE", f"{stack['api']}/v1/courses")

    assert (unknown.status, unknown.header("content-type")) == (404, "application/problem+json")
    assert method.status == 405


def test_a_browser_of_an_allowed_origin_gets_permission(stack: dict[str, Any]) -> None:
    preflight = ask(
        "OPTIONS",
        f"{stack['api']}/v1/cart/items",
        headers={"Origin": ALLOWED_ORIGIN, "Access-Control-Request-Method": "POST"},
    )
    answer = ask("GET", f"{stack['api']}/v1/courses", headers={"Origin": ALLOWED_ORIGIN})

    assert preflight.status == 204
    assert "POST" in str(preflight.header("access-control-allow-methods"))
    for each in (preflight, answer):
        assert each.header("access-control-allow-origin") == ALLOWED_ORIGIN
        assert each.header("access-control-allow-credentials") == "true"


def test_the_clock_moves_for_the_api_stripe_and_the_inbox_together(stack: dict[str, Any]) -> None:
    there = datetime.now(UTC) + timedelta(days=40)

    moved = ask("POST", f"{stack['api']}/_local/clock", json.dumps({"now": there.isoformat()}))

    def is_there(instant: datetime) -> bool:
        return timedelta(0) <= instant - there < timedelta(minutes=1)

    assert is_there(datetime.fromisoformat(moved.json["now"]))
    customer = ask(
        "POST",
        f"{stack['stripe_api']}/v1/customers",
        headers={"Authorization": f"Bearer {stack['stripe_secret_key']}"},
    )
    assert is_there(datetime.fromtimestamp(customer.json["created"] + 1, UTC))
    ask("POST", f"{stack['make_inbox']}/booking", "{}")
    (delivery,) = ask("GET", f"{stack['make_inbox']}/deliveries").json["items"]
    assert is_there(datetime.fromisoformat(delivery["received_at"]))
    ask("DELETE", f"{stack['make_inbox']}/deliveries")
    # 75 days from today is too far to book, and 35 days from then is not: the API says which of them it sees.
    day = (there + timedelta(days=35)).date()
    days = ask(
        "GET",
        f"{stack['api']}/v1/courses/francais-secondaire/availability?from={day}&to={day}&duration=60",
    )
    assert days.json == {"days": {str(day): True}}


@pytest.mark.parametrize(
    "body", ["{}", "[]", "not JSON", '{"now": "yesterday"}', '{"now": "2027-01-18T09:00:00"}']
)
def test_a_clock_cannot_show_what_is_not_an_instant(stack: dict[str, Any], body: str) -> None:
    assert ask("POST", f"{stack['api']}/_local/clock", body).status == 422


def test_a_schedule_fires_at_once_and_answers_what_the_function_returned(stack: dict[str, Any]) -> None:
    fired = ask("POST", f"{stack['api']}/_local/schedules/hold_cleanup")
    unknown = ask("POST", f"{stack['api']}/_local/schedules/cart")

    assert (fired.status, fired.json) == (200, {"expired_holds_deleted": 0})
    assert unknown.status == 404


def test_the_documentation_page_needs_no_other_host(stack: dict[str, Any]) -> None:
    page = ask("GET", f"{stack['api']}/_local/docs")

    assert page.status == 200
    assert b"//" not in page.body.replace(b"<!doctype", b"")
    for asset in ("swagger-ui-bundle.min.js", "swagger-ui.min.css"):
        assert asset.encode() in page.body
        assert ask("GET", f"{stack['api']}/_local/docs/{asset}").status == 200
    assert ask("GET", f"{stack['api']}/_local/docs/html.py").status == 404


def test_a_taken_port_is_one_sentence_and_no_traceback(first: Run) -> None:
    first.facts()

    with started(first.folder, first.port) as second:
        output, errors = second.process.communicate(timeout=30)

    assert second.process.returncode == 1
    assert errors == (
        f"Port {first.port} is taken: stop what listens on it, or choose another."
        f" For example: PORT={first.port + 1} make run\n"
    )
    assert output == ""
    assert ask("GET", f"{first.facts()['api']}/v1/health").status == 200


def test_a_port_that_is_taken_at_the_other_address_is_taken() -> None:
    with socket.socket(socket.AF_INET6) as other:
        other.bind(("::1", 0))
        port = other.getsockname()[1]
        with pytest.raises(sockets.PortTakenError, match=f"Port {port} is taken"):
            sockets.listen_as_localhost(port)
        sockets.listen(port).close()  # and the first address is free again


def test_a_second_copy_runs_beside_the_first_and_leaves_nothing(first: Run) -> None:
    newest = first.folder / ".local" / "stack.json"
    with started(first.folder, sockets.free_port()) as second:
        facts = second.facts()
        assert json.loads(newest.read_text()) == facts
        assert facts["database_url"] != first.facts()["database_url"]
        assert ask("GET", f"{facts['api']}/v1/health").status == 200
        family = second.family()
        assert len(family) >= 4  # itself, PostgreSQL, the functions, SQS

        second.process.send_signal(signal.SIGINT)
        output, errors = second.process.communicate(timeout=30)

    assert (second.process.returncode, errors) == (0, "")
    assert facts["api"] in output
    wait_until(lambda: second.family() == [])
    assert not second.own_notice.exists()
    assert not newest.exists()
    assert not (first.folder / ".local" / str(second.port) / "postgres").exists()
    assert ask("GET", f"{first.facts()['api']}/v1/health").status == 200


def test_it_can_be_stopped_while_it_starts(first: Run) -> None:
    with started(first.folder, sockets.free_port()) as second:
        assert second.process.stdout
        assert second.process.stdout.readline().startswith("Starting")
        wait_until(lambda: len(second.family()) >= 2)
        second.process.send_signal(signal.SIGTERM)
        _, errors = second.process.communicate(timeout=30)

    assert (second.process.returncode, errors) == (0, "")
    wait_until(lambda: second.family() == [])
    assert not second.own_notice.exists()


def test_nothing_survives_when_it_is_killed_outright(first: Run) -> None:
    with started(first.folder, sockets.free_port()) as second:
        wait_until(lambda: len(second.family()) >= 4)
        second.process.kill()
        second.process.communicate(timeout=30)
        wait_until(lambda: second.family() == [])
