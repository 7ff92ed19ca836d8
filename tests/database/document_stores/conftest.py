"""Every document store: the SQL one on each backend, MongoDB's where a server is named."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import selected
from tests.database.document_stores.kitchen import Kitchen
from tests.servers import Servers
from topchef_schema.backends import named
from topchef_schema.database.documents import (
    DocumentStores,
    MongoDBDocumentStores,
    SQLDocumentStores,
)
from topchef_schema.database.schemas import DatabaseSchema

MONGODB_SERVER = "TOPCHEF_MONGODB_SERVER"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "store_kind" not in metafunc.fixturenames:
        return
    unnamed = pytest.mark.skipif(
        MONGODB_SERVER not in os.environ, reason=f"untested: {MONGODB_SERVER} names no server"
    )
    kinds = [*selected(metafunc.config), pytest.param("mongodb", marks=unnamed)]
    metafunc.parametrize("store_kind", kinds, scope="session")


@pytest.fixture(scope="session")
def stores(servers: Servers, store_kind: str) -> Iterator[DocumentStores]:
    """Open the stores of the kind whose turn it is; they are gone afterwards."""
    if store_kind == "mongodb":
        yield from _on_mongodb(os.environ[MONGODB_SERVER])
        return
    database = servers[store_kind].create()
    try:
        engine = sa.create_engine(named(store_kind).with_driver(database.url))
        with closing(SQLDocumentStores(engine)) as stores:
            stores.create()
            yield stores
    finally:
        servers[store_kind].drop(database)


def _on_mongodb(url: str) -> Iterator[DocumentStores]:
    from pymongo import MongoClient
    from pymongo.uri_parser import parse_uri

    name = f"topchef_scratch_{uuid.uuid4().hex[:12]}"
    place, _, options = url.partition("?")
    scheme, _, rest = place.partition("://")
    whole = f"{scheme}://{rest.partition('/')[0]}/{name}" + (f"?{options}" if options else "")
    assert parse_uri(whole)["database"] == name
    with closing(MongoDBDocumentStores.open(whole)) as stores:
        yield stores
    client: MongoClient[dict[str, Any]] = MongoClient(whole)
    with client:
        client.drop_database(name)


@pytest.fixture(scope="session")
def beside(servers: Servers, backend_name: str) -> Iterator[SQLDocumentStores]:
    """Make stores in a database of their own, beside the one that `stored` has the rows in."""
    database = servers[backend_name].create()
    try:
        engine = sa.create_engine(named(backend_name).with_driver(database.url))
        with closing(SQLDocumentStores(engine)) as stores:
            stores.create()
            yield stores
    finally:
        servers[backend_name].drop(database)


@pytest.fixture
def kitchen(
    engine: sa.Engine, stored: DatabaseSchema, beside: SQLDocumentStores
) -> Iterator[Kitchen]:
    """Return rows and stores, which are empty before and after."""
    kitchen = Kitchen(engine, beside)
    assert kitchen.wrong() == []
    yield kitchen
    with engine.begin() as connection:
        for table in reversed(stored.metadata.sorted_tables):
            connection.execute(table.delete())
    for store in (kitchen.services(), kitchen.jobs()):
        for key in list(store.keys()):
            store.delete(key)
