"""Write docs/webhooks anew; with --check, only say whether it is stale."""

import sys

from local.webhook_docs.pages import documents
from local.webhook_docs.texts import DOCS, SOURCE


def differences() -> list[str]:
    """Paths under docs/webhooks that are stale, missing, or of no event any more."""
    fresh = documents()
    there = {
        str(path.relative_to(DOCS)): path.read_text(encoding="utf-8")
        for path in DOCS.rglob("*")
        if path.is_file() and SOURCE not in path.parents
    }
    return sorted(path for path in fresh.keys() | there.keys() if fresh.get(path) != there.get(path))


def write() -> None:
    fresh = documents()
    for path in differences():
        place = DOCS / path
        place.unlink(missing_ok=True)
        if path in fresh:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(fresh[path], encoding="utf-8")


if __name__ == "__main__":
    if "--check" not in sys.argv:
        write()
    elif stale := differences():
        sys.exit(f"docs/webhooks is stale ({', '.join(stale)}): run `make webhooks` and commit it.")
