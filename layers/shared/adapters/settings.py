"""Configuration. A plain environment variable wins; otherwise the stack's secret is asked.

On AWS the secret (one JSON object named by SECRETS_ARN) comes from the Parameters and Secrets extension's local
port, so that no function loads an AWS client for it.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection
from typing import Literal
from urllib.parse import quote

from domain.product import Product

EXTENSION_PORT = 2773
EXTENSION_TIMEOUT_SECONDS = 3


class SettingMissing(Exception):
    """A required setting is neither in the environment nor in the secret."""


def setting(name: str) -> str:
    """A required setting. Raises SettingMissing with its name."""
    value = optional_setting(name)
    if not value:
        raise SettingMissing(name)
    return value


def optional_setting(name: str, default: str = "") -> str:
    """A setting, or the default when it is absent or empty."""
    value = os.environ.get(name)
    if value:
        return value
    arn = os.environ.get("SECRETS_ARN")
    return (_secret(arn).get(name) if arn else None) or default


@cache
def _secret(arn: str) -> dict[str, str]:
    connection = HTTPConnection("localhost", EXTENSION_PORT, timeout=EXTENSION_TIMEOUT_SECONDS)
    try:
        connection.request(
            "GET",
            f"/secretsmanager/get?secretId={quote(arn, safe='')}",
            headers={"X-Aws-Parameters-Secrets-Token": os.environ["AWS_SESSION_TOKEN"]},
        )
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise SettingMissing(f"the secret store answered {answer.status}")
    secret: dict[str, str] = json.loads(json.loads(body)["SecretString"])
    return secret


@dataclass(frozen=True, slots=True)
class Merchant:
    """Who sells, as receipts and calendars name them. What is empty is not shown."""

    name: str
    address: str
    email: str
    phone: str
    taxes: str


def merchant(product: Product) -> Merchant:
    """Who sells that product in this deployment."""
    prefix, name = _MERCHANTS[product]
    return Merchant(
        optional_setting(f"{prefix}_NAME", name),
        optional_setting(f"{prefix}_ADDRESS"),
        optional_setting(f"{prefix}_EMAIL"),
        optional_setting(f"{prefix}_PHONE"),
        optional_setting(f"{prefix}_TAXES"),
    )


_MERCHANTS: Mapping[Product, tuple[str, str]] = {
    "tutoring": ("MERCHANT", "4AS"),
    "training": ("TRAINING_MERCHANT", "Le Dojo Financier"),
}
"""What the settings of a product's merchant begin with, and the name of who has none."""


def max_holds() -> int:
    """How many times one cart may hold at once."""
    return int(optional_setting("MAX_HOLDS", "20"))


def delivery_enabled() -> bool:
    """The kill switch of outbound webhooks: while WEBHOOK_DELIVERY_ENABLED is false, events wait in the outbox."""
    return optional_setting("WEBHOOK_DELIVERY_ENABLED", "true").lower() != "false"


def environment() -> Literal["prod", "staging", "dev"]:
    """Which deployment this is; anything but prod and staging is dev."""
    match os.environ.get("ENVIRONMENT"):
        case "prod":
            return "prod"
        case "staging":
            return "staging"
        case _:
            return "dev"
