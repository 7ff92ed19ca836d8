"""Any table with UUIDs as its key can have documents, in whatever type and order they are kept."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from tests.servers import Servers
from topchef_schema.backends import named
from topchef_schema.database.documents import Resource, Resources, open_stores
from topchef_schema.database.json_type import JSON
from topchef_schema.database.uuid_database_type import UUID
from topchef_schema.errors import UsageError
from topchef_schema.model.documents import Documented

TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "ours": UUID(),
    "SQLAlchemy's": sa.Uuid(),
    "as text": sa.Uuid(native_uuid=False),
}


@pytest.fixture(params=TYPES)
def recipes(engine: sa.Engine, request: pytest.FixtureRequest) -> Iterator[Resource]:
    table = sa.Table(
        "recipes",
        sa.MetaData(),
        sa.Column("id", TYPES[request.param], primary_key=True),
        sa.Column("steps", JSON(none_as_null=True)),
        sa.Column("other", sa.Integer),
    )
    table.create(engine)
    yield Resource("recipes", table.c.id, {"steps": table.c.steps})
    table.drop(engine)


def keys(rng: random.Random, number: int) -> list[uuid.UUID]:
    return [
        uuid.UUID(int=rng.getrandbits(128), version=rng.choice([1, 3, 4, 5])) for _ in range(number)
    ]


def fill(engine: sa.Engine, resource: Resource, ids: list[uuid.UUID]) -> None:
    rows = [{"id": each, "steps": number or None} for number, each in enumerate(ids)]
    with engine.begin() as connection:
        connection.execute(sa.insert(resource.key.table), rows)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_pages_hold_every_row_once(
    engine: sa.Engine, recipes: Resource, rng: random.Random, size: int
) -> None:
    ids = keys(rng, 40)
    fill(engine, recipes, ids)
    found: list[tuple[uuid.UUID, Any]] = []
    after = None
    with engine.connect() as connection:
        assert recipes.count(connection) == 40
        while page := recipes.page(connection, after, size):
            assert len(page) <= size
            found += page
            after = page[-1][0]
        some = [*ids[:3], uuid.uuid4()]
        assert set(recipes.present(connection, some)) == set(ids[:3])
        assert recipes.rows(connection, some) == {
            each: {"steps": number or None} for number, each in enumerate(ids[:3])
        }
        assert recipes.present(connection, []) == set()
    assert len(found) == 40
    assert dict(found) == {each: {"steps": number or None} for number, each in enumerate(ids)}


def test_pages_of_a_mariadb_that_is_called_mysql(servers: Servers, rng: random.Random) -> None:
    database = servers["mariadb"].create()
    url = named("mariadb").with_driver(database.url)
    engine = sa.create_engine(url.set(drivername=url.drivername.replace("mariadb", "mysql")))
    try:
        for stored in ("uuid", "char(32)"):
            with engine.begin() as connection:
                connection.exec_driver_sql("DROP TABLE IF EXISTS recipes")
                connection.exec_driver_sql(
                    f"CREATE TABLE recipes (id {stored} PRIMARY KEY, steps json, other int)"
                )
            table = sa.Table(
                "recipes", sa.MetaData(), sa.Column("id", UUID), sa.Column("steps", JSON)
            )
            resource = Resource("recipes", table.c.id, {"steps": table.c.steps})
            ids = keys(rng, 30)
            fill(engine, resource, ids)
            found: list[uuid.UUID] = []
            with engine.connect() as connection:
                while page := resource.page(connection, found[-1] if found else None, 4):
                    found += [key for key, _ in page]
            assert len(found) == 30
            assert set(found) == set(ids)
    finally:
        engine.dispose()
        servers["mariadb"].drop(database)


@pytest.mark.backends("sqlite")
def test_a_page_is_found_by_an_index(engine: sa.Engine, recipes: Resource) -> None:
    """The digits of a UUID, by which our type sorts, are in no index on MariaDB."""
    from topchef_schema.database.documents.paging import page_of

    chosen = page_of(sa.select(recipes.key), recipes.key, uuid.uuid4(), 5)
    for dialect in ("mariadb", "mysql"):
        sql = str(chosen.compile(dialect=sa.make_url(f"{dialect}+pymysql://").get_dialect()()))
        assert "replace(" not in sql
    plan = "EXPLAIN QUERY PLAN " + str(
        chosen.compile(engine, compile_kwargs={"literal_binds": True})
    )
    with engine.connect() as connection:
        steps = " ".join(str(row) for row in connection.exec_driver_sql(plan))
    assert "USING" in steps
    assert "TEMP B-TREE" not in steps


def test_what_the_setting_names_keeps_the_protocol() -> None:
    from topchef_schema.database.models.documented import DOCUMENTED

    kept: Documented = DOCUMENTED
    assert [each.name for each in kept.resources] == ["services", "jobs"]
    also: Documented = Resources()
    assert list(also.resources) == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "not the URL of a document store"),
        ("couch://me:s3cr3t@host/x", "not the URL of a document store"),
        ("postgresql+psycopg2://me:s3cr3t@host/x", 'driver "psycopg2" .* is not installed'),
        ("postgresql://me:s3cr3t@host:port/x", "not the URL of a document store"),
    ],
)
def test_a_url_that_opens_nothing(url: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        open_stores(url)
    assert "s3cr3t" not in str(caught.value)
