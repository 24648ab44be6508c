"""The French sentences of the pages, by hand: docs/webhooks/source."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs" / "webhooks"
SOURCE = DOCS / "source"


def meaning(event_type: str, field: str) -> str:
    """What a field means, in this event if it means something of its own there. Raises KeyError."""
    fields = _fields()
    text: str = fields.get(event_type, {}).get(field) or fields["*"][field]
    return text


def told(event_type: str) -> dict[str, str]:
    """`summary`, `when`, `replaces` and `advice` of an event."""
    texts: dict[str, str] = load("events.toml")[event_type]
    return texts


def guide() -> str:
    return (SOURCE / "guide.md").read_text(encoding="utf-8")


def _fields() -> dict[str, dict[str, str]]:
    return load("fields.toml")


@cache
def load(name: str) -> dict[str, Any]:
    """One file of docs/webhooks/source, by its name."""
    return tomllib.loads((SOURCE / name).read_text(encoding="utf-8"))
