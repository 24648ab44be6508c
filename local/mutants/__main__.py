"""Draw changes, try each, say what noticed it, and write docs/mutants.md.

MUTANTS (200) says how many, SEED (1) which (several after one another: "1 2"), BUT which areas are left out, with
commas. A change that the first tests do not notice is tried again with those of WIDER_SECONDS (400) more that reach it.
What was found is kept in .local/mutants/found.json, so that a run that is cut short goes on; AGAIN=1 tries the
survivors again.
"""

import json
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from local.mutants import report
from local.mutants.change import Change
from local.mutants.copy_of_tree import copy_tree
from local.mutants.core import draw, find_changes, functions_to_run
from local.mutants.tests_by_function import NotedTest, find_tests, in_order
from local.mutants.trial import STUCK, Verdict, first_to_fail, try_change, within

AT_ONCE = 2
FIRST_SECONDS = float(os.environ.get("FIRST_SECONDS", "30"))
WIDER_SECONDS = float(os.environ.get("WIDER_SECONDS", "400"))
FOUND = Path(".local/mutants/found.json")
DOCUMENT = Path("docs/mutants.md")


def main() -> None:
    here = Path.cwd()
    how_many, seeds = int(os.environ.get("MUTANTS", "200")), os.environ.get("SEED", "1")
    changes = find_changes(here)
    but = frozenset(os.environ.get("BUT", "").split(","))
    drawn = [change for seed in seeds.split() for change in draw(changes, how_many, int(seed), but)]
    area_of = {change.id: area for area, of_area in changes.items() for change in of_area}
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(AT_ONCE):
            (Path(folder) / str(number)).mkdir()
            copies.put(copy_tree(here, Path(folder) / str(number)))
        tests = find_tests(here)
        verdicts = _try_all(copies, drawn, tests)
        _control(copies.get(), verdicts, tests)
    by_area: dict[str, list[Verdict]] = {area: [] for area in changes if area not in but}
    for verdict in verdicts:
        by_area[area_of[verdict.change.id]].append(verdict)
    print(report.write(by_area, " and ".join(seeds.split()), report.read_explanations(), DOCUMENT))


def _try_all(
    copies: "SimpleQueue[Path]", drawn: Sequence[Change], tests: Sequence[NotedTest]
) -> list[Verdict]:
    found: dict[str, str | None] = json.loads(FOUND.read_text(encoding="utf-8")) if FOUND.exists() else {}
    here, unique = Path.cwd(), list({change.id: change for change in drawn}.values())

    def one(change: Change) -> Verdict:
        if change.id in found and (found[change.id] or not os.environ.get("AGAIN")):
            return Verdict(change, found[change.id], 0, 0.0)
        about = f"{change.path} {change.place} {change.before}"
        concerned = list(in_order(tests, functions_to_run(here, change), about))
        copy = copies.get()
        try:
            verdict = try_change(copy, change, within(concerned, FIRST_SECONDS))
            if verdict.noticed_by is None:
                tried = set(within(concerned, FIRST_SECONDS))
                rest = within((test for test in concerned if test not in tried), WIDER_SECONDS)
                wider = try_change(copy, change, rest)
                verdict = Verdict(
                    change, wider.noticed_by, len(tried) + len(rest), verdict.seconds + wider.seconds
                )
        finally:
            copies.put(copy)
        found[change.id] = verdict.noticed_by
        FOUND.parent.mkdir(parents=True, exist_ok=True)
        FOUND.write_text(json.dumps(found), encoding="utf-8")
        what = f"noticed by {verdict.noticed_by}" if verdict.noticed_by else f"SURVIVED {verdict.tests} tests"
        print(f"{change.id} {report.describe(change)}\n    {what} ({verdict.seconds:.0f} s)", flush=True)
        return verdict

    with ThreadPoolExecutor(AT_ONCE) as hands:
        return list(hands.map(one, unique))


def _control(copy: Path, verdicts: Sequence[Verdict], tests: Sequence[NotedTest]) -> None:
    """The tests that noticed something must pass where nothing was changed."""
    noticing = {
        verdict.noticed_by for verdict in verdicts if verdict.noticed_by and verdict.noticed_by != STUCK
    }
    by_file: dict[str, list[NotedTest]] = defaultdict(list)
    for test in tests:
        if test.id in noticing:
            by_file[test.file].append(test)
    if failing := first_to_fail(copy, [test for of_file in by_file.values() for test in of_file]):
        sys.exit(f"{failing} fails where nothing was changed: what it noticed means nothing")


if __name__ == "__main__":
    main()
