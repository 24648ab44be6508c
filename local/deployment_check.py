"""`python -m local.deployment_check ENVIRONMENT`: is the secret of an environment fit to deploy with? (c.2)

Make.com's URLs are secrets, so they are in Secrets Manager, where no rule of the template can look. In prod a required
URL that is missing, or one that cannot be posted to, ends `make deploy` before anything has changed.
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

from adapters.make import faults
from local.cloudformation import read_yaml

ROOT = Path(__file__).resolve().parents[1]


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
    return faults(datetime.now(UTC))


def overrides(given: str | list[str]) -> dict[str, str]:
    """The parameters of samconfig.toml, as a person or as `sam deploy --guided` writes them."""
    pairs = shlex.split(given) if isinstance(given, str) else given
    return dict(pair.split("=", 1) for pair in pairs)


def _default(parameter: str) -> str:
    document: dict[str, Any] = read_yaml(ROOT / "template.yaml")
    return str(document["Parameters"][parameter]["Default"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
