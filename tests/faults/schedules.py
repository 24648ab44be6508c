"""The schedules, oftener than the template has them, and something for each of them to do."""

import threading
from datetime import UTC, datetime, timedelta
from random import Random

import psycopg

from tests.faults.server import connect
from tests.faults.tally import Tally
from tests.faults.town import System
from tests.support.booked import book
from tests.support.school import School

FUNCTIONS = ("hold_cleanup", "payment_reconciliation", "webhook_relay", "appointment_completion")
EVERY_SECONDS = (2.0, 5.0)
SESSIONS, HOLDS = 20, 20
HOUR = timedelta(hours=1)


class Schedules:
    """A thread for each function: what fails is done by the next run, whatever it failed of."""

    def __init__(self, system: System, tally: Tally, dice: Random) -> None:
        self._system, self._tally = system, tally
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(name, Random(dice.random())), name=name, daemon=True)
            for name in FUNCTIONS
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _run(self, name: str, dice: Random) -> None:
        while not self._stopping.wait(dice.uniform(*EVERY_SECONDS)):
            try:
                answer = self._system.fire(name)
            except OSError:  # a run may take longer than its caller's patience
                self._tally.did(f"runs of {name} that took longer than 30 s")
                continue
            if answer.status == 200:
                self._tally.did(f"runs of {name}")
                continue
            self._tally.did(f"runs of {name} that failed")
            last = answer.json["message"].strip().rpartition("\n")[2]
            if "RunFailed" not in last:
                self._tally.violated(f"{name} failed otherwise than it should: {last[:300]}")


class Chores:
    """Sessions that are over and holds that have lapsed, again and again."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        with connect(database_url) as connection:
            school = School(connection)
            self._course = school.course("cours-passes")
            self._tutor = school.tutor(self._course, hours=None)
            self._student = school.user("ancienne@exemple.ca")
        self._next = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 2 * HOUR

    def add(self) -> None:
        starts = [self._next - HOUR * place for place in range(SESSIONS + HOLDS)]
        self._next = starts[-1] - HOUR
        with connect(self._url) as connection:
            held, over = starts[:HOLDS], starts[HOLDS:]
            book(connection, self._student, self._tutor, self._course, over, self._next - timedelta(days=60))
            for start in held:
                School(connection).claim(self._tutor, start, start + HOUR, expires_at=start + HOUR)

    def left_undone(self, connection: psycopg.Connection) -> list[str]:
        """What the schedules have not done."""
        now = datetime.now(UTC)
        row = connection.execute(
            "SELECT (SELECT count(*) FROM time_claims WHERE kind = 'hold' AND tutor_id = %(tutor)s),"
            " (SELECT count(*) FROM appointments WHERE status = 'scheduled' AND end_datetime < %(now)s)",
            {"tutor": self._tutor, "now": now},
        ).fetchone()
        assert row
        return [
            f"{count} {what}"
            for count, what in zip(row, ("lapsed holds left", "sessions that are over left"), strict=True)
            if count
        ]
