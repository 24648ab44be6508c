"""Bring the database to the newest schema: once per deployment, by `make migrate`, and in the local stack.

Migrations are the `.sql` files of the `migrations` folder in the order of their names, forward only. Each is
one transaction, run as one script, so functions and `DO` blocks need no care.

They run as the owner of the schema (DATABASE_OWNER_URL, else DATABASE_URL). The roles that the other functions sign in
as get the passwords that their own addresses hold, so that a new password is a new secret and one more run.
"""

import types
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import psycopg
import yoyo  # type: ignore[import-untyped]
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from yoyo.migrations import Migration, MigrationList, MigrationStep  # type: ignore[import-untyped]

from adapters.settings import optional_setting, setting

_LOCK = 4_500_001  # any number, as long as nobody else locks it


def apply(database_url: str) -> list[str]:
    """Apply every migration the database has not seen; may run twice, and twice at once.

    Parameters
    ----------
    database_url
        `postgresql://…`; the user must own the schema.

    Returns
    -------
    list[str]
        The names of the migrations applied by this call, in order.
    """
    # A lock that ends with its transaction, whatever happens to us: yoyo's own is a row, and a run killed
    # half way would leave it behind and block every deployment after it.
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%(lock)s)", {"lock": _LOCK})
        with yoyo.get_backend(database_url.replace("postgresql://", "postgresql+psycopg://", 1)) as backend:
            backend.copy = lambda: nullcontext(backend)  # one connection is enough for all of them
            missing = backend.to_apply(_scripts(_folder()))
            backend.apply_migrations(missing)
            return [migration.id for migration in missing]


def set_passwords(owner_url: str, *urls: str) -> list[str]:
    """Give each role the password in its address, where it has one; answers the roles that got one.

    The owner's own is not touched. The server is sent what it will store, never the password.
    """
    owner = conninfo_to_dict(owner_url).get("user")
    wanted = {
        known["user"]: known["password"] for known in map(conninfo_to_dict, urls) if "password" in known
    }
    wanted.pop(owner, None)
    if not wanted:
        return []
    with psycopg.connect(owner_url, autocommit=True) as connection:
        for role, password in wanted.items():
            verifier = connection.pgconn.encrypt_password(
                str(password).encode(), str(role).encode(), b"scram-sha-256"
            )
            connection.execute(
                sql.SQL("ALTER ROLE {role} PASSWORD {verifier}").format(
                    role=sql.Identifier(str(role)), verifier=sql.Literal(verifier.decode())
                )
            )
    return [str(role) for role in wanted]


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, list[str]]:
    """Apply the migrations packaged with this function."""
    return {"applied": run()}


def run() -> list[str]:
    """What a deployment does: apply the migrations, then let the roles in. Answers the migrations' names."""
    owner_url = optional_setting("DATABASE_OWNER_URL") or setting("DATABASE_URL")
    applied = apply(owner_url)
    set_passwords(owner_url, *filter(None, map(optional_setting, ("DATABASE_URL", "DATABASE_JOBS_URL"))))
    return applied


class _Script(Migration):  # type: ignore[misc]
    """One `.sql` file sent to the server whole, instead of cut at its semicolons."""

    def load(self) -> None:
        if not self.loaded:
            self.source = Path(self.path).read_text(encoding="utf-8")
            self.module = types.ModuleType(self.id)
            self.steps = [MigrationStep(0, self.source, None)]
            self._depends: set[Migration] = set()


def _scripts(folder: Path) -> MigrationList:
    return MigrationList(_Script(path.stem, str(path), str(folder)) for path in sorted(folder.glob("*.sql")))


def _folder() -> Path:
    """Beside this file when packaged for Lambda, at the top of the repository otherwise."""
    here = Path(__file__).resolve()
    packaged = here.parent / "migrations"
    return packaged if packaged.is_dir() else here.parents[2] / "migrations"


if __name__ == "__main__":
    print("\n".join(run()) or "Nothing to apply.")  # noqa: T201 - for `make migrate`
