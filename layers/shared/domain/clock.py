"""Time as the business speaks of it: instants in UTC, read on Toronto's wall clock."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

TORONTO = ZoneInfo("America/Toronto")


def on_toronto_clock(instant: datetime) -> datetime:
    """The same instant with Toronto's offset, as the API writes it."""
    return instant.astimezone(TORONTO)


def utc_milliseconds(instant: datetime) -> str:
    """The same instant as `2027-01-18T14:00:00.000Z`, as webhook payloads write it."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
