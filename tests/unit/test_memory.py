"""Where the tests' databases are: in memory, never for longer than the run."""

import os
from pathlib import Path

import pytest

from tests.support import memory


def test_what_a_killed_run_has_left_is_swept_and_what_another_uses_is_not(tmp_path: Path) -> None:
    dead, alive = tmp_path / f"{memory.PREFIX}999999999", tmp_path / f"{memory.PREFIX}{os.getpid()}"
    for folder in (dead, alive):
        (folder / "postgres").mkdir(parents=True)

    memory.sweep(tmp_path)

    assert list(tmp_path.iterdir()) == [alive]


def test_without_room_the_databases_are_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "SHARED_MEMORY", tmp_path / "nowhere")

    with memory.in_memory_or(tmp_path) as folder:
        assert folder == tmp_path


def test_a_folder_in_memory_is_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "SHARED_MEMORY", tmp_path)
    monkeypatch.setattr(memory, "ROOM", 0)

    with memory.in_memory_or(Path("elsewhere")) as folder:
        assert folder.parent == tmp_path
        (folder / "postgres.log").touch()

    assert list(tmp_path.iterdir()) == []
