"""What a deployment is refused for, and what a container says of where its events go (make-webhooks c.2)."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from adapters.make import hosts
from functions.webhook_dispatch import app as webhook_dispatch
from local import deployment_check
from local.cloudformation import read_yaml

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
REQUIRED = ("SIGNUP", "BOOKING", "CANCELLATION", "MESSAGE")
ADDRESSES = {
    "DATABASE_URL": "postgresql://booking_web:secret@proxy:5432/booking?sslmode=require",
    "DATABASE_JOBS_URL": "postgresql://booking_jobs:secret@proxy:5432/booking?sslmode=require",
    "DATABASE_OWNER_URL": "postgresql://booking:secret@proxy:5432/booking?sslmode=require",
}
STRIPE = {
    "STRIPE_SECRET_KEY": "sk_test_exemple",
    "STRIPE_PUBLISHABLE_KEY": "pk_test_exemple",
    "STRIPE_WEBHOOK_SECRET": "whsec_exemple",
}
COMPLETE = (
    ADDRESSES
    | STRIPE
    | {f"MAKE_{area}_WEBHOOK_URL": f"https://hook.eu1.make.com/jeton-{area}" for area in REQUIRED}
    | {f"MAKE_{area}_WEBHOOK_SECRET": SECRET for area in REQUIRED}
    | {"MAKE_WEBHOOK_PAYMENTS_URL": "https://hook.eu1.make.com/jeton-DOJO"}
    | {"MAKE_WEBHOOK_PAYMENTS_SECRET": SECRET}
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restored afterwards, whatever is written into it; no name is looked up on the network."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "local")
    for name in (*COMPLETE, "WEBHOOK_ALLOWED_HOSTS", "MAKE_TICKET_WEBHOOK_URL"):
        monkeypatch.setenv(name, "")

    real = socket.getaddrinfo

    def found(host: str, port: int, *given: Any, **named: Any) -> list[Any]:
        if not host.startswith("hook."):
            return list(real(host, port, *given, **named))
        address = "10.0.0.7" if host == "hook.us1.make.com" else "8.8.8.8"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.fixture
def secrets() -> Iterator[str]:
    """The address of a Secrets Manager of our own."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def faults_of(**changes: str) -> list[str]:
    return deployment_check.faults_of(COMPLETE | changes, "hook.eu1.make.com,hook.us1.make.com")


def test_a_complete_secret_has_no_fault() -> None:
    assert faults_of() == []


@pytest.mark.parametrize(
    "value", ["", "filled in step 4", ADDRESSES["DATABASE_OWNER_URL"], "postgresql://proxy/x"]
)
@pytest.mark.parametrize(
    ("name", "role"), [("DATABASE_URL", "booking_web"), ("DATABASE_JOBS_URL", "booking_jobs")]
)
def test_an_address_of_the_database_is_its_role_s(name: str, role: str, value: str) -> None:
    assert faults_of(**{name: value}) == [f"{name}: its user must be {role}"]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "filled in step 4",
        ADDRESSES["DATABASE_URL"],
        "host=proxy user=booking",
        "postgres://booking:s@proxy/booking",
    ],
)
def test_migrations_need_their_owner_s_address(value: str) -> None:
    assert faults_of(DATABASE_OWNER_URL=value) == ["DATABASE_OWNER_URL: its user must own the schema"]


def test_an_address_that_is_not_filled_in_or_has_no_password_is_told() -> None:
    draft = "postgresql://booking_web:<password>@<DatabaseEndpoint>:5432/booking"
    assert faults_of(DATABASE_URL=draft) == ["DATABASE_URL: its user must be booking_web"]
    bare = ADDRESSES["DATABASE_URL"].replace(":secret", "")
    assert faults_of(DATABASE_URL=bare) == ["DATABASE_URL: has no password"]


def test_the_three_addresses_are_of_one_database() -> None:
    other = ADDRESSES["DATABASE_JOBS_URL"].replace("/booking?", "/essai?")
    assert faults_of(DATABASE_JOBS_URL=other) == ["DATABASE_…: the three name different databases"]


@pytest.mark.parametrize("name", STRIPE)
@pytest.mark.parametrize("value", ["", "filled in step 5", "sk_…"])
def test_stripe_s_keys_are_filled_in(name: str, value: str) -> None:
    assert faults_of(**{name: value}) == [f"{name}: is not filled in"]


@pytest.mark.parametrize("area", REQUIRED)
def test_each_of_the_four_urls_is_required(area: str) -> None:
    assert faults_of(**{f"MAKE_{area}_WEBHOOK_URL": ""}) == [f"MAKE_{area}_WEBHOOK_URL: is required"]


def test_so_is_le_dojo_s_by_its_own_name_and_with_a_secret_of_its_own() -> None:
    assert faults_of(MAKE_WEBHOOK_PAYMENTS_URL="") == ["MAKE_WEBHOOK_PAYMENTS_URL: is required"]
    assert faults_of(MAKE_WEBHOOK_PAYMENTS_SECRET="") == [
        "MAKE_WEBHOOK_PAYMENTS_URL: the signing secret is missing"
    ]


def test_a_url_that_falls_back_is_not_required_but_must_be_one() -> None:
    assert faults_of(MAKE_TICKET_WEBHOOK_URL="hook.eu1.make.com/x") == [
        "MAKE_TICKET_WEBHOOK_URL: the URL lacks its https:// or its host"
    ]


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://hook.eu1.make.com/x", "the URL is not https"),
        ("https://ailleurs.exemple.ca/x", "the URL is not on the allow-list"),
        ("https://moi:secret@hook.eu1.make.com/x", "the URL is not on the allow-list"),
        ("https://hook.us1.make.com/x", "the host has a private address"),
    ],
)
def test_a_url_must_be_https_to_a_public_allowed_host_without_credentials(url: str, fault: str) -> None:
    assert faults_of(MAKE_BOOKING_WEBHOOK_URL=url) == [f"MAKE_BOOKING_WEBHOOK_URL: {fault}"]


def test_a_url_must_have_a_secret_to_sign_with() -> None:
    assert faults_of(MAKE_BOOKING_WEBHOOK_SECRET="motdepasse!") == [
        "MAKE_BOOKING_WEBHOOK_URL: a signing secret is not whsec_ and base64"
    ]


@pytest.mark.parametrize(
    ("stack", "code"), [("prod", 1), ("staging", 0)], ids=["prod is refused", "staging is told"]
)
def test_a_deployment_without_a_required_url_is_refused_in_prod(
    secrets: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    stack: str,
    code: int,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", secrets)
    client = boto3.client("secretsmanager", region_name="ca-central-1")
    given = COMPLETE | {"MAKE_MESSAGE_WEBHOOK_URL": ""}
    arn = client.create_secret(Name=stack, SecretString=json.dumps(given))["ARN"]
    samconfig = tmp_path / "samconfig.toml"
    samconfig.write_text(
        f'[{stack}.global.parameters]\nregion = "ca-central-1"\n[{stack}.deploy.parameters]\n'
        f'parameter_overrides = "Environment=\\"{stack}\\" SecretsArn=\\"{arn}\\""\n'
    )

    assert deployment_check.main(stack, samconfig) == code
    assert capsys.readouterr().err == "MAKE_MESSAGE_WEBHOOK_URL: is required\n"

    client.put_secret_value(SecretId=arn, SecretString=json.dumps(COMPLETE))
    assert deployment_check.main(stack, samconfig) == 0
    client.close()


def test_a_deployment_that_names_no_secret_is_refused() -> None:
    assert deployment_check.main("prod") == 1


def test_prod_can_read_its_secret_has_somebody_to_alarm_and_says_who_sells() -> None:
    rule = read_yaml(deployment_check.ROOT / "template.yaml")["Rules"]["ProdIsWatched"]

    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Environment"}, "prod"]}
    assert [one["Assert"] for one in rule["Assertions"]] == [
        {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}
        for parameter in (
            "SecretsExtensionArn",
            "AlertEmail",
            "MerchantAddress",
            "MerchantEmail",
            "TrainingMerchantAddress",
            "TrainingMerchantEmail",
        )
    ]


def test_a_container_says_once_where_events_go_by_host_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MAKE_MESSAGE_WEBHOOK_URL", "")
    monkeypatch.setenv("MAKE_TICKET_WEBHOOK_URL", "hook.eu1.make.com/jeton-TICKET")
    caplog.set_level("INFO", "booking")
    webhook_dispatch.receiver.cache_clear()
    for _ in range(2):
        webhook_dispatch.receiver()
    webhook_dispatch.receiver.cache_clear()

    (line,) = [entry for entry in caplog.records if entry.message == "webhook routes"]
    told = vars(line)["routes"]
    assert told == hosts()
    assert told == {
        "SIGNUP": "hook.eu1.make.com",
        "BOOKING": "hook.eu1.make.com",
        "CANCELLATION": "hook.eu1.make.com",
        "MESSAGE": "none",
        "DOJO_PAYMENTS": "hook.eu1.make.com",
        "TICKET": "the URL lacks its https:// or its host",
        **dict.fromkeys(("RESCHEDULE", "COMPLETION", "REMINDER", "REFUND", "RATING", "ADMIN"), "via BOOKING"),
    }
    assert "jeton" not in str(vars(line))
    assert SECRET not in str(vars(line))
