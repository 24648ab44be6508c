"""A pytest plugin that notes which functions of the domain each test that passes runs, and how long it takes.

`-p local.mutants.watch`, with MUTANTS_MAP naming a folder: each process writes a file of JSON lines there.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

CORE = "/layers/shared/"
MONITOR = sys.monitoring
RUN: set[str] = set()
FAILED: set[str] = set()


def name_of(code: CodeType) -> str:
    """A function as `domain/money.py::to_cent`; what is defined within it counts as it."""
    return f"{code.co_filename.partition(CORE)[2]}::{code.co_qualname.partition('.<locals>')[0]}"


def pytest_configure() -> None:
    MONITOR.use_tool_id(MONITOR.COVERAGE_ID, "mutants")
    MONITOR.register_callback(MONITOR.COVERAGE_ID, MONITOR.events.PY_START, _note)
    MONITOR.set_events(MONITOR.COVERAGE_ID, MONITOR.events.PY_START)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    RUN.clear()
    MONITOR.restart_events()
    began = time.monotonic()
    answer = yield
    if item.nodeid in FAILED:  # it would notice everything
        return answer
    line = {"test": item.nodeid, "seconds": round(time.monotonic() - began, 3), "runs": sorted(RUN)}
    with Path(os.environ["MUTANTS_MAP"], f"{os.getpid()}.jsonl").open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(line) + "\n")
    return answer


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        FAILED.add(report.nodeid)


def pytest_unconfigure() -> None:
    MONITOR.set_events(MONITOR.COVERAGE_ID, MONITOR.events.NO_EVENTS)
    MONITOR.free_tool_id(MONITOR.COVERAGE_ID)


def _note(code: CodeType, _: int) -> Any:
    if CORE in code.co_filename:
        RUN.add(name_of(code))
    return MONITOR.DISABLE
