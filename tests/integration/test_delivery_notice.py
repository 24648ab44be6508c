"""While something is not delivered, one message a day says in French what, since when, and what to do."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import psycopg
import pytest
from moto import mock_aws

from adapters.make import MakeReceiver
from domain.webhooks.backlog import NOTHING, Backlog, read_backlog
from functions.delivery_notice import app as delivery_notice
from tests.conftest import Database
from tests.support.browser import CONTEXT
from tests.support.delivering import START, Delivering
from tests.support.receiver import receiving

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.fixture
def delivering(configured: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Delivering]:
    monkeypatch.setenv("WEBHOOK_ALLOWED_HOSTS", "127.0.0.1")
    monkeypatch.setenv("WEBHOOK_PRIVATE_HOSTS", "127.0.0.1")
    with receiving() as make, psycopg.connect(configured.url, autocommit=True) as connection:
        monkeypatch.setenv("MAKE_BOOKING_WEBHOOK_URL", f"{make.url}/booking")
        monkeypatch.setenv("MAKE_BOOKING_WEBHOOK_SECRET", SECRET)
        yield Delivering(connection, make, MakeReceiver())
        connection.execute("DELETE FROM outbox")  # these events say nothing, least of all what they should


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What the topic's subscribers get, read from a queue that subscribes."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        topic = boto3.client("sns").create_topic(Name="alerts")["TopicArn"]
        sqs = boto3.client("sqs")
        url = sqs.create_queue(QueueName="mailbox")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        boto3.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        monkeypatch.setenv("ALERT_TOPIC_ARN", topic)

        def read() -> list[dict[str, Any]]:
            messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
            return [json.loads(message["Body"]) for message in messages]

        yield read


def morning(delivering: Delivering) -> dict[str, int]:
    return delivery_notice.lambda_handler({"time": delivering.now.isoformat()}, CONTEXT)


def test_nothing_is_written_while_everything_arrives(delivering: Delivering, mailbox: Any) -> None:
    delivering.tell("booking.created")
    delivering.pass_time(minutes=1)
    assert morning(delivering) == {"operators_told": 0}
    assert mailbox() == []


def test_what_is_held_skipped_or_given_up_is_written_of(delivering: Delivering, mailbox: Any) -> None:
    delivering.tell("signup", "signup")  # without an address
    delivering.answer = lambda _: 410
    delivering.tell("booking.created", "booking.rescheduled")
    delivering.pass_time(minutes=2)
    delivering.tell("message.sent")
    delivering.pass_time(minutes=1)

    assert morning(delivering) == {"operators_told": 1}

    (message,) = mailbox()
    assert message["Subject"] == "4AS : 5 evenement(s) que Make n'a pas"
    assert message["Message"] == (
        "Bonjour,\n\n5 événement(s) n’ont pas été livrés à Make.\n\n"
        "Adresse SIGNUP\n"
        "- le plus ancien date du lundi 18 janvier 2027 à 12 h\n"
        "- 2 mis de côté, faute d’adresse : configurer l’adresse, puis les renvoyer\n"
        "- Aucune adresse n’est configurée : ses événements sont mis de côté et pourront être renvoyés.\n\n"
        "Adresse BOOKING\n"
        "- laissée de côté depuis le lundi 18 janvier 2027 à 12 h\n"
        "- le plus ancien date du lundi 18 janvier 2027 à 12 h\n"
        "- 1 retenu(s) : ils partiront d’eux-mêmes quand l’adresse sera remise en service\n"
        "- Le scénario est éteint. Le rallumer dans Make : l’envoi reprend de lui-même dans l’heure.\n\n"
        "Adresse RESCHEDULE (par BOOKING)\n"
        "- laissée de côté depuis le lundi 18 janvier 2027 à 12 h\n"
        "- le plus ancien date du lundi 18 janvier 2027 à 12 h\n"
        "- 1 retenu(s) : ils partiront d’eux-mêmes quand l’adresse sera remise en service\n"
        "- Le scénario est éteint. Le rallumer dans Make : l’envoi reprend de lui-même dans l’heure.\n\n"
        "Adresse MESSAGE\n"
        "- le plus ancien date du lundi 18 janvier 2027 à 12 h 02\n"
        "- 1 mis de côté, faute d’adresse : configurer l’adresse, puis les renvoyer\n"
        "- Aucune adresse n’est configurée : ses événements sont mis de côté et pourront être renvoyés.\n\n"
        "Pour tout voir : « make deliveries DO=endpoints » et « make deliveries DO=undelivered », ou l’écran des"
        " webhooks de l’administration. Rien n’est perdu tant que c’est listé là.\n"
    )
    assert message["Subject"].isascii()


def test_what_was_given_up_after_twelve_attempts_is_written_of(delivering: Delivering, mailbox: Any) -> None:
    delivering.answer = lambda _: 422
    delivering.tell("booking.created")
    delivering.pass_time(hours=78)
    morning(delivering)
    (message,) = mailbox()
    assert (
        "- 1 abandonné(s) après douze essais : corriger le scénario, puis les renvoyer\n"
        in message["Message"]
    )


def test_where_there_is_no_topic_the_log_has_it(
    delivering: Delivering, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ALERT_TOPIC_ARN", "AlertTopic")
    delivering.tell("signup")
    delivering.pass_time(minutes=1)
    assert delivering.now - START == timedelta(minutes=1)
    assert morning(delivering) == {"operators_told": 1}
    assert "operators told" in caplog.messages


def test_the_backlog_counts_each_kind_of_waiting_and_the_addresses_that_are_left_alone(
    delivering: Delivering,
) -> None:
    kinds = {
        "held": 1,
        "skipped": 2,
        "exhausted": 3,
        "cancelled": 4,
        "delivered": 5,
        "delivering": 1,
        "enqueued": 2,
    }
    for status, count in kinds.items():
        delivering.tell(*["booking.created"] * count)
        delivering.connection.execute(
            "UPDATE outbox SET status = %s, delivered_at = %s WHERE status = 'pending'",
            (status, delivering.now if status == "delivered" else None),
        )
    delivering.connection.execute(
        "INSERT INTO webhook_endpoints (area, state, reason, opened_at, probe_at)"
        " VALUES ('BOOKING', 'open', 'failing', now(), now()), ('SIGNUP', 'paused', 'manual', now(), NULL),"
        "        ('TICKET', 'active', NULL, NULL, NULL)"
    )

    found = read_backlog(delivering.connection, delivering.now + timedelta(seconds=90))

    assert found == Backlog(
        oldest_due_seconds=90, pending=3, held=1, skipped=2, exhausted=3, endpoints_left_alone=2
    )


def test_nothing_is_late_where_nothing_waits_or_is_due(delivering: Delivering) -> None:
    assert read_backlog(delivering.connection, delivering.now) == NOTHING
    delivering.tell("booking.created")
    delivering.connection.execute(
        "UPDATE outbox SET next_attempt_at = %s", (delivering.now + timedelta(hours=1),)
    )
    assert read_backlog(delivering.connection, delivering.now) == replace(NOTHING, pending=1)
    delivering.connection.execute("UPDATE outbox SET status = 'held'")
    assert read_backlog(delivering.connection, delivering.now) == replace(NOTHING, held=1)
