"""The few people that the samples are about, and the day on which most of it happens."""

from datetime import UTC, datetime
from uuid import UUID

from domain.webhooks.events.base import Contact

NOW = datetime(2026, 12, 8, 17, tzinfo=UTC)


def example_id(number: int) -> UUID:
    return UUID(f"0194644a-2c00-4b1e-8f3a-{number:012x}")


ZOE = Contact(
    id=example_id(1), first_name="Zoé", last_name="Tremblay", email="zoe@exemple.ca", phone="+15145550123"
)
ROY = Contact(
    id=example_id(2), first_name="Hélène", last_name="Roy", email="helene.roy@exemple.ca", phone=None
)
