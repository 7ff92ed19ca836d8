"""The databases for which SQL is rendered, and nothing else done."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import pytest
import sqlalchemy as sa

from topchef_schema.backends import all_backends, for_url
from topchef_schema.backends.base import Failure
from topchef_schema.errors import UnreachableError

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend

OFFLINE = sorted(name for name, backend in all_backends().items() if not backend.online)
NOTHING = cast("Any", None)

ASKING: dict[str, Callable[[Backend], object]] = {
    "with_driver": lambda backend: backend.with_driver(sa.make_url(backend.offline_url)),
    "exists": lambda backend: backend.exists(sa.make_url(backend.offline_url)),
    "version": lambda backend: backend.version(NOTHING),
    "identity": lambda backend: backend.identity(NOTHING),
    "user": lambda backend: backend.user(NOTHING),
    "lock": lambda backend: backend.lock(NOTHING, "key", 0),
    "snapshot": lambda backend: backend.snapshot(NOTHING),
    "server": lambda backend: backend.server(),
}


def test_there_are_two() -> None:
    assert OFFLINE == ["mssql", "oracle"]


@pytest.mark.parametrize("name", OFFLINE)
def test_sql_is_rendered_without_a_driver(name: str) -> None:
    backend = all_backends()[name]
    url = sa.make_url(backend.offline_url)
    assert for_url(url) is backend
    dialect = url.get_dialect()()
    table = sa.Table("jobs", sa.MetaData(), sa.Column("job_id", sa.Uuid(), primary_key=True))
    sql = str(sa.schema.CreateTable(table).compile(dialect=dialect))
    assert dialect.name == name
    assert "CREATE TABLE jobs" in sql


@pytest.mark.parametrize("name", OFFLINE)
@pytest.mark.parametrize("asking", ASKING)
def test_whoever_asks_for_a_database_is_told_that_there_is_none(name: str, asking: str) -> None:
    backend = all_backends()[name]
    with pytest.raises(UnreachableError, match="rendering SQL only") as raised:
        ASKING[asking](backend)
    assert backend.title in raised.value.message
    assert "topchef-db sql" in raised.value.hint


def test_the_client_stops_at_an_error() -> None:
    first = {name: all_backends()[name].scripting.preamble().splitlines()[0] for name in OFFLINE}
    assert first == {
        "mssql": ":on error exit",
        "oracle": "WHENEVER SQLERROR EXIT FAILURE ROLLBACK",
    }


@pytest.mark.parametrize("name", OFFLINE)
def test_an_error_means_no_more_than_that_it_failed(name: str) -> None:
    assert all_backends()[name].failure(KeyError("x")) is Failure.OTHER
