"""What a new container pays to import each function, beside importing psycopg alone."""

from collections.abc import Iterable

from bench.table import Row
from tests.support.imports import ratio_to_baseline
from tests.unit.test_imports import BUDGETS

ROUNDS = 5


def rows() -> Iterable[Row]:
    for function, budget in BUDGETS.items():
        ratio = ratio_to_baseline(f"functions.{function}.app", ROUNDS)
        yield Row(f"import {function}, as a multiple of psycopg", ratio, "×", at_most=budget)
