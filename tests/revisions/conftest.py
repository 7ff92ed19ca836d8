"""TopChef's own project, and scratch databases for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import URL, create_engine, make_url
from sqlalchemy.pool import NullPool

from topchef_schema.backends import named
from topchef_schema.model import OWN_TABLES
from topchef_schema.project import Project

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from topchef_schema.backends.base import ScratchDatabase, Server
    from topchef_schema.model import Snapshot

INI = Path(__file__).resolve().parents[2] / "alembic.ini"
LEFT_OUT = {"alembic_version", *OWN_TABLES}


class Place:
    """A scratch database of TopChef's: where revisions are taken, and what is there then."""

    def __init__(self, backend: str, url: URL) -> None:
        self.backend = backend
        self.url = url
        self.text = url.render_as_string(hide_password=False)

    @property
    def project(self) -> Project:
        """TopChef's project on this database."""
        return Project.load(INI, url=self.text)

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """Connect, and leave nothing open."""
        engine = create_engine(self.url, poolclass=NullPool)
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    def snapshot(self) -> Snapshot:
        """Return what is there, without the bookkeeping of migrations."""
        with self.connected() as connection:
            return named(self.backend).snapshot(connection, LEFT_OUT)

    def through(self, url: URL | str) -> Place:
        """Return the same database under another URL."""
        return Place(self.backend, make_url(url))


@pytest.fixture
def place(backend_name: str, scratch: ScratchDatabase) -> Place:
    """Return an empty scratch database."""
    return Place(backend_name, scratch.url)


@pytest.fixture
def other_place(backend_name: str, server: Server) -> Iterator[Place]:
    """Return a second one, to compare with."""
    database = server.create()
    try:
        yield Place(backend_name, database.url)
    finally:
        server.drop(database)
