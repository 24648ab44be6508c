"""What the stack decides before anything runs: addresses, keys, and the environment of the functions.

Nothing here is a special case of the product: these are the values a deployment keeps in its secret and in the
parameters of its template.
"""

import base64
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from domain.webhooks.event_types import secret_setting, url_setting
from local.cloudformation import REGION

# What signs events of each kind, by the setting that says where they go.
_AREAS = (
    "SIGNUP",
    "BOOKING",
    "CANCELLATION",
    "MESSAGE",
    "RESCHEDULE",
    "COMPLETION",
    "REFUND",
    "RATING",
    "TICKET",
    "ADMIN",
    "DOJO_PAYMENTS",
)

PARAMETERS = {
    "Environment": "dev",
    "SecretsArn": "",
    "SecretsExtensionArn": "",
    "WebhookAllowedHosts": "127.0.0.1",
    "WebhookDeliveryEnabled": "true",
    # One machine plays all visitors: what many of them do at once, one address may do here.
    "AvailabilityReadsPerMinute": "100000",
    "CartAddsPerHour": "100000",
    "CheckoutsPerMinute": "100000",
}
"""Values of the template's parameters."""


ROLES = {"DATABASE_URL": "booking_web", "DATABASE_JOBS_URL": "booking_jobs"}
"""Who the functions sign in to the database as, by the setting of the address (0034_roles.sql)."""


def as_roles(owner_url: str) -> dict[str, str]:
    """How functions reach a database, by setting: the address of its owner's, as the roles of 0034_roles.sql.

    On a server that asks for passwords they have the owner's.
    """
    address = urlsplit(owner_url)
    _, _, password = address.netloc.rpartition("@")[0].partition(":")
    place = address.netloc.rpartition("@")[2]
    return {
        name: urlunsplit(address._replace(netloc=f"{role}{':' if password else ''}{password}@{place}"))
        for name, role in ROLES.items()
    }


@dataclass(frozen=True)
class Configuration:
    """The addresses of one running stack and the keys its parts share.

    Attributes
    ----------
    api, stripe_api, make_inbox, aws_endpoint
        Addresses without a path.
    database_url
        The database of the functions, as its owner reaches it.
    """

    api: str
    stripe_api: str
    make_inbox: str
    aws_endpoint: str
    database_url: str
    stripe_secret_key: str = field(default_factory=lambda: f"sk_test_{secrets.token_hex(16)}")
    stripe_publishable_key: str = field(default_factory=lambda: f"pk_test_{secrets.token_hex(16)}")
    stripe_webhook_secret: str = field(default_factory=lambda: f"whsec_{secrets.token_hex(16)}")
    make_api_key: str = field(default_factory=lambda: secrets.token_hex(16))
    make_secrets: dict[str, str] = field(
        default_factory=lambda: {area: _standard_webhooks_secret() for area in _AREAS}
    )

    @property
    def make_signing_secrets(self) -> dict[str, str]:
        """The secret that signs what is posted to each of Make's addresses, by the setting of the address."""
        return {url_setting(area): secret for area, secret in self.make_secrets.items()}

    @property
    def environment(self) -> dict[str, str]:
        """What the functions read besides the template's variables."""
        return {
            **as_roles(self.database_url),
            "STRIPE_API_BASE": self.stripe_api,
            "STRIPE_SECRET_KEY": self.stripe_secret_key,
            "STRIPE_PUBLISHABLE_KEY": self.stripe_publishable_key,
            "STRIPE_WEBHOOK_SECRET": self.stripe_webhook_secret,
            "MAKE_WEBHOOK_API_KEY": self.make_api_key,
            "WEBHOOK_PRIVATE_HOSTS": "127.0.0.1",
            **{url_setting(area): f"{self.make_inbox}/{area.lower()}" for area in _AREAS},
            **{secret_setting(area): secret for area, secret in self.make_secrets.items()},
            "AWS_ENDPOINT_URL": self.aws_endpoint,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }


def _standard_webhooks_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
