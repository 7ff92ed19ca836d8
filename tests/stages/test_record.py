"""A script run by the database's own client gives what the revisions give; it is safe to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.scripts import OURS, refused, run, script_of
from tests.whole_projects import MakeProject, Whole, execute, query, revision, tables, text
from topchef_schema import snapshot, sql, status, upgrade
from topchef_schema.backends.postgresql_script import libpq
from topchef_schema.errors import HistoryError, MigrationError, UnreachableError, UsageError

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase, Server


def schema(whole: Whole, database: ScratchDatabase) -> dict[str, str]:
    objects: dict[str, str] = snapshot(whole.on(database)).data["objects"]
    return objects


@pytest.mark.parametrize("name", ["linear", "branched"])
def test_scripts_do_what_the_revisions_do(
    project: MakeProject, server: Server, scratch: ScratchDatabase, name: str
) -> None:
    shop = project(name)
    beside = server.create()
    try:
        upgrade(shop.on(beside), history=False)
        run(script_of(shop, text(server)), scratch)
        assert schema(shop, scratch) == schema(shop, beside)
    finally:
        server.drop(beside)
    assert status(shop.on(scratch)).data["pending"] == []

    down = script_of(shop, text(server), down=True)
    run(down, scratch)
    assert tables(scratch) - OURS == {"alembic_version"}
    assert query(scratch, "SELECT version_num FROM alembic_version") == []


def test_scripts_go_on_from_where_a_database_is(
    project: MakeProject, server: Server, scratch: ScratchDatabase
) -> None:
    shop = project("linear")
    upgrade(shop.on(scratch), "aa10", history=False)
    execute(scratch, "INSERT INTO authors (id, name) VALUES (1, 'ada')")
    run(script_of(shop, text(server), "aa10:cc30"), scratch)
    assert status(shop.on(scratch)).data["current"] == ["cc30"]
    assert query(scratch, "SELECT sort_name FROM authors") == [("ADA",)]
    for range_ in ("aa10:cc30", "cc30:aa10"):
        assert script_of(shop, text(server), range_, down=True) == script_of(
            shop, text(server), "aa10:head", down=True
        )
    run(script_of(shop, text(server), "cc30:bb20", down=True), scratch)
    assert status(shop.on(scratch)).data["current"] == ["bb20"]


READS = """\
found = op.get_bind().execute(sa.text("SELECT id, name FROM authors")).all()
op.create_table("counted", sa.Column("n", sa.Integer))
counted = sa.table("counted", sa.column("n", sa.Integer))
op.get_bind().execute(counted.insert(), [{"n": len(found)}, {"n": 7}])"""


@pytest.mark.fact(17)
def test_revision_that_reads(
    project: MakeProject, server: Server, scratch: ScratchDatabase
) -> None:
    reads = revision("dd40", READS, 'op.drop_table("counted")', down="cc30")
    shop = project("linear", versions={"dd40.py": reads})
    report = sql(shop.load(), "dd40", on=[text(server)])
    (finding,) = report.findings
    assert (finding.rule, finding.revision, str(finding.severity)) == (
        "depends-on-data",
        "dd40",
        "info",
    )
    assert report.script is not None
    assert "depends on the data" in report.script
    assert "?" not in report.script
    assert "%s" not in report.script
    assert "SELECT id" not in report.script
    assert sql(shop.load(), "dd40", on=[text(server)], strict=True).exit_code() == 10
    upgrade(shop.on(scratch), "cc30", history=False)
    run(report.script, scratch)
    assert sorted(query(scratch, "SELECT n FROM counted")) == [(0,), (7,)]
    assert status(shop.on(scratch)).data["pending"] == []


VALUES = """\
values = sa.table("texts", sa.column("id", sa.Integer), sa.column("t", sa.String))
op.create_table("texts", sa.Column("id", sa.Integer, primary_key=True), sa.Column("t", sa.Text))
op.bulk_insert(values, [{"id": n, "t": t} for n, t in enumerate(TEXTS, 1)])
op.get_bind().execute(values.insert().values(id=99, t=TEXTS[0]))
op.execute(values.update().where(values.c.id == 99).values(t=TEXTS[1]))"""

TEXTS = [
    "50 % off %s %(x)s :name",
    'it\'s "quoted" `so`',
    "back\\slash \\n",
    "two\nlines; -- no comment\n/* nor this */",
    "naïve \U0001f512 café",
    "$1 $$ $body$",
    "?",
]


def test_values_arrive_as_they_are(
    project: MakeProject, server: Server, scratch: ScratchDatabase
) -> None:
    """Whether the script was rendered offline, or recorded, or both."""
    for number, reads in enumerate(
        ("", "op.get_bind().execute(sa.text('SELECT 1')).scalar_one()\n")
    ):
        body = f"TEXTS = {TEXTS!r}\n{reads}{VALUES}"
        shop = project(versions={"a.py": revision("a1", body, 'op.drop_table("texts")')})
        run(script_of(shop, text(server)), scratch)
        rows = dict(map(tuple, query(scratch, "SELECT id, t FROM texts")))
        assert rows == {**dict(enumerate(TEXTS, 1)), 99: TEXTS[1]}, number
        run(script_of(shop, text(server), down=True), scratch)
        assert tables(scratch) - OURS == {"alembic_version"}


def test_values_that_cannot_be_written_are_no_success(project: MakeProject, server: Server) -> None:
    body = (
        'made = op.create_table("blobs", sa.Column("b", sa.LargeBinary))\n'
        'op.bulk_insert(made, [{"b": b"\\xff"}])'
    )
    shop = project(versions={"a.py": revision("a1", body)})
    report = sql(shop.load(), on=[text(server)])
    assert report.exit_code() == 10
    (error,) = [each for each in report.findings if str(each.severity) == "error"]
    assert (error.rule, error.revision) == ("depends-on-data", "a1")
    assert (error.path, error.line) == ("alembic/versions/a.py", shop.line("a1", "bulk_insert"))
    assert str(error.sql).startswith("INSERT INTO blobs")


ITS_NAME = revision(
    "a1",
    "name = op.get_bind().engine.url.database\n"
    'op.execute(f"ALTER DATABASE {name} DEFAULT CHARACTER SET latin1")',
)


@pytest.mark.backends("mariadb", "mysql")
def test_the_database_is_not_called_after_a_scratch_database(
    project: MakeProject, server: Server, scratch: ScratchDatabase
) -> None:
    shop = project(versions={"a1.py": ITS_NAME})
    report = sql(shop.on(scratch), on=[text(server)])
    assert f"ALTER DATABASE {scratch.name} DEFAULT" in (report.script or "")
    assert [each.severity for each in report.findings] == ["info"]
    run(report.script or "", scratch)

    report = sql(shop.load(), on=[text(server)])
    assert "topchef_scratch" not in (report.script or "")
    (_, stops) = report.findings
    assert (stops.severity, stops.line) == ("error", shop.line("a1", "op.execute"))
    assert stops.sql == "ALTER DATABASE NAME_OF_THE_DATABASE DEFAULT CHARACTER SET latin1"


UNTYPED = revision(
    "a1",
    'op.create_table("jobs", sa.Column("id", sa.Integer), sa.Column("word", sa.String(9)))\n'
    "op.get_bind().execute(sa.text(\"INSERT INTO jobs VALUES (1, 'b;b'), (2, 'a'), (3, 'c')\"))\n"
    "op.get_bind().execute(sa.text('SELECT 1')).scalar_one()\n"
    'jobs = sa.table("jobs", sa.column("id"), sa.column("word"))\n'
    'op.execute(jobs.update().where(jobs.c.id.in_([1, 3])).values(word="it\'s"))',
)


def test_values_of_columns_without_a_type(
    project: MakeProject, server: Server, scratch: ScratchDatabase
) -> None:
    shop = project(versions={"a1.py": UNTYPED})
    run(script_of(shop, text(server)), scratch)
    words = query(scratch, "SELECT word FROM jobs ORDER BY id")
    assert [row[0] for row in words] == ["it's", "a", "it's"]


TRIGGER = """\
op.create_table("words", sa.Column("id", sa.Integer), sa.Column("word", sa.String(40)))
op.execute(\'\'\'CREATE TRIGGER checked BEFORE INSERT ON words FOR EACH ROW
BEGIN
  IF NEW.word IS NULL THEN
    SET NEW.word = 'a; b';
  END IF;
END;
\'\'\')
op.execute("INSERT INTO words (id) VALUES (1)")"""


@pytest.mark.backends("mariadb", "mysql")
def test_bodies_with_semicolons_are_one_statement(
    project: MakeProject, server: Server, scratch: ScratchDatabase
) -> None:
    shop = project(versions={"a1.py": revision("a1", TRIGGER)})
    script = script_of(shop, text(server))
    assert script.count("DELIMITER") == 2
    run(script, scratch)
    assert query(scratch, "SELECT word FROM words")[0][0] == "a; b"


@pytest.mark.backends("mariadb")
def test_script_is_written_in_the_dialect_that_env_py_works_with(
    project: MakeProject, server: Server, scratch: ScratchDatabase
) -> None:
    body = (
        'op.create_table("words", sa.Column("word", sa.String(4000)))\n'
        'op.create_index("ix_word", "words", ["word"], mysql_length={"word": 20})'
    )
    reads = f"{body}\nsa.inspect(op.get_bind()).get_table_names()"
    for content in body, reads:
        shop = project(
            versions={"a1.py": revision("a1", content)},
            settings="drivers = mariadb = mysql+pymysql",
        )
        assert "(word(20))" in script_of(shop, text(server))


@pytest.mark.backends("mariadb")
def test_dialect_called_mysql_writes_what_mariadb_understands(
    project: MakeProject, server: Server, scratch: ScratchDatabase
) -> None:
    """The two have other words for the end of a CHECK constraint."""
    made = 'op.create_table("words", sa.Column("n", sa.Integer), sa.CheckConstraint("n > 1", "c"))'
    shop = project(
        versions={
            "a1.py": revision("a1", made),
            "b2.py": revision("b2", 'op.drop_constraint("c", "words", type_="check")', down="a1"),
        },
        settings="drivers = mariadb = mysql+pymysql",
    )
    run(script_of(shop, text(server)), scratch)
    execute(scratch, "INSERT INTO words VALUES (0)")  # against the constraint that is gone
    assert query(scratch, "SELECT n FROM words") == [(0,)]


HOSTILE = (
    "quotes ' \" % */ -- end\nDROP TABLE victims; --\r\nDROP TABLE victims;\x1b[2J \u2028x \u202e"
)


@pytest.mark.fact(23)
def test_hostile_message(project: MakeProject, server: Server, scratch: ScratchDatabase) -> None:
    execute(scratch, "CREATE TABLE victims (id INTEGER)")
    body = 'op.create_table("harmless", sa.Column("id", sa.Integer))'
    content = revision("a1", body, 'op.drop_table("harmless")', message="MESSAGE")
    content = content.replace('"""MESSAGE"""', repr(f"{HOSTILE}\n\n{HOSTILE}{COMMANDS}"))
    shop = project(versions={"evil; DROP TABLE victims; --.py": content})
    for down in (False, True):
        script = script_of(shop, text(server), down=down)
        assert "\x1b" not in script
        run(script, scratch)
        assert not (shop.root / "hacked").exists()
        made = set() if down else {"harmless"}
        assert tables(scratch) - OURS == {"victims", "alembic_version"} | made


COMMANDS = """
\\! touch hacked
.shell touch hacked
.quit
system touch hacked
\\q
$guard$; DROP TABLE victims; DO $guard$
GO
/
delimiter //
DROP TABLE victims//
"""
"""What the clients understand at the beginning of a line."""


@pytest.mark.parametrize(
    "id", ["it's", 'qu"ote', "back\\slash", "$guard$", "`a`", "50%s", "é\u2028x"]
)
def test_hostile_ids(
    project: MakeProject, server: Server, scratch: ScratchDatabase, id: str
) -> None:
    body = 'op.create_table("harmless", sa.Column("id", sa.Integer))'
    content = revision("ID", body, 'op.drop_table("harmless")').replace('"ID"', repr(id))
    shop = project(versions={"a.py": content})
    run(script_of(shop, text(server)), scratch)
    assert query(scratch, "SELECT version_num FROM alembic_version") == [(id,)]
    assert status(shop.on(scratch)).data["pending"] == []
    assert "already" in refused(script_of(shop, text(server)), scratch)
    run(script_of(shop, text(server), down=True), scratch)
    assert query(scratch, "SELECT version_num FROM alembic_version") == []


def test_names_that_need_quotes(
    project: MakeProject, server: Server, scratch: ScratchDatabase
) -> None:
    body = (
        'columns = [sa.Column("50 % of", sa.Integer), sa.Column("é", sa.Integer)]\n'
        'op.create_table("order by", *columns)\n'
        'op.create_index("in dex", "order by", ["50 % of"])'
    )
    shop = project(versions={"a.py": revision("a1", body, 'op.drop_table("order by")')})
    run(script_of(shop, text(server)), scratch)
    assert "order by" in tables(scratch)
    recorded = schema(shop, scratch)
    run(script_of(shop, text(server), down=True), scratch)
    upgrade(shop.on(scratch), history=False)
    assert schema(shop, scratch) == recorded


@pytest.mark.parametrize("on", ["mssql", "oracle", "postgresql", "mysql", "mariadb"])
def test_no_server_is_needed(
    project: MakeProject, monkeypatch: pytest.MonkeyPatch, on: str
) -> None:
    monkeypatch.setenv(f"TOPCHEF_{on.upper()}_SERVER", f"{on}://nobody@127.0.0.1:1/none")
    script = script_of(project("linear"), on)
    assert "CREATE TABLE authors" in script
    assert "INSERT INTO alembic_version" in script


@pytest.mark.fact(17)
@pytest.mark.parametrize("on", ["mssql", "oracle"])
def test_revision_that_reads_where_there_is_no_server(project: MakeProject, on: str) -> None:
    reads = revision("dd40", READS, down="cc30")
    shop = project("linear", versions={"dd40.py": reads})
    with pytest.raises(UnreachableError, match="dd40") as caught:
        sql(shop.load(), on=[on])
    assert f"alembic/versions/dd40.py:{shop.line('dd40', 'found')}" in caught.value.where
    assert "CREATE TABLE authors" in script_of(shop, on, ":cc30")


@pytest.mark.backends("postgresql", "mariadb")
def test_environment_without_offline_mode(
    project: MakeProject,
    scratch: ScratchDatabase,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It connects, and writes, before it says what it wants: to nowhere."""
    for name, value in libpq(scratch.url).items():
        monkeypatch.setenv(name, value)
    shop = project("linear", env="own_version_table")
    script = script_of(shop, text(server))
    assert "env.py has no offline mode" in script
    assert tables(scratch) == set()
    if scratch.url.get_backend_name() == "postgresql":
        assert query(scratch, "SELECT 1 FROM pg_namespace WHERE nspname = 'shop_meta'") == []


@pytest.mark.fact(17)
def test_revision_that_cannot_be_written_down(project: MakeProject) -> None:
    fails = revision("a1", READS)
    shop = project(versions={"a.py": fails})
    with pytest.raises(MigrationError, match="a1") as caught:
        sql(shop.load(), on=["sqlite"])
    assert caught.value.where == f"alembic/versions/a.py:{shop.line('a1', 'found')}"


def test_several_backends_in_one_script(project: MakeProject) -> None:
    report = sql(project("linear").load(), "aa10", on=["postgresql", "mysql"])
    assert [(each["backend"], each["direction"]) for each in report.data["scripts"]] == [
        ("postgresql", "up"),
        ("mysql", "up"),
    ]
    assert {each.backend for each in report.statements} == {"postgresql", "mysql"}


def test_ranges_that_are_none(project: MakeProject) -> None:
    shop = project("branched")
    with pytest.raises(HistoryError, match="several heads"):
        sql(shop.load(), "base:head", on=["postgresql"])
    with pytest.raises(UsageError, match="does not come before"):
        sql(shop.load(), "b2b2:a0a0", on=["postgresql"])
    assert sql(shop.load(), "b2b2:b2b2", on=["postgresql"]).statements == ()


def test_dry_run_shows_and_touches_nothing(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear")
    upgrade(shop.on(scratch), "aa10", history=False)
    before = schema(shop, scratch)
    report = upgrade(shop.on(scratch), dry_run=True)
    assert [str(check.outcome) for check in report.checks] == ["pending", "pending"]
    assert report.data == {"current": ["aa10"], "pending": ["bb20", "cc30"]}
    assert "sort_name" in (report.script or "")
    assert "CREATE TABLE authors" not in (report.script or "")
    assert schema(shop, scratch) == before
    assert query(scratch, "SELECT version_num FROM alembic_version") == [("aa10",)]
