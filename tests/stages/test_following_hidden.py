"""What is followed is what there is, where names, other objects or settings could hide a change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy as sa

from tests.servers import variable
from tests.stages.looking import looked_at
from tests.whole_projects import MakeProject, revision
from topchef_schema import roundtrip
from topchef_schema.backends import named
from topchef_schema.stages.contents import Watch, lost, read, tables

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase

LONG = "l" + "x" * 70

SPELLED = {
    "sqlite": [
        "CREATE TABLE data (id int) | INSERT INTO main.'data' VALUES (1)",
        'CREATE TABLE "p%c" (id int) | INSERT INTO \'p%c\' VALUES (1) | DROP TABLE "p%c"',
    ],
    "postgresql": [
        'CREATE TABLE "p%%c" (id int) | INSERT INTO "p%%c" VALUES (1)'
        ' | ALTER TABLE "p%%c" ADD COLUMN size int | DELETE FROM "p%%c" | DROP TABLE "p%%c"',
        'CREATE TABLE data (id int) | INSERT INTO U&"d\\0061t\\+000061" VALUES (1)',
        f"CREATE TABLE {LONG} (id int) | INSERT INTO {LONG} VALUES (1) | UPDATE {LONG} SET id = 7",
    ],
    "mysql": [
        "CREATE TABLE `p%%c` (id int) | INSERT INTO `p%%c` VALUES (1)"
        " | ALTER TABLE `p%%c` ADD COLUMN size int | DELETE FROM `p%%c` | DROP TABLE `p%%c`",
    ],
}
SPELLED["mariadb"] = SPELLED["mysql"]
"""Transactions in which a table is named otherwise than it is called."""

ELSEWHERE = [
    # What a row looks like hangs on the type of a column, which is another object.
    "CREATE TYPE pair AS (p int); CREATE TABLE t (c pair); INSERT INTO t VALUES (row(5))"
    " | ALTER TYPE pair ADD ATTRIBUTE q int",
    "CREATE TABLE a (id int); CREATE TABLE t (c a[]); INSERT INTO t VALUES (ARRAY[row(5)::a])"
    " | ALTER TABLE a ADD COLUMN more int",
    # Which rows are seen hangs on what a policy says of other tables.
    "CREATE TABLE t (id int); CREATE TABLE ok (id int); INSERT INTO t VALUES (1);"
    " INSERT INTO ok VALUES (1); CREATE POLICY p ON t USING (id IN (SELECT ok.id FROM ok));"
    " ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY"
    " | DELETE FROM ok",
    # The text of a policy hangs on the columns of other tables.
    "CREATE TABLE a (id int, x int); CREATE TABLE b (x int, z int); CREATE TABLE c (z int);"
    " CREATE TABLE t (id int); CREATE POLICY p ON t"
    " USING (id IN (SELECT a.id FROM a JOIN b USING (x) JOIN c USING (z)))"
    " | ALTER TABLE a ADD COLUMN z int",
    "CREATE TABLE t (at timestamptz); CREATE TABLE u (at timestamptz); INSERT INTO t VALUES"
    " ('2024-02-29 12:00+00'); INSERT INTO u TABLE t | SET timezone TO 'Asia/Tokyo'"
    " | UPDATE u SET at = at",
    "CREATE TABLE t (it float8); INSERT INTO t VALUES (0.1::float8 + 0.2::float8)"
    " | SET extra_float_digits TO -5",
    # What belongs to an extension is no part of the schema.
    "CREATE EXTENSION hstore; CREATE TABLE t (id int) | ALTER EXTENSION hstore ADD TABLE t"
    " | ALTER EXTENSION hstore DROP TABLE t",
]
"""Transactions after which something else differs than the objects they name."""


def require_the_same(scratch: ScratchDatabase, backend_name: str, transactions: str) -> None:
    """Follow *transactions*, and hold what is followed against all after each."""
    backend = named(backend_name)
    watch = Watch(backend.following(()))
    engine = sa.create_engine(backend.with_driver(scratch.url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE known (id int)")
        connection.commit()
        for transaction in ("", *transactions.split(" | ")):
            for sql in filter(None, transaction.split("; ")):
                connection.exec_driver_sql(sql)
            connection.commit()
            schema, rows, there = looked_at(watch, connection)
            assert schema.objects == backend.snapshot(connection).objects, transaction
            connection.rollback()
            assert {key: each.rows for key, each in rows.items()} == {
                key: each.rows for key, each in there.items()
            }, transaction


@pytest.mark.parametrize("number", range(3))
def test_a_table_may_be_named_in_other_words(
    scratch: ScratchDatabase, backend_name: str, number: int
) -> None:
    found = SPELLED[backend_name]
    require_the_same(scratch, backend_name, found[number % len(found)])


@pytest.mark.backends("postgresql")
@pytest.mark.parametrize("transactions", ELSEWHERE)
def test_what_differs_may_be_another_object(
    scratch: ScratchDatabase, backend_name: str, transactions: str
) -> None:
    require_the_same(scratch, backend_name, transactions)


UNCOUNTED = """\
op.execute("SET LOCAL track_counts = off")
op.execute("WITH gone AS (DELETE FROM base RETURNING id) SELECT count(*) FROM gone")"""


@pytest.mark.backends("postgresql")
@pytest.mark.parametrize("long", [200, 3])
def test_what_is_missed_all_the_same_is_proven_anew(
    project: MakeProject,
    backend_name: str,
    long: int,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A superuser can keep the server from counting; with so many revisions there are two parts."""
    monkeypatch.setattr("topchef_schema.stages.prove.LONG", long)
    made = "sa.Column('id', sa.Integer, primary_key=True))"
    whole = project(
        versions={
            "a1.py": revision("a1", f"op.create_table('base', {made}", "op.drop_table('base')"),
            "b2.py": revision("b2", "pass", UNCOUNTED, down="a1"),
            "c3.py": revision(
                "c3", f"op.create_table('t', {made}", "op.drop_table('t')", down="b2"
            ),
        }
    )
    monkeypatch.delenv(variable("postgresql"), raising=False)
    report = roundtrip(whole.load(), on=["postgresql"])
    assert [(each.rule, each.revision) for each in report.findings] == [("data-lost", "b2")]
    assert [each.revision for each in report.checks if each.revision] == ["a1", "b2", "c3"]
    assert "rows of public.base" in caplog.text


class InMemory(psycopg.adapt.Loader):
    """Gives a view of memory, as psycopg2 does."""

    def load(self, data: Any) -> memoryview:
        """Return what the server sent."""
        return memoryview(bytes(data))


@pytest.mark.backends("postgresql")
def test_bytes_are_what_they_hold(scratch: ScratchDatabase, backend_name: str) -> None:
    backend = named(backend_name)
    engine = sa.create_engine(backend.with_driver(scratch.url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.adapters.register_loader("bytea", InMemory)
        connection.exec_driver_sql("CREATE TABLE t (it bytea, many bytea[])")
        connection.exec_driver_sql("INSERT INTO t VALUES ('one', ARRAY['two'::bytea])")
        schema = backend.snapshot(connection)
        before, after = (read(connection, schema, tables(schema)) for _ in range(2))
        assert not lost(before, after, lambda _: ["it", "many"])
        for said in ("it = 'other'", "many = ARRAY['other'::bytea]"):
            connection.exec_driver_sql(f"UPDATE t SET {said}")
            after = read(connection, schema, tables(schema))
            assert lost(before, after, lambda _: ["it", "many"])
            before = after
        connection.rollback()


@pytest.mark.backends("postgresql")
def test_a_moment_is_the_same_in_any_time_zone(scratch: ScratchDatabase, backend_name: str) -> None:
    """Else a revision that sets another one would seem to change all rows."""
    backend = named(backend_name)
    engine = sa.create_engine(backend.with_driver(scratch.url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE t (at timestamptz, more timestamptz[])")
        connection.exec_driver_sql("INSERT INTO t VALUES (now(), ARRAY[now()])")
        schema = backend.snapshot(connection)
        before = read(connection, schema, tables(schema))
        connection.exec_driver_sql("SET timezone TO 'Asia/Tokyo'")
        assert read(connection, schema, tables(schema)) == before
        connection.rollback()
