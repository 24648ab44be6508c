"""Where benchmarks happen: a real PostgreSQL that survives a power cut, as the one in production does."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch
from uuid import uuid4

from adapters import database as adapter
from functions.migrate import app as migrate
from local import postgres
from local.configuration import as_roles


@contextmanager
def migrated_database() -> Iterator[str]:
    """The address of an empty, migrated database; handlers called inside the block connect to it."""
    with (
        TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder,
        postgres.serve(Path(folder), durable=True) as server,
    ):
        name = f"bench_{uuid4().hex[:12]}"
        url = server.create_database(name)
        migrate.apply(url)
        with patch.dict(os.environ, as_roles(url)):
            try:
                yield url
            finally:
                adapter.disconnect()
                server.drop_database(name)
