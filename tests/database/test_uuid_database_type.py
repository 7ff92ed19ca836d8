"""UUIDs of every spelling go in, come back, compare and sort alike, on four real servers."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, StatementError

from tests.servers import Servers
from topchef_schema.backends import named
from topchef_schema.database.uuid_database_type import UUID, read_uuid

METADATA = sa.MetaData()
TABLE = sa.Table(
    "kept_uuids", METADATA, sa.Column("id", UUID, primary_key=True), sa.Column("other", UUID)
)
key = TABLE.c.id
REFUSED_BY_MARIADB = "8f4e2a10-5b1c-8d3e-4000-0123456789ab"

SPELLINGS: dict[str, Callable[[uuid.UUID], object]] = {
    "object": lambda value: value,
    "hexadecimal": lambda value: value.hex,
    "hyphens": str,
    "upper case": lambda value: str(value).upper(),
    "braces": lambda value: f"{{{value}}}",
    "braces without hyphens": lambda value: f"{{{value.hex}}}",
    "urn": lambda value: value.urn,
    "upper-case urn": lambda value: value.urn.upper(),
    "bytes": lambda value: value.bytes,
}


def holdable(value: uuid.UUID) -> bool:
    return not (value.bytes[6] >= 0x80 and 1 <= value.bytes[8] <= 0x80)


uuids = (
    st.uuids().filter(holdable)
    | st.sampled_from([1, 3, 4, 5]).flatmap(lambda version: st.uuids(version=version))  # type: ignore[arg-type]
    | st.sampled_from([uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)])
)


@pytest.fixture(scope="module")
def connection(engine: sa.Engine) -> Iterator[sa.Connection]:
    METADATA.create_all(engine)
    with engine.connect() as connection:
        yield connection
    METADATA.drop_all(engine)


@given(value=uuids, spelling=st.sampled_from(sorted(SPELLINGS)))
def test_every_spelling_goes_in_and_the_uuid_comes_back(
    connection: sa.Connection, value: uuid.UUID, spelling: str
) -> None:
    spelled = SPELLINGS[spelling](value)
    with connection.begin() as transaction:
        connection.execute(TABLE.insert().values(id=spelled, other=None))
        read = connection.execute(sa.select(TABLE).where(key == spelled)).one()
        assert connection.scalar(sa.select(key).where(key.in_([spelled]))) == value
        transaction.rollback()
    assert tuple(read) == (value, None)
    assert type(read[0]) is uuid.UUID


@given(values=st.lists(uuids, min_size=2, max_size=12, unique=True))
def test_all_compare_and_sort_alike(connection: sa.Connection, values: list[uuid.UUID]) -> None:
    pivot, low, high = values[0], *sorted(values[:2])

    def ids(statement: sa.Select[Any]) -> list[uuid.UUID]:
        return list(connection.scalars(statement))

    with connection.begin() as transaction:
        connection.execute(TABLE.insert(), [{"id": value, "other": pivot} for value in values])
        every = sa.select(key)
        assert ids(every.order_by(key)) == sorted(values)
        assert ids(every.order_by(key.asc())) == sorted(values)
        assert ids(every.order_by(sa.desc(key)).limit(2)) == sorted(values)[::-1][:2]
        assert ids(every.order_by(TABLE.c.other, sa.asc(key))) == sorted(values)
        assert ids(every.order_by(TABLE.c.other, key.desc())) == sorted(values)[::-1]
        assert set(ids(every.where(key < pivot.hex))) == {v for v in values if v < pivot}
        assert set(ids(every.where(key >= TABLE.c.other))) == {v for v in values if v >= pivot}
        between = {v for v in values if low <= v <= high}
        assert set(ids(every.where(key.between(low, high)))) == between
        assert set(ids(every.where(key != pivot))) == set(values) - {pivot}
        transaction.rollback()


def test_the_native_type_is_used_where_there_is_one(
    connection: sa.Connection, backend_name: str
) -> None:
    column = sa.inspect(connection).get_columns("kept_uuids")[0]
    connection.rollback()
    native = {"postgresql": "UUID", "mariadb": "UUID"}
    assert str(column["type"]) == native.get(backend_name, "CHAR(32)")


@pytest.mark.parametrize("stored", ["uuid", "char(32)"])
def test_a_mysql_url_to_mariadb_works_with_either_column(servers: Servers, stored: str) -> None:
    database = servers["mariadb"].create()
    url = make_url(named("mariadb").with_driver(database.url))
    engine = sa.create_engine(url.set(drivername=url.drivername.replace("mariadb", "mysql")))
    values = [uuid.uuid5(uuid.NAMESPACE_DNS, str(number)) for number in range(20)]
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE TABLE kept_uuids (id {stored}, other {stored})")
            connection.execute(TABLE.insert(), [{"id": value} for value in values])
            assert list(connection.scalars(sa.select(key).order_by(key))) == sorted(values)
            found = sa.select(key).where(key == values[7], key >= values[7], key.in_(values))
            assert connection.scalars(found).one() == values[7]
    finally:
        engine.dispose()
        servers["mariadb"].drop(database)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "1" * 31,
        "1" * 33,
        "g" * 32,
        "1-" * 16 + "1" * 16,
        "{" + "1" * 32,
        "urn:uuid:{" + "1" * 32 + "}",
        " " + "1" * 32,
        "1" * 32 + "\n",
        "\u0661" * 32,
        b"1" * 32,
        b"",
        0,
        1.5,
        True,
        [],
        REFUSED_BY_MARIADB,
        uuid.UUID(REFUSED_BY_MARIADB),
    ],
    ids=repr,
)
def test_the_rest_is_refused_on_all(connection: sa.Connection, value: Any) -> None:
    with pytest.raises(ValueError, match="UUID"):
        read_uuid(value)
    with pytest.raises(StatementError) as caught:
        connection.execute(TABLE.insert().values(id=value))
    connection.rollback()
    assert isinstance(caught.value.orig, ValueError)
    assert "UUID" in str(caught.value)


@pytest.mark.backends("mariadb")
def test_mariadb_refuses_just_what_we_say(connection: sa.Connection) -> None:
    for version in (0x00, 0x10, 0x5F, 0x60, 0x7F, 0x80, 0x9C, 0xFF):
        for variant in (0x00, 0x01, 0x40, 0x7F, 0x80, 0x81, 0xBF, 0xC0, 0xFF):
            digits = bytearray(range(100, 116))
            digits[6], digits[8] = version, variant
            value = uuid.UUID(bytes=bytes(digits))
            try:
                statement = sa.text("INSERT INTO kept_uuids (id) VALUES (:value)")
                connection.execute(statement, {"value": str(value)})
                accepted = True
            except DBAPIError:
                accepted = False
            connection.rollback()
            assert accepted == holdable(value), value
