"""A folder in memory for databases that nobody keeps: creating and dropping their files is most of a test's time."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  where Linux keeps it
ROOM = 4 * 1024**3  # bytes; a worker's databases and their log stay well below half of it
PREFIX = "4as-tests-"


@contextmanager
def in_memory_or(folder: Path) -> Iterator[Path]:
    """A folder in memory until the end, where the machine has room for it; else `folder`."""
    if not has_room():
        yield folder
        return
    sweep(SHARED_MEMORY)
    mine = SHARED_MEMORY / f"{PREFIX}{os.getpid()}"
    mine.mkdir(exist_ok=True)
    mine.chmod(0o755)  # the server may be another user
    try:
        yield mine
    finally:
        shutil.rmtree(mine, ignore_errors=True)


def has_room() -> bool:
    if not SHARED_MEMORY.is_dir() or not os.access(SHARED_MEMORY, os.W_OK):
        return False
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(free, shutil.disk_usage(SHARED_MEMORY).free) >= ROOM


def sweep(memory: Path) -> None:
    """Remove what a killed run has left behind."""
    for left in memory.glob(f"{PREFIX}*"):
        if not Path("/proc", left.name.removeprefix(PREFIX)).exists():
            shutil.rmtree(left, ignore_errors=True)
