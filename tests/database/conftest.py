"""One scratch database per backend for all tests of TopChef's own schema, and tables in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session

from topchef_schema.backends import named
from topchef_schema.database.schemas import DatabaseSchema
from topchef_schema.database.schemas.database_schema import SCHEMA

if TYPE_CHECKING:
    from tests.servers import Servers


@pytest.fixture(scope="session")
def engine(servers: Servers, backend_name: str) -> Iterator[sa.Engine]:
    """Connect to a scratch database of the backend whose turn it is; foreign keys are enforced."""
    database = servers[backend_name].create()
    engine = sa.create_engine(named(backend_name).with_driver(database.url))
    if backend_name == "sqlite":
        event.listen(engine, "connect", enforce_foreign_keys)
    try:
        yield engine
    finally:
        engine.dispose()
        servers[backend_name].drop(database)


def enforce_foreign_keys(connection: Any, record: object) -> None:
    connection.execute("PRAGMA foreign_keys=ON")


@pytest.fixture(scope="session")
def stored(engine: sa.Engine) -> Iterator[DatabaseSchema]:
    """Make TopChef's tables in the scratch database."""
    SCHEMA.metadata.create_all(engine)
    yield SCHEMA
    SCHEMA.metadata.drop_all(engine)


@pytest.fixture
def session(engine: sa.Engine, stored: DatabaseSchema) -> Iterator[Session]:
    """Open a session on TopChef's tables, which are empty before and after."""
    with Session(engine, expire_on_commit=False) as session:
        yield session
    with engine.begin() as connection:
        for table in reversed(stored.metadata.sorted_tables):
            connection.execute(table.delete())
