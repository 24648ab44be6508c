"""The inbox that stands for Make.com."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from local import clock, sockets
from local.inbox import Inbox
from local.serving import served
from tests.support.local_stack import ask


@pytest.fixture
def inbox() -> Iterator[str]:
    """The address of an empty inbox."""
    with sockets.listen() as listener, served(Inbox().application, listener):
        yield sockets.address(listener)


def test_any_post_is_accepted_and_remembered(inbox: str) -> None:
    body = '{"montant": 45.0, "prénom": "Zoé"}'.encode()

    answer = ask("POST", f"{inbox}/booking", body, {"webhook-id": "evt_1"})

    assert (answer.status, answer.body) == (200, b"Accepted")
    (delivery,) = ask("GET", f"{inbox}/deliveries").json["items"]
    assert delivery["path"] == "/booking"
    assert delivery["headers"]["webhook-id"] == "evt_1"
    assert delivery["body"] == body.decode()
    assert delivery["status"] == 200
    assert abs(datetime.fromisoformat(delivery["received_at"]) - datetime.now(UTC)) < timedelta(minutes=1)


def test_it_misbehaves_until_told_otherwise(inbox: str) -> None:
    ask("PUT", f"{inbox}/behaviour", '{"status": 503, "delay_ms": 0, "retry_after": 7}')
    refused = ask("POST", f"{inbox}/booking", b"{}")
    ask("PUT", f"{inbox}/behaviour", "{}")
    accepted = ask("POST", f"{inbox}/booking", b"{}")

    assert (refused.status, refused.header("retry-after")) == (503, "7")
    assert (accepted.status, accepted.header("retry-after")) == (200, None)
    assert [each["status"] for each in ask("GET", f"{inbox}/deliveries").json["items"]] == [503, 200]


def test_it_can_be_slow(inbox: str) -> None:
    ask("PUT", f"{inbox}/behaviour", '{"delay_ms": 150}')
    began = datetime.now(UTC)

    ask("POST", f"{inbox}/booking", b"{}")

    assert datetime.now(UTC) - began >= timedelta(milliseconds=150)


def test_it_forgets_when_asked(inbox: str) -> None:
    ask("POST", f"{inbox}/booking", b"{}")

    assert ask("DELETE", f"{inbox}/deliveries").status == 204
    assert ask("GET", f"{inbox}/deliveries").json == {"items": []}


@pytest.mark.parametrize("behaviour", ['{"status": 99}', '{"status": "bad"}', "[]", "not JSON"])
def test_a_behaviour_it_cannot_have_is_refused_and_changes_nothing(inbox: str, behaviour: str) -> None:
    assert ask("PUT", f"{inbox}/behaviour", behaviour).status == 422
    assert ask("POST", f"{inbox}/booking", b"{}").status == 200


def test_it_keeps_the_local_clock(inbox: str) -> None:
    clock.move(datetime(2031, 5, 6, tzinfo=UTC))
    try:
        ask("POST", f"{inbox}/booking", b"{}")
    finally:
        clock.move(None)

    (delivery,) = ask("GET", f"{inbox}/deliveries").json["items"]
    assert delivery["received_at"].startswith("2031-05-06T00:00:")
