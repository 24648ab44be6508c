"""What a visitor can do about a training, and the places of lists of them."""

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import Refused
from domain.paging import Place, write_cursor
from domain.training.cta import Access, CallToAction, cta
from domain.training.listing import Key, Listing, SortedPlace, SortOrder, TrainingSort

NOON = datetime(2027, 1, 18, 12, tzinfo=UTC)
ROW = UUID(int=1)


@pytest.mark.parametrize(
    ("in_cart", "access", "expected"),
    [
        (False, None, "BUY"),
        (True, None, "IN_CART"),
        (False, "active", "ENROLLED"),
        (True, "active", "ENROLLED"),
        (False, "expired", "EXPIRED"),
        (True, "expired", "IN_CART"),
    ],
)
def test_what_the_button_says(in_cart: bool, access: Access | None, expected: CallToAction) -> None:
    assert cta(in_cart, access) == expected


@pytest.mark.parametrize(
    ("sort", "asked", "order"),
    [
        ("newest", None, "desc"),
        ("title", None, "asc"),
        ("price", None, "asc"),
        ("newest", "asc", "asc"),
        ("title", "desc", "desc"),
        ("price", "desc", "desc"),
    ],
)
def test_the_newest_come_first_and_the_rest_rises_unless_asked_otherwise(
    sort: TrainingSort, asked: SortOrder | None, order: SortOrder
) -> None:
    assert Listing.asked_for(None, None, sort, asked) == Listing(None, "", sort, order)


def test_an_empty_filter_is_none() -> None:
    assert Listing.asked_for("", "", "title", "asc") == Listing.asked_for(None, None, "title", None)


def cursor_of(listing: Listing, key: Key, row_id: UUID = ROW) -> str:
    return write_cursor(listing.write_place(key, row_id))


@given(
    st.one_of(
        st.tuples(
            st.just("title"),
            st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=200),
        ),
        st.tuples(st.just("price"), st.decimals("0.00", "99999999.99", places=2)),
        st.tuples(
            st.just("newest"),
            st.datetimes(timezones=st.just(timezone(timedelta(hours=-5)))),
        ),
    ),
    st.uuids(),
    st.one_of(st.none(), st.text(max_size=200)),
)
@settings(max_examples=200)
def test_a_cursor_is_read_as_the_place_it_was_written_for(
    sorted_by: tuple[TrainingSort, Key], row_id: UUID, search: str | None
) -> None:
    sort, key = sorted_by
    listing = Listing.asked_for("professionnels", search, sort, None)
    cursor = cursor_of(listing, key, row_id)

    assert len(cursor) <= 1200
    assert listing.read_place(cursor) == SortedPlace(key, row_id)
    assert listing.read_place(None) is None


LIST = Listing("professionnels", "ccvm", "price", "asc")


@pytest.mark.parametrize(
    "other",
    [
        Listing("investisseurs", "ccvm", "price", "asc"),
        Listing(None, "ccvm", "price", "asc"),
        Listing("professionnels", "ccv", "price", "asc"),
        Listing("professionnels", "", "price", "asc"),
        Listing("professionnels", "ccvm", "price", "desc"),
        Listing("professionnels", "ccvm", "title", "asc"),
        Listing("ccvm", "professionnels", "price", "asc"),
    ],
)
def test_a_cursor_of_another_list_is_refused(other: Listing) -> None:
    cursor = cursor_of(other, Decimal("299.00"))
    assert other.name != LIST.name
    with pytest.raises(Refused, match="CURSOR_INVALID"):
        LIST.read_place(cursor)


def test_a_cursor_of_a_list_of_something_else_is_refused() -> None:
    with pytest.raises(Refused, match="CURSOR_INVALID"):
        LIST.read_place(write_cursor(Place(NOON, uuid4())))


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        *(("price", key) for key in ("", "x", "1", "1.0", "1.000", "-1.00", "NaN", "1e9", "123456789.00")),
        *(("price", key) for key in ("\u0661.\u0660\u0660", "1.00\n", " 1.00", "1_0.00")),
        *(("newest", key) for key in ("", "x", "2027-01-18T12:00:00", "2027-13-01T00:00:00Z")),
        *(("title", key) for key in ("a\0b", "a\ud800b")),
        ("price", None),
        ("price", 1.0),
        ("newest", 1),
        ("newest", {}),
        ("title", ["a"]),
    ],
)
def test_a_key_that_no_training_has_is_refused(sort: TrainingSort, key: object) -> None:
    listing = Listing.asked_for(None, None, sort, None)
    cursor = base64.urlsafe_b64encode(json.dumps([listing.name, key, str(ROW)]).encode()).decode()
    with pytest.raises(Refused, match="CURSOR_INVALID"):
        listing.read_place(cursor)
