"""What is written once and never changed: each trigger that forbids it refuses, whoever writes."""

from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import Connection

from tests.support.booked_student import BookedStudent
from tests.support.world import FORM, World, toronto, wanted

CHANGES: dict[str, tuple[LiteralString, ...]] = {
    "appointment_modifications_stay": (
        "UPDATE appointment_modifications SET reason = 'autre'",
        "DELETE FROM appointment_modifications",
    ),
    "coupon_reservations_stay": ("UPDATE coupon_reservations SET created_at = now()",),
    "credit_reservations_stay": ("UPDATE credit_reservations SET amount_cad = amount_cad / 2",),
    "credit_transactions_stay": (
        "UPDATE credit_transactions SET amount_cad = 2 * amount_cad",
        "DELETE FROM credit_transactions",
    ),
    "line_returns_are_kept": ("DELETE FROM line_returns",),
    "line_returns_stay": (
        "UPDATE line_returns SET amount_cad = amount_cad / 2",
        "UPDATE line_returns SET order_item_id = (SELECT id FROM order_items WHERE id <> order_item_id LIMIT 1)",
        "UPDATE line_returns SET created_at = now()",
        "UPDATE line_returns SET way = 'card', credit_entry_id = NULL, refund_id = gen_random_uuid()",
    ),
}


@pytest.fixture
def rows(world: World) -> Connection[Any]:
    """Somebody who cancelled, and pays for the next sessions with a coupon, the credit and a card."""
    course = world.school.course()
    world.school.tutor(course)
    world.school.coupon("SAVE10")
    zoe = BookedStudent.of(world, wanted(course, toronto(20, 10)), wanted(course, toronto(20, 11)))
    assert zoe.cancels().status == 200
    items = [wanted(course, toronto(21, 10)), wanted(course, toronto(21, 11))]
    assert zoe.browser.post("/v1/cart/items", {"items": items}).status == 201
    assert zoe.browser.put("/v1/cart/coupon", {"code": "SAVE10"}).status == 200
    asked = {"billing": FORM["billing"], "credits_cad": "all"}
    assert zoe.browser.post("/v1/checkout", asked).status == 201
    return world.connection


def refusing(connection: Connection[Any]) -> set[str]:
    found = connection.execute(
        "SELECT tgname FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid WHERE proname = 'refuse_change'"
    )
    return {str(name) for (name,) in found}


def test_every_trigger_that_forbids_a_change_refuses_it(rows: Connection[Any]) -> None:
    refused: dict[str, list[str]] = {}
    for name, statements in CHANGES.items():
        said = refused.setdefault(name, [])
        for statement in statements:
            try:
                said.append(f"{rows.execute(statement).rowcount} rows were changed")
            except psycopg.errors.IntegrityConstraintViolation as violation:
                said.append(str(violation.sqlstate))

    assert refused == {name: ["23000"] * len(statements) for name, statements in CHANGES.items()}
    assert set(CHANGES) == refusing(rows)


def test_a_return_that_was_undone_stays_so(rows: Connection[Any]) -> None:
    rows.execute("UPDATE line_returns SET undone_at = created_at")

    with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
        rows.execute("UPDATE line_returns SET undone_at = NULL")
