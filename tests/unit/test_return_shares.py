"""How money that goes back is shared over the lines of an order."""

from decimal import Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from domain.returns.lines import Line, share_out


def line(number: int, left: str, *, gone: bool = False) -> Line:
    return Line(UUID(int=number), Decimal(left), gone=gone, credit_promised=False)


def shares(amount: str, *lines: Line, own: int | None = None) -> dict[int, str]:
    given_back = share_out(Decimal(amount), lines, UUID(int=own) if own else None)
    return {line_id.int: str(share) for line_id, share in given_back.items()}


def test_in_proportion_to_what_is_left() -> None:
    assert shares("20.00", line(1, "45.00"), line(2, "67.50")) == {1: "8.00", 2: "12.00"}


def test_a_cent_that_is_left_over_goes_to_the_largest_remainder_then_to_the_smaller_id() -> None:
    assert shares("10.00", line(3, "45.00"), line(1, "45.00"), line(2, "45.00")) == {
        1: "3.34",
        2: "3.33",
        3: "3.33",
    }


def test_lines_that_are_gone_come_first() -> None:
    assert shares("50.00", line(1, "45.00"), line(2, "45.00", gone=True)) == {2: "45.00", 1: "5.00"}


def test_a_refund_s_own_line_comes_before_all() -> None:
    assert shares("45.00", line(1, "45.00", gone=True), line(2, "45.00", gone=True), own=2) == {2: "45.00"}


def test_no_line_gives_more_than_it_has_left() -> None:
    assert shares("100.00", line(1, "45.00"), line(2, "0.00"), line(3, "10.00")) == {1: "45.00", 3: "10.00"}


cents = st.integers(0, 20_000).map(lambda n: Decimal(n) / 100)


@given(
    amount=cents,
    lines=st.lists(st.tuples(cents, st.booleans()), max_size=8),
    own=st.none() | st.integers(0, 9),
)
def test_whatever_the_lines_all_is_shared_that_can_be(
    amount: Decimal, lines: list[tuple[Decimal, bool]], own: int | None
) -> None:
    rows = [line(number, str(left), gone=gone) for number, (left, gone) in enumerate(lines)]
    given_back = share_out(amount, rows, None if own is None else UUID(int=own))

    assert sum(given_back.values()) == min(amount, sum(left for left, _ in lines))
    assert all(0 < given_back[row.id] <= row.left_cad for row in rows if row.id in given_back)
    if any(row.gone and row.id not in given_back and row.left_cad for row in rows) and own is None:
        assert not any(not row.gone for row in rows if row.id in given_back)
