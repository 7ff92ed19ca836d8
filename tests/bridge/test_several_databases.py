"""Env.py files that migrate several databases, or several tenants of one, in one run."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.config import Config

from tests.whole_projects import MakeProject, Whole, execute, query, revision, tables, text
from topchef_schema import (
    baseline,
    current,
    downgrade,
    history,
    plan,
    roundtrip,
    snapshot,
    sql,
    stamp,
    status,
    upgrade,
)
from topchef_schema import revision as write_revision
from topchef_schema.errors import LockedError, MigrationError, UnreachableError, UsageError
from topchef_schema.model import JOURNAL_TABLE

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend, ScratchDatabase, Server
    from topchef_schema.model import Report
    from topchef_schema.project import Project

BOTH = '''"""{message}"""

from alembic import op
import sqlalchemy as sa

revision = "{id}"
down_revision = {down!r}


def upgrade(engine_name):
    globals()[f"upgrade_{{engine_name}}"]()


def downgrade(engine_name):
    globals()[f"downgrade_{{engine_name}}"]()


def upgrade_engine1():
    {one}


def downgrade_engine1():
    {one_back}


def upgrade_engine2():
    {two}


def downgrade_engine2():
    {two_back}
'''


def table(name: str) -> tuple[str, str]:
    """Return the bodies that make and drop a table."""
    return f'op.create_table("{name}", sa.Column("id", sa.Integer))', f'op.drop_table("{name}")'


def both(
    id: str,
    one: tuple[str, str] = ("pass", "pass"),
    two: tuple[str, str] = ("pass", "pass"),
    down: str | None = None,
) -> str:
    """Return a revision of Alembic's multidb template."""
    return BOTH.format(
        id=id,
        message=f"revision {id}",
        down=down,
        one=one[0],
        one_back=one[1],
        two=two[0],
        two_back=two[1],
    )


VERSIONS = {
    "a1.py": both("a1", table("books"), table("invoices")),
    "b2.py": both("b2", two=table("payments"), down="a1"),
}

Multidb = Callable[..., Whole]


@pytest.fixture
def other(server: Server) -> Iterator[ScratchDatabase]:
    """Make a second scratch database."""
    database = server.create()
    try:
        yield database
    finally:
        server.drop(database)


@pytest.fixture
def multidb(project: MakeProject, scratch: ScratchDatabase, other: ScratchDatabase) -> Multidb:
    """Return what lays out Alembic's own multidb template, with two databases."""

    def make(versions: dict[str, str] = VERSIONS, settings: str | None = None) -> Whole:
        whole = project()
        shutil.rmtree(whole.root / "alembic")
        (whole.root / "alembic.ini").unlink()
        config = Config("alembic.ini")
        config.cmd_opts = None
        command.init(config, "alembic", template="multidb")
        ini = (whole.root / "alembic.ini").read_text()
        urls = iter(text(each).replace("%", "%%") for each in (scratch, other))
        ini = re.sub(r"(?m)^sqlalchemy.url = .*$", lambda _: f"sqlalchemy.url = {next(urls)}", ini)
        if settings is None:
            settings = "databases = engine1, engine2"
        whole.write("alembic.ini", f"{ini}\n[topchef]\n{settings}\n")
        for name, content in versions.items():
            whole.write(f"alembic/versions/{name}", content)
        return whole

    return make


def rows(database: ScratchDatabase, table: str = "alembic_version") -> list[str]:
    """Return the version rows; none where the table does not exist."""
    if table not in tables(database):
        return []
    return [row[0] for row in query(database, f"SELECT version_num FROM {table}")]


@pytest.mark.fact(25)
@pytest.mark.parametrize("settings", ["", "databases = engine1, engine2"])
def test_each_database_is_migrated(
    multidb: Multidb, scratch: ScratchDatabase, other: ScratchDatabase, settings: str
) -> None:
    """Alembic's multidb template, as it writes it, with and without a word in the settings."""
    shop = multidb(settings=settings).load()
    assert status(shop).data["pending"] == ["a1", "b2"]
    done = upgrade(shop)
    assert done.data["current"] == ["b2"]
    assert [(each["before"], each["current"]) for each in done.data["databases"]] == [
        ([], ["b2"])
    ] * 2
    assert len(done.checks) == 4
    own = {"alembic_version", "topchef_history"}
    assert tables(scratch) - {JOURNAL_TABLE} == {"books", *own}
    assert tables(other) - {JOURNAL_TABLE} == {"invoices", "payments", *own}
    assert rows(scratch) == rows(other) == ["b2"]
    assert status(shop).data["pending"] == []
    assert [each["current"] for each in current(shop).data["databases"]] == [["b2"], ["b2"]]
    told = history(shop).data
    assert [(each["revision"], each["status"]) for each in told["revisions"]] == [
        ("b2", "applied"),
        ("a1", "applied"),
    ] * 2
    assert len({each["target"] for each in told["events"]}) == 2
    assert downgrade(shop, "-1").data["current"] == ["a1"]
    assert "payments" not in tables(other)
    stamp(shop, "head")
    assert rows(scratch) == rows(other) == ["b2"]
    dropped = history(shop, drop=True)
    assert len(dropped.data["events"]) == 8
    assert "topchef_history" not in tables(scratch) | tables(other)


def test_the_same_as_plain_alembic_does(
    multidb: Multidb, scratch: ScratchDatabase, other: ScratchDatabase
) -> None:
    shop = multidb()
    command.upgrade(Config("alembic.ini"), "b2")
    theirs = snapshot(shop.load()).data
    command.downgrade(Config("alembic.ini"), "base")
    upgrade(shop.load())
    assert snapshot(shop.load()).data == theirs
    assert {key.split(": ")[0] for key in theirs["objects"]} >= {"engine1", "engine2"}
    assert rows(scratch) == rows(other) == ["b2"]


def test_databases_at_different_revisions(
    multidb: Multidb, scratch: ScratchDatabase, other: ScratchDatabase
) -> None:
    shop = multidb().load()
    upgrade(shop)
    execute(other, "DROP TABLE payments", "UPDATE alembic_version SET version_num = 'a1'")
    seen = status(shop, check=True)
    assert seen.data["pending"] == ["b2"]
    assert [each["pending"] for each in seen.data["databases"]] == [[], ["b2"]]
    pending, moved = seen.findings
    assert (pending.rule, pending.object) == ("pending-revisions", "engine2")
    assert (moved.rule, moved.message.partition(" ")[0]) == ("moved-without-history", "engine2")
    assert len(upgrade(shop).checks) == 1
    assert "payments" in tables(other)


def test_dry_run_shows_each_script(multidb: Multidb, scratch: ScratchDatabase) -> None:
    done = upgrade(multidb().load(), dry_run=True)
    assert done.script is not None
    assert done.script.count("CREATE TABLE books") == 1
    assert done.script.count("CREATE TABLE payments") == 1
    assert done.script.index("engine1") < done.script.index("books") < done.script.index("engine2")
    assert not tables(scratch)


def test_failure_in_the_second_database(
    multidb: Multidb, scratch: ScratchDatabase, other: ScratchDatabase, backend: Backend
) -> None:
    """The template commits at the end: what the first keeps depends on the server, and is told."""
    bad = both(
        "c3", table("authors"), ('op.execute("INSERT INTO nowhere VALUES (1)")', "pass"), "b2"
    )
    shop = multidb({**VERSIONS, "c3.py": bad}).load()
    with pytest.raises(MigrationError, match="the upgrade of revision c3 failed") as caught:
        upgrade(shop)
    for name, database in (("engine1", scratch), ("engine2", other)):
        at = ", ".join(rows(database)) or "base"
        assert re.search(f"{name} [^;]* is now at {at};", caught.value.hint)
    assert ("books" in tables(scratch)) != backend.transactional_ddl
    assert ("invoices" in tables(other)) != backend.transactional_ddl
    assert (caught.value.exit_code == 6) != backend.transactional_ddl


def test_round_trip_of_each_database(multidb: Multidb, server: Server, backend_name: str) -> None:
    leaks = both("c3", two=(table("receipts")[0], "pass"), down="b2")
    shop = multidb({**VERSIONS, "c3.py": leaks}).load()
    done = roundtrip(shop, on=[text(server)])
    assert [(each.rule, each.object, each.revision) for each in done.findings] == [
        ("empty-downgrade", None, "c3")
    ]
    assert done.findings[0].message.startswith("engine2: ")
    assert {(each.revision, each.name.partition(":")[0]) for each in done.checks} == {
        (id, name) for id in ("a1", "b2", "c3", None) for name in ("engine1", "engine2")
    }
    assert done.tables[0].columns[2:] == (f"{backend_name} engine1", f"{backend_name} engine2")


def test_a_script_for_each_database(multidb: Multidb, backend_name: str) -> None:
    done = sql(multidb().load(), on=[backend_name])
    one, two = done.data["scripts"]
    assert (one["database"], two["database"]) == ("engine1", "engine2")
    assert "CREATE TABLE books" in one["sql"]
    assert "invoices" not in one["sql"]
    assert "CREATE TABLE payments" in two["sql"]
    assert "books" not in two["sql"]


@pytest.mark.backends("sqlite", "postgresql")
def test_a_script_that_has_to_be_replayed(multidb: Multidb, backend_name: str) -> None:
    reads = ("op.get_bind().execute(sa.text('SELECT 1')).one(); " + table("receipts")[0], "pass")
    shop = multidb({**VERSIONS, "c3.py": both("c3", two=reads, down="b2")}).load()
    scripts = sql(shop, "c3", on=[backend_name]).data["scripts"]
    assert ["CREATE TABLE receipts" in each["sql"] for each in scripts] == [False, True]


@pytest.mark.backends("sqlite")
def test_one_url_for_several_databases_is_refused(multidb: Multidb) -> None:
    shop = multidb()
    for arguments in (["status", "--url", "sqlite:///one.db"], ["upgrade", "--url-env", "SHOP"]):
        done = shop.program(*arguments, SHOP="sqlite:///one.db")
        assert done.returncode == 2
        assert "names one database, and this project has several" in done.stderr
        assert "[engine1], [engine2]" in done.stderr
    assert not (shop.root / "one.db").exists()


@pytest.mark.backends("sqlite")
def test_scratch_work_without_the_setting_names_it(multidb: Multidb) -> None:
    shop = multidb(settings="").load()
    with pytest.raises(UsageError, match=r"env\.py connected to") as caught:
        roundtrip(shop, on=["sqlite"])
    assert "databases, where it migrates several" in caught.value.hint


@pytest.mark.backends("sqlite")
def test_generating_for_several_databases_is_refused(multidb: Multidb) -> None:
    shop = multidb()
    with pytest.raises(UsageError, match="several databases cannot be generated"):
        write_revision(shop.load(), "more", on=["sqlite"])
    write_revision(shop.load(), "by hand", empty=True, rev_id="c3")
    (written,) = shop.versions.glob("*by_hand*")
    assert "def upgrade_engine2()" in written.read_text()
    assert roundtrip(shop.load(), "c3", on=["sqlite"]).exit_code() == 0


@pytest.mark.backends("sqlite")
def test_one_of_several_files_that_is_missing(
    multidb: Multidb, scratch: ScratchDatabase, other: ScratchDatabase
) -> None:
    """Nothing tells whether a path is wrong: it is not made beside one that is there."""
    from pathlib import Path

    shop = multidb().load()
    first, second = (Path(str(each.url.database)) for each in (scratch, other))
    upgrade(shop)
    second.unlink()
    for look in (status, upgrade, current):
        with pytest.raises(UnreachableError, match="does not exist"):
            look(shop)
    assert not second.exists()
    first.unlink()
    assert [each["current"] for each in status(shop).data["databases"]] == [[], []]
    assert not first.exists()
    assert upgrade(shop).data["current"] == ["b2"]
    assert "payments" in tables(other)


def test_json_of_the_program(multidb: Multidb) -> None:
    done = multidb().program("status", "--format", "json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)["data"]
    assert [each["pending"] for each in data["databases"]] == [["a1", "b2"], ["a1", "b2"]]


@pytest.mark.parametrize("present", [True, False])
@pytest.mark.parametrize("move", [upgrade, partial(stamp, revisions="heads")])
def test_a_further_database_that_nobody_named_is_refused(
    project: MakeProject, move: Callable[[Project], Report], *, present: bool
) -> None:
    shop = project("linear", env="another_database")
    if present:
        shop.file.touch()
    with pytest.raises(UsageError, match=r"connected to sqlite:///second\.db, not to") as caught:
        move(shop.here())
    assert "databases" in caught.value.hint
    for name in ("app.db", "second.db"):
        file = shop.root / name
        assert not file.exists() or not tables(f"sqlite:///{file}")


def tenant_revision(id: str, body: str, back: str, down: str | None = None) -> str:
    """Return a revision that is handed the tenant's name."""
    written = revision(id, body, back, down=down)
    return written.replace("upgrade()", "upgrade(tenant)").replace(
        "downgrade()", "downgrade(tenant)"
    )


TENANTS = {
    "a.py": tenant_revision(
        "a1",
        'op.create_table(f"orders_{tenant}", sa.Column("id", sa.Integer))',
        'op.drop_table(f"orders_{tenant}")',
    ),
    "b.py": tenant_revision(
        "b2",
        'op.add_column(f"orders_{tenant}", sa.Column("note", sa.String(9)))',
        'op.drop_column(f"orders_{tenant}", "note")',
        "a1",
    ),
}


def test_tenants_of_one_database(
    project: MakeProject, scratch: ScratchDatabase, server: Server, backend_name: str
) -> None:
    shop = project(env="tenants", versions=TENANTS)
    done = upgrade(shop.on(scratch))
    assert [each["current"] for each in done.data["databases"]] == [["b2"], ["b2"]]
    assert done.data["databases"][1]["target"].endswith("#2")
    assert {"orders_north", "orders_south"} <= tables(scratch)
    assert rows(scratch, "alembic_version_north") == rows(scratch, "alembic_version_south")
    assert len(query(scratch, "SELECT id FROM topchef_history")) == 4
    execute(scratch, "UPDATE alembic_version_south SET version_num = 'a1'")
    seen = status(shop.on(scratch))
    assert [each["pending"] for each in seen.data["databases"]] == [[], ["b2"]]
    execute(scratch, "UPDATE alembic_version_south SET version_num = 'b2'")
    assert {"table orders_north", "table orders_south"} <= {
        key.replace("public.", "") for key in snapshot(shop.on(scratch)).data["objects"]
    }
    downgrade(shop.on(scratch), "base")
    assert not {"orders_north", "orders_south"} & tables(scratch)
    kept = snapshot(shop.on(scratch)).data["objects"]
    assert not [key for key in kept if "alembic_version" in key or "orders" in key]
    # One tenant proves for all.
    proven = roundtrip(shop.load(), on=[text(server)])
    assert (proven.findings, sum(each.revision is not None for each in proven.checks)) == ((), 2)
    script = sql(shop.load(), on=[backend_name]).script
    assert script is not None
    assert "orders_north" in script
    assert "orders_south" not in script


def test_the_second_tenant_fails(project: MakeProject, scratch: ScratchDatabase) -> None:
    """Each tenant is a transaction of its own: the first one stays, and it is said so."""
    body = 'tenant == "south" and op.execute("INSERT INTO nowhere VALUES (1)")'
    shop = project(
        env="tenants", versions={**TENANTS, "c.py": tenant_revision("c3", body, "pass", "b2")}
    )
    with pytest.raises(MigrationError, match="upgrade of revision c3 failed") as caught:
        upgrade(shop.on(scratch))
    first, second = caught.value.hint.split("; ")[:2]
    assert first.endswith("is now at c3")
    at = rows(scratch, "alembic_version_south")
    assert second.endswith(f"#2 is now at {', '.join(at) or 'base'}")
    assert rows(scratch, "alembic_version_north") == ["c3"]


def test_what_a_tenant_would_lose(project: MakeProject, scratch: ScratchDatabase) -> None:
    """What one of them has no rows of, another one may be full of."""
    shop = project(env="tenants", versions=TENANTS)
    upgrade(shop.on(scratch))
    execute(scratch, "INSERT INTO orders_south (id, note) VALUES (1, 'x')")
    one = downgrade(shop.on(scratch), "-1")
    assert [each.object for each in one.findings] == ["column orders_south.note"]
    report = downgrade(shop.on(scratch), "base")
    assert [each.object for each in report.findings] == ["table orders_south"]
    assert [each["current"] for each in report.data["databases"]] == [["b2"], ["b2"]]
    shown = downgrade(shop.on(scratch), "base", dry_run=True)
    said = [each.sql for each in shown.statements if "DROP TABLE" in each.sql]
    assert [("north" in each, "south" in each) for each in said] == [(True, False), (False, True)]
    found = plan(shop.on(scratch), "head").data["plans"]
    assert [each["pending"] for each in found] == [[], []]
    done = downgrade(shop.on(scratch), "base", accept_data_loss=True)
    assert [each["current"] for each in done.data["databases"]] == [[], []]


def test_what_one_of_two_databases_would_lose(
    multidb: Multidb, scratch: ScratchDatabase, other: ScratchDatabase
) -> None:
    shop = multidb().load()
    (first, second) = plan(shop).data["plans"]
    assert (first["database"], second["database"]) == ("engine1", "engine2")
    said = [
        [each["sql"] for step in one["steps"] for each in step["statements"]]
        for one in (first, second)
    ]
    assert [len(each) for each in said] == [1, 2]
    upgrade(shop)
    execute(other, "INSERT INTO payments VALUES (1)")
    report = downgrade(shop, "base")
    assert [(each.object, each.before) for each in report.findings] == [("table payments", "1 row")]
    assert rows(scratch) == rows(other) == ["b2"]
    downgrade(shop, "base", accept_data_loss=True)
    assert rows(scratch) == rows(other) == []


def test_two_databases_are_adopted(
    multidb: Multidb, scratch: ScratchDatabase, other: ScratchDatabase
) -> None:
    shop = multidb().load()
    upgrade(shop)
    for each in (scratch, other):
        execute(each, "DROP TABLE alembic_version")
    execute(other, "DROP TABLE payments")
    # The first is equal to both revisions, the second to one of them.
    report = baseline(shop)
    assert [each["current"] for each in report.data["databases"]] == [["a1"], ["a1"]]
    assert rows(scratch) == rows(other) == ["a1"]


@pytest.mark.backends("postgresql")
def test_tenants_with_schemas_in_one_transaction(
    project: MakeProject, scratch: ScratchDatabase, server: Server
) -> None:
    shop = project("linear", env="tenant_schemas")
    execute(scratch, "CREATE SCHEMA north", "CREATE SCHEMA south")
    upgrade(shop.on(scratch))
    question = "SELECT schemaname FROM pg_tables WHERE tablename = '{}' ORDER BY 1"
    for table in ("books", "alembic_version", "topchef_history"):
        found = [row[0] for row in query(scratch, question.format(table))]
        assert found == ["north", "south"]
    assert [each["pending"] for each in status(shop.on(scratch)).data["databases"]] == [[], []]
    downgrade(shop.on(scratch), "base")
    assert query(scratch, question.format("books")) == []
    proven = roundtrip(shop.load(), on=[text(server)])
    assert (proven.findings, sum(each.revision is not None for each in proven.checks)) == ((), 3)


@pytest.mark.parametrize("locked", ["north", "south"])
def test_each_tenant_has_a_lock(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend, locked: str
) -> None:
    from topchef_schema.stages.entry import connected

    shop = project(env="tenants", versions=TENANTS)
    with (
        connected(scratch.url) as elsewhere,
        backend.lock(elsewhere, f".alembic_version_{locked}", 0),
        pytest.raises(LockedError) as caught,
    ):
        upgrade(shop.on(scratch), lock_timeout=0)
    # The first tenant is a transaction of its own; a file has one lock for all of it.
    first_is_done = locked == "south" and not backend.made_by_connecting
    assert ("is now at b2" in caught.value.hint) == first_is_done
    assert upgrade(shop.on(scratch), lock_timeout=0).data["current"] == ["b2"]


def test_bundle_has_a_folder_for_each_database(
    multidb: Multidb, backend: Backend, server: Server, other: ScratchDatabase
) -> None:
    whole = multidb()
    shop = whole.load()
    on = [text(server)]
    report = sql(shop, "base:heads", on=on, bundle="out")
    written = [each for each in report.data["files"] if each.endswith("up.sql")]
    assert written == [f"{backend.name}/engine{number}/up.sql" for number in (1, 2)]
    second = (whole.root / "out" / written[1]).read_text()
    assert "invoices" in second
    assert "books" not in second
    after = (whole.root / "out" / backend.name / "engine2" / "schema-after.txt").read_text()
    assert "payments" in after
    assert not sql(shop, verify="out", on=on).findings
    assert [each.revision for each in upgrade(shop, bundle="out").checks] == ["a1", "b2"] * 2
    assert rows(other) == ["b2"]
