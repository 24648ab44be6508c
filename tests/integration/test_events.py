"""Each file in events/ makes its function do something on the demonstration data, in the order of a real sale."""

import importlib
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters import jobs, sqs, stripe_payments
from domain.accounts.passwords import hash_password
from domain.ids import fingerprint
from local import seed
from local.stripe_double import StripeDouble
from tests.conftest import Database
from tests.support.browser import CONTEXT
from tests.support.world import MONDAY_NOON

EVENTS = Path(__file__).resolve().parents[2] / "events"
ENVIRONMENT: dict[str, str] = json.loads((EVENTS / "env.json").read_text())["Parameters"]


@pytest.fixture
def demonstration(
    configured: Database, stripe_double: StripeDouble, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The data `make run` starts with, a Stripe that knows the keys, and no queue: nothing is due to be sent."""
    seed.apply(configured.url, "no password opens this", MONDAY_NOON)
    for name, value in {
        "ALLOWED_ORIGINS": ENVIRONMENT["ALLOWED_ORIGINS"],
        "AWS_DEFAULT_REGION": "ca-central-1",
        "STRIPE_API_BASE": stripe_double.url,
        "STRIPE_SECRET_KEY": stripe_double.secret_key,
        "STRIPE_PUBLISHABLE_KEY": stripe_double.publishable_key,
        "STRIPE_WEBHOOK_SECRET": ENVIRONMENT["STRIPE_WEBHOOK_SECRET"],
        "WEBHOOK_QUEUE_URL": "http://127.0.0.1:9/queue",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(jobs.metrics, "namespace", "FourAS")  # on Lambda, set before the import
    _forget_clients()
    yield
    _forget_clients()


def _forget_clients() -> None:
    stripe_payments.stripe_payments.cache_clear()
    sqs.webhook_queue.cache_clear()
    sqs.nudged_queue.cache_clear()


def invoke(function: str) -> Any:
    """What the function answers to its event."""
    event = json.loads((EVENTS / f"{function}.json").read_text(encoding="utf-8"))
    return importlib.import_module(f"functions.{function}.app").lambda_handler(event, CONTEXT)


@pytest.mark.usefixtures("demonstration")
def test_the_health_event_finds_the_database() -> None:
    status, body = answer_of("system")

    assert (status, body["status"], list(body["checks"])) == (200, "ok", ["database", "schema", "integrity"])


@pytest.mark.usefixtures("demonstration")
def test_the_catalogue_event_finds_free_times() -> None:
    status, body = answer_of("catalog")

    assert (status, body["has_availability"]) == (200, True)
    assert "2027-01-20T18:00:00-05:00" in [slot["start"] for slot in body["slots"]]


@pytest.mark.usefixtures("demonstration")
def test_the_cart_and_checkout_events_are_one_guest_about_to_pay() -> None:
    cart_status, cart = answer_of("cart")
    checkout_status, checkout = answer_of("checkout")

    assert cart_status == 201
    assert [(item["start"], item["price_cad"]) for item in cart["items"]] == [
        ("2027-01-20T18:00:00-05:00", "45.00")
    ]
    assert checkout_status == 201
    assert (checkout["status"], checkout["amount_cad"]) == ("requires_payment", "45.00")


@pytest.mark.usefixtures("demonstration")
def test_the_accounts_event_signs_the_student_in(connection: psycopg.Connection) -> None:
    connection.execute("UPDATE users SET password_hash = %s", (hash_password(seed.PASSWORD),))
    connection.commit()

    status, signed_in = answer_of("accounts")

    assert (status, signed_in["user"]["email"]) == (200, seed.STUDENT)


@pytest.mark.usefixtures("demonstration")
def test_the_appointments_and_orders_events_are_a_student_who_has_bought_nothing_yet(
    configured: Database,
) -> None:
    signs_in(configured, "appointments", "orders")

    appointments_status, appointments = answer_of("appointments")
    orders_status, credits = answer_of("orders")

    assert (appointments_status, appointments) == (200, {"items": [], "next_cursor": None})
    assert (orders_status, credits["balance_cad"], credits["items"]) == (200, "0.00", [])


@pytest.mark.usefixtures("demonstration")
def test_the_stripe_event_is_signed_for_its_own_time() -> None:
    assert answer_of("stripe_webhook") == (200, {"received": True})


@pytest.mark.usefixtures("demonstration")
def test_the_schedules_events_come_after_the_sale() -> None:
    answer_of("cart")

    assert invoke("hold_cleanup") == {"expired_holds_deleted": 1}
    assert invoke("webhook_relay") == {"events_enqueued": 0}
    assert set(invoke("payment_reconciliation").values()) == {0}
    assert invoke("audit") == {"audit_findings": 0}
    assert invoke("reminders") == {"reminders_sent": 0}
    assert invoke("appointment_completion") == {"appointments_completed": 0}
    assert set(invoke("retention").values()) == {0}


@pytest.mark.usefixtures("demonstration")
def test_the_admin_webhooks_event_is_nobody_known() -> None:
    assert answer_of("admin_webhooks")[0] == 401


@pytest.mark.usefixtures("demonstration")
def test_the_queue_event_names_an_event_that_is_gone_and_is_acknowledged() -> None:
    assert invoke("webhook_dispatch") == {"batchItemFailures": []}


@pytest.mark.usefixtures("demonstration")
def test_the_migration_event_finds_nothing_left_to_apply() -> None:
    assert invoke("migrate") == {"applied": []}


@pytest.mark.parametrize("path", sorted(EVENTS.glob("*.json")), ids=lambda path: path.stem)
def test_an_http_event_tells_one_time(path: Path) -> None:
    context = json.loads(path.read_text(encoding="utf-8")).get("requestContext")

    if context:
        told = datetime.strptime(context["time"], "%d/%b/%Y:%H:%M:%S %z")
        assert context["timeEpoch"] == told.timestamp() * 1000


def answer_of(function: str) -> tuple[int, Any]:
    answer = invoke(function)
    return answer["statusCode"], json.loads(answer["body"])


def signs_in(database: Database, *functions: str) -> None:
    """The demonstration's student opened the session whose cookie these functions' events carry."""
    events = [json.loads((EVENTS / f"{function}.json").read_text()) for function in functions]
    (cookie,) = {cookie for event in events for cookie in event["cookies"]}
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO auth_sessions (token_hash, user_id, created_at, expires_at)"
            " SELECT %s, id, %s, %s FROM users WHERE email = %s",
            (
                fingerprint(cookie.removeprefix("__Host-session=")),
                MONDAY_NOON,
                MONDAY_NOON + timedelta(days=1),
                seed.STUDENT,
            ),
        )
