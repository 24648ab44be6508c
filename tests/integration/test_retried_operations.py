"""Each operation that may be the victim of a deadlock is done all the same: once, on its second try.

The first try is ended at a row it writes; the operation that is not tried again answers an error, or raises.
"""

import re
from pathlib import Path

import pytest

from tests.support.operations import OPERATIONS, TEN, Shop
from tests.support.victim import first_writer_of, writers
from tests.support.world import World, wanted

DOMAIN = Path(__file__).parents[2] / "layers/shared/domain"
RETRIED = re.compile(r"^@retried_on_deadlock\ndef (\w+)\(", re.MULTILINE)


def retried() -> set[str]:
    """Every operation of the domain that is tried twice, as `module.function`."""
    return {
        f"{file.stem}.{name}"
        for file in DOMAIN.rglob("*.py")
        for name in RETRIED.findall(file.read_text("utf-8"))
    }


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_the_victim_of_a_deadlock_does_it_on_its_second_try(name: str, world: World) -> None:
    table, do, answered = OPERATIONS[name](Shop.of(world))
    first_writer_of(world.connection, table)

    assert do() == answered
    assert writers(world.connection) > 1


def test_within_another_transaction_it_is_undone_alone_and_done_again(world: World) -> None:
    """A kept answer and what it answers are one transaction."""
    shop = Shop.of(world)
    first_writer_of(world.connection, "cart_sessions")
    browser, items = world.browser(), [wanted(shop.course, TEN)]

    answers = [browser.post("/v1/cart/items", {"items": items}, idempotency_key="panier-1") for _ in range(2)]

    assert [answer.status for answer in answers] == [201, 201]
    assert answers[0].body == answers[1].body
    assert (world.count("cart_sessions"), world.count("time_claims")) == (1, 1)


def test_the_table_is_complete() -> None:
    assert set(OPERATIONS) == retried()
