"""A life in figures, as a table."""

from collections.abc import Iterator, Sequence
from time import process_time
from typing import Any

from tests.support.life.books import Books
from tests.support.life.life import Life

KILLS = ("job killed", "dispatcher killed", "settlement killed", "request killed")


def table(life: Life, books: Books, faults: Sequence[str], seconds: float) -> str:
    """One line for each figure."""
    return "\n".join(f"{what:<34} {figure:>10}" for what, figure in _lines(life, books, faults, seconds))


def _lines(life: Life, books: Books, faults: Sequence[str], seconds: float) -> Iterator[tuple[str, Any]]:
    world, tally = life.world, life.tally
    states = [session["state"] for session in books.sessions]
    changes = [change["kind"] for changes in books.changes.values() for change in changes]
    yield from {
        "students": life.scale.students,
        "… who bought": len({session["user_id"] for session in books.sessions}),
        "tutors": life.scale.tutors,
        "days, until the last session": f"{life.scale.days} + {life.days_after}",
        "sessions booked": len(states),
        "… completed": states.count("completed"),
        "… cancelled": states.count("cancelled"),
        "… moves": changes.count("reschedule"),
        "orders": world.count("orders"),
        "… of trainings": len(world.rows("SELECT FROM orders WHERE product = 'training'")),
        "enrolments": world.count("enrolments"),
        "refunds": world.count("refunds"),
        "events delivered": len(life.post.accepted),
    }.items()
    for event_type, events in sorted(life.post.events.items()):
        yield f"… {event_type}", len(events)
    yield "kills", sum(tally[kill] for kill in KILLS)
    for kill in KILLS:
        yield f"… {kill}", tally[kill]
    for what, times in sorted(tally.items()):
        if what not in KILLS and times:
            yield f"  {what}", times
    yield "audit findings", tally["audit: audit_findings"] + len(faults)
    yield "seconds", round(seconds)
    yield "… of this process's own", round(process_time())
