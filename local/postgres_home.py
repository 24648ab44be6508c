"""Where a throwaway PostgreSQL lives, and as whom."""

import os
import pwd
import shutil
import tempfile
from pathlib import Path


class Home:
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

    def shared(self, folder: Path) -> Path | None:
        """A folder the server's user can write in and that outlives the server; none where it may not walk."""
        folder.mkdir(parents=True, exist_ok=True)
        if not self._may_enter(folder.resolve()):
            return None
        if self.owner:
            os.chown(folder, *self.owner)
        return folder.resolve()

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


def _unprivileged_user() -> tuple[int, int]:
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
