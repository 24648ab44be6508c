"""How long something takes, many times over."""

from collections.abc import Callable
from statistics import median, quantiles
from time import perf_counter

__all__ = ["median", "p95", "time_ms"]


def time_ms(operation: Callable[[], object], runs: int, *, warm_up: int = 3) -> list[float]:
    """The milliseconds each of `runs` calls took, after `warm_up` calls that are not counted."""
    for _ in range(warm_up):
        operation()
    return [_once(operation) for _ in range(runs)]


def p95(samples: list[float]) -> float:
    """What 95 in 100 of them stay under."""
    return quantiles(samples, n=20)[-1]


def _once(operation: Callable[[], object]) -> float:
    began = perf_counter()
    operation()
    return (perf_counter() - began) * 1000
