"""Each operation that writes several rows writes all of them or none: when the last cannot be written, none stays."""

from contextlib import suppress

import pytest

from tests.support.operations import OPERATIONS, Shop
from tests.support.tables import contents
from tests.support.victim import every_writer_of, writers
from tests.support.world import World

LAST = {
    "settle._settle": "INSERT ON outbox",
    "settle.settle_without_card": "INSERT ON outbox",
    "close.note_closed": "UPDATE OF intent_closed_at ON checkouts",
    "sign_in_buyer._enter": "INSERT ON auth_sessions",
    "sign_in._enter": "INSERT ON auth_sessions",
    "sign_in.sign_out": "UPDATE ON auth_sessions",
    "refunded_elsewhere.follow_refunds": "INSERT ON outbox",
    "disputed.follow_dispute": "INSERT ON line_returns",
    "refund_order.refund_order": "INSERT ON outbox",
    "bring_in_line.bring_one_in_line": "UPDATE ON orders",
    "reschedule.reschedule": "INSERT ON outbox",
    "change_status.cancel": "INSERT ON outbox",
    "change_status.complete": "INSERT ON outbox",
    "change_status.refund": "INSERT ON appointment_modifications",
    "change_status.reactivate": "INSERT ON credit_transactions",
    "change_status.reopen": "INSERT ON appointment_modifications",
    "completion.complete_past": "INSERT ON outbox",
    "reminders.remind": "INSERT ON outbox",
}
"""The last row that each operation writes; the operations that write in one statement are not here."""

NOTES = ("webhook_events", "refund_readings", "allowances")
"""That something was heard, read or tried stays, whatever comes of it."""

BEFORE = {
    "close.note_closed": ("checkouts",),
    "settle.settle_without_card": ("checkouts", "coupons", "coupon_reservations"),
}
"""What other transactions of the same call have written by then."""


@pytest.mark.parametrize("name", sorted(LAST))
def test_what_cannot_be_done_whole_is_not_done(name: str, world: World) -> None:
    _, do, answered = OPERATIONS[name](Shop.of(world))
    every_writer_of(world.connection, LAST[name])
    besides = (*NOTES, *BEFORE.get(name, ()))
    before = contents(world.connection, besides)

    said = None
    with suppress(Exception):
        said = do()

    assert said != answered
    assert writers(world.connection) > 0
    assert contents(world.connection, besides) == before


TOLD = ("settle._settle", "settle.settle_without_card", "completion.complete_past", "reminders.remind")
"""What tells of a session at its end, and sends its statements without awaiting each answer."""


@pytest.mark.parametrize("name", TOLD)
def test_what_cannot_be_told_is_not_done(name: str, world: World) -> None:
    """No statement fails: Python does, on a fact that is not as its schema says, once everything else is written."""
    _, do, answered = OPERATIONS[name](Shop.of(world))
    world.connection.execute("UPDATE users SET email = 'sans-arobase' WHERE role = 'tutor'")
    besides = (*NOTES, *BEFORE.get(name, ()))
    before = contents(world.connection, besides)

    said = None
    with suppress(Exception):
        said = do()

    assert said != answered
    assert contents(world.connection, besides) == before
