"""Money that went back beyond what was paid, from a command line: `make over-returns`, on the database of DATABASE_URL.

`make over-returns` lists what no person has resolved; `make over-returns DO='resolve ID "what was done"'` resolves one.
"""

import argparse
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg

from adapters import database
from domain.errors import Refused
from domain.returns.resolve import list_unresolved, resolve


def main(arguments: list[str] | None = None) -> int:
    """Do one thing and print what came of it as JSON; 1 when it is refused."""
    chosen = _parser().parse_args(arguments)
    try:
        done = run(database.connection_for_jobs(), chosen, datetime.now(UTC))
    except Refused as refusal:
        print(f"{refusal.code}: {refusal.detail}")
        return 1
    print(json.dumps(done, default=str, ensure_ascii=False, indent=2))
    return 0


def run(connection: psycopg.Connection[Any], chosen: argparse.Namespace, now: datetime) -> Any:
    """What was asked, as plain data."""
    if chosen.command == "resolve":
        resolve(connection, chosen.id, chosen.resolution, now)
        return {"resolved": chosen.id}
    return [asdict(over) for over in list_unresolved(connection)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make over-returns DO=", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("list", help="what no person has resolved")
    one = commands.add_parser("resolve", help="say what was done about one")
    one.add_argument("id", type=UUID)
    one.add_argument("resolution", help="a sentence")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
