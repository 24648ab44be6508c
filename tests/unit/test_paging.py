"""Cursors: opaque, exact, and refused when they are not ours (X-34)."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import Refused
from domain.paging import NamedPlace, Place, page_of, read_cursor, read_named_cursor, write_cursor

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


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200),
    st.uuids(),
)
@settings(max_examples=100)
def test_a_cursor_of_a_list_by_name_is_read_as_its_place(name: str, row_id: UUID) -> None:
    cursor = write_cursor(NamedPlace(name, row_id))

    assert len(cursor) <= 1200
    assert read_named_cursor(cursor) == NamedPlace(name, row_id)


def test_a_cursor_of_a_filtered_list_is_read_in_that_list_alone() -> None:
    place = Place(NOON, uuid4(), "training")
    cursor = write_cursor(place)

    assert read_cursor(cursor, "training") == place
    for of in ("", "tutoring", "t"):
        with pytest.raises(Refused, match="CURSOR_INVALID"):
            read_cursor(cursor, of)
    with pytest.raises(Refused, match="CURSOR_INVALID"):
        read_cursor(write_cursor(Place(NOON, uuid4())), "training")
    with pytest.raises(Refused, match="CURSOR_INVALID"):
        read_named_cursor(cursor)


def test_a_cursor_of_another_list_is_refused() -> None:
    by_instant, by_name = write_cursor(Place(NOON, uuid4())), write_cursor(NamedPlace("anglais", uuid4()))
    with pytest.raises(Refused, match="CURSOR_INVALID"):
        read_named_cursor(by_instant)
    with pytest.raises(Refused, match="CURSOR_INVALID"):
        read_cursor(by_name)


@pytest.mark.parametrize(
    "parts",
    [
        '["name","a\\u0000b","00000000-0000-0000-0000-000000000001"]',  # no text of PostgreSQL holds it
        '["name","a\\ud800b","00000000-0000-0000-0000-000000000001"]',  # nor half a surrogate pair
        '["name",1,"00000000-0000-0000-0000-000000000001"]',
        '["name",null,"00000000-0000-0000-0000-000000000001"]',
        '["name","a","x"]',
        '["other","a","00000000-0000-0000-0000-000000000001"]',
        '["name","a"]',
        '"nam"',
        "null",
        "{}",
    ],
)
def test_a_name_that_no_list_has_is_refused(parts: str) -> None:
    with pytest.raises(Refused, match="CURSOR_INVALID"):
        read_named_cursor(base64.urlsafe_b64encode(parts.encode()).decode())


@given(st.text(max_size=60))
@settings(max_examples=200)
def test_any_other_text_is_no_cursor_of_a_list_by_name(text: str) -> None:
    with pytest.raises(Refused, match="CURSOR_INVALID"):
        read_named_cursor(text)


@pytest.mark.parametrize(("count", "shown", "more"), [(0, 0, False), (2, 2, False), (3, 2, True)])
def test_a_page_ends_where_the_next_begins(count: int, shown: int, more: bool) -> None:
    rows = [Place(NOON + timedelta(hours=n), uuid4()) for n in range(count)]

    page = page_of(rows, 2, lambda row: row)

    assert list(page.items) == rows[:shown]
    assert page.next_cursor == (write_cursor(rows[1]) if more else None)
