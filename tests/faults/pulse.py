"""How slow the machine is, whatever PostgreSQL does: what a password's hash takes, over and over.

It is what most of a request's time goes to here, a tenth of a second of one processor when nobody else wants it. What
neighbours on the same processors add to everything is not held against an answer.
"""

import threading
import time

from domain.accounts.passwords import hash_password

EVERY_SECONDS = 2.0
HASHES_OF_A_REQUEST = 4
"""As much as the dearest request works, in hashes: a checkout of a guest who typed another password than before."""


class Pulse:
    """A thread that hashes."""

    def __init__(self) -> None:
        self._beats: list[tuple[float, float]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def slowest(self, since: float = 0.0, until: float = float("inf")) -> float:
        """The longest beat of a time, in seconds."""
        return max(
            (end - start for start, end in list(self._beats) if end >= since and start <= until), default=0.0
        )

    def slack(self, since: float, until: float) -> float:
        """What a request's own work may have taken in that time, in seconds."""
        return HASHES_OF_A_REQUEST * self.slowest(since - EVERY_SECONDS, until)

    def _beat(self) -> None:
        while not self._stopping.wait(EVERY_SECONDS):
            began = time.time()
            hash_password("motdepasse")
            self._beats.append((began, time.time()))
