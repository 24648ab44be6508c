"""How a running stack makes itself known: `.local/stack.json` for programs, a few lines for people."""

import json
import os
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local.configuration import Configuration

type Accounts = dict[str, Any]


class Notice:
    """The files that say where a stack is: its own `stack-<port>.json`, and `stack.json` for the newest.

    Parameters
    ----------
    folder
        Where the files are: `.local`.
    configuration
        What they say.
    """

    def __init__(self, folder: Path, configuration: Configuration) -> None:
        self._configuration = configuration
        self._newest = folder / "stack.json"
        self._own = folder / f"stack-{urlsplit(configuration.api).port}.json"

    def forget_the_dead(self) -> None:
        """Remove what a stack that was killed has left behind: its file must not be taken for ours."""
        self._own.unlink(missing_ok=True)
        api = _read_api(self._newest)
        if api == self._configuration.api or (api and not _answers(api)):
            self._newest.unlink(missing_ok=True)

    def publish(self, accounts: Accounts) -> None:
        """Write both files, with who can sign in; a reader sees all of a file or none of it."""
        facts = {**_facts(self._configuration), "seed": accounts}
        for file in (self._newest, self._own):
            draft = file.with_suffix(f".{os.getpid()}")
            draft.write_text(json.dumps(facts, indent=2) + "\n")
            draft.replace(file)

    def withdraw(self) -> None:
        """Remove our files; `stack.json` stays when a newer stack has written it."""
        self._own.unlink(missing_ok=True)
        if _read_api(self._newest) == self._configuration.api:
            self._newest.unlink(missing_ok=True)


def banner(configuration: Configuration, accounts: Accounts, timing: str, log: Path) -> str:
    """What to print once everything runs: where things are, and what to try.

    Parameters
    ----------
    configuration
        Where things are.
    accounts
        Who can sign in.
    timing
        How long it took, in words.
    log
        The file that holds what the functions and everything else print.
    """
    api = configuration.api
    admin, student, tutor = accounts["admin"], accounts["student"], accounts["tutors"][0]
    return f"""
  4AS is running: {timing}.

    API          {api}         documentation {api}/_local/docs
    Stripe       {configuration.stripe_api}
    Make inbox   {configuration.make_inbox}/deliveries
    SQS          {configuration.aws_endpoint}
    PostgreSQL   {configuration.database_url}
    Sign in      {student["email"]}, {admin["email"]}, {tutor["email"]} …   password {student["password"]}
    Log          {log}
    For scripts  .local/stack.json (the newest), .local/stack-{urlsplit(api).port}.json

  Try

    curl {api}/v1/courses
    curl "{api}/v1/courses/francais-secondaire/availability?from=$(date +%F)&to=$(date -d +7days +%F)&duration=60"
    curl -X POST {api}/_local/clock -d '{{"now": "2027-01-18T09:00:00-05:00"}}'
    curl -X POST {api}/_local/schedules/webhook_relay

  Ctrl-C stops everything.
"""


def _facts(configuration: Configuration) -> dict[str, Any]:
    return {
        "api": configuration.api,
        "stripe_api": configuration.stripe_api,
        "stripe_publishable_key": configuration.stripe_publishable_key,
        "stripe_secret_key": configuration.stripe_secret_key,
        "make_inbox": configuration.make_inbox,
        "make_signing_secrets": configuration.make_signing_secrets,
        "database_url": configuration.database_url,
        "aws_endpoint": configuration.aws_endpoint,
    }


def _read_api(file: Path) -> str | None:
    try:
        api: str = json.loads(file.read_text())["api"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return api


def _answers(api: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", urlsplit(api).port or 0)) == 0
