"""A folder of SQLite files, in the part of a server for scratch work."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from topchef_schema.backends.base import (
    SCRATCH_PREFIX,
    ScratchDatabase,
    runtime_directory,
    scratch_name,
)
from topchef_schema.backends.file_lock import try_lock
from topchef_schema.backends.sqlite import file_of
from topchef_schema.errors import UnreachableError, UsageError

if TYPE_CHECKING:
    from sqlalchemy import URL

OWNER = "owner"
"""The file in a folder of ours that its maker keeps locked: unlocked, the folder is a leftover."""


class FolderServer:
    """Scratch files in a folder of their own, in the folder of *url* or a temporary one."""

    def __init__(self, url: URL | None) -> None:
        import atexit
        import os
        import sqlite3

        from sqlalchemy import make_url

        self.version = sqlite3.sqlite_version
        self.url = url or make_url("sqlite://")
        place = _folder(self.url)
        self.throwaway = place is None
        self._made_by = os.getpid()
        self._kept = False
        try:
            self._folder = runtime_directory("sqlite", within=str(place) if place else None)
        except OSError as error:
            raise UnreachableError(
                f"no scratch files can be made there: {error.strerror}",
                where=str(place),
                hint="name a folder that exists and may be written to",
            ) from error
        self._owner: IO[str] = open(self._folder / OWNER, "x", encoding="utf-8")  # noqa: SIM115
        try_lock(self._owner)
        atexit.register(self.close)

    def create(self) -> ScratchDatabase:
        """Make an empty file."""
        name = scratch_name()
        path = self._folder / f"{name}.db"
        path.touch(mode=0o600, exist_ok=False)
        return ScratchDatabase(name, self.url.set(database=str(path), query={}))

    def recreate(self, database: ScratchDatabase) -> None:
        """Put an empty file in place of the old one; who has that open keeps it to himself."""
        self.drop(database)
        Path(str(database.url.database)).touch(mode=0o600)

    def copy(self, database: ScratchDatabase) -> ScratchDatabase:
        """Make a file with the same pages, those included that are still in a log beside it."""
        import sqlite3
        from contextlib import closing

        made = self.create()
        source, copied = (sqlite3.connect(str(each.url.database)) for each in (database, made))
        with closing(source), closing(copied):
            source.backup(copied)
        return made

    def drop(self, database: ScratchDatabase) -> None:
        """Remove the file and what SQLite and the lock have laid beside it."""
        path = Path(str(database.url.database))
        for each in path.parent.glob(f"{path.name}*"):
            with suppress(FileNotFoundError):
                each.unlink()

    def keep(self, database: ScratchDatabase) -> bool:
        """Leave the folder, and with it *database*, when this is closed."""
        self._kept = True
        return True

    def leftovers(self) -> list[str]:
        """Return the folders whose makers are gone."""
        found = self._folder.parent.glob(f"{SCRATCH_PREFIX}sqlite_*")
        return sorted(folder.name for folder in found if _abandoned(folder))

    def remove(self, name: str) -> None:
        """Remove the leftover folder *name*."""
        import shutil

        folder = self._folder.parent / name
        if not name.startswith(SCRATCH_PREFIX) or Path(name).name != name:
            raise UsageError(
                f'"{name}" is not a scratch database', where=str(folder), hint="leave it alone"
            )
        shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Remove the folder, unless a database in it is kept."""
        import atexit
        import os
        import shutil

        if os.getpid() != self._made_by:
            return  # a fork of us has inherited this object, not the files
        atexit.unregister(self.close)
        self._owner.close()
        if self._kept:
            return
        shutil.rmtree(self._folder, ignore_errors=True)


def _folder(url: URL) -> Path | None:
    path = file_of(url)
    if path is None:
        return None
    return (path if path.is_dir() else path.parent).resolve()


def _abandoned(folder: Path) -> bool:
    with suppress(OSError), open(folder / OWNER, "r+", encoding="utf-8") as file:
        return try_lock(file)
    return False
