"""Where benchmarks happen: a real PostgreSQL that survives a power cut, as the one in production does."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch
from uuid import uuid4

import psycopg

from adapters import database as adapter
from adapters import stripe_payments
from functions.migrate import app as migrate
from local import postgres
from local.configuration import as_roles
from local.stripe_double import StripeDouble
from tests.support.school import School
from tests.support.world import Clock, World

LIMITS = (
    "AVAILABILITY_READS_PER_MINUTE",
    "CART_ADDS_PER_HOUR",
    "CHECKOUTS_PER_MINUTE",
    "CHECKOUT_READS_PER_MINUTE",
    "COUPON_REFUSALS_PER_MINUTE",
    "EMAIL_CHECKS_PER_MINUTE",
    "PASSWORD_RESETS_PER_HOUR_AND_ADDRESS",
    "PASSWORD_RESETS_PER_HOUR_AND_EMAIL",
    "SIGN_IN_FAILURES_PER_5_MINUTES",
)
"""Counted, as in production, and never reached."""


class WallClock(Clock):
    def __call__(self) -> datetime:
        return datetime.now(UTC)


@contextmanager
def migrated_database() -> Iterator[str]:
    """The address of an empty, migrated database; handlers called inside the block connect to it."""
    with (
        TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder,
        postgres.serve(Path(folder), durable=True) as server,
    ):
        name = f"bench_{uuid4().hex[:12]}"
        url = server.create_database(name)
        migrate.apply(url)
        with patch.dict(os.environ, as_roles(url)):
            try:
                yield url
            finally:
                adapter.disconnect()
                server.drop_database(name)


@contextmanager
def a_shop(clock: Clock) -> Iterator[World]:
    """A database, a Stripe double and the handlers' configuration, all on one clock."""
    with migrated_database() as url, StripeDouble.running(clock=lambda: clock().timestamp()) as stripe:
        os.environ |= {
            "ENVIRONMENT": "dev",
            "STRIPE_SECRET_KEY": stripe.secret_key,
            "STRIPE_PUBLISHABLE_KEY": stripe.publishable_key,
            "STRIPE_WEBHOOK_SECRET": stripe.webhook_secret,
            "STRIPE_API_BASE": stripe.url,
            "AWS_DEFAULT_REGION": "ca-central-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            **dict.fromkeys(LIMITS, "100000"),
        }
        stripe_payments.stripe_payments.cache_clear()
        with psycopg.connect(url, autocommit=True) as connection:
            yield World(clock, connection, stripe, School(connection))
        stripe_payments.stripe_payments.cache_clear()
