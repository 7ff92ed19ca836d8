"""What a failed run leaves in each kind of transaction is what plain Alembic leaves, or less."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plain_alembic import Rival
from tests.whole_projects import MakeProject, Whole, execute, query, revision, tables, text
from topchef_schema import downgrade, roundtrip, stamp, upgrade
from topchef_schema.errors import MigrationError, PartialError
from topchef_schema.model import HISTORY_TABLE, JOURNAL_TABLE

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend, ScratchDatabase, Server

ENVIRONMENTS = {
    "usual": None,
    "step_by_step": None,
    "outer_transaction": None,
    "explicit_commit": None,
    "own_session": None,
    "autocommit": None,
    "inner_transaction": "postgresql",
    "transactional_sqlite": "sqlite",
}
"""Each, and the only database on which it works."""

OWN = {HISTORY_TABLE, JOURNAL_TABLE}
FAILS = 'op.execute("INSERT INTO nowhere VALUES (1)")'


def table(id: str, down: str | None, more: str = "") -> str:
    made = f'op.create_table("t_{id}", sa.Column("id", sa.Integer))\n{more}'
    return revision(id, made, f'op.drop_table("t_{id}")', down=down)


HALF = {"a1.py": table("a1", None), "b2.py": table("b2", "a1"), "c3.py": table("c3", "b2", FAILS)}
AT_ONCE = {**HALF, "c3.py": revision("c3", FAILS, down="b2")}


def left(database: ScratchDatabase) -> tuple[set[str], set[str]]:
    """Return the tables and the version rows that are there."""
    there = tables(database)
    versions = "SELECT version_num FROM alembic_version"
    rows = query(database, versions) if "alembic_version" in there else []
    return there - OWN, {row[0] for row in rows}


@pytest.mark.fact(12)
@pytest.mark.parametrize("versions", [HALF, AT_ONCE], ids=["half", "at once"])
@pytest.mark.parametrize("env", sorted(ENVIRONMENTS))
def test_failed_upgrade(
    project: MakeProject, server: Server, backend_name: str, env: str, versions: dict[str, str]
) -> None:
    if ENVIRONMENTS[env] not in (None, backend_name):
        pytest.skip(f"{env} is for {ENVIRONMENTS[env]}")
    shop = project(env=env, versions=versions)
    ours, theirs = server.create(), server.create()
    try:
        with pytest.raises(MigrationError) as caught:
            upgrade(shop.on(ours))
        with pytest.raises(Exception, match="nowhere"):
            Rival(shop, theirs).alembic("upgrade", "heads")
        ours_left, theirs_left = left(ours), left(theirs)
    finally:
        server.drop(ours)
        server.drop(theirs)
    if backend_name == "sqlite" and env != "autocommit":
        # Plain Alembic's driver does not undo DDL there: ours leaves nothing half done.
        tables_left, rows = theirs_left
        applied = shop.load().revisions.applied_at(tuple(rows))
        theirs_left = (tables_left & {"alembic_version", *(f"t_{each}" for each in applied)}, rows)
    assert ours_left == theirs_left
    said(shop, caught.value, *ours_left)


def said(shop: Whole, error: MigrationError, there: set[str], rows: set[str]) -> None:
    """Check that *error* tells of what is there."""
    ids = ("a1", "b2", "c3")
    recorded = shop.load().revisions.applied_at(tuple(rows))
    stay = ", ".join(each for each in ids if each in recorded)
    assert (f"stay done: {stay}" if stay else "nothing else of this run stays") in error.message
    alone = {each for each in ids if f"t_{each}" in there and each not in recorded}
    named = {each for each in ids if f"CREATE TABLE t_{each}" in error.message}
    assert alone <= named
    assert alone == named or "does not undo as a whole" in error.message
    assert type(error) is (PartialError if alone else MigrationError)


@pytest.mark.fact(13)
def test_rows_between_tables(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    """Rows and tables stay together or go together; what stays is said, and not done twice."""
    mixed = (
        'op.create_table("shelves", sa.Column("id", sa.Integer))\n'
        'op.execute("INSERT INTO shelves VALUES (1)")\n'
        'op.create_table("books", sa.Column("id", sa.Integer))\n' + FAILS
    )
    shop = project(env="step_by_step", versions={"a1.py": revision("a1", mixed)})
    with pytest.raises(MigrationError) as caught:
        upgrade(shop.on(scratch))
    kept = () if backend.transactional_ddl else ("TABLE shelves", "INTO shelves", "TABLE books")
    assert type(caught.value) is (PartialError if kept else MigrationError)
    assert all(each in caught.value.message for each in kept)
    assert left(scratch)[0] - {"alembic_version"} == ({"shelves", "books"} if kept else set())

    execute(scratch, "CREATE TABLE nowhere (id INTEGER)")
    upgrade(shop.on(scratch))
    assert query(scratch, "SELECT id FROM shelves") == [(1,)]
    assert left(scratch)[1] == {"a1"}


def test_rows_that_were_rolled_back_did_not_take_effect(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    rows = (
        'op.create_table("shelves", sa.Column("id", sa.Integer))\n'
        'op.execute("INSERT INTO shelves VALUES (1)")\n' + FAILS
    )
    shop = project(env="step_by_step", versions={"a1.py": revision("a1", rows)})
    with pytest.raises(MigrationError) as caught:
        upgrade(shop.on(scratch))
    assert "INTO shelves" not in caught.value.message
    kept = not backend.transactional_ddl
    assert ("took effect: CREATE TABLE shelves" in caught.value.message) is kept
    assert ("shelves" in left(scratch)[0]) is kept


@pytest.mark.backends("postgresql")
def test_what_comes_after_a_statement_that_commits_did_not_take_effect(
    project: MakeProject, scratch: ScratchDatabase
) -> None:
    mixed = (
        'op.create_table("shelves", sa.Column("id", sa.Integer))\n'
        "with op.get_context().autocommit_block():\n"
        '    op.execute("CREATE INDEX CONCURRENTLY i ON shelves (id)")\n'
        'op.create_table("books", sa.Column("id", sa.Integer))\n' + FAILS
    )
    shop = project(versions={"a1.py": revision("a1", mixed)})
    with pytest.raises(PartialError) as caught:
        upgrade(shop.on(scratch))
    assert "TABLE shelves" in caught.value.message
    assert "INDEX CONCURRENTLY" in caught.value.message
    assert "TABLE books" not in caught.value.message
    assert left(scratch)[0] - {"alembic_version"} == {"shelves"}


@pytest.mark.backends("postgresql")
@pytest.mark.parametrize("env", ["usual", "step_by_step"])
def test_a_commit_that_is_refused_commits_nothing(
    project: MakeProject, scratch: ScratchDatabase, env: str
) -> None:
    orphan = (
        'op.execute("CREATE TABLE p (id INT PRIMARY KEY)")\n'
        'op.execute("CREATE TABLE c (p INT REFERENCES p DEFERRABLE INITIALLY DEFERRED)")\n'
        'op.execute("INSERT INTO c VALUES (1)")\n'
        "op.get_bind().commit()"
    )
    versions = {"a1.py": table("a1", None), "b2.py": revision("b2", orphan, down="a1")}
    shop = project(env=env, versions=versions)
    with pytest.raises(MigrationError) as caught:
        upgrade(shop.on(scratch))
    stays = "a1" if env == "step_by_step" else ""
    assert type(caught.value) is MigrationError
    assert (f"stay done: {stays}" in caught.value.message) is bool(stays)
    assert "took effect" not in caught.value.message
    assert left(scratch) == (({"t_a1", "alembic_version"}, {"a1"}) if stays else (set(), set()))


@pytest.mark.backends("sqlite")
def test_the_statement_that_failed_is_named_and_no_other(
    project: MakeProject, scratch: ScratchDatabase
) -> None:
    swallows = (
        "try:\n"
        "    with op.get_bind().begin_nested():\n"
        '        op.execute("INSERT INTO optional VALUES (1)")\n'
        "except sa.exc.OperationalError:\n    pass\n"
        'op.get_bind().execute(sa.text("SELECT wrong"))'
    )
    shop = project(versions={"a1.py": revision("a1", swallows)})
    with pytest.raises(MigrationError, match="no such column: wrong") as caught:
        upgrade(shop.on(scratch))
    assert "optional" not in caught.value.hint


def test_what_stays_of_several_is_said_of_each(project: MakeProject) -> None:
    """The run ends in the second of two: what it did in the first one stays."""
    up = revision("a1", 'assert tenant == "north", tenant').replace("upgrade()", "upgrade(tenant)")
    shop = project(env="tenants", versions={"a1.py": up})
    with pytest.raises(MigrationError) as caught:
        upgrade(shop.here())
    assert "nothing else of this run stays in sqlite" in caught.value.message
    assert "app.db is now at a1; " in caught.value.hint
    assert "app.db #2 is now at base" in caught.value.hint


UNCOMMITTED = """
from alembic import context
from sqlalchemy import create_engine, pool, text

url = context.config.get_main_option("sqlalchemy.url")
with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    connection.execute(text("SELECT 1"))
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""


def test_an_environment_that_forgets_to_commit(
    project: MakeProject, scratch: ScratchDatabase
) -> None:
    """Plain Alembic says nothing, and the work is gone."""
    shop = project("linear")
    shop.write("alembic/env.py", UNCOMMITTED)
    with pytest.raises(MigrationError, match="did not commit it") as caught:
        upgrade(shop.on(scratch))
    assert caught.value.where == "alembic/env.py"
    with pytest.raises(MigrationError, match="did not commit"):
        stamp(shop.on(scratch), ["aa10"])
    assert roundtrip(shop.load(), on=["sqlite"]).findings == ()


ASKS = """
place, time = "SELECT current_setting('shop.tenant')", "SHOW lock_timeout"
found = [op.get_bind().exec_driver_sql(each).scalar() for each in (place, time)]
assert found == ["corner", "7s"], found
"""


@pytest.mark.backends("postgresql")
@pytest.mark.parametrize("env", ["set_local", "set_local_first"])
def test_settings_of_the_transaction_hold_in_every_revision(
    project: MakeProject, scratch: ScratchDatabase, server: Server, env: str
) -> None:
    versions = {"a1.py": table("a1", None, ASKS.strip()), "b2.py": table("b2", "a1", ASKS.strip())}
    shop = project(env=env, versions=versions)
    above, _ = Rival(shop, scratch).agree()
    assert above.versions == ["b2"]
    assert roundtrip(shop.load(), on=[text(server)]).findings == ()


SCHEMAS = """\
import os
from alembic import context
from sqlalchemy import create_engine, pool, text

engine = create_engine(context.config.get_main_option("sqlalchemy.url"), poolclass=pool.NullPool)
names = os.environ["SCHEMAS"].split()
with engine.connect() as connection:
    for name in names:
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {name}"))
    connection.commit()
    for name in names:
        context.configure(
            connection=connection, transaction_per_migration=True, version_table_schema=name
        )
        with context.begin_transaction():
            connection.execute(text(f"SET search_path TO {name}"))
            context.run_migrations()
"""


@pytest.mark.backends("postgresql")
def test_what_env_py_sets_within_its_transaction(
    project: MakeProject, scratch: ScratchDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever we read between the steps, it holds for all, and each schema is moved."""
    up = 'op.create_index("ix_t_a1", "t_a1", ["id"])'
    down = 'op.drop_index("ix_t_a1", "t_a1")'
    versions = {"a1.py": table("a1", None), "b2.py": revision("b2", up, down, down="a1")}
    shop = project(versions=versions)
    shop.write("alembic/env.py", SCHEMAS)
    monkeypatch.setenv("SCHEMAS", "one two")
    found = "SELECT schemaname FROM pg_indexes WHERE indexname = 'ix_t_a1' ORDER BY 1"
    upgrade(shop.on(scratch))
    assert query(scratch, found) == [("one",), ("two",)]
    downgrade(shop.on(scratch), "base", accept_data_loss=True)
    assert query(scratch, found) == []
    monkeypatch.setenv("SCHEMAS", "one")
    assert not roundtrip(shop.load(), on=["postgresql"]).findings
