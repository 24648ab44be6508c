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

type Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT)]
type CursorText = Annotated[str, Field(max_length=200, description="Le `next_cursor` de la page précédente")]


@dataclass(frozen=True, slots=True)
class Place:
    """A row's place in a list that is sorted by an instant, then by id."""

    at: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class Page[T]:
    """Some rows of a list, and the cursor of the page after them: None on the last."""

    items: Sequence[T]
    next_cursor: str | None


def page_of[T](rows: Sequence[T], limit: int, place_of: Callable[[T], Place]) -> Page[T]:
    """The first `limit` of rows that were asked for with one more than that."""
    if len(rows) <= limit:
        return Page(rows, None)
    return Page(rows[:limit], write_cursor(place_of(rows[limit - 1])))


def write_cursor(place: Place) -> str:
    """A place as an opaque text."""
    return base64.urlsafe_b64encode(json.dumps([place.at.isoformat(), str(place.id)]).encode()).decode()


def read_cursor(cursor: str | None) -> Place | None:
    """The place a cursor stands for; None without one. Refuses with CURSOR_INVALID."""
    if cursor is None:
        return None
    try:
        at, row_id = _parts(cursor)
        place = Place(datetime.fromisoformat(at), UUID(row_id))
    except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise Refused("CURSOR_INVALID") from error
    if place.at.tzinfo is None:
        raise Refused("CURSOR_INVALID")
    return place


def _parts(cursor: str) -> Any:
    return json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
