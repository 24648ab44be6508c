"""What PostgreSQL touches for whatever is done all day, when a school's past is ten and a hundred times as long.

Pages are counted, not time: a busy machine touches as many as a quiet one. Of each errand the worst of a few rounds
counts, but for the first, which fills the caches of the catalogue; in the last ones PostgreSQL has chosen between a
plan for these values and one for any. A statement is compared with itself in a past ten times shorter: in the shortest,
tables of two pages are read whole, and that is right.

Not here, because it reads everything by its nature: the night's audit.
"""

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from unittest.mock import patch

import psycopg

from bench.history import Cast, lay
from bench.scene import Scene
from bench.staff import work
from bench.stage import a_shop
from bench.table import Row
from bench.visitors import visit
from bench.watch import Run, Watch, let_watch
from domain.audit.audit import look_for
from domain.audit.findings import FINDINGS
from tests.support.quick_passwords import QUICK, hashing_with
from tests.support.shop import SLUG
from tests.support.world import Clock, World

ONCE, TEN, HUNDRED = SIZES = (1, 10, 100)
ROUNDS = 7
PEOPLE = 5

SLACK = 24
"""Pages beside twice as many: the 21 rows of a list, each found by an index that is a level higher, and a few more."""

SMALL = 8
"""A table of no more pages is read whole by whoever likes."""

EXEMPT = {
    "deliveries, by address": "reads the newest until a page of them is found: how many depends on what was told last",
    "at night: guest carts deleted": "looks at the carts of a month; an index would make each change of one dearer",
}
"""What has no bar, and why."""


@dataclass(frozen=True, slots=True)
class Worst:
    """The most that an errand took, and each statement of it by its text; the tables it read whole."""

    pages: int
    statements: dict[str, int]
    read_whole: set[str]

    @classmethod
    def of(cls, runs: Sequence[Run], small: set[str]) -> "Worst":
        """Of all runs but the first, tables apart that are small."""
        runs = runs[1:]
        statements: dict[str, int] = {}
        for text, pages in chain.from_iterable(run.statements.items() for run in runs):
            statements[text] = max(pages, statements.get(text, 0))
        read_whole = set[str]().union(*(run.read_whole for run in runs)) - small
        return cls(max(run.pages for run in runs), statements, read_whole)


def rows() -> Iterable[Row]:
    """The pages of each errand; then, if there are any, its statements that grow, and the tables it reads whole."""
    once, ten, hundred = (measured(times) for times in SIZES)
    for errand, worst in hundred.items():
        what = f"{errand} (once {once[errand].pages}, 10× {ten[errand].pages}), 100×"
        if errand in EXEMPT:
            yield Row(what, worst.pages, "pages")
            continue
        yield Row(what, worst.pages, "pages", at_most=2 * once[errand].pages + SLACK)
        for text, pages in worst.statements.items():
            bar = 2 * ten[errand].statements.get(text, 0) + SLACK
            if pages > bar:
                yield Row(f"  {text[:90]}", pages, "pages", at_most=bar)
        for table in sorted(worst.read_whole):
            yield Row(f"  tables read whole: {table}", 1, "", at_most=0)


def measured(times: int) -> dict[str, Worst]:
    """Every errand in a school with so long a past."""
    clock = Clock()
    with a_shop(clock) as world, hashing_with(QUICK), patch("adapters.jobs.present", clock):
        os.environ |= {"POWERTOOLS_METRICS_DISABLED": "true", "WEBHOOK_DELIVERY_ENABLED": "false"}
        cast = enter(world)
        lay(world.connection, cast, times, clock())
        if times == ONCE:
            assert not look_for(world.connection, FINDINGS, clock())
        let_watch(world.connection)
        with psycopg.connect(world.connection.info.dsn, autocommit=True) as owner:
            world.connection = owner
            return go_round(Scene(world, Watch(owner), cast))


def enter(world: World) -> Cast:
    """Those who were there from the beginning."""
    school = world.school
    course = school.course(SLUG)
    return Cast(
        [school.tutor(course, name=f"Tutrice {place}", priority=place) for place in range(PEOPLE)],
        [school.user(f"zoe{place}@exemple.ca") for place in range(PEOPLE)],
        course,
        school.course("mathematiques"),
        school.user("admin@exemple.ca", "admin"),
    )


def go_round(scene: Scene) -> dict[str, Worst]:
    """A few rounds of everything, without what the functions log."""
    logging.disable()
    try:
        for place in range(ROUNDS):
            visit(scene, place)
            work(scene, place)
    finally:
        logging.disable(logging.NOTSET)
    tables = scene.world.rows("SELECT relname FROM pg_class WHERE relkind = 'r' AND relpages <= %s", SMALL)
    small = {row["relname"] for row in tables}
    return {errand: Worst.of(runs, small) for errand, runs in scene.watch.runs.items()}
