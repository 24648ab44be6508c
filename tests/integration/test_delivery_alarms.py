"""Each thing an operator must be told of (b.3, b.7) makes a metric that an alarm of the template listens to."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters import database, jobs
from adapters.delivery_metrics import tell_outcome
from adapters.make import MakeReceiver
from domain.webhooks.steps import STATUSES
from functions.webhook_dispatch import app as webhook_dispatch
from functions.webhook_relay import app as webhook_relay
from local.cloudformation import read_yaml
from tests.conftest import Database
from tests.support.browser import CONTEXT
from tests.support.delivering import Delivering
from tests.support.receiver import receiving

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"
RESOURCES: dict[str, Any] = read_yaml(TEMPLATE)["Resources"]
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@dataclass(frozen=True)
class Metric:
    namespace: str
    name: str
    service: str
    function: str


@pytest.fixture
def delivering(configured: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Delivering]:
    monkeypatch.setenv("WEBHOOK_ALLOWED_HOSTS", "127.0.0.1")
    monkeypatch.setenv("WEBHOOK_PRIVATE_HOSTS", "127.0.0.1")
    monkeypatch.setattr(jobs.metrics, "namespace", "FourAS")  # on Lambda, set before the import
    with receiving() as make, psycopg.connect(configured.url, autocommit=True) as connection:
        monkeypatch.setenv("MAKE_BOOKING_WEBHOOK_URL", f"{make.url}/booking")
        monkeypatch.setenv("MAKE_BOOKING_WEBHOOK_SECRET", SECRET)
        yield Delivering(connection, make, MakeReceiver())
        connection.execute("DELETE FROM outbox")  # these events say nothing, least of all what they should


def four_times_in_vain(delivering: Delivering) -> None:
    delivering.answer = lambda _: 422
    delivering.tell("booking.created")
    delivering.pass_time(minutes=4)
    assert delivering.rows("attempts") == [(4,)]


def to_the_last_attempt(delivering: Delivering) -> None:
    delivering.answer = lambda _: 422
    delivering.tell("booking.created")
    delivering.connection.execute("UPDATE outbox SET attempts = 11, status = 'retrying'")
    delivering.pass_time(minutes=1)


def switched_off(delivering: Delivering) -> None:
    delivering.answer = lambda _: 410
    delivering.tell("booking.created")
    delivering.pass_time(minutes=1)


def switched_on_again(delivering: Delivering) -> None:
    switched_off(delivering)
    delivering.answer = lambda _: 200
    delivering.pass_time(minutes=6)


def nowhere_to_go(delivering: Delivering) -> None:
    delivering.tell("booking.cancelled")
    delivering.pass_time(minutes=1)


def refused(delivering: Delivering) -> None:
    delivering.answer = lambda _: 401
    delivering.tell("booking.created")
    delivering.pass_time(seconds=2)


TOLD: dict[str, Callable[[Delivering], None]] = {
    "WebhookFourthFailures": four_times_in_vain,
    "WebhookExhausted": to_the_last_attempt,
    "WebhookEndpointPaused": switched_off,
    "WebhookEndpointResumed": switched_on_again,
    "WebhookUrlMissing": nowhere_to_go,
    "WebhookUrlRefused": refused,
}
WATCHED = {*TOLD, "WebhookSchemaBroken", "WebhookOldestDue", "WebhookDeadLetters", "WebhookRelaySilence"}
WATCHED |= {"WebhookRelayErrors", "WebhookDispatchErrors"}


@pytest.mark.parametrize("alarm", TOLD)
def test_what_happened_raises_its_alarm_and_no_other(
    delivering: Delivering, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], alarm: str
) -> None:
    TOLD[alarm](delivering)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "webhook_dispatch")
    capsys.readouterr()
    tell_outcome(delivering.outcomes[-1])

    told = published(capsys)
    assert [one for one in TOLD if listened_to(one) in told] == [alarm]
    assert RESOURCES[alarm]["Properties"]["Threshold"] == 1


def test_an_event_that_waits_for_five_minutes_raises_its_alarm(
    delivering: Delivering, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WEBHOOK_DELIVERY_ENABLED", "false")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "webhook_relay")
    delivering.tell("booking.created")
    capsys.readouterr()
    late = delivering.now.replace(minute=6)
    webhook_relay.lambda_handler({"time": late.isoformat()}, CONTEXT)
    database.disconnect()

    told = published(capsys)
    assert listened_to("WebhookOldestDue") in told
    assert listened_to("WebhookRelaySilence") in told
    assert told[listened_to("WebhookOldestDue")] == 360
    assert RESOURCES["WebhookOldestDue"]["Properties"]["Threshold"] == 300


def test_an_event_that_is_not_as_its_schema_says_raises_its_alarm_once_and_is_delivered(
    delivering: Delivering, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """a.5: in prod it was recorded without a look."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "webhook_dispatch")
    delivering.receiver = webhook_dispatch.Checking()
    delivering.make.answers = [500]
    delivering.tell("booking.created")
    capsys.readouterr()
    delivering.relay()
    delivering.dispatch_until(delivering.now + timedelta(seconds=1))

    assert list(published(capsys)) == [listened_to("WebhookSchemaBroken")]
    delivering.pass_time(minutes=1)
    assert delivering.statuses() == {"delivered": 1}
    assert published(capsys) == {}


def test_a_dead_letter_raises_its_alarm() -> None:
    alarm = RESOURCES["WebhookDeadLetters"]["Properties"]

    assert (alarm["Namespace"], alarm["MetricName"], alarm["Threshold"]) == (
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        1,
    )
    assert alarm["Dimensions"] == [
        {"Name": "QueueName", "Value": {"Fn::GetAtt": ["WebhookDeadLetterQueue", "QueueName"]}}
    ]


def test_every_alarm_of_deliveries_is_one_of_these_and_is_sent_to_somebody() -> None:
    alarms = {
        name: one["Properties"]
        for name, one in RESOURCES.items()
        if name.startswith("Webhook") and one["Type"] == "AWS::CloudWatch::Alarm"
    }

    assert set(alarms) == WATCHED
    assert all(alarm["AlarmActions"] == [{"Ref": "AlertTopic"}] for alarm in alarms.values())


def listened_to(alarm: str) -> Metric:
    """The metric of an alarm."""
    properties = RESOURCES[alarm]["Properties"]
    dimensions = {one["Name"]: one["Value"] for one in properties["Dimensions"]}
    code = RESOURCES[dimensions.pop("function_name")["Ref"]]["Properties"]["CodeUri"]
    return Metric(
        properties["Namespace"], properties["MetricName"], dimensions.pop("service"), Path(code).name
    )


def published(capsys: pytest.CaptureFixture[str]) -> dict[Metric, float]:
    """The metrics written since the last look, as CloudWatch reads them from the log."""
    found: dict[Metric, float] = {}
    for line in capsys.readouterr().out.splitlines():
        log = json.loads(line)
        for directive in log.get("_aws", {}).get("CloudWatchMetrics", []):
            assert [sorted(one) for one in directive["Dimensions"]] == [["function_name", "service"]]
            for metric in directive["Metrics"]:
                key = Metric(directive["Namespace"], metric["Name"], log["service"], log["function_name"])
                found[key] = max(log[metric["Name"]])
    return found


def metrics_of_the_template() -> set[str]:
    """Every metric of ours that an alarm or the dashboard asks for."""
    text = TEMPLATE.read_text(encoding="utf-8")
    asked = set(re.findall(r'\["FourAS", "(\w+)"', text))
    for resource in RESOURCES.values():
        properties = resource.get("Properties", {})
        if properties.get("Namespace") == "FourAS":
            asked.add(properties["MetricName"])
    return asked


def test_no_alarm_and_no_screen_asks_for_a_metric_that_nobody_emits() -> None:
    """The names of counts are words of the code; those of deliveries are made of a word and what it counts."""
    root = TEMPLATE.parent
    words = {
        word
        for folder in ("functions", "layers/shared")
        for path in (root / folder).rglob("*.py")
        for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))
    }
    made = {f"attempts_{status}" for status in STATUSES}
    made |= {f"events_{name}" for name in ("pending", "held", "skipped", "exhausted")}
    made |= {f"alert_{RESOURCES[alarm]['Properties']['MetricName'].removeprefix('alert_')}" for alarm in TOLD}
    made |= {"alert_schema_broken"}
    assert metrics_of_the_template() - words - made == set()


def test_the_relay_emits_what_the_dashboard_asks_of_it(
    delivering: Delivering, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WEBHOOK_QUEUE_URL", "http://127.0.0.1:1/nothing-is-due")
    webhook_relay.lambda_handler({"time": delivering.now.isoformat()}, CONTEXT)
    emitted = {
        metric["Name"]
        for line in capsys.readouterr().out.splitlines()
        if "_aws" in line
        for group in json.loads(line)["_aws"]["CloudWatchMetrics"]
        for metric in group["Metrics"]
    }
    of_the_relay = r'"(\w+)", "service", "booking", "function_name", "\$\{WebhookRelayFunction\}"'
    asked = set(re.findall(of_the_relay, TEMPLATE.read_text(encoding="utf-8")))
    assert asked
    assert asked - emitted == set()
