"""The trainings a student may follow, or might: GET /v1/me/enrolments (courses 2.4, 3.5)."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.clock import on_toronto_clock
from tests.conftest import Database
from tests.support.browser import Browser
from tests.support.dojo import Dojo
from tests.support.people import account, signed_in
from tests.support.tables import nothing_written
from tests.support.wire import counted
from tests.support.world import World

PATH = "/v1/me/enrolments"


@pytest.fixture
def dojo(world: World) -> Dojo:
    return Dojo(world)


@pytest.fixture
def lea(world: World) -> UUID:
    return account(world, "lea@exemple.ca")


def grant(
    dojo: Dojo,
    user_id: UUID,
    training_id: UUID,
    *,
    days: int = 30,
    at: datetime | None = None,
    revoked: bool = False,
    id: UUID | None = None,
) -> UUID:
    """Access that nobody has paid for."""
    at, enrolment = at or dojo.world.clock(), id or uuid4()
    dojo.world.connection.execute(
        "INSERT INTO enrolments (id, user_id, training_id, source, starts_at, expires_at, revoked_at, created_at)"
        " VALUES (%s, %s, %s, 'grant', %s, %s, %s, %s)",
        (enrolment, user_id, training_id, at, at + timedelta(days=days), at if revoked else None, at),
    )
    return enrolment


def listed(browser: Browser, **query: str) -> list[dict[str, Any]]:
    answer = browser.get(PATH, query)
    assert answer.status == 200, answer.text
    items: list[dict[str, Any]] = answer.body["items"]
    return items


def test_what_was_bought_with_its_order(dojo: Dojo) -> None:
    zoe = dojo.buyer().buys(dojo.ccvm)
    zoe.asks()
    [enrolment], [order] = dojo.enrolments(), dojo.world.rows("SELECT id FROM orders")

    assert zoe.browser.get(PATH).body == {
        "items": [
            {
                "id": str(enrolment["id"]),
                "training": {
                    "id": str(dojo.ccvm),
                    "slug": "ccvm-volume-1",
                    "title_fr": "CCVM Volume 1",
                    "category": {"slug": "professionnels", "name_fr": "Professionnels"},
                },
                "source": "purchase",
                "starts_at": on_toronto_clock(enrolment["starts_at"]).isoformat(),
                "expires_at": on_toronto_clock(enrolment["expires_at"]).isoformat(),
                "status": "active",
                "order_id": str(order["id"]),
            }
        ],
        "next_cursor": None,
    }


def test_what_was_granted_has_no_order(world: World, dojo: Dojo, lea: UUID) -> None:
    grant(dojo, lea, dojo.ccvm)

    [enrolment] = listed(signed_in(world, "lea@exemple.ca"))

    assert (enrolment["source"], enrolment["order_id"]) == ("grant", None)


def test_access_has_expired_at_the_very_moment_when_it_ends(world: World, dojo: Dojo, lea: UUID) -> None:
    grant(dojo, lea, dojo.ccvm, days=2)
    lea_s = signed_in(world, "lea@exemple.ca")
    ends = world.clock() + timedelta(days=2)

    statuses = []
    for moment in (ends - timedelta(milliseconds=1), ends, ends + timedelta(milliseconds=1)):
        world.clock.now = moment
        statuses.append(listed(lea_s)[0]["status"])

    assert statuses == ["active", "expired", "expired"]


def test_by_status(world: World, dojo: Dojo, lea: UUID) -> None:
    now = world.clock()
    expired = grant(dojo, lea, dojo.ccvm, at=now - timedelta(days=60))
    taken_back = grant(dojo, lea, dojo.ccvm, at=now - timedelta(days=40), days=10, revoked=True)
    active = grant(dojo, lea, dojo.ccvm, at=now - timedelta(days=20))
    lea_s = signed_in(world, "lea@exemple.ca")

    assert [(one["id"], one["status"]) for one in listed(lea_s)] == [
        (str(active), "active"),
        (str(taken_back), "revoked"),
        (str(expired), "expired"),
    ]
    for status, enrolment in (("active", active), ("expired", expired), ("revoked", taken_back)):
        assert [one["id"] for one in listed(lea_s, status=status)] == [str(enrolment)]
    answer = lea_s.get(PATH, {"status": "lost"})
    assert (answer.status, answer.code) == (422, "VALIDATION_FAILED")


def test_a_training_that_is_no_longer_offered_stays_in_the_list(world: World, dojo: Dojo, lea: UUID) -> None:
    grant(dojo, lea, dojo.ccvm)
    dojo.change(dojo.ccvm, state="archived")

    assert [one["status"] for one in listed(signed_in(world, "lea@exemple.ca"))] == ["active"]


def test_enrolments_are_read_in_pages_newest_first_each_of_them_once(
    world: World, dojo: Dojo, lea: UUID
) -> None:
    now = world.clock()
    for number in range(1, 6):
        training = dojo.training(f"cours-{number}", f"Cours {number}", "1.00")
        grant(dojo, lea, training, at=now - timedelta(days=number // 3), id=UUID(int=number))
    lea_s = signed_in(world, "lea@exemple.ca")

    read, pages, cursor = [], 0, ""
    while cursor is not None:
        body = lea_s.get(PATH, {"limit": "2"} | ({"cursor": cursor} if cursor else {})).body
        read += [UUID(one["id"]).int for one in body["items"]]
        pages, cursor = pages + 1, body["next_cursor"]

    assert (pages, read) == (3, [2, 1, 5, 4, 3])


def test_a_cursor_is_good_for_the_status_that_it_was_given_for(world: World, dojo: Dojo, lea: UUID) -> None:
    for number in (1, 2):
        grant(dojo, lea, dojo.training(f"cours-{number}", f"Cours {number}", "1.00"), id=UUID(int=number))
    lea_s = signed_in(world, "lea@exemple.ca")
    cursor = lea_s.get(PATH, {"limit": "1", "status": "active"}).body["next_cursor"]

    for query in ({"cursor": cursor}, {"cursor": cursor, "status": "expired"}, {"cursor": "x"}):
        answer = lea_s.get(PATH, query)
        assert (answer.status, answer.code) == (422, "CURSOR_INVALID")
    [last] = listed(lea_s, cursor=cursor, status="active")
    assert UUID(last["id"]).int == 1


def test_a_page_of_a_long_list_is_as_many_rows_as_of_a_short_one(
    world: World, dojo: Dojo, lea: UUID, configured: Database
) -> None:
    lea_s, sent = signed_in(world, "lea@exemple.ca"), []
    with counted(configured) as wire:
        for places in (range(8), range(8, 40)):
            for place in places:
                grant(dojo, lea, dojo.training(f"cours-{place}", f"Cours {place}", "1.00"))
            wire.reset()
            assert len(listed(lea_s, limit="2")) == 2
            sent.append(wire.rows)

    assert 3 <= sent[0] == sent[1]


# --- Who may ----------------------------------------------------------------------------------------------------


def test_only_students_have_enrolments_and_only_their_own(world: World, dojo: Dojo, lea: UUID) -> None:
    grant(dojo, lea, dojo.ccvm)
    zoe = dojo.buyer().buys(dojo.ccvm)
    zoe.asks()
    account(world, "chef@exemple.ca", "admin")
    account(world, "roy@exemple.ca", "tutor")
    refused = {
        "nobody": (world.browser(), 401, "UNAUTHENTICATED"),
        "a guest": (dojo.buyer("tom@exemple.ca").chooses(dojo.ccvm).browser, 401, "UNAUTHENTICATED"),
        "a tutor": (signed_in(world, "roy@exemple.ca"), 403, "FORBIDDEN"),
        "an administrator": (signed_in(world, "chef@exemple.ca"), 403, "FORBIDDEN"),
    }

    for caller, (browser, status, code) in refused.items():
        with nothing_written(world.connection):
            answer = browser.get(PATH)
        assert (answer.status, answer.code) == (status, code), caller
    assert [one["source"] for one in listed(zoe.browser)] == ["purchase"]
    assert [one["source"] for one in listed(signed_in(world, "lea@exemple.ca"))] == ["grant"]


def test_a_suspended_student_may_read_them(world: World, dojo: Dojo, lea: UUID) -> None:
    grant(dojo, lea, dojo.ccvm)
    world.connection.execute("UPDATE users SET status = 'suspended' WHERE id = %s", (lea,))

    assert [one["status"] for one in listed(signed_in(world, "lea@exemple.ca"))] == ["active"]
