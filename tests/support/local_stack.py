"""What tests of the local stack share: waiting without sleeping, a small project, talking HTTP."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PATIENCE_SECONDS = 30


def wait_until[T](condition: Callable[[], T], seconds: float = PATIENCE_SECONDS) -> T:
    """Wait until a condition holds, and answer what it said."""
    give_up_at = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < give_up_at, "it never became true"
        threading.Event().wait(0.01)
    return found


def alive(pid: int) -> bool:
    """Whether a process exists and is more than a remnant waiting for its parent."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first header of this name."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


def ask(
    method: str, url: str, body: bytes | str | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """Send one HTTP request."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=PATIENCE_SECONDS)
    try:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(method, target or "/", body, dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, response.getheaders(), response.read())
    finally:
        connection.close()


def write_project(folder: Path, template: str, functions: Mapping[str, str]) -> Path:
    """A SAM project: its template's path is returned."""
    for name, source in functions.items():
        (folder / "functions" / name).mkdir(parents=True)
        (folder / "functions" / name / "app.py").write_text(source)
    path = folder / "template.yaml"
    path.write_text(template)
    return path
