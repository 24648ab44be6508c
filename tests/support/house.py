"""Who owns which table, and what the code of a domain does with the others': read from its text."""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOMAIN = ROOT / "layers/shared/domain"

OWNERS: Mapping[str, str] = {
    "allowances": "throttling",
    "appointment_modifications": "appointments",
    "appointments": "appointments",
    "access_items": "training",
    "audit_log": "auditing",
    "auth_sessions": "accounts",
    "availability_exceptions": "scheduling",
    "availability_rules": "scheduling",
    "calendar_feeds": "appointments",
    "cart_sessions": "cart",
    "cart_trainings": "training",
    "carts": "carts",
    "coupon_trainings": "training",
    "checkouts": "checkout",
    "coupon_redemptions": "coupons",
    "coupon_reservations": "coupons",
    "coupons": "coupons",
    "courses": "catalog",
    "credit_accounts": "credits",
    "credit_reservations": "credits",
    "credit_transactions": "credits",
    "earnings": "appointments",
    "enrolments": "training",
    "idempotency_keys": "idempotency",
    "line_returns": "returns",
    "modules": "training",
    "order_items": "orders",
    "orders": "orders",
    "orphan_payments": "payments",
    "outbox": "webhooks",
    "outbox_forgotten": "webhooks",
    "over_returns": "returns",
    "password_reset_tokens": "access",
    "payment_disputes": "payments",
    "refund_readings": "payments",
    "refunds": "payments",
    "session_items": "appointments",
    "time_claims": "scheduling",
    "time_offs": "scheduling",
    "training_categories": "training",
    "trainings": "training",
    "tutor_courses": "catalog",
    "tutors": "scheduling",
    "users": "accounts",
    "webhook_attempts": "webhooks",
    "webhook_endpoints": "webhooks",
    "webhook_events": "payments",
    "webhook_lanes": "webhooks",
    "webhook_redeliveries": "webhooks",
}
"""Every table of the migrations but their own register. Only its owner's package writes it."""

WRITING = re.compile(
    r"\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|MERGE\s+INTO|TRUNCATE)\s+(?:ONLY\s+)?([a-z_]+)"
)


class Use(NamedTuple):
    """A package of the domain, and what it uses of whom."""

    package: str
    used: str


def layers() -> Mapping[str, int]:
    """How high each package of the domain stands, 0 at the bottom: what import-linter is told."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (stack,) = (contract for contract in contracts if contract["type"] == "layers")
    return {
        name.strip(): height
        for height, names in enumerate(reversed(stack["layers"]))
        for name in names.split("|")
    }


def foreign_writes(domain: Path = DOMAIN) -> set[Use]:
    """The tables that a package writes without owning them, by the SQL in its text."""
    return {
        Use(package, table)
        for package, tree in _modules(domain)
        for text in _texts(tree)
        for table in WRITING.findall(text)
        if table in OWNERS and OWNERS[table] != package
    }


def foreign_queries(domain: Path = DOMAIN) -> set[Use]:
    """The packages whose `queries` another one imports."""
    found = set()
    for package, tree in _modules(domain):
        for name in _imports(tree):
            match name.split("."):
                case ["domain", other, "queries", *_] if other != package:
                    found.add(Use(package, other))
    return found


def outside_imports(domain: Path = DOMAIN) -> set[str]:
    """The libraries that the domain imports, the standard one included."""
    return {name.split(".")[0] for _, tree in _modules(domain) for name in _imports(tree)} - {"domain"}


def _modules(domain: Path) -> Iterator[tuple[str, ast.Module]]:
    for file in domain.rglob("*.py"):
        package = file.relative_to(domain).parts[0].removesuffix(".py")
        yield package, ast.parse(file.read_text("utf-8"))


def _texts(tree: ast.Module) -> Iterator[str]:
    """Every text, those with values in them without these."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
