"""Which tests run which functions of the domain: noted once for each file of tests, and again when it has changed."""

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from local.mutants.copy_of_tree import environment

KEPT = Path(".local/mutants/tests.json")
FOLDERS = ("unit", "integration", "contract")
LONG_SECONDS = 5
LONGEST_SECONDS = (
    20  # a longer one is about days of random visitors, and seldom says more than the short ones
)
FIRST_BY_NAME = 15
LEFT_OUT = (
    "test_local_*",
    "test_stripe_double*",
    "test_webhook_docs*",
    "test_deployment_check*",
    "test_month_of_life*",
    "test_mutants*",
)
"""Tests of the tools around the product, and what takes a quarter of an hour."""


@dataclass(frozen=True, slots=True)
class NotedTest:
    """One test, how long it takes, and the functions it runs as `domain/money.py::to_cent`."""

    id: str
    seconds: float
    runs: frozenset[str]

    @property
    def file(self) -> str:
        return self.id.partition("::")[0]


def find_tests(tree: Path) -> list[NotedTest]:
    """Every test of the tree, with what it runs; those that were not noted yet, or have changed since, run first."""
    kept: dict[str, dict[str, object]] = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    files = {path: _fingerprint(tree / path) for path in _test_files(tree)}
    kept = {path: noted for path, noted in kept.items() if noted["fingerprint"] == files.get(path)}
    if fresh := [path for path in files if path not in kept]:
        print(f"noting what the tests of {len(fresh)} files run", flush=True)
        for path, tests in _note(tree, fresh).items():
            kept[path] = {"fingerprint": files[path], "tests": tests}
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        KEPT.write_text(json.dumps(kept), encoding="utf-8")
    return [
        NotedTest(line["test"], line["seconds"], frozenset(line["runs"]))
        for noted in kept.values()
        for line in noted["tests"]  # type: ignore[attr-defined]
    ]


def in_order(
    tests: Collection[NotedTest], functions: Collection[str], about: str = ""
) -> Iterator[NotedTest]:
    """Those that run one of these functions, the long ones last.

    First come those whose names share the rarest words with what the change is `about`; then the files take turns,
    beginning with those of which these tests are the larger part.
    """
    concerned = [test for test in tests if not test.runs.isdisjoint(functions)]
    short = [test for test in concerned if test.seconds <= LONG_SECONDS]
    told = Counter(word for test in short for word in _words(test.id))
    words = _words(about) & told.keys()
    shared = {test: sum(1 / told[word] for word in words & _words(test.id)) for test in short}
    by_name = sorted((test for test in short if shared[test]), key=lambda test: (-shared[test], test.id))
    yield from by_name[:FIRST_BY_NAME]
    yield from _in_turns(tests, [test for test in short if test not in by_name[:FIRST_BY_NAME]])
    yield from sorted(
        (test for test in concerned if LONG_SECONDS < test.seconds <= LONGEST_SECONDS),
        key=lambda test: (test.seconds, test.id),
    )


def _in_turns(tests: Collection[NotedTest], chosen: Collection[NotedTest]) -> Iterator[NotedTest]:
    all_of = Counter(test.file for test in tests)
    by_file: dict[str, list[NotedTest]] = defaultdict(list)
    for test in sorted(chosen, key=lambda test: (test.seconds, test.id)):
        by_file[test.file].append(test)
    files = sorted(by_file, key=lambda file: (-len(by_file[file]) / all_of[file], file))
    for turn in zip_longest(*(by_file[file] for file in files)):
        yield from (test for test in turn if test)


def _words(text: str) -> set[str]:
    """The beginnings of the longer words of a text: what it is about, one or many."""
    return {word[:5] for word in re.findall(r"[a-z]{4,}", text.lower())} - {"test", "tests", "integ", "domai"}


def _test_files(tree: Path) -> list[str]:
    files = [file for folder in FOLDERS for file in sorted((tree / "tests" / folder).glob("test_*.py"))]
    return [str(file.relative_to(tree)) for file in files if not any(file.match(name) for name in LEFT_OUT)]


def _note(tree: Path, files: Collection[str]) -> Mapping[str, list[dict[str, object]]]:
    with tempfile.TemporaryDirectory() as folder:
        plugins = ("xdist.plugin", "_hypothesis_pytestplugin", "local.mutants.watch")
        subprocess.run(  # noqa: S603  our own tests
            [
                *(sys.executable, "-m", "pytest", "-q", "-n2", "--dist", "worksteal"),
                *(part for plugin in plugins for part in ("-p", plugin)),
                *files,
            ],
            cwd=tree,
            env=environment() | {"MUTANTS_MAP": folder},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        lines = [
            json.loads(line)
            for file in sorted(Path(folder).iterdir())
            for line in file.open(encoding="utf-8")
        ]
    noted: dict[str, list[dict[str, object]]] = {path: [] for path in files}
    for line in lines:
        noted[line["test"].partition("::")[0]].append(line)
    return noted


def _fingerprint(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
