"""Which trainings a list shows, in which order, and where in it a page ends."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from domain.errors import Refused
from domain.ids import fingerprint
from domain.paging import NamedPlace, read_named_cursor

type TrainingSort = Literal["title", "price", "newest"]
type SortOrder = Literal["asc", "desc"]
type Key = str | Decimal | datetime

_PRICE = re.compile(r"[0-9]{1,8}\.[0-9]{2}")
_DIGEST_LENGTH = 12


@dataclass(frozen=True, slots=True)
class SortedPlace:
    """Where a page ends: what the list is sorted by of its last training, then that training's id."""

    key: Key
    id: UUID


@dataclass(frozen=True, slots=True)
class Listing:
    """The published trainings of a category (None: all) that contain what was typed ('': all), sorted.

    `newest` is by the moment of publication. No key is ever null (0043).
    """

    category: str | None
    search: str
    sort: TrainingSort
    order: SortOrder

    @classmethod
    def asked_for(
        cls, category: str | None, search: str | None, sort: TrainingSort, order: SortOrder | None
    ) -> "Listing":
        """Without an order the newest come first, titles and prices rise."""
        return cls(category or None, search or "", sort, order or ("desc" if sort == "newest" else "asc"))

    @property
    def name(self) -> str:
        """What tells this list from all others: a cursor that bears another name is not of it."""
        filters = json.dumps([self.category, self.search])
        return f"{self.sort} {self.order} {fingerprint(filters).hex()[:_DIGEST_LENGTH]}"

    def write_place(self, key: Key, training_id: UUID) -> NamedPlace:
        """A place of this list, for its cursor."""
        text = key.isoformat() if isinstance(key, datetime) else str(key)
        return NamedPlace(text, training_id, self.name)

    def read_place(self, cursor: str | None) -> SortedPlace | None:
        """The place of a cursor, None without one. Refuses with CURSOR_INVALID, also that of another list."""
        place = read_named_cursor(cursor, self.name)
        if place is None:
            return None
        try:
            return SortedPlace(_READ[self.sort](place.name), place.id)
        except ValueError as error:
            raise Refused("CURSOR_INVALID") from error


def _price(text: str) -> Decimal:
    if not _PRICE.fullmatch(text):
        raise ValueError("not a price")
    return Decimal(text)


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("an instant without its offset")
    return instant


_READ: Mapping[TrainingSort, Callable[[str], Key]] = {"title": str, "price": _price, "newest": _instant}
