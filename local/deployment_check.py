"""`python -m local.deployment_check ENVIRONMENT`: is the secret of an environment fit to deploy with? (c.2)

Make.com's URLs, Stripe's keys and the database's addresses are secrets, so they are in Secrets Manager, where no rule
of the template can look. In prod a required one that is missing, a URL that cannot be posted to, or an address of
another role than its own ends `make deploy` before anything has changed.
"""

import json
import os
import re
import shlex
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from adapters.make import faults
from local.cloudformation import read_yaml
from local.configuration import ROLES

ROOT = Path(__file__).resolve().parents[1]
OWNER = "DATABASE_OWNER_URL"
STRIPE = {
    "STRIPE_SECRET_KEY": r"(sk|rk)_\w+",
    "STRIPE_PUBLISHABLE_KEY": r"pk_\w+",
    "STRIPE_WEBHOOK_SECRET": r"whsec_\w+",
}


def main(environment: str, samconfig: Path = ROOT / "samconfig.toml") -> int:
    """Print what is wrong, by name and without any value; 1 when it is prod's."""
    section = tomllib.loads(samconfig.read_text(encoding="utf-8"))[environment]
    parameters = overrides(section["deploy"]["parameters"].get("parameter_overrides", []))
    if "SecretsArn" not in parameters:
        print(
            f"samconfig.toml names no SecretsArn for {environment}: see docs/deploy.md, step 3.",
            file=sys.stderr,
        )
        return 1
    client = boto3.client("secretsmanager", region_name=section["global"]["parameters"]["region"])
    secret = json.loads(client.get_secret_value(SecretId=parameters["SecretsArn"])["SecretString"])
    hosts = parameters.get("WebhookAllowedHosts", _default("WebhookAllowedHosts"))
    found = faults_of(secret, hosts)
    print(
        "\n".join(found) or f"The secret of {environment} is complete.",
        file=sys.stderr if found else sys.stdout,
    )
    return 1 if found and environment == "prod" else 0


def faults_of(secret: dict[str, str], allowed_hosts: str) -> list[str]:
    """What a deployment with that secret could not deliver."""
    for name in [name for name in os.environ if name.startswith("MAKE_")]:
        del os.environ[name]
    os.environ |= {name: value for name, value in secret.items() if name.startswith("MAKE_")}
    os.environ["WEBHOOK_ALLOWED_HOSTS"] = allowed_hosts
    return [*address_faults(secret), *stripe_faults(secret), *faults(datetime.now(UTC))]


def address_faults(secret: dict[str, str]) -> list[str]:
    """Which addresses of the database are missing, or of a role whose waits PostgreSQL would not end."""
    given = {name: _address(secret.get(name, "")) for name in (*ROLES, OWNER)}
    found = [
        f"{name}: its user must be {role}" for name, role in ROLES.items() if given[name].get("user") != role
    ]
    if given[OWNER].get("user") in (None, *ROLES.values()):
        found.append(f"{OWNER}: its user must own the schema")
    if not found:
        places = {
            tuple(address.get(part) for part in ("host", "port", "dbname")) for address in given.values()
        }
        found += [
            f"{name}: has no password" for name, address in given.items() if not address.get("password")
        ]
        found += ["DATABASE_…: the three name different databases"] if len(places) > 1 else []
    return found


def stripe_faults(secret: dict[str, str]) -> list[str]:
    """Which of Stripe's keys are missing, or not filled in yet."""
    return [
        f"{name}: is not filled in"
        for name, form in STRIPE.items()
        if not re.fullmatch(form, secret.get(name, ""), re.ASCII)
    ]


def _address(text: str) -> dict[str, Any]:
    """The parts of a URL of PostgreSQL's; none when it is not one."""
    try:
        return conninfo_to_dict(text) if text.startswith("postgresql://") and "<" not in text else {}
    except ProgrammingError:
        return {}


def overrides(given: str | list[str]) -> dict[str, str]:
    """The parameters of samconfig.toml, as a person or as `sam deploy --guided` writes them."""
    pairs = shlex.split(given) if isinstance(given, str) else given
    return dict(pair.split("=", 1) for pair in pairs)


def _default(parameter: str) -> str:
    document: dict[str, Any] = read_yaml(ROOT / "template.yaml")
    return str(document["Parameters"][parameter]["Default"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
