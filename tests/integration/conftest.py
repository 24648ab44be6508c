"""The world of an integration test: handlers, PostgreSQL and the Stripe double, on one clock."""

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from adapters import database as adapter
from adapters import jobs, stripe_payments
from local.stripe_double import StripeDouble
from tests.conftest import Database
from tests.support.documented import assert_told_as_documented
from tests.support.quick_passwords import QUICK, TODAYS, hashing_with
from tests.support.school import School
from tests.support.world import Clock, World

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
MAKE_AREAS = ("SIGNUP", "BOOKING", "CANCELLATION", "MESSAGE")
MAKE_SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.fixture(autouse=True)
def runs_happen_when_they_are_meant_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """The present is what the test says, whatever the year in which it runs."""
    monkeypatch.setattr(jobs, "present", lambda: LONG_AGO)


@pytest.fixture(autouse=True)
def quick_passwords() -> Iterator[None]:
    """What a password costs is tried by those who ask for `todays_passwords`."""
    with hashing_with(QUICK):
        yield


@pytest.fixture
def todays_passwords(quick_passwords: None) -> Iterator[None]:
    with hashing_with(TODAYS):
        yield


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def stripe_server() -> Iterator[tuple[StripeDouble, list[Clock]]]:
    """One Stripe double for the session, and the clock it reads: the last of the list."""
    clocks = [Clock()]
    with StripeDouble.running(clock=lambda: clocks[-1].now.timestamp()) as double:
        yield double, clocks


@pytest.fixture
def stripe_double(clock: Clock, stripe_server: tuple[StripeDouble, list[Clock]]) -> StripeDouble:
    """An empty Stripe account whose webhooks wait until the test takes them."""
    double, clocks = stripe_server
    clocks[:] = [clock]
    double.reset()
    return double


@pytest.fixture
def configured(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The handlers' configuration points at this test's database.

    Whatever the test makes happen, each event that was recorded must be as its published schema says.
    """
    for name, url in database.settings.items():
        monkeypatch.setenv(name, url)
    monkeypatch.setenv("ENVIRONMENT", "dev")
    # An AWS client that finds neither region nor keys looks for them on the network.
    for name in ("AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "ca-central-1")
    yield database
    adapter.disconnect()
    with psycopg.connect(database.url) as connection:
        assert_told_as_documented(connection)


@pytest.fixture
def world(
    configured: Database, clock: Clock, stripe_double: StripeDouble, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    monkeypatch.setenv("STRIPE_SECRET_KEY", stripe_double.secret_key)
    monkeypatch.setenv("STRIPE_PUBLISHABLE_KEY", stripe_double.publishable_key)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", stripe_double.webhook_secret)
    monkeypatch.setenv("STRIPE_API_BASE", stripe_double.url)
    stripe_payments.stripe_payments.cache_clear()
    with psycopg.connect(configured.url, autocommit=True) as connection:
        yield World(clock, connection, stripe_double, School(connection))
    stripe_payments.stripe_payments.cache_clear()
