"""Connections that are cut at a random exchange with PostgreSQL: all the database sees of a process that is killed."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from psycopg import OperationalError

from adapters.jobs import RunFailed
from adapters.patience import Timely

LATEST_EXCHANGE = 8


@dataclass
class Fate:
    """Cuts the connection at that exchange (0: never), before it is said or before it is answered."""

    exchange: int
    unanswered: bool
    struck: bool = False


class Mortal(Timely):
    """Lives for as long as its fate allows."""

    fate: ClassVar[Fate] = Fate(0, False)

    def wait[R](self, gen: Generator[Any, Any, R], *options: Any, **named: Any) -> R:
        fate = Mortal.fate
        fate.exchange -= 1
        if fate.exchange != 0:
            return super().wait(gen, *options, **named)
        if fate.unanswered:
            super().wait(gen, *options, **named)
        fate.struck = True
        self.close()
        raise OperationalError("killed")


@contextmanager
def at_risk(dice: Random, chance: float) -> Iterator[Fate]:
    """Whatever is done inside may be cut short; `struck` tells."""
    dies = dice.random() < chance
    fate = Fate(dice.randint(1, LATEST_EXCHANGE) if dies else 0, dice.random() < 0.5)
    Mortal.fate = fate
    try:
        yield fate
    except (OperationalError, RunFailed):
        if not fate.struck:
            raise
    finally:
        Mortal.fate = Fate(0, False)
