"""What was asked and answered while each fault struck, and the table of it."""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.faults import contract
from tests.faults.contract import UNAVAILABLE, Exchange

WARMING_UP = "warming up"
CALM = "nothing, for comparison"
CLOSING = "nothing any more"
PEACEFUL = (WARMING_UP, CALM, CLOSING)
SHOWN = 20


@dataclass
class Row:
    """What one fault did. `back_after`: the longest until somebody could put a session in a cart again, in seconds."""

    struck: int = 0
    requests: int = 0
    successes: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    unavailable: int = 0
    slowest: float = 0.0
    done_all_the_same: int = 0
    late: int = 0
    back_after: float = 0.0


@dataclass
class Tally:
    """Everybody writes here. `fault` is what strikes at this moment."""

    fault: str = WARMING_UP
    rows: dict[str, Row] = field(default_factory=lambda: defaultdict(Row))
    violations: list[str] = field(default_factory=list)
    deeds: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def strikes(self, fault: str) -> None:
        with self._lock:
            self.fault = fault
            self.rows[fault].struck += fault not in PEACEFUL

    def answered(self, fault: str, exchange: Exchange, slack: float) -> None:
        """Count an answer for the fault that struck when it was asked for, and hold it to the contract.

        What warms up is not judged. `slack`: see `contract.faults`.
        """
        if fault != WARMING_UP:
            self.violated(*contract.faults(exchange, slack), fault=fault)
        with self._lock:
            row = self.rows[fault]
            row.requests += 1
            row.slowest = max(row.slowest, exchange.seconds)
            if 200 <= exchange.status < 300:
                row.successes += 1
            elif exchange.status == 503 and exchange.code in (*UNAVAILABLE, "503"):
                row.unavailable += 1
            else:
                row.refused[exchange.code] += 1

    def given_up(self, fault: str, *, done: bool, late: bool) -> None:
        """What had been done of a request that was answered 503, and what came afterwards."""
        with self._lock:
            self.rows[fault].done_all_the_same += done
            self.rows[fault].late += late

    def back_after(self, seconds: float) -> None:
        with self._lock:
            row = self.rows[self.fault]
            row.back_after = max(row.back_after, seconds)

    def violated(self, *sentences: str, fault: str | None = None) -> None:
        with self._lock:
            self.violations += [f"[{fault or self.fault}] {sentence}" for sentence in sentences]

    def did(self, deed: str, times: int = 1) -> None:
        with self._lock:
            self.deeds[deed] += times


def table(tally: Tally) -> str:
    """One line a fault, as Markdown."""
    head = "| fault | struck | requests | 2xx | 503 | … done all the same | 4xx | slowest | late effects | back after |"
    lines = [head, "|---|---|---|---|---|---|---|---|---|---|"]
    for fault, row in tally.rows.items():
        refused = ", ".join(f"{times} {code}" for code, times in row.refused.most_common()) or "0"
        back = f"{row.back_after:.1f} s" if row.struck else ""
        cells: Sequence[object] = (
            fault,
            row.struck or "",
            row.requests,
            row.successes,
            row.unavailable,
            row.done_all_the_same,
            refused,
            f"{row.slowest:.1f} s",
            row.late,
            back,
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def told(tally: Tally) -> Iterator[str]:
    """What else was done, and the first of what was wrong."""
    for deed, times in sorted(tally.deeds.items()):
        yield f"{deed}: {times}"
    for violation in tally.violations[:SHOWN]:
        yield f"VIOLATION {violation}"
    yield f"violations: {len(tally.violations)}"
