"""What was measured, as a table for people."""

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement: what, how much, and the most (`at_most`) or the least (`at_least`) it may be, if anything."""

    what: str
    measured: float
    unit: str = "ms"
    at_most: float = math.inf
    at_least: float = -math.inf

    @property
    def ok(self) -> bool:
        return self.at_least <= self.measured <= self.at_most

    @property
    def bar(self) -> str:
        return " ".join(
            f"{sign} {limit:g} {self.unit}"
            for sign, limit in (("≥", self.at_least), ("≤", self.at_most))
            if math.isfinite(limit)
        )

    @property
    def cells(self) -> tuple[str, str, str, str]:
        verdict = ("yes" if self.ok else "NO") if self.bar else ""
        return self.what, f"{self.measured:.4g} {self.unit}", self.bar, verdict


HEADINGS = ("what", "measured", "bar", "ok?")


def print_table(rows: Iterable[Row]) -> None:
    """Write the rows to standard output, one line each, columns aligned."""
    lines = [HEADINGS, *(row.cells for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    for what, measured, bar, verdict in lines:
        print(f"{what:<{widths[0]}}  {measured:>{widths[1]}}  {bar:>{widths[2]}}  {verdict}".rstrip())
