"""What refers to a row that is deleted is found by an index, and no index does what another does as well."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

NOT_BY_ITS_COLUMNS: Mapping[str, str] = {
    "access_items_of_their_kind": "the line's id is its primary key",
    "cart_trainings_of_their_cart": "cart_id alone names the cart (cart_trainings_of_cart)",
    "coupon_trainings_of_their_coupon": "coupon_id alone names the coupon",
    "earnings_of_their_session": "the line's id is its primary key",
    "cart_sessions_of_their_cart": "cart_id alone names the cart (cart_sessions_of_cart)",
    "carts_coupon_of_their_product": "coupon_id alone names the coupon (carts_with_coupon)",
    "checkouts_cart_of_their_product": "cart_id alone names the cart",
    "checkouts_coupon_of_their_product": "coupon_id alone names the coupon",
    "checkouts_order": "order_id alone names the order (checkouts_order_id_key)",
    "orders_coupon_of_their_product": "coupon_id alone names the coupon (orders_with_coupon)",
    "session_items_of_their_kind": "the line's id is its primary key",
    "appointments_own_their_time": "claim_id alone names the one appointment of a claim (appointments_of_claim)",
}
"""Foreign keys without an index of their columns, and why they need none."""


@dataclass(frozen=True, slots=True)
class Index:
    """`keys` are its columns or expressions, each with its operator class and order; `predicate` says which rows."""

    table: str
    name: str
    method: str
    is_unique: bool
    predicate: str | None
    keys: list[str]

    def does_no_more_than(self, other: "Index") -> bool:
        """Whether the other begins as this one, and guards nothing less."""
        return (
            self.name != other.name
            and not self.is_unique
            and (self.table, self.method, self.predicate) == (other.table, other.method, other.predicate)
            and self.keys == other.keys[: len(self.keys)]
            and (self.keys != other.keys or other.is_unique or self.name > other.name)
        )


def unindexed_references(connection: Connection[Any]) -> list[str]:
    """Foreign keys whose columns, in whatever order, are the first of no index.

    An index of the rows in which one of them is not null is one: what is null refers to nothing.
    """
    rows = connection.execute(
        """
        SELECT conname FROM pg_constraint AS reference
         WHERE contype = 'f' AND NOT EXISTS (
               SELECT FROM pg_index
                WHERE indrelid = conrelid AND indisvalid
                  AND (indkey::int2[])[0:cardinality(conkey) - 1] @> conkey
                  AND (indpred IS NULL OR pg_get_expr(indpred, indrelid) IN (
                       SELECT format('(%I IS NOT NULL)', attname) FROM pg_attribute
                        WHERE attrelid = conrelid AND attnum = ANY (conkey))))
         ORDER BY conname
        """
    )
    return [name for (name,) in rows]


def superfluous_indexes(connection: Connection[Any]) -> list[str]:
    """Each index that does no more than another of its table, and that other."""
    indexes = (
        connection.cursor(row_factory=class_row(Index))
        .execute(
            """
            SELECT indrelid::regclass::text AS table, indexrelid::regclass::text AS name, amname AS method,
                   indisunique AS is_unique, pg_get_expr(indpred, indrelid) AS predicate,
                   ARRAY(SELECT concat_ws(' ', pg_get_indexdef(indexrelid, key, true), (indclass::oid[])[key - 1],
                                          (indoption::int2[])[key - 1])
                           FROM generate_series(1, indnkeyatts) AS key ORDER BY key) AS keys
              FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam
             WHERE relnamespace = 'public'::regnamespace
             ORDER BY 1, 2
            """
        )
        .fetchall()
    )
    return [
        f"{one.name} beside {other.name}"
        for one in indexes
        for other in indexes
        if one.does_no_more_than(other)
    ]


def test_every_reference_is_found_by_an_index_of_its_columns(connection: Connection[Any]) -> None:
    assert unindexed_references(connection) == sorted(NOT_BY_ITS_COLUMNS)


def test_no_index_does_what_another_does_as_well(connection: Connection[Any]) -> None:
    assert superfluous_indexes(connection) == []


def test_a_reference_without_an_index_is_seen(connection: Connection[Any]) -> None:
    connection.execute(
        """
        CREATE TABLE planted (
            id uuid PRIMARY KEY, alone uuid REFERENCES users, of_some uuid REFERENCES users,
            second uuid REFERENCES users, not_null uuid REFERENCES users, first uuid REFERENCES users)
        """
    )
    connection.execute("CREATE INDEX ON planted (of_some) WHERE second IS NOT NULL")
    connection.execute("CREATE INDEX ON planted (first, second)")
    connection.execute("CREATE INDEX ON planted (not_null) WHERE not_null IS NOT NULL")

    assert set(unindexed_references(connection)) - set(NOT_BY_ITS_COLUMNS) == {
        "planted_alone_fkey",
        "planted_of_some_fkey",
        "planted_second_fkey",
    }


def test_an_index_that_another_begins_with_is_seen(connection: Connection[Any]) -> None:
    connection.execute("CREATE TABLE planted (a int, b int)")
    for name, definition in {
        "planted_a": "(a)",
        "planted_a_b": "(a, b)",
        "planted_a_again": "(a)",
        "planted_b": "(b)",
        "planted_a_down": "(a DESC)",
        "planted_some": "(a) WHERE b > 0",
    }.items():
        connection.execute(f"CREATE INDEX {name} ON planted {definition}")
    connection.execute("CREATE UNIQUE INDEX planted_one_a ON planted (a)")

    assert superfluous_indexes(connection) == [
        "planted_a beside planted_a_b",
        "planted_a beside planted_one_a",
        "planted_a_again beside planted_a",
        "planted_a_again beside planted_a_b",
        "planted_a_again beside planted_one_a",
    ]
