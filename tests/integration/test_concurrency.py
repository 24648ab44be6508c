"""Many people, one time: exactly one of them gets it, nobody sees a deadlock, and the database stays sound."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import batched
from random import Random
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection

from domain.accounts.callers import Buyer
from domain.cart.change_cart import remove_item
from domain.cart.models import WantedSession
from domain.cart.view_cart import view_cart
from domain.scheduling.claims import sweep_expired
from local.postgres import Server
from tests.conftest import Database
from tests.support.race import at_once, until_blocked
from tests.support.rush import (
    HELD,
    Visit,
    adds,
    guest,
    no_deadlock,
    overlapping_claims,
    rush,
    session,
    sessions_without_their_hold,
)
from tests.support.school import School
from tests.support.world import MONDAY_NOON, toronto

CROWD = 60
NOW = MONDAY_NOON
NINE = toronto(20, 9)
LATER = toronto(18, 12, 15)  # when what is held now has just lapsed
TAKEN = "SLOT_UNAVAILABLE"


@dataclass
class Place:
    """A school with one course and one tutor, Mme Roy, free from nine to five."""

    url: str
    connection: Connection[Any]
    school: School = field(init=False)
    course: UUID = field(init=False)
    mme_roy: UUID = field(init=False)

    def __post_init__(self) -> None:
        self.school = School(self.connection)
        self.course = self.school.course()
        self.mme_roy = self.school.tutor(self.course, priority=1)

    def connect(self) -> Connection[Any]:
        return psycopg.connect(self.url, autocommit=True)

    def wanted(
        self, hour: int = 9, minute: int = 0, minutes: int = 60, tutor: UUID | None = None
    ) -> WantedSession:
        return session(self.course, toronto(20, hour, minute), minutes, tutor)

    def hold(self, buyer: Buyer, *sessions: WantedSession, now: datetime = NOW) -> list[UUID]:
        """The ids of the buyer's sessions once these were added."""
        assert adds(buyer, *sessions, now=now)(self.connection) == HELD
        return [item.id for item in view_cart(self.connection, buyer, now).items]

    def student(self, email: str) -> Buyer:
        return Buyer.student(self.school.user(email))

    def all(self, statement: str) -> list[Any]:
        return self.connection.execute(statement).fetchall()

    def owners(self) -> list[UUID]:
        """The tutors of every claim, one element per claim."""
        return [tutor_id for (tutor_id,) in self.all("SELECT tutor_id FROM time_claims")]

    def is_sound(self, now: datetime = NOW) -> bool:
        return (
            overlapping_claims(self.connection) == 0
            and sessions_without_their_hold(self.connection, now) == 0
        )


@pytest.fixture
def place(database: Database, postgres: Server) -> Iterator[Place]:
    """Whatever happens in a test of this place, the server's log must tell of no deadlock."""
    with (
        psycopg.connect(database.url, autocommit=True) as connection,
        no_deadlock(postgres, database.name),
    ):
        yield Place(database.url, connection)


# --- one time, many people ------------------------------------------------------------------------------------


@pytest.mark.parametrize("all_see_it_free", [True, False])
def test_sixty_guests_want_one_time_and_exactly_one_gets_it(place: Place, *, all_see_it_free: bool) -> None:
    outcomes = rush(
        place.url,
        *[adds(guest(), place.wanted(), now=NOW) for _ in range(CROWD)],
        all_see_it_free=all_see_it_free,
    )

    assert Counter(outcomes) == {HELD: 1, TAKEN: CROWD - 1}
    assert place.owners() == [place.mme_roy]
    assert len(place.all("SELECT FROM cart_sessions")) == 1
    assert len(place.all("SELECT FROM carts")) == 1  # a refusal leaves nothing, not even an empty cart
    assert place.is_sound()


def test_without_the_constraint_the_same_sixty_book_one_time_twice(place: Place) -> None:
    """The negative control: it is the exclusion constraint that decides, and the crowd above would show it missing."""
    place.connection.execute("ALTER TABLE time_claims DROP CONSTRAINT time_claims_one_owner_per_minute")

    outcomes = rush(
        place.url,
        *[adds(guest(), place.wanted(), now=NOW) for _ in range(CROWD)],
        all_see_it_free=True,
    )

    assert outcomes.count(HELD) > 1
    assert overlapping_claims(place.connection) > 0
    assert not place.is_sound()


def test_overlapping_starts_have_one_winner(place: Place) -> None:
    nine = [adds(guest(), place.wanted(9, 0, 90), now=NOW) for _ in range(CROWD // 2)]
    half_past = [adds(guest(), place.wanted(9, 30, 60), now=NOW) for _ in range(CROWD // 2)]

    outcomes = rush(place.url, *nine, *half_past, all_see_it_free=True)

    assert Counter(outcomes) == {HELD: 1, TAKEN: CROWD - 1}
    assert place.is_sound()


def test_adjacent_times_have_a_winner_each(place: Place) -> None:
    visits = [adds(guest(), place.wanted(9 + n % 2), now=NOW) for n in range(CROWD)]

    outcomes = rush(place.url, *visits, all_see_it_free=True)

    assert (outcomes[0::2].count(HELD), outcomes[1::2].count(HELD)) == (1, 1)
    assert Counter(outcomes) == {HELD: 2, TAKEN: CROWD - 2}
    assert place.is_sound()


@pytest.mark.parametrize("seed", range(2))
def test_a_morning_of_mixed_wishes_is_filled_without_overlap_and_refuses_only_what_is_taken(
    place: Place, seed: int
) -> None:
    random = Random(seed)
    wishes = [
        place.wanted(random.randrange(9, 12), random.choice((0, 30)), random.choice((60, 90, 120)))
        for _ in range(CROWD)
    ]

    outcomes = rush(place.url, *[adds(guest(), wish, now=NOW) for wish in wishes], all_see_it_free=True)

    assert set(outcomes) <= {HELD, TAKEN}
    assert len(place.owners()) == outcomes.count(HELD)
    for wish, outcome in zip(wishes, outcomes, strict=True):
        in_its_way = place.connection.execute(
            "SELECT FROM time_claims WHERE during && tstzrange(%s, %s + make_interval(mins => %s))",
            (wish.start, wish.start, wish.duration_min),
        ).fetchall()
        assert outcome == HELD or in_its_way
    assert place.is_sound()


@pytest.mark.parametrize("all_see_it_free", [True, False])
def test_guests_and_students_block_one_another(place: Place, *, all_see_it_free: bool) -> None:
    buyers = [guest() if n % 2 else place.student(f"etudiante{n}@exemple.ca") for n in range(CROWD)]

    outcomes = rush(
        place.url,
        *[adds(buyer, place.wanted(), now=NOW) for buyer in buyers],
        all_see_it_free=all_see_it_free,
    )

    assert Counter(outcomes) == {HELD: 1, TAKEN: CROWD - 1}
    assert place.is_sound()


# --- several times at once: all or nothing --------------------------------------------------------------------


@pytest.mark.parametrize("all_see_it_free", [True, False])
def test_lists_in_opposite_orders_are_held_whole_or_not_at_all(
    place: Place, *, all_see_it_free: bool
) -> None:
    m_caron = place.school.tutor(place.course, name="M. Caron", priority=2)
    there = [
        place.wanted(9, tutor=place.mme_roy),
        place.wanted(9, tutor=m_caron),
        place.wanted(14, tutor=place.mme_roy),
    ]
    visits = [adds(guest(), *(there if n % 2 else reversed(there)), now=NOW) for n in range(CROWD)]

    outcomes = rush(place.url, *visits, all_see_it_free=all_see_it_free)

    assert Counter(outcomes) == {HELD: 1, TAKEN: CROWD - 1}
    assert sorted(place.owners()) == sorted([place.mme_roy, place.mme_roy, m_caron])
    assert place.is_sound()


@pytest.mark.parametrize("seed", range(2))
def test_lists_that_share_some_times_are_held_whole_or_not_at_all(place: Place, seed: int) -> None:
    random = Random(seed)
    tutors = [place.mme_roy, *(place.school.tutor(place.course, priority=n) for n in (2, 3))]
    times = [place.wanted(hour, tutor=tutor) for hour in (9, 10, 14) for tutor in tutors]
    lists = [random.sample(times, random.randint(1, 4)) for _ in range(CROWD)]

    outcomes = rush(place.url, *[adds(guest(), *wishes, now=NOW) for wishes in lists])

    held = [
        wish for wishes, outcome in zip(lists, outcomes, strict=True) if outcome == HELD for wish in wishes
    ]
    claims = {(tutor, start) for tutor, start in place.all("SELECT tutor_id, lower(during) FROM time_claims")}
    assert set(outcomes) <= {HELD, TAKEN}
    assert len(held) == len(claims)
    assert {(wish.tutor_id, wish.start) for wish in held} == claims
    for wishes, outcome in zip(lists, outcomes, strict=True):
        assert outcome == HELD or any((wish.tutor_id, wish.start) in claims for wish in wishes)
    assert place.is_sound()


# --- anyone will do -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("free", "all_see_it_free"), [(3, True), (3, False), (7, True)])
def test_with_k_tutors_free_exactly_k_guests_get_k_different_tutors(
    place: Place, free: int, *, all_see_it_free: bool
) -> None:
    for priority in range(2, free + 1):
        place.school.tutor(place.course, priority=priority)

    outcomes = rush(
        place.url,
        *[adds(guest(), place.wanted(), now=NOW) for _ in range(CROWD)],
        all_see_it_free=all_see_it_free,
    )

    assert Counter(outcomes) == {HELD: free, TAKEN: CROWD - free}
    assert len(set(place.owners())) == free
    assert place.is_sound()


def test_those_whom_anyone_suits_give_way_to_those_who_chose_as_long_as_there_is_another(
    place: Place,
) -> None:
    m_caron = place.school.tutor(place.course, name="M. Caron", priority=2)
    anyone = [adds(guest(), place.wanted(), now=NOW) for _ in range(CROWD // 2)]
    mme_roy = [adds(guest(), place.wanted(tutor=place.mme_roy), now=NOW) for _ in range(CROWD // 2)]

    outcomes = rush(place.url, *anyone, *mme_roy, all_see_it_free=True)

    assert Counter(outcomes) == {HELD: 2, TAKEN: CROWD - 2}
    assert sorted(place.owners()) == sorted([place.mme_roy, m_caron])
    assert place.is_sound()


@pytest.mark.parametrize("all_see_it_free", [True, False])
def test_families_who_want_two_sessions_with_anyone_are_served_whole(
    place: Place, *, all_see_it_free: bool
) -> None:
    for priority in (2, 3, 4):
        place.school.tutor(place.course, priority=priority)
    both = [place.wanted(9), place.wanted(10)]

    outcomes = rush(
        place.url,
        *[adds(guest(), *(both if n % 2 else reversed(both)), now=NOW) for n in range(CROWD)],
        all_see_it_free=all_see_it_free,
    )

    assert Counter(outcomes) == {HELD: 4, TAKEN: CROWD - 4}
    assert sorted(Counter(place.owners()).values()) == [2, 2, 2, 2]
    assert place.is_sound()


# --- expired holds in the way ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("in_the_way", "all_see_it_free"),
    [
        ([(9, 0, 60)], True),
        ([(9, 0, 60)], False),
        ([(8, 30, 60), (9, 30, 60)], True),
        ([(8, 0, 90), (9, 30, 30), (10, 0, 120)], True),
    ],
)
def test_sixty_guests_find_expired_holds_of_strangers_and_exactly_one_takes_over(
    place: Place, in_the_way: list[tuple[int, int, int]], *, all_see_it_free: bool
) -> None:
    for hour, minute, minutes in in_the_way:
        start = toronto(20, hour, minute)
        place.connection.execute(
            "INSERT INTO time_claims (id, tutor_id, during, kind, expires_at) VALUES (gen_random_uuid(), %s,"
            " tstzrange(%s, %s + make_interval(mins => %s)), 'hold', %s)",
            (place.mme_roy, start, start, minutes, NOW),
        )

    outcomes = rush(
        place.url,
        *[adds(guest(), place.wanted(9, 0, 90), now=NOW) for _ in range(CROWD)],
        all_see_it_free=all_see_it_free,
    )

    assert Counter(outcomes) == {HELD: 1, TAKEN: CROWD - 1}
    assert place.is_sound()


@pytest.mark.parametrize("all_see_it_free", [True, False])
def test_the_sweep_at_the_same_moment_changes_nothing(place: Place, *, all_see_it_free: bool) -> None:
    place.hold(guest(), place.wanted())
    sweeps: list[Visit[str]] = [
        lambda connection: f"swept {sweep_expired(connection, LATER, 1_000)}" for _ in range(4)
    ]
    visits = [adds(guest(), place.wanted(), now=LATER) for _ in range(CROWD)]

    outcomes = rush(place.url, *sweeps, *visits, all_see_it_free=all_see_it_free)

    assert Counter(outcomes[4:]) == {HELD: 1, TAKEN: CROWD - 1}
    assert set(outcomes[:4]) <= {"swept 0", "swept 1"}
    assert len(place.owners()) == 1
    assert place.is_sound(LATER)


def test_a_hold_swept_away_between_two_looks_does_not_cost_the_visitor_the_time(place: Place) -> None:
    place.hold(guest(), place.wanted())

    with psycopg.connect(place.url) as sweep, place.connect() as visitor, place.connect() as watcher:
        sweep.execute("SELECT FROM time_claims FOR UPDATE")  # found, not yet deleted

        def finish() -> None:
            until_blocked(watcher, 1)
            sweep.execute("DELETE FROM time_claims")
            sweep.commit()

        outcome, _ = at_once(lambda: adds(guest(), place.wanted(), now=LATER)(visitor), finish)

    assert outcome.result() == HELD
    assert place.is_sound(LATER)


# --- rivals at an exact point ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("ending", "outcome"), [(Connection.commit, TAKEN), (Connection.rollback, HELD)])
def test_a_time_somebody_is_about_to_hold_is_waited_for(place: Place, ending: Any, outcome: str) -> None:
    with psycopg.connect(place.url) as rival, place.connect() as visitor, place.connect() as watcher:
        School(rival).claim(place.mme_roy, NINE, toronto(20, 10), LATER)

        def end() -> None:
            until_blocked(watcher, 1)
            ending(rival)

        visit, _ = at_once(lambda: adds(guest(), place.wanted(), now=NOW)(visitor), end)

    assert visit.result() == outcome
    assert overlapping_claims(place.connection) == 0
    assert len(place.owners()) == 1


def test_when_the_best_tutor_goes_at_the_last_moment_the_next_one_is_given(place: Place) -> None:
    m_caron = place.school.tutor(place.course, name="M. Caron", priority=2)
    with psycopg.connect(place.url) as rival, place.connect() as visitor, place.connect() as watcher:
        School(rival).claim(place.mme_roy, NINE, toronto(20, 10), LATER)

        def end() -> None:
            until_blocked(watcher, 1)
            rival.commit()

        buyer = guest()
        visit, _ = at_once(lambda: adds(buyer, place.wanted(), now=NOW)(visitor), end)

    assert visit.result() == HELD
    assert [item.tutor_display_name for item in view_cart(place.connection, buyer, NOW).items] == ["M. Caron"]
    assert sorted(place.owners()) == sorted([place.mme_roy, m_caron])


@pytest.mark.parametrize(("ending", "outcome"), [(Connection.commit, TAKEN), (Connection.rollback, HELD)])
def test_an_expired_hold_somebody_is_taking_over_is_waited_for(
    place: Place, ending: Any, outcome: str
) -> None:
    place.hold(guest(), place.wanted())
    with psycopg.connect(place.url) as rival, place.connect() as visitor, place.connect() as watcher:
        rival.execute("DELETE FROM time_claims")
        School(rival).claim(place.mme_roy, NINE, toronto(20, 10), toronto(18, 13))

        def end() -> None:
            until_blocked(watcher, 1)
            ending(rival)

        visit, _ = at_once(lambda: adds(guest(), place.wanted(), now=LATER)(visitor), end)

    assert visit.result() == outcome
    assert overlapping_claims(place.connection) == 0
    assert len(place.owners()) == 1


def test_a_list_and_one_session_behind_expired_holds_do_not_wait_for_each_other_in_a_circle(
    place: Place,
) -> None:
    place.school.rule(place.mme_roy, NINE.isoweekday() % 7, "08:00", "09:00")
    for start, end in [((8, 30), (9, 30)), ((9, 30), (10, 30))]:
        place.school.claim(place.mme_roy, toronto(20, *start), toronto(20, *end), NOW)
    one = adds(guest(), place.wanted(9, 0, 120), now=NOW)
    several = adds(guest(), place.wanted(10, 30), place.wanted(8), now=NOW)

    with (
        psycopg.connect(place.url) as sweep,
        place.connect() as first,
        place.connect() as second,
        place.connect() as watcher,
    ):
        sweep.execute("SELECT FROM time_claims WHERE lower(during) = %s FOR UPDATE", (toronto(20, 9, 30),))

        def several_then_sweep() -> str:
            until_blocked(watcher, 1)  # the one has cleared the first expired hold and waits for the second
            outcome, _ = at_once(lambda: several(second), let_go)
            return outcome.result() or ""

        def let_go() -> None:
            until_blocked(watcher, 2)
            sweep.rollback()

        outcomes = [future.result() for future in at_once(lambda: one(first), several_then_sweep)]

    assert Counter(outcomes) == {HELD: 1, TAKEN: 1}
    assert place.is_sound()


# --- taking out while others put in ---------------------------------------------------------------------------


def test_a_time_being_given_back_goes_to_exactly_one_of_those_who_wait_for_it(place: Place) -> None:
    buyer = guest()
    [item_id] = place.hold(buyer, place.wanted())
    with psycopg.connect(place.url) as leaving, place.connect() as watcher:
        leaving.execute("UPDATE cart_sessions SET removed_at = %s", (NOW,))
        leaving.execute("DELETE FROM time_claims WHERE id = %s", (item_id,))

        def leave() -> str:
            until_blocked(watcher, CROWD)
            leaving.commit()
            return "left"

        # Their clock says that the hold has lapsed: only then do they see the time as free and wait for it.
        visits: list[Visit[str]] = [adds(guest(), place.wanted(), now=LATER) for _ in range(CROWD)]
        outcomes = rush(place.url, *visits, lambda _: leave())

    assert Counter(outcomes) == {HELD: 1, TAKEN: CROWD - 1, "left": 1}
    assert place.is_sound(LATER)


def test_removing_races_with_adding(place: Place) -> None:
    buyer = guest()
    [item_id] = place.hold(buyer, place.wanted())

    def remove(connection: Connection[Any]) -> str:
        return f"{len(remove_item(connection, buyer, item_id, NOW).items)} left"

    outcomes = rush(place.url, remove, *[adds(guest(), place.wanted(), now=NOW) for _ in range(CROWD - 1)])

    winners = outcomes.count(HELD)
    assert outcomes[0] == "0 left"
    assert winners in (0, 1)
    assert Counter(outcomes[1:]) == Counter({HELD: winners, TAKEN: CROWD - 1 - winners})
    assert len(place.owners()) == winners
    assert place.is_sound()


def test_removing_one_session_in_twenty_tabs_changes_the_cart_once(place: Place) -> None:
    buyer = guest()
    item_id, _ = place.hold(buyer, place.wanted(9), place.wanted(10))
    before = view_cart(place.connection, buyer, NOW).version

    left = rush(
        place.url,
        *[
            lambda connection: [item.start for item in remove_item(connection, buyer, item_id, NOW).items]
            for _ in range(20)
        ],
    )

    assert left == [[toronto(20, 10)]] * 20
    assert view_cart(place.connection, buyer, NOW).version == before + 1
    assert place.is_sound()


# --- one person in many tabs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("has_a_cart", [True, False])
def test_the_same_click_in_twenty_tabs_adds_one_session(place: Place, *, has_a_cart: bool) -> None:
    buyer = guest()
    if has_a_cart:
        view_cart(place.connection, buyer, NOW)

    outcomes = rush(place.url, *[adds(buyer, place.wanted(), now=NOW) for _ in range(20)])

    assert Counter(outcomes) == {HELD: 1, "ALREADY_IN_CART": 19}
    assert len(place.owners()) == 1
    assert place.is_sound()


def test_different_sessions_from_many_tabs_are_all_in_the_cart(place: Place) -> None:
    buyer = guest()

    outcomes = rush(place.url, *[adds(buyer, place.wanted(hour), now=NOW) for hour in range(9, 17)])

    cart = view_cart(place.connection, buyer, NOW)
    assert outcomes == [HELD] * 8
    assert [item.start.hour for item in cart.items] == list(range(9, 17))
    assert cart.version == 8
    assert place.is_sound()


def test_twenty_five_tabs_hold_twenty_times_and_no_more(place: Place) -> None:
    buyer = guest()
    starts = [(day, hour) for day in (20, 21, 22, 23) for hour in range(9, 17)][:25]

    outcomes = rush(
        place.url,
        *[adds(buyer, session(place.course, toronto(day, hour)), now=NOW) for day, hour in starts],
    )

    assert Counter(outcomes) == {HELD: 20, "HOLD_LIMIT": 5}
    assert len(place.owners()) == 20
    assert place.is_sound()


def test_one_coming_and_going_while_others_come_and_go_leaves_everything_sound(place: Place) -> None:
    """Every visitor adds, looks, removes and adds again; in the end each time has at most one owner."""
    random = Random(7)
    wishes = [place.wanted(random.randrange(9, 16), random.choice((0, 30))) for _ in range(CROWD)]

    def come_and_go(buyer: Buyer, mine: tuple[WantedSession, ...]) -> Visit[str]:
        def visit(connection: Connection[Any]) -> str:
            for wish in mine:
                adds(buyer, wish, now=NOW)(connection)
                for item in view_cart(connection, buyer, NOW).items[:1]:
                    remove_item(connection, buyer, item.id, NOW)
            return adds(buyer, mine[0], now=NOW)(connection)

        return visit

    outcomes = rush(place.url, *[come_and_go(guest(), mine) for mine in batched(wishes, 3, strict=True)])

    assert set(outcomes) <= {HELD, TAKEN}
    assert len(place.owners()) == outcomes.count(HELD)
    assert place.is_sound()
