"""One small change of one file."""

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Change:
    """`text[start:end]` of a file, in characters, becomes `after`. `place` is the function it is in, or a table."""

    path: str
    place: str
    line: int
    kind: str
    start: int
    end: int
    before: str
    after: str
    nth: int = 0  # of those of its place that read the same

    @property
    def id(self) -> str:
        """The same as long as the place and the change read the same: lines may move."""
        words = "\0".join(
            (self.path, self.place, self.kind, _flat(self.before), _flat(self.after), str(self.nth))
        )
        return hashlib.sha256(words.encode()).hexdigest()[:8]

    @property
    def shown(self) -> str:
        before, after = _flat(self.before), _flat(self.after)
        return f"`{_short(before)}` → `{_short(after)}`" if after else f"`{_short(before)}` removed"

    def apply(self, tree: Path) -> None:
        """Make the change in a tree. Raises ValueError when the file does not read as expected there."""
        file = tree / self.path
        text = file.read_text(encoding="utf-8")
        if text[self.start : self.end] != self.before:
            raise ValueError(f"{self.path} is not what the change was made for")
        file.write_text(text[: self.start] + self.after + text[self.end :], encoding="utf-8")


def _flat(text: str) -> str:
    return " ".join(text.split())


def _short(text: str) -> str:
    return text if len(text) <= 90 else f"{text[:60]} … {text[-25:]}"
