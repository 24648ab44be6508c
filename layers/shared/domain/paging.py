"""Lists in pages. A cursor says where the last page ended: no row is dropped or doubled (X-34)."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from domain.errors import Refused

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
_NAMED = "name"

type Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT)]
type CursorText = Annotated[str, Field(max_length=1200, description="Le `next_cursor` de la page précédente")]


@dataclass(frozen=True, slots=True)
class Place:
    """A row's place in a list that is sorted by an instant, then by id.

    `of` is what the list was filtered by: its cursors are good for nothing else.
    """

    at: datetime
    id: UUID
    of: str = ""


@dataclass(frozen=True, slots=True)
class NamedPlace:
    """A row's place in a list that is sorted by a text of at most 200 characters, then by id.

    `of` tells a list from others at the same address, which are filtered or sorted otherwise.
    """

    name: str
    id: UUID
    of: str = _NAMED


@dataclass(frozen=True, slots=True)
class Page[T]:
    """Some rows of a list, and the cursor of the page after them: None on the last."""

    items: Sequence[T]
    next_cursor: str | None


def page_of[T](rows: Sequence[T], limit: int, place_of: Callable[[T], Place | NamedPlace]) -> Page[T]:
    """The first `limit` of rows that were asked for with one more than that."""
    if len(rows) <= limit:
        return Page(rows, None)
    return Page(rows[:limit], write_cursor(place_of(rows[limit - 1])))


def write_cursor(place: Place | NamedPlace) -> str:
    """A place as an opaque text."""
    key = [place.at.isoformat()] if isinstance(place, Place) else [place.of, place.name]
    of = [place.of] if isinstance(place, Place) and place.of else []
    parts = json.dumps([*key, str(place.id), *of], ensure_ascii=False)
    return base64.urlsafe_b64encode(parts.encode()).decode()


def read_cursor(cursor: str | None, of: str = "") -> Place | None:
    """The place a cursor stands for; None without one. Refuses with CURSOR_INVALID, also that of another filter."""
    return None if cursor is None else _read(cursor, lambda parts: _instant_place(parts, of))


def read_named_cursor(cursor: str | None, of: str = _NAMED) -> NamedPlace | None:
    """The same in a list that is sorted by a text. A cursor of another list than `of` is refused, too."""
    return None if cursor is None else _read(cursor, lambda parts: _named_place(parts, of))


def _read[P](cursor: str, place_from: Callable[[Any], P]) -> P:
    try:
        return place_from(_parts(cursor))
    except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise Refused("CURSOR_INVALID") from error


def _instant_place(parts: Any, of: str) -> Place:
    at, row_id, *filtered_by = parts
    place = Place(datetime.fromisoformat(at), UUID(row_id), of)
    if place.at.tzinfo is None or filtered_by != ([of] if of else []):
        raise ValueError("an instant without its offset, or a place in another list")
    return place


def _named_place(parts: Any, of: str) -> NamedPlace:
    kind, name, row_id = parts
    if kind != of or b"\0" in name.encode():  # which fails on half a surrogate pair
        raise ValueError("not the name of a row")
    return NamedPlace(name, UUID(row_id), of)


def _parts(cursor: str) -> Any:
    return json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
