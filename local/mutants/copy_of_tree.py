"""A copy of the tree in which one change at a time is made: the tree itself stays as it is."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.mutants.change import Change

COPIED = ("bench", "docs", "events", "functions", "layers", "local", "migrations", "requirements", "tests")
LINKED = (".venv", ".tools")


def copy_tree(tree: Path, into: Path) -> Path:
    """What the tests need of a tree, in an empty folder."""
    for name in COPIED:
        shutil.copytree(tree / name, into / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in tree.iterdir():
        if file.is_file():
            shutil.copy2(file, into / file.name)
    for name in LINKED:
        if (tree / name).exists():
            (into / name).symlink_to((tree / name).resolve())
    return into


@contextmanager
def changed(tree: Path, change: Change) -> Iterator[None]:
    """The copy with that change, and without it afterwards."""
    file = tree / change.path
    before = file.read_bytes()
    try:
        change.apply(tree)
        _forget_compiled(file)
        yield
    finally:
        file.write_bytes(before)
        _forget_compiled(file)


def environment() -> dict[str, str]:
    """The environment of the tests in a copy: nothing of this tree is imported there.

    Only the plugins of pytest that are asked for: importing every one that is installed takes five seconds. Compiled
    modules are kept, for the same reason.
    """
    return os.environ | {
        "PYTHONPATH": f"layers/shared{os.pathsep}.",
        "PYTHONTZPATH": "",
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }


def _forget_compiled(file: Path) -> None:
    """A change in the same second that leaves the file as long as it was would not be seen else."""
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
        compiled.unlink()
