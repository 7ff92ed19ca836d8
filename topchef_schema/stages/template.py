"""Databases at a revision, for tests: one is brought there, the others are copies of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, chdir, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from topchef_schema.errors import UnreachableError, UsageError
from topchef_schema.project import Project
from topchef_schema.stages.apply import migrate
from topchef_schema.stages.entry import connected
from topchef_schema.stages.scratch import Place

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from topchef_schema.backends.base import ScratchDatabase

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Template:
    """A database at a revision; *faithful* says whether its copies are what it is."""

    database: ScratchDatabase
    faithful: bool


@dataclass
class Templates:
    """The templates of one project on one server; closing *stack* drops them.

    The revisions are run in *folder*, wherever a test is just now.
    """

    project: Project
    place: Place
    stack: ExitStack
    folder: Path
    _made: dict[str, _Template] = field(default_factory=dict, init=False)

    @contextmanager
    def engine(self, revision: str = "heads") -> Iterator[Engine]:
        """Make a database at *revision*, and an engine for it; drop it afterwards.

        Raises `TopchefError` where the revisions do not get there.
        """
        from sqlalchemy import create_engine

        database = self._database(revision)
        engine = create_engine(self.place.backend.synchronous(database.url))
        try:
            yield engine
        finally:
            engine.dispose()
            self.place.server.drop(database)

    def _database(self, revision: str) -> ScratchDatabase:
        template = self._made.get(revision)
        if template is None:
            database = self.stack.enter_context(self.place.database())
            self._migrate(database, revision)
            template = _Template(database, self._can_copy(database))
            self._made[revision] = template
        if template.faithful:
            return self.place.server.copy(template.database)
        database = self.place.server.create()
        try:
            self._migrate(database, revision)
        except BaseException:
            self.place.server.drop(database)
            raise
        return database

    def _migrate(self, database: ScratchDatabase, revision: str) -> None:
        if self.project.settings.databases:
            raise UsageError(
                "a project with several databases has no single one to hand out",
                where="setting databases",
                hint="make them in a fixture of your own with topchef_schema.upgrade",
            )
        with chdir(self.folder):
            self.place.run(_migrated, self.project, {None: database}, revision)

    def _can_copy(self, database: ScratchDatabase) -> bool:
        """Whether the catalog of a copy says the same as that of *database* itself."""
        try:
            copied = self.place.server.copy(database)
        except UnreachableError as error:
            log.info("%s; each database is migrated instead", error.message)
            return False
        snapshots = []
        try:
            for each in (database, copied):
                with connected(self.place.backend.synchronous(each.url)) as connection:
                    snapshots.append(self.place.backend.snapshot(connection))
        finally:
            self.place.server.drop(copied)
        return snapshots[0] == snapshots[1]


def _migrated(project: Project, revision: str) -> None:
    """Bring the database of *project* to *revision*, in a worker."""
    migrate(project, lambda heads: project.revisions.upgrade(revision, heads), history=False)
