"""Scratch tables are filled with rows that fit, and what is lost of them is told once."""

from __future__ import annotations

import asyncio
import json
import uuid
from ast import literal_eval
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from topchef_schema.model import Snapshot
from topchef_schema.stages.contents import Contents, Rows, Watch, lost
from topchef_schema.stages.row_shape import LEAST
from topchef_schema.stages.rows import Seeds
from topchef_schema.stages.survival import Survival

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from topchef_schema.backends.base import Backend, ScratchDatabase

CHOICES = [f"choice {number}" for number in range(9)]
METADATA = sa.MetaData()
PARENTS = sa.Table(
    "parents",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(5), nullable=False, unique=True),
)
KINDS = sa.Table(
    "kinds",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("parent_id", sa.ForeignKey("parents.id"), nullable=False),
    sa.Column("letter", sa.String(1)),
    sa.Column("long", sa.Text, nullable=False),
    sa.Column("number", sa.Numeric(8, 2), nullable=False),
    sa.Column("small", sa.SmallInteger, nullable=False),
    sa.Column("real", sa.Float, nullable=False),
    sa.Column("yes", sa.Boolean, nullable=False),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("moment", sa.DateTime, nullable=False),
    sa.Column("hour", sa.Time, nullable=False),
    sa.Column("document", sa.JSON, nullable=False),
    sa.Column("raw", sa.LargeBinary, nullable=False),
    sa.Column("identity", sa.Uuid, nullable=False),
    sa.Column("choice", sa.Enum(*CHOICES, name="choices", create_constraint=True), nullable=False),
    sa.Column("short_id", sa.CHAR(36), nullable=False),
    sa.Column("doubled", sa.Integer, sa.Computed("small * 2", persisted=True)),
)
CHECKED = sa.Table(
    "checked",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("word", sa.String(9), sa.CheckConstraint("word IN ('up', 'it''s')"), nullable=False),
    sa.Column("age", sa.Integer, sa.CheckConstraint("age >= 18"), nullable=False),
    sa.Column("low", sa.Integer, sa.CheckConstraint("low > 0"), nullable=False),
    sa.Column("high", sa.Integer, nullable=False),
    sa.CheckConstraint("low < high"),
)
GUESSED = sa.Table(
    "guessed",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("odd", sa.Integer, sa.CheckConstraint("odd * odd - odd = 6"), nullable=False),
)
HIDDEN = sa.Table(
    "hidden",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("odd", sa.Integer, sa.CheckConstraint("odd * odd = 1234321"), nullable=False),
)
NODES = sa.Table(
    "nodes",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("above", sa.ForeignKey("nodes.id")),
    sa.Column("leaf_id", sa.ForeignKey("leaves.id", name="fk_leaf", use_alter=True)),
)
LEAVES = sa.Table(
    "leaves",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("node_id", sa.ForeignKey("nodes.id"), nullable=False, unique=True),
)
PAIRS = sa.Table(
    "pairs",
    METADATA,
    sa.Column("parent_id", sa.ForeignKey("parents.id"), primary_key=True),
    sa.Column("place", sa.SmallInteger, primary_key=True),
    sa.Column("label", sa.String(10)),
    sa.Column("lang", sa.String(2)),
    sa.UniqueConstraint("label", "lang"),
)
OF_PAIRS = sa.Table(
    "of_pairs",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("parent_id", sa.ForeignKey("parents.id"), nullable=False),
    sa.Column("parent_name", sa.ForeignKey("parents.name"), nullable=False),
    sa.Column("pair_parent", sa.Integer, nullable=False),
    sa.Column("pair_place", sa.SmallInteger, nullable=False),
    sa.ForeignKeyConstraint(["pair_parent", "pair_place"], ["pairs.parent_id", "pairs.place"]),
)


@pytest.fixture
def connection(scratch: ScratchDatabase) -> Iterator[Connection]:
    engine = sa.create_engine(scratch.url, poolclass=sa.NullPool)
    with engine.connect() as opened:
        METADATA.create_all(opened)
        opened.commit()
        yield opened
    engine.dispose()


@pytest.fixture
def seeds(backend: Backend) -> Seeds:
    return Seeds(Watch(backend.following({"nobody"})))


def filled(connection: Connection, seeds: Seeds) -> dict[str, Rows]:
    """Return what stands in the tables after they were filled, by their plain names."""
    schema = seeds.watch.following.schema(connection)
    contents = seeds.fill(connection, schema)
    connection.rollback()
    return {name.rpartition(".")[2]: rows for name, rows in contents.items()}


def column(rows: Rows, name: str) -> list[str]:
    return [value for (value,) in rows.only([name])]


def test_rows_fit_their_tables(connection: Connection, seeds: Seeds) -> None:
    found = filled(connection, seeds)
    kinds = found["kinds"]
    # All values of an enum, NULL where it may be, the ends of what a number can count to, text
    # that is empty and text that is as long as it can be, and the same twice.
    assert set(column(kinds, "choice")) == {repr(each) for each in CHOICES}
    assert column(kinds, "letter").count("None") == 1
    assert {"-32768", "32767", "0"} <= set(column(kinds, "small"))
    assert {"'1000-01-01'", "datetime.date(1000, 1, 1)"} & set(column(kinds, "day"))
    assert {"''", "'ééééé'"} <= set(column(found["parents"], "name"))
    everything = kinds.only([each for each in kinds.columns if each not in ("id", "parent_id")])
    assert everything[0] == everything[-1]
    texts = column(kinds, "long")
    assert any("😀" in each for each in texts)
    assert all(json.loads(literal_eval(each)) is not None for each in texts)
    assert all(uuid.UUID(literal_eval(each)) for each in column(kinds, "short_id"))
    made = {name.rpartition(".")[2]: number for name, number in seeds.made.items()}
    assert made == {name: len(rows.rows) for name, rows in found.items() if rows.rows}


def test_rows_keep_keys_and_checks(connection: Connection, seeds: Seeds) -> None:
    found = filled(connection, seeds)
    assert set(column(found["checked"], "word")) == {"'up'", '"it\'s"'}
    assert {"18", "19"} <= set(column(found["checked"], "age"))
    assert found["guessed"].rows
    # What cannot be guessed stays empty, and keeps nothing else from being filled.
    assert not found["hidden"].rows
    assert len(found["of_pairs"].rows) >= LEAST
    assert len(set(found["pairs"].only(["parent_id", "place"]))) >= LEAST
    # A circle, and a table that leads to itself.
    assert len(set(column(found["leaves"], "node_id"))) >= LEAST
    for name in ("leaf_id", "above"):
        assert {"None"} < set(column(found["nodes"], name)), name


def test_rows_follow_the_columns(connection: Connection, seeds: Seeds) -> None:
    before = filled(connection, seeds)
    assert filled(connection, seeds) == before
    connection.exec_driver_sql("ALTER TABLE parents ADD COLUMN added VARCHAR(7)")
    connection.commit()
    seeds.watch.stale()
    after = filled(connection, seeds)
    assert set(column(after["parents"], "added")) >= {"None", "''", "'ééééééé'"}
    assert set(before["parents"].only(["id", "name"])) < set(after["parents"].only(["id", "name"]))
    assert {name: rows for name, rows in after.items() if name != "parents"} == {
        name: rows for name, rows in before.items() if name != "parents"
    }


@pytest.mark.parametrize("name", ["Camel", "order", "a-b", "a.b", 'a"b'])
def test_any_name_will_do(connection: Connection, seeds: Seeds, name: str) -> None:
    quoted = connection.dialect.identifier_preparer.quote_identifier(name)
    connection.exec_driver_sql(f"CREATE TABLE {quoted} (id integer PRIMARY KEY, {quoted} integer)")
    connection.commit()
    found = seeds.fill(connection, seeds.watch.following.schema(connection))
    (rows,) = (each for key, each in found.items() if name in key.replace('""', '"'))
    assert len(rows.rows) >= LEAST
    # A column is called as it is in the snapshot, which says what became of it.
    schema = seeds.watch.following.schema(connection)
    (key,) = (each for each, there in found.items() if there is rows)
    assert all(f"column {key}.{each}" in schema.objects for each in rows.columns)


@pytest.mark.backends("postgresql")
def test_all_schemas_are_filled(connection: Connection, seeds: Seeds) -> None:
    for statement in (
        "CREATE SCHEMA other",
        "CREATE TYPE other.mood AS ENUM ('ok', 'sad')",
        "CREATE DOMAIN other.short AS varchar(3) CHECK (VALUE <> '')",
        "CREATE TABLE other.parents (id bigserial PRIMARY KEY, mood other.mood UNIQUE, "
        "parent integer NOT NULL REFERENCES public.parents, short other.short NOT NULL, "
        "address inet NOT NULL, numbers integer[] NOT NULL, span int4range NOT NULL, "
        "lasts interval NOT NULL, document jsonb NOT NULL)",
    ):
        connection.exec_driver_sql(statement)
    connection.commit()
    everything = seeds.fill(connection, seeds.watch.following.schema(connection))
    found = everything["other.parents"]
    assert {"'ok'", "'sad'", "None"} == set(column(found, "mood"))
    assert len(everything["public.parents"].rows) > LEAST
    # What the server counts goes on where our rows end.
    connection.exec_driver_sql(
        "INSERT INTO other.parents SELECT nextval('other.parents_id_seq'), NULL, parent, short, "
        "address, numbers, span, lasts, document FROM other.parents LIMIT 1"
    )


def contents(**columns: list[object]) -> Contents:
    rows = zip(*columns.values(), strict=True)
    return {"t": Rows(tuple(columns), tuple(tuple(map(repr, row)) for row in rows))}


@pytest.mark.parametrize(
    ("before", "after", "losses"),
    [
        (contents(a=[1, 2]), contents(a=[2, 1]), []),
        (contents(a=[1, 2]), contents(a=[1, 2, 3]), []),
        (contents(a=[1, 2]), contents(a=[1, 9]), [("a", 1, 0, "2")]),
        (contents(a=[1, 1]), contents(a=[1, 9]), [("a", 1, 0, "1")]),
        (contents(a=[1, 2], b=[3, 4]), contents(a=[1], b=[3]), [(None, 2, 1, "(a = 2, b = 4)")]),
        (contents(a=[1, 2], b=[3, 4]), {}, [(None, 2, 0, "(a = 1, b = 3)")]),
        # A column that the upgrade drops was never there after it.
        (contents(a=[1]), contents(a=[1], b=[2]), []),
        (contents(a=[1], b=[2]), contents(a=[1]), [("b", 1, 0, "2")]),
        # Nothing but NULL is nothing.
        (contents(a=[1], b=[None]), contents(a=[1]), []),
        # The same values, in other rows: with what tells the rows apart, and without.
        (contents(a=[1, 2], b=[3, 4]), contents(a=[1, 2], b=[4, 3]), [("b", 2, 0, "3")]),
        (
            contents(a=[1, 1, 2], b=[3, 3, 4]),
            contents(a=[1, 1, 2], b=[3, 4, 3]),
            [(None, 2, 0, "(a = 1, b = 3)")],
        ),
    ],
)
def test_losses(
    before: Contents, after: Contents, losses: list[tuple[str | None, int, int, str]]
) -> None:
    found = lost(before, after, lambda _: ["a", "b", "c"])
    assert [(each.column, each.before, each.after, each.example) for each in found] == losses
    assert lost(before, after, lambda _: None) == []


NOTHING = Snapshot({}), Snapshot({})


def test_what_is_renamed_is_not_lost() -> None:
    old = {"t": contents(a=[1, 2], b=[3, 4])["t"]}
    new = {"u": contents(a=[1, 2], c=[3, 4], d=[None, None])["t"]}
    survival = Survival(old, new, NOTHING)
    assert survival.changed_by_upgrade == []
    assert list(survival.lost(old, new)) == []
    # Under the names of before, whatever was renamed.
    gone = {"u": contents(a=[1, 2], c=[3, 9], d=[None, None])["t"]}
    (found,) = survival.lost(old, gone)
    assert (found[0].table, found[0].column, found[0].example) == ("t", "b", "4")


@pytest.mark.parametrize(
    ("after", "down", "again", "changed", "losses"),
    [
        # Dropped, and brought back empty.
        (contents(a=[1, 2]), contents(a=[1, 2], b=[None] * 2), contents(a=[1, 2]), ["b"], []),
        # Deleted.
        (contents(a=[1], b=[3]), contents(a=[1], b=[3]), contents(a=[1], b=[3]), [None], []),
        # Rewritten, and again: the downgrade leaves it, brings it back, or destroys it.
        (
            contents(a=[1, 2], b=[4, 5]),
            contents(a=[1, 2], b=[4, 5]),
            contents(a=[1, 2], b=[5, 6]),
            ["b"],
            [],
        ),
        (
            contents(a=[1, 2], b=[7, 8]),
            contents(a=[1, 2], b=[3, 4]),
            contents(a=[1, 2], b=[8, 9]),
            ["b"],
            [],
        ),
        (
            contents(a=[1, 2], b=[4, 5]),
            contents(a=[1, 2], b=[0, 0]),
            contents(a=[1, 2], b=[1, 1]),
            ["b"],
            ["b"],
        ),
        # Lost on the way down, though the second upgrade makes it again.
        (
            contents(a=[1, 2], b=[3, 4]),
            contents(a=[1, 2], b=[0, 0]),
            contents(a=[1, 2], b=[3, 4]),
            [],
            ["b"],
        ),
    ],
)
def test_what_the_upgrade_does_is_told_apart(
    after: Contents,
    down: Contents,
    again: Contents,
    changed: list[str | None],
    losses: list[str | None],
) -> None:
    survival = Survival(contents(a=[1, 2], b=[3, 4]), after, NOTHING)
    assert [each.column for each in survival.changed_by_upgrade] == changed
    assert [each.column for each, _ in survival.lost(down, again)] == losses


def test_what_a_trigger_may_have_written_is_not_lost() -> None:
    """The time, say, of each UPDATE: of the upgrade, of the downgrade, of the second upgrade."""
    before, after = contents(a=[1, 2], b=[3, 4]), contents(a=[1, 2], b=[5, 5])
    down, again = contents(a=[1, 2], b=[6, 6]), contents(a=[1, 2], b=[7, 7])
    (found,) = Survival(before, after, NOTHING).lost(down, again)
    assert found[0].column == "b"
    triggers = Snapshot({"trigger t.touched": "before update on t"})
    assert list(Survival(before, after, (triggers, triggers)).lost(down, again)) == []
    # What the upgrade leaves alone has to stay, whatever triggers there are.
    (found,) = Survival(before, before, (triggers, triggers)).lost(down, again)
    assert found[0].column == "b"


@pytest.mark.backends("postgresql", "mariadb", "mysql")
def test_bits(connection: Connection, seeds: Seeds) -> None:
    connection.exec_driver_sql(
        "CREATE TABLE flags (id integer PRIMARY KEY, one bit, five bit(5) NOT NULL)"
    )
    connection.commit()
    rows = filled(connection, seeds)["flags"]
    assert len(rows.rows) >= LEAST
    assert {"'00000'", "'11111'"} <= set(column(rows, "five")) or {
        repr(b"\0"),
        repr(b"\x1f"),
    } <= set(column(rows, "five"))


@pytest.mark.backends("sqlite")
def test_a_key_is_spelt_otherwise_than_its_column(connection: Connection, seeds: Seeds) -> None:
    connection.exec_driver_sql("CREATE TABLE t (Id integer, Name text NOT NULL, PRIMARY KEY (ID))")
    connection.commit()
    made = [literal_eval(each) for each in column(filled(connection, seeds)["t"], "Id")]
    assert made == list(range(1, len(made) + 1))


@pytest.mark.backends("postgresql", "sqlite")
def test_rows_that_are_refused_leave_none_in_autocommit(
    connection: Connection, seeds: Seeds
) -> None:
    """Nothing can be undone there, so what went in counts as ours."""
    filled(connection, seeds)
    connection.exec_driver_sql("CREATE TABLE t (id integer PRIMARY KEY, name varchar(9))")
    connection.exec_driver_sql("CREATE UNIQUE INDEX one ON t ((name IS NULL), (id < 5))")
    connection.commit()
    connection.execution_options(isolation_level="AUTOCOMMIT")
    there = filled(connection, seeds)["t"]
    made = {name.rpartition(".")[2]: number for name, number in seeds.made.items()}
    assert made.get("t", 0) == len(there.rows)


@pytest.mark.backends("postgresql")
@pytest.mark.parametrize("options", [{}, {"isolation_level": "AUTOCOMMIT"}])
def test_asynchronous_psycopg(
    scratch: ScratchDatabase, backend: Backend, options: dict[str, str]
) -> None:
    url = scratch.url.set(drivername="postgresql+psycopg_async")
    engine = create_async_engine(url, poolclass=sa.NullPool, **options)

    def followed(connection: Connection) -> None:
        following = backend.following(set())
        for number in range(8):
            connection.exec_driver_sql(f"CREATE TABLE t{number} (id integer)")
            connection.commit()
            schema = following.schema(connection)
            connection.rollback()
            assert schema == backend.snapshot(connection)
            connection.rollback()

    async def main() -> None:
        async with engine.connect() as connection:
            await connection.run_sync(followed)
        await engine.dispose()

    asyncio.run(main())
