"""The world of an integration test: handlers, PostgreSQL and the Stripe double, on one clock."""

from collections.abc import Iterator

import psycopg
import pytest

from adapters import database as adapter
from adapters import stripe_payments
from local.stripe_double import StripeDouble
from tests.conftest import Database
from tests.support.school import School
from tests.support.world import Clock, World

MAKE_AREAS = ("SIGNUP", "BOOKING", "CANCELLATION", "MESSAGE")
MAKE_SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stripe_double(clock: Clock) -> Iterator[StripeDouble]:
    """A fresh Stripe account whose webhooks wait until the test takes them."""
    with StripeDouble.running(clock=lambda: clock.now.timestamp()) as double:
        yield double


@pytest.fixture
def configured(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The handlers' configuration points at this test's database."""
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("ENVIRONMENT", "dev")
    # An AWS client that finds neither region nor keys looks for them on the network.
    for name in ("AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "ca-central-1")
    yield database
    adapter.disconnect()


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
