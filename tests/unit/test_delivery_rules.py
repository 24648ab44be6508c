"""When a failed delivery is repeated, what Retry-After means, what may be posted to, which secrets sign."""

import random
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from adapters.make import headers_of, read_retry_after, signing_secrets
from adapters.posting import Misconfigured, checked_address, split
from domain.webhooks.delivery import Delivery, Failure
from domain.webhooks.retries import LONGEST_RETRY_AFTER, OVERLOADED_WAIT, RETRY_DELAYS, delay_after

NOW = datetime(2027, 1, 18, 17, tzinfo=UTC)
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OLD = "whsec_Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA="

attempts = st.integers(1, len(RETRY_DELAYS))
draws = st.floats(0, 1, exclude_max=True)


@given(attempts, draws, st.integers(0, 200_000))
def test_no_retry_comes_earlier_than_the_receiver_asked(attempt: int, draw: float, seconds: int) -> None:
    assert_not_earlier_than_asked(attempt, draw, seconds)


def test_no_retry_comes_earlier_than_the_receiver_asked_over_ten_thousand_draws() -> None:
    """B-5. Hypothesis above looks at the edges, this everywhere; pytest-randomly says the seed."""
    for _ in range(10_000):
        assert_not_earlier_than_asked(
            random.randint(1, len(RETRY_DELAYS)), random.random(), random.randint(0, 200_000)
        )


def assert_not_earlier_than_asked(attempt: int, draw: float, seconds: int) -> None:
    asked = timedelta(seconds=seconds)
    for failure, floor in (
        (Failure("429", "http_4xx", 429, retry_after=asked), OVERLOADED_WAIT),
        (Failure("503", "http_5xx", 503, retry_after=asked), timedelta()),
    ):
        delay = delay_after(attempt, failure, draw)
        least = max(RETRY_DELAYS[attempt - 1], floor, min(asked, LONGEST_RETRY_AFTER))
        assert least <= delay <= least * 1.2


@given(attempts, draws)
def test_without_a_wish_a_delay_is_within_a_fifth_of_the_plan(attempt: int, draw: float) -> None:
    planned = RETRY_DELAYS[attempt - 1]
    delay = delay_after(attempt, Failure("500", "http_5xx", 500), draw)
    assert planned * 0.8 <= delay <= planned * 1.2 + timedelta(microseconds=1)


@pytest.mark.parametrize("failure", [Failure("429", "http_4xx", 429), Failure("TimeoutError", "timeout")])
def test_who_is_overloaded_is_left_alone_for_a_minute(failure: Failure) -> None:
    assert delay_after(1, failure, 0) == timedelta(minutes=1)


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        ("120", timedelta(seconds=120)),
        ("Mon, 18 Jan 2027 17:02:00 GMT", timedelta(seconds=120)),
        ("Mon, 18 Jan 2027 16:00:00 GMT", timedelta()),
        ("99999999999999", timedelta(days=1)),
        ("bientôt", None),
        ("-5", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, asked: timedelta | None) -> None:
    assert read_retry_after(value, NOW) == asked


@pytest.mark.parametrize(
    ("url", "address", "reason"),
    [
        ("http://hook.make.com/x", "203.0.113.9", "not https"),
        ("https://ailleurs.exemple.ca/x", "203.0.113.9", "not on the allow-list"),
        ("https://moi@hook.make.com/x", "203.0.113.9", "not on the allow-list"),
        ("https://hook.make.com/x", "127.0.0.1", "private address"),
        ("https://hook.make.com/x", "10.0.0.7", "private address"),
        ("https://hook.make.com/x", "169.254.169.254", "private address"),
        ("https://hook.make.com/x", "::1", "private address"),
        ("https://hook.make.com/x", "::ffff:10.0.0.7", "private address"),
        ("https://hook.make.com:443443/x", "8.8.8.8", "no such port"),
        ("hook.make.com/x", "8.8.8.8", "lacks its https://"),
        ("hook.make.com:443/x", "8.8.8.8", "lacks its https://"),
        ("https:///x", "8.8.8.8", "lacks its https:// or its host"),
        ("https://[hook.make.com/x", "8.8.8.8", "is not one"),
    ],
)
def test_only_https_to_a_public_address_of_an_allowed_host(
    monkeypatch: pytest.MonkeyPatch, url: str, address: str, reason: str
) -> None:
    """e.3-9: the address is looked at, and it is the one that is connected to."""
    resolves_to(monkeypatch, address)
    with pytest.raises(Misconfigured, match=reason):
        checked_address(split(url))


def test_a_public_address_of_an_allowed_host_is_what_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    resolves_to(monkeypatch, "8.8.8.8")
    assert checked_address(split("https://hook.make.com/x")) == ("8.8.8.8", 443)


def test_while_a_secret_is_replaced_both_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    """e.3-10: each secret verifies; an altered byte does not."""
    now = datetime.now(UTC)
    monkeypatch.setenv("MAKE_BOOKING_WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("MAKE_BOOKING_WEBHOOK_SECRET_PREVIOUS", OLD)
    monkeypatch.setenv(
        "MAKE_BOOKING_WEBHOOK_SECRET_PREVIOUS_EXPIRES_AT", (now + timedelta(hours=24)).isoformat()
    )
    secrets = signing_secrets("BOOKING", now)
    assert secrets == [SECRET, OLD]

    delivery = Delivery("evt_0194644a2c007b1e8f3a5c9d2e4f6071", "booking.created", b'{"a":1}', 1, "BOOKING")
    headers = headers_of(delivery, secrets, now)
    for secret in (SECRET, OLD):
        assert Webhook(secret).verify(delivery.body, headers) == {"a": 1}
        with pytest.raises(Exception, match="No matching signature"):
            Webhook(secret).verify(b'{"a":2}', headers)


@pytest.mark.parametrize("expires", ["2027-01-18T16:59:59+00:00", "2027-02-18T17:00:00+00:00", "", "demain"])
def test_a_replaced_secret_signs_no_longer_than_seven_days(
    monkeypatch: pytest.MonkeyPatch, expires: str
) -> None:
    monkeypatch.setenv("MAKE_BOOKING_WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("MAKE_BOOKING_WEBHOOK_SECRET_PREVIOUS", OLD)
    monkeypatch.setenv("MAKE_BOOKING_WEBHOOK_SECRET_PREVIOUS_EXPIRES_AT", expires)
    assert signing_secrets("BOOKING", NOW) == [SECRET]


def resolves_to(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    def found(_host: str, port: int, **_: Any) -> list[Any]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setenv("WEBHOOK_ALLOWED_HOSTS", "hook.make.com")
    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.mark.parametrize(
    ("trigger", "resting", "is_replay", "spends"),
    [
        ("auto", None, False, True),
        ("canary", None, False, False),
        ("canary", "delivered", True, False),
        ("manual", None, True, False),
        ("manual", "exhausted", True, False),
    ],
)
def test_what_somebody_asked_for_is_a_replay_and_only_a_first_delivery_spends_attempts(
    trigger: str, resting: str | None, is_replay: bool, spends: bool
) -> None:
    delivery = Delivery("evt_1", "booking.created", b"{}", 1, "BOOKING", trigger, resting_status=resting)
    assert (delivery.is_replay, delivery.spends_budget) == (is_replay, spends)
