"""Whoever asks for a page makes PostgreSQL send a page, however long the list is."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from domain.credits.ledger import Entry, enter
from tests.conftest import Database
from tests.support.booked import book
from tests.support.people import account, signed_in
from tests.support.wire import counted
from tests.support.world import World, toronto

LISTS = {
    "/v1/courses": "student",
    "/v1/trainings": "student",
    "/v1/orders": "student",
    "/v1/appointments": "student",
    "/v1/credits": "student",
    "/v1/admin/webhooks/deliveries": "admin",
    "/v1/admin/webhooks/undelivered": "admin",
}
"""Every list that has pages, and who reads it."""


def make_longer(world: World, student: UUID, admin: UUID, tutor: UUID, course: UUID, places: range) -> None:
    """One more of everything for each place."""
    for place in places:
        start = toronto(20, 8) + timedelta(hours=2 * place)
        world.school.course(f"cours-{place}")
        world.school.training(f"formation-{place}")
        book(world.connection, student, tutor, course, [start], world.clock())
        enter(
            world.connection,
            Entry(student, Decimal("1.00"), "admin_adjustment", reason="Geste", created_by=admin),
            world.clock(),
        )
        world.connection.execute(
            "INSERT INTO outbox (event_id, type, dedupe_key, ordering_key, sequence, body, status, next_attempt_at,"
            "                    created_at)"
            " VALUES (%s, 'booking.created', %s, 'thing:1', %s, '', 'exhausted', %s, %s)",
            (f"evt_{place:032x}", f"told:{place}", place + 1, world.clock(), world.clock()),
        )


@pytest.mark.parametrize("path", LISTS)
def test_a_page_of_a_long_list_is_as_many_rows_as_of_a_short_one(
    world: World, configured: Database, path: str
) -> None:
    student = account(world)
    admin = account(world, "patronne@exemple.ca", role="admin")
    course = world.school.course()
    tutor = world.school.tutor(course)
    browser = signed_in(world, "zoe@exemple.ca" if LISTS[path] == "student" else "patronne@exemple.ca")
    sent = []
    with counted(configured) as wire:
        for places in (range(8), range(8, 40)):
            make_longer(world, student, admin, tutor, course, places)
            wire.reset()
            answer = browser.get(path, {"limit": "2"})
            assert (len(answer.body["items"]), answer.body["next_cursor"] is None) == (2, False)
            sent.append(wire.rows)
    world.connection.execute("DELETE FROM outbox")  # these events say nothing

    assert 3 <= sent[0] == sent[1]
