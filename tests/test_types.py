"""A portable type and what it writes into a revision are one and the same column, everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Dialect
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateTable
from sqlalchemy.types import TypeEngine

from tests.servers import Servers
from topchef_schema.backends import named
from topchef_schema.database.json_type import JSON
from topchef_schema.database.utc_date_time import UtcDateTime
from topchef_schema.database.uuid_database_type import UUID
from topchef_schema.types import Portable


class Money(Portable[Decimal]):
    """The example of the documentation, whose digits depend on what it is made with."""

    impl = sa.Numeric

    def __init__(self, digits: int = 12) -> None:
        super().__init__(digits, 2)
        self.digits = digits

    @property
    def storage(self) -> Mapping[str, TypeEngine[Any]]:
        return {"default": sa.Numeric(self.digits, 2), "sqlite": sa.String(self.digits + 1)}

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        return str(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class Labels(Portable[list[str]]):
    """An array where there is one; its storage types have arguments within arguments."""

    impl = sa.JSON
    storage: ClassVar[Mapping[str, TypeEngine[Any]]] = {
        "default": sa.Text(),
        "postgresql": postgresql.ARRAY(sa.String(40, collation="C")),
        "mysql": mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"),
        "mariadb": mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"),
    }


PORTABLE = [JSON(), UUID(), UtcDateTime(), Money(7), Labels()]
URLS = ["sqlite://", "postgresql+psycopg://", "mariadb+pymysql://", "mysql+pymysql://"]
DIALECTS = [
    *(sa.create_mock_engine(url, print).dialect for url in URLS),
    *(module.dialect() for module in (sqlite, postgresql, mysql, mssql, oracle)),
]


def evaluated(type_: Portable[Any]) -> TypeEngine[Any]:
    """Return what a revision has that says just what *type_* rendered."""
    expression, imports = type_.rendered()
    names: dict[str, Any] = {}
    exec("\n".join(["import sqlalchemy as sa", *sorted(imports)]), names)
    result: TypeEngine[Any] = eval(expression, names)
    return result


def ddl(type_: TypeEngine[Any], dialect: Dialect) -> str:
    table = sa.Table("t", sa.MetaData(), sa.Column("c", type_))
    return str(CreateTable(table).compile(dialect=dialect))


def test_json_is_written_as_the_types_it_stands_for() -> None:
    assert JSON().rendered() == (
        "sa.Text().with_variant(postgresql.JSONB(), 'postgresql')"
        ".with_variant(mysql.JSON(), 'mysql', 'mariadb')",
        frozenset(
            {
                "from sqlalchemy.dialects import mysql",
                "from sqlalchemy.dialects import postgresql",
            }
        ),
    )


def test_a_type_without_a_dialects_own_types_needs_no_import() -> None:
    assert UUID().rendered() == ("sa.Uuid().with_variant(sa.UUID(), 'mariadb')", frozenset())


def test_what_an_instance_was_made_with_is_written() -> None:
    assert Money(7).rendered() == (
        "sa.Numeric(precision=7, scale=2).with_variant(sa.String(length=8), 'sqlite')",
        frozenset(),
    )


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: f"{d.name}-{d.driver}")
@pytest.mark.parametrize("type_", PORTABLE, ids=lambda t: type(t).__name__)
def test_the_rendered_type_makes_the_same_ddl(type_: Portable[Any], dialect: Dialect) -> None:
    assert ddl(evaluated(type_), dialect) == ddl(type_, dialect)


@pytest.mark.parametrize("portable_first", [True, False])
def test_on_a_real_server_neither_differs_from_the_other(
    servers: Servers, backend_name: str, portable_first: bool
) -> None:
    ours = sa.MetaData()
    sa.Table("t", ours, *(sa.Column(f"c{i}", type_) for i, type_ in enumerate(PORTABLE)))
    theirs = sa.MetaData()
    plain = [evaluated(type_) for type_ in PORTABLE]
    sa.Table("t", theirs, *(sa.Column(f"c{i}", type_) for i, type_ in enumerate(plain)))
    made, wanted = (ours, theirs) if portable_first else (theirs, ours)
    database = servers[backend_name].create()
    engine = sa.create_engine(named(backend_name).with_driver(database.url))
    try:
        made.create_all(engine)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection)
            assert compare_metadata(context, wanted) == []
            assert compare_metadata(context, made) == []
    finally:
        engine.dispose()
        servers[backend_name].drop(database)


def test_a_mysql_url_to_a_mariadb_server_gets_what_sqlalchemy_knows_there(
    servers: Servers,
) -> None:
    database = servers["mariadb"].create()
    url = make_url(named("mariadb").with_driver(database.url))
    engine = sa.create_engine(url.set(drivername=url.drivername.replace("mariadb", "mysql")))
    try:
        with engine.connect():
            known = "c UUID" if engine.dialect.supports_native_uuid else "c CHAR(32)"
            assert known in ddl(UUID(), engine.dialect)
            assert known in ddl(evaluated(UUID()), engine.dialect)
    finally:
        engine.dispose()
        servers["mariadb"].drop(database)


def test_a_project_keeps_its_values_with_a_type_of_its_own(
    servers: Servers, backend_name: str
) -> None:
    table = sa.Table("prices", sa.MetaData(), sa.Column("price", Money))
    database = servers[backend_name].create()
    engine = sa.create_engine(named(backend_name).with_driver(database.url))
    try:
        table.metadata.create_all(engine)
        with engine.begin() as connection:
            connection.execute(table.insert(), [{"price": Decimal("1234567890.12")}])
            assert connection.scalars(sa.select(table.c.price)).one() == Decimal("1234567890.12")
    finally:
        engine.dispose()
        servers[backend_name].drop(database)


def test_a_storage_without_default_is_refused_where_it_is_written() -> None:
    with pytest.raises(TypeError, match=r"Halved.storage has no 'default'"):
        type("Halved", (Portable,), {"storage": {"postgresql": postgresql.JSONB()}})


def test_a_type_without_storage_says_so() -> None:
    with pytest.raises(NotImplementedError, match="Nowhere does not say how it is stored"):
        type("Nowhere", (Portable,), {})().rendered()


@pytest.mark.parametrize("stored", [sa.Enum("a", "b", name="letters"), mysql.SET("a", "b")])
def test_what_cannot_be_written_as_a_call_is_not_written_wrongly(stored: TypeEngine[Any]) -> None:
    type_ = type("Letters", (Portable,), {"storage": {"default": stored}})()
    with pytest.raises(TypeError, match=r"override rendered\(\)"):
        type_.rendered()


def test_a_storage_that_history_would_have_to_import_is_refused() -> None:
    type_ = type("Wrapped", (Portable,), {"storage": {"default": Money()}})()
    with pytest.raises(TypeError, match="history would depend on it"):
        type_.rendered()


def test_operators_are_those_of_the_default_storage_unless_said() -> None:
    plain = type("Plain", (Portable,), {"storage": {"default": sa.Integer()}})
    assert isinstance(plain().impl_instance, sa.Integer)
    assert isinstance(JSON().impl_instance, sa.JSON)
