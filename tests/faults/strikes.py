"""The faults: each begins, lasts, and is over when its function returns."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

import psycopg

from tests.faults.line import Lines, Moment
from tests.faults.server import MortalServer, connect, end_backend
from tests.faults.tally import Tally

TABLES = ("time_claims", "carts", "orders", "checkouts", "tutors")
MOMENTS: tuple[Moment, ...] = ("unsent", "asked", "answered", "committing", "committed", "half")
HEARD: tuple[Moment, ...] = MOMENTS[:-1]
"""When the server hears of it too: RDS Proxy closes the connections whose clients have gone."""
ROLES = "('booking_web', 'booking_jobs')"
READ_ONLY_SECONDS = 30.0


@dataclass
class Strikes:
    """Who strikes. Tables take turns, so that none is left out; the rest is dice."""

    server: MortalServer
    database_url: str
    lines: Lines
    dice: Random
    tally: Tally
    behind_proxy: bool = False
    _turns: dict[str, int] = field(default_factory=dict)

    def all(self) -> list[tuple[str, Callable[[], None]]]:
        """Every fault by its name."""
        return [
            ("rows locked for 6 to 12 s", self.rows_locked),
            ("a table locked for 6 to 12 s", self.table_locked),
            ("connections cut", self.connections_cut),
            ("connections cut while waiting for a lock", self.cut_while_waiting),
            ("connections gone silent for 10 s", self.silence),
            ("backends ended", self.backends_ended),
            ("PostgreSQL killed and started again", self.server_killed),
            ("read-only for 30 s", self.read_only),
        ]

    # --- Locks ------------------------------------------------------------------------------------------------

    def rows_locked(self) -> None:
        table = self._next("rows", TABLES)
        # Whoever writes later waits, and whoever reads does not. The newest are whose clients are at work.
        self._hold(f"SELECT FROM {table} FOR UPDATE", self.dice.uniform(6, 12))

    def table_locked(self) -> None:
        table = self._next("table", TABLES)
        self._hold(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE", self.dice.uniform(6, 12))

    def _hold(self, statement: str, seconds: float) -> None:
        with psycopg.connect(self.database_url) as holder:
            holder.execute(cast(Any, statement))
            time.sleep(seconds)
            holder.rollback()

    # --- Connections ------------------------------------------------------------------------------------------

    def connections_cut(self) -> None:
        before, ends_at = self.lines.count_cut(), time.monotonic() + 10
        while time.monotonic() < ends_at:
            if self.dice.random() < 0.25:
                self.lines.cut_one_at_rest(self.dice)
            else:
                self.lines.arm(self.dice.choice(HEARD if self.behind_proxy else MOMENTS))
            time.sleep(self.dice.uniform(0.1, 0.4))
        self.lines.disarm()
        self.tally.did("connections cut", self.lines.count_cut() - before)

    def cut_while_waiting(self) -> None:
        """Of those who wait for a lock: it is let go before they would have been sent away."""
        table = self._next("waiting", TABLES)
        moment = self._next("half", ("asked", "asked" if self.behind_proxy else "half"))
        before = self.lines.count_cut()
        for _ in range(3):
            with psycopg.connect(self.database_url) as holder:
                holder.execute(cast(Any, f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
                time.sleep(1.2)
                self.lines.cut_those_asking(cast(Moment, moment))
                time.sleep(1.0)
                holder.rollback()
            time.sleep(1.5)
        self.tally.did("connections cut while waiting", self.lines.count_cut() - before)

    def silence(self) -> None:
        newcomers = self._next("silence", (False, True))
        self.lines.fall_silent(self.dice, 0.7, newcomers=newcomers)
        time.sleep(10)
        self.lines.let_newcomers_in()

    def backends_ended(self) -> None:
        ends_at = time.monotonic() + 8
        with connect(self.database_url) as connection:
            while time.monotonic() < ends_at:
                ended = connection.execute(
                    f"""
                    SELECT pg_terminate_backend(pid)
                      FROM (SELECT pid FROM pg_stat_activity WHERE usename IN {ROLES}
                             ORDER BY (state = 'idle') AND random() < 0.7, random() LIMIT 1) AS one
                    """  # noqa: S608  our own names
                ).rowcount
                self.tally.did("backends ended", ended)
                time.sleep(self.dice.uniform(0.1, 0.3))

    # --- The server -------------------------------------------------------------------------------------------

    def server_killed(self) -> None:
        how = self._next("killed", ("SIGKILL", "SIGQUIT", "one backend"))
        self.tally.did(f"PostgreSQL killed: {how}")
        if how == "one backend":
            with connect(self.database_url) as connection:
                row = connection.execute(
                    f"SELECT pid FROM pg_stat_activity WHERE usename IN {ROLES} LIMIT 1"  # noqa: S608
                ).fetchone()
            if row:
                end_backend(row[0])
            time.sleep(0.5)
        else:
            self.server.signal(signal.Signals[how])
            time.sleep(self.dice.uniform(1, 5))
        self.server.start_again()

    def read_only(self) -> None:
        """As after a failover to a reader: nothing can be written, whatever connects."""
        with connect(self.database_url) as connection:
            connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            connection.execute("SELECT pg_reload_conf()")
            try:
                time.sleep(READ_ONLY_SECONDS)
            finally:
                connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
                connection.execute("SELECT pg_reload_conf()")

    def _next[T](self, what: str, choices: tuple[T, ...]) -> T:
        place = self._turns[what] = self._turns.get(what, self.dice.randrange(len(choices))) + 1
        return choices[place % len(choices)]
