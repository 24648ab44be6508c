"""What a function's container pays before it can answer: a budget for each, and what it must not load."""

import pytest

from tests.support.imports import loaded_by, ratio_to_baseline

BUDGETS = {
    "hold_cleanup": 1.5,
    "audit": 1.5,
    "retention": 1.5,
    "appointment_completion": 2.0,
    "reminders": 2.0,
    "catalog": 3.0,
    "trainings": 3.0,
    "training_cart": 3.0,
    "cart": 3.0,
    "accounts": 3.0,
    "appointments": 3.0,
    "orders": 3.0,
    "training_enrolments": 3.0,
    "admin_webhooks": 3.0,
    "system": 3.0,
    "checkout": 4.0,
    "training_checkout": 4.0,
    "stripe_webhook": 4.0,
}
ROUNDS = 3
ATTEMPTS = 4  # a noisy neighbour may spoil a measurement, never improve it

# Powertools loads the empty top of botocore whenever it is installed; its session is what costs.
FORBIDDEN = {
    "hold_cleanup": {"pydantic", "stripe", "boto3", "botocore.session", "requests", "urllib3", "argon2"},
    "audit": {"pydantic", "stripe", "boto3", "botocore.session", "requests", "urllib3", "argon2"},
    "retention": {"pydantic", "stripe", "boto3", "botocore.session", "requests", "urllib3", "argon2"},
    "appointment_completion": {"stripe", "boto3", "botocore.session", "requests", "urllib3", "argon2"},
    "reminders": {"stripe", "boto3", "botocore.session", "requests", "urllib3", "argon2"},
    "webhook_relay": {"stripe", "boto3", "botocore.session", "requests", "argon2"},
    "delivery_notice": {"stripe", "boto3", "botocore.session", "requests", "argon2"},
    "webhook_dispatch": {"stripe", "boto3", "botocore.session", "requests", "argon2"},
    "catalog": {"stripe", "boto3", "botocore.session", "requests", "urllib3", "argon2"},
    "training_cart": {"stripe", "boto3", "botocore.session", "requests", "urllib3", "argon2"},
    "training_enrolments": {"stripe", "boto3", "botocore.session", "requests", "urllib3", "argon2"},
    "trainings": {"stripe", "boto3", "botocore.session", "requests", "urllib3", "argon2"},
    "cart": {"stripe", "boto3", "botocore.session", "requests", "urllib3", "argon2"},
    "accounts": {"stripe", "boto3", "botocore.session", "phonenumbers", "email_validator"},
    "appointments": {
        "stripe",
        "boto3",
        "botocore.session",
        "requests",
        "urllib3",
        "argon2",
        "icalendar",
        "reportlab",
    },
    "orders": {
        "stripe",
        "boto3",
        "botocore.session",
        "requests",
        "urllib3",
        "argon2",
        "icalendar",
        "reportlab",
    },
    "admin_webhooks": {"stripe", "boto3", "botocore.session", "requests", "urllib3", "argon2"},
    "system": {"stripe", "boto3", "botocore.session", "requests", "urllib3", "argon2"},
    "training_checkout": {"boto3", "botocore.session", "phonenumbers", "email_validator"},
    "checkout": {"boto3", "botocore.session", "phonenumbers", "email_validator"},
    "stripe_webhook": {"boto3", "botocore.session", "argon2", "phonenumbers", "email_validator"},
    "payment_reconciliation": {"boto3", "botocore.session", "argon2"},
}


@pytest.mark.parametrize(("function", "budget"), BUDGETS.items())
def test_a_function_is_imported_within_its_budget(function: str, budget: float) -> None:
    ratios = []
    for _ in range(ATTEMPTS):
        ratios.append(ratio_to_baseline(f"functions.{function}.app", ROUNDS))
        if ratios[-1] <= budget:
            return
    pytest.fail(f"importing {function} costs {min(ratios):.2f} times psycopg, more than {budget}")


@pytest.mark.parametrize(("function", "forbidden"), FORBIDDEN.items())
def test_a_function_does_not_load_what_it_does_not_use(function: str, forbidden: set[str]) -> None:
    assert loaded_by(f"functions.{function}.app") & forbidden == set()
