"""Running the tests on a change, until one of them notices it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.mutants.change import Change
from local.mutants.copy_of_tree import changed, environment
from local.mutants.tests_by_function import NotedTest

PATIENCE_SECONDS = 90
SLOWER = 4
FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)
STUCK = "the time limit"
AT_IMPORT = "every test: it cannot be imported"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`noticed_by` is a test, STUCK, AT_IMPORT, or None when so many tests had nothing to say."""

    change: Change
    noticed_by: str | None
    tests: int
    seconds: float


def within(tests: Iterable[NotedTest], seconds: float) -> list[NotedTest]:
    """The first of these tests, as many as take so long together."""
    chosen, left = [], seconds
    for test in tests:
        if test.seconds <= left:
            chosen.append(test)
            left -= test.seconds
    return chosen


def try_change(tree: Path, change: Change, tests: Sequence[NotedTest]) -> Verdict:
    """Make the change in a copy of the tree and run these tests, in this order, until one fails: twice, the second
    time alone. What fails once only has failed of the machine's load, and says nothing.
    """
    began, left = time.monotonic(), list(tests)
    with changed(tree, change):
        while left:
            noticed_by = first_to_fail(tree, left)
            place = next((place for place, test in enumerate(left) if test.id == noticed_by), None)
            if place is None or first_to_fail(tree, left[place : place + 1]):
                return Verdict(change, noticed_by, len(tests), time.monotonic() - began)
            left = left[place + 1 :]
    return Verdict(change, None, len(tests), time.monotonic() - began)


def first_to_fail(tree: Path, tests: Sequence[NotedTest]) -> str | None:
    """The first of these tests that fails in a tree. Raises RuntimeError when pytest itself does not run."""
    listed = tree / ".tests-to-run"
    listed.write_text("\n".join(test.id for test in tests), encoding="utf-8")
    plugins = ["-p", "_hypothesis_pytestplugin", "-p", "no:cacheprovider"]
    options = ["-x", "-q", "-rfE", "--no-header", "--tb=no", *plugins]
    process = subprocess.Popen(  # noqa: S603  our own tests
        [sys.executable, "-m", "pytest", *options, f"@{listed.name}"],
        cwd=tree,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    limit = PATIENCE_SECONDS + SLOWER * sum(test.seconds for test in tests)
    try:
        said, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return STUCK
    if process.returncode == 0:
        return None
    if found := FAILED.search(said):
        return found[1]
    if "Timeout (" in said:  # faulthandler_timeout of pyproject.toml
        return STUCK
    if "ImportError while loading conftest" in said:
        return AT_IMPORT
    raise RuntimeError(f"pytest did not run (exit {process.returncode}):\n{said[-2000:]}")
