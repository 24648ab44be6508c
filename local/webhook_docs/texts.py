"""The French sentences of the pages, by hand: docs/webhooks/source."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs" / "webhooks"
SOURCE = DOCS / "source"
MARK = re.compile("<!-- ([a-z]+) -->")


def meaning(event_type: str, field: str) -> str:
    """What a field means, in this event if it means something of its own there. Raises KeyError."""
    fields = _fields()
    text: str = fields.get(event_type, {}).get(field) or fields["*"][field]
    return text


def told(event_type: str) -> dict[str, str]:
    """`summary`, `when`, `replaces` and `advice` of an event."""
    texts: dict[str, str] = load("events.toml")[event_type]
    return texts


def routes(event_type: str) -> list[dict[str, Any]]:
    """The blueprint's routes of an event: `line`, what each writes; `each`, the list it goes through, if it does.

    `to` says whom or what for, when there are several; `only`, the fields of the payload that let it pass, and how.
    """
    written: list[dict[str, Any]] = load("routes.toml")[event_type]
    return written


def guide(parts: Mapping[str, str]) -> str:
    """The guide, with each part in the place of its mark, <!-- name -->. Raises ValueError when they do not agree."""
    text = (SOURCE / "guide.md").read_text(encoding="utf-8")
    if sorted(MARK.findall(text)) != sorted(parts):
        raise ValueError(f"guide.md marks {MARK.findall(text)}, and there are {list(parts)}")
    return MARK.sub(lambda mark: parts[mark[1]], text)


def _fields() -> dict[str, dict[str, str]]:
    return load("fields.toml")


@cache
def load(name: str) -> dict[str, Any]:
    """One file of docs/webhooks/source, by its name."""
    return tomllib.loads((SOURCE / name).read_text(encoding="utf-8"))
