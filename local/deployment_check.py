"""`python -m local.deployment_check ENVIRONMENT`: is the secret of an environment fit to deploy with? (c.2)

Make.com's URLs and the database's addresses are secrets, so they are in Secrets Manager, where no rule of the template
can look. In prod a required one that is missing, a URL that cannot be posted to, or an address of another role than its
own ends `make deploy` before anything has changed.
"""

import json
import os
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
    return [*address_faults(secret), *faults(datetime.now(UTC))]


def address_faults(secret: dict[str, str]) -> list[str]:
    """Which addresses of the database are missing, or of a role whose waits PostgreSQL would not end."""
    users = {name: _user(secret.get(name, "")) for name in (*ROLES, OWNER)}
    wrong = [f"{name}: its user must be {role}" for name, role in ROLES.items() if users[name] != role]
    return wrong + ([] if users[OWNER] else [f"{OWNER}: is required"])


def _user(address: str) -> object:
    try:
        return conninfo_to_dict(address).get("user")
    except ProgrammingError:
        return None


def overrides(given: str | list[str]) -> dict[str, str]:
    """The parameters of samconfig.toml, as a person or as `sam deploy --guided` writes them."""
    pairs = shlex.split(given) if isinstance(given, str) else given
    return dict(pair.split("=", 1) for pair in pairs)


def _default(parameter: str) -> str:
    document: dict[str, Any] = read_yaml(ROOT / "template.yaml")
    return str(document["Parameters"][parameter]["Default"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
