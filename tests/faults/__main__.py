"""`make faults`: clients buy while PostgreSQL fails them in every way, ROUNDS times over; 1 when something is wrong.

PROXY=on: as behind RDS Proxy. SEED is the dice of clients and faults (in which order processors do things is nobody's).
ONLY runs the faults whose names contain it.
"""

import os
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random, SystemRandom
from tempfile import TemporaryDirectory

from tests.faults.buyer import Buyer, Promised, days_of
from tests.faults.client import Client
from tests.faults.closing import back_in_service, close
from tests.faults.effects import Owner
from tests.faults.probe import Probe
from tests.faults.pulse import Pulse
from tests.faults.schedules import Chores, Schedules
from tests.faults.strikes import Strikes
from tests.faults.tally import CALM, CLOSING, Tally, table, told
from tests.faults.town import System, running
from tests.faults.watch import Watch

ROUNDS = int(os.environ.get("ROUNDS") or 3)
CLIENTS = int(os.environ.get("CLIENTS") or 6)
SEED = int(os.environ.get("SEED") or SystemRandom().randrange(1_000_000))
BEHIND_PROXY = os.environ.get("PROXY") == "on"
ONLY = os.environ.get("ONLY", "")
WARM_UP_SECONDS = 25.0
"""The first call of each function opens its connection and compiles what it needs, all of them at once here."""
CALM_SECONDS = 15.0
BETWEEN_SECONDS = 3.0
BACK_WITHIN_SECONDS = 10.0


def main() -> int:
    began, tally = time.monotonic(), Tally()
    print(f"SEED={SEED} ROUNDS={ROUNDS} CLIENTS={CLIENTS} PROXY={BEHIND_PROXY}", flush=True)
    with TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        place.chmod(0o755)
        with running(place, behind_proxy=BEHIND_PROXY) as system:
            try:
                live(system, tally, Random(SEED))
            finally:
                keep_logs(system, place)
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"\n{table(tally)}\n")
    print("\n".join(told(tally)))
    print(
        f"{time.monotonic() - began:.0f} s on {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPUs, load {load}"
    )
    return 1 if tally.violations else 0


def live(system: System, tally: Tally, dice: Random) -> None:
    """The clients buy, the faults strike, and then all comes to its end."""
    closing_time, promised, pulse = threading.Event(), Promised(), Pulse()
    everybody = [_client(system, tally, pulse, dice, number) for number in range(CLIENTS + 1)]
    buyers = [Buyer(client, promised) for client in everybody[:CLIENTS]]
    threads = [
        threading.Thread(target=buyer.live, args=(closing_time,), name=buyer.client.name, daemon=True)
        for buyer in buyers
    ]
    probe = Probe(everybody[CLIENTS])
    chores = Chores(system.town.database_url)
    schedules = Schedules(system, tally, dice)
    watch = Watch(system.town.database_url, system.lines, tally)
    strikes = Strikes(system.server, system.town.database_url, system.lines, dice, tally, BEHIND_PROXY)
    system.post.begin(system.town.api, tally, pulse)
    for each in (pulse, watch, schedules):
        each.start()
    for thread in threads:
        thread.start()
    time.sleep(WARM_UP_SECONDS)
    tally.strikes(CALM)
    time.sleep(CALM_SECONDS)
    for number in range(ROUNDS):
        faults = [(name, strike) for name, strike in strikes.all() if ONLY in name]
        dice.shuffle(faults)
        for name, strike in faults:
            chores.add()
            tally.strikes(name)
            print(f"round {number + 1}: {name}", flush=True)
            strike()
            back = back_in_service(probe.succeeds, BACK_WITHIN_SECONDS)
            if back is None:
                tally.violated(f"nothing can be put in a cart {BACK_WITHIN_SECONDS:.0f} s after it was over")
            tally.back_after(back or BACK_WITHIN_SECONDS)
            time.sleep(BETWEEN_SECONDS)
    tally.strikes(CLOSING)
    closing_time.set()
    for thread in threads:
        thread.join()
    schedules.stop()
    watch.stop()
    close(system, chores, promised, tally)
    pulse.stop()
    tally.did(
        f"ms that a backend worked for nobody at most: {watch.orphan}", round(watch.longest_orphan * 1000)
    )
    tally.did("ms that a password's hash took at most", round(pulse.slowest() * 1000))


def _client(system: System, tally: Tally, pulse: Pulse, dice: Random, number: int) -> Client:
    name = f"client{number}"
    owner = Owner(days_of(number, CLIENTS + 1), f"{name}.%@exemple.ca")
    return Client(system.town, tally, pulse, Random(dice.random()), name, owner, f"127.0.0.{10 + number}")


def keep_logs(system: System, folder: Path) -> None:
    """Where they can be read when something is wrong."""
    kept = Path(".local/faults")
    kept.mkdir(parents=True, exist_ok=True)
    for log in (system.log, folder / "server" / "postgres.log"):
        if log.exists():
            (kept / log.name).write_bytes(log.read_bytes())


if __name__ == "__main__":
    sys.exit(main())
