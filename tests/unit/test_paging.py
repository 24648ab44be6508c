"""Cursors: opaque, exact, and refused when they are not ours (X-34)."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import Refused
from domain.paging import Place, page_of, read_cursor, write_cursor

NOON = datetime(2027, 1, 18, 12, tzinfo=UTC)


@given(
    st.datetimes(timezones=st.just(UTC), min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)),  # noqa: DTZ001
    st.uuids(),
)
@settings(max_examples=50)
def test_a_cursor_is_read_as_the_place_it_was_written_for(at: datetime, row_id: UUID) -> None:
    assert read_cursor(write_cursor(Place(at, row_id))) == Place(at, row_id)


@given(st.text(max_size=60))
@settings(max_examples=200)
def test_any_other_text_is_refused_and_breaks_nothing(text: str) -> None:
    with pytest.raises(Refused, match="CURSOR_INVALID"):
        read_cursor(text)


@pytest.mark.parametrize("cursor", ["bnVsbA==", "WzEsMl0=", "eyJhIjoxfQ==", "WyIyMDI3LTAxLTE4IiwgIngiXQ=="])
def test_json_of_another_shape_is_refused(cursor: str) -> None:
    with pytest.raises(Refused, match="CURSOR_INVALID"):
        read_cursor(cursor)


@pytest.mark.parametrize(("count", "shown", "more"), [(0, 0, False), (2, 2, False), (3, 2, True)])
def test_a_page_ends_where_the_next_begins(count: int, shown: int, more: bool) -> None:
    rows = [Place(NOON + timedelta(hours=n), uuid4()) for n in range(count)]

    page = page_of(rows, 2, lambda row: row)

    assert list(page.items) == rows[:shown]
    assert page.next_cursor == (write_cursor(rows[1]) if more else None)
