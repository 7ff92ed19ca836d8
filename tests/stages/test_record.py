"""A script run by the database's own client gives what the revisions give; it is safe to read."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING

import pytest

from tests.scripts import OURS, refused, run, script_of
from tests.whole_projects import MakeProject, Whole, execute, query, revision, tables, text
from topchef_schema import downgrade, snapshot, sql, status, upgrade
from topchef_schema.backends.postgresql_script import libpq
from topchef_schema.errors import HistoryError, MigrationError, UnreachableError, UsageError

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend, ScratchDatabase, Server


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
    assert (finding.path, finding.line) == (
        "alembic/versions/dd40.py",
        shop.line("dd40", "found = "),
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


def test_where_a_revision_goes_on_after_an_error(project: MakeProject, server: Server) -> None:
    body = 'try:\n    op.execute("CREATE TABLE t (a INT)")\nexcept RuntimeError:\n    pass'
    shop = project(versions={"a1.py": revision("a1", body)})
    (finding,) = sql(shop.load(), on=[text(server)]).findings
    assert finding.after == "it catches errors, and none comes where its SQL is only written down"
    assert (finding.path, finding.line) == ("alembic/versions/a1.py", shop.line("a1", "try:"))


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
    body = """\
class Word(sa.types.UserDefinedType):
    cache_ok = True

    def get_col_spec(self):
        return "VARCHAR(20)"

class Name(str):
    pass

made = op.create_table("words", sa.Column("w", Word()))
op.bulk_insert(made, [{"w": Name("salt")}])"""
    shop = project(versions={"a.py": revision("a1", body)})
    report = sql(shop.load(), on=[text(server)])
    assert report.exit_code() == 10
    (error,) = [each for each in report.findings if str(each.severity) == "error"]
    assert (error.rule, error.revision) == ("depends-on-data", "a1")
    assert (error.path, error.line) == ("alembic/versions/a.py", shop.line("a1", "bulk_insert"))
    assert str(error.sql).startswith("INSERT INTO words")


DRIVEN = """\
from datetime import datetime, timedelta, timezone

class Earlier(sa.types.TypeDecorator):
    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return value and value - timedelta(hours=2)

class Packed(sa.types.TypeDecorator):
    impl = sa.LargeBinary
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return None if value is None else value.encode("utf-16")

made = op.create_table(
    "values_of_drivers",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("raw", sa.LargeBinary),
    sa.Column("packed", Packed),
    sa.Column("pickled", sa.PickleType),
    sa.Column("lines", sa.Text),
    sa.Column("moment", sa.DateTime),
    sa.Column("earlier", Earlier),
    sa.Column("lasts", sa.Interval),
    sa.Column("said", sa.String(20), server_default="a\\rb", comment="one\\r\\ntwo"),
)
east = timezone(timedelta(hours=5, minutes=30))
rows = [
    (b"\\x00\\xff'\\\\", "naïve", {"a": [1]}, "one\\r\\ntwo\\rthree\\r", timedelta(days=3)),
    (b"only text", "", None, "\\r", timedelta(seconds=1)),
    (b"", None, "", "it's\\r\\n\\\\r", None),
]
names = ("raw", "packed", "pickled", "lines", "lasts")
then = datetime(2024, 5, 1, 12, 30)
rows = [dict(zip(names, row)) | {"moment": then, "earlier": then} for row in rows]
op.bulk_insert(made, [row | {"id": n} for n, row in enumerate(rows, 1)])
for n, row in enumerate(rows, 10):
    op.execute(made.insert().values(id=n, **row))
"""

ZONED = """
there = datetime(2024, 5, 1, 12, 30, tzinfo=east)
op.execute(made.insert().values(id=20, moment=there, earlier=there))
"""


@pytest.mark.parametrize("reads", [True, False])
def test_values_are_written_as_drivers_send_them(
    project: MakeProject, server: Server, backend: Backend, *, reads: bool
) -> None:
    """Bytes are not text, what ends lines is part of a value, and a moment keeps its zone, or not.

    Those of PostgreSQL turn into the time zone of the session.
    """
    body = DRIVEN + (ZONED if backend.name != "postgresql" else "")
    if reads:
        body += 'op.get_bind().execute(sa.text("SELECT 1")).scalar_one()'
    shop = project(versions={"a1.py": revision("a1", body)})
    report = sql(shop.load(), on=[text(server)], prove=True)
    assert [each for each in report.findings if str(each.severity) != "info"] == []


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
    alone = [sql(project("linear").load(), "aa10", on=[each]) for each in ("postgresql", "mysql")]
    assert report.data == {"scripts": [each.data["scripts"][0] for each in alone]}
    first, second = (each.script for each in alone)
    assert pickle.loads(pickle.dumps(report)) == report
    assert json.loads(json.dumps(report.data)) == report.data
    assert report.script == f"-- === postgresql ===\n{first}\n-- === mysql ===\n{second}"


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


def test_parameters_of_the_driver_are_never_left_open(
    project: MakeProject, server: Server, scratch: ScratchDatabase, backend_name: str
) -> None:
    mark = "?" if backend_name == "sqlite" else "%s"
    body = (
        'op.create_table("t", sa.Column("id", sa.Integer), sa.Column("n", sa.Text))\n'
        f'op.get_bind().exec_driver_sql("INSERT INTO t VALUES ({mark}, {mark})", (3, "x"))'
    )
    shop = project(versions={"a.py": revision("a1", body)})
    report = sql(shop.load(), on=[text(server)])
    (error,) = [each for each in report.findings if str(each.severity) == "error"]
    assert error.line == shop.line("a1", "exec_driver_sql")
    said = refused(report.script or "", scratch)
    assert "the_values_of_this_statement_cannot_be_written_out" in said
    if backend_name == "sqlite":
        assert tables(scratch) == set()


def test_a_value_that_is_missing_is_not_null(project: MakeProject, server: Server) -> None:
    body = (
        'op.create_table("t", sa.Column("n", sa.Text))\n'
        "op.execute(\"INSERT INTO t VALUES ('at :noon')\")"
    )
    shop = project(versions={"a.py": revision("a1", body)})
    with pytest.raises(MigrationError, match="noon"):
        sql(shop.load(), on=[text(server)])


ODD = """\
made = op.create_table("t", sa.Column("id", sa.Integer), sa.Column("n", sa.Text),
    sa.Column("j", sa.JSON))
document = {"quote": "it's", "list": [1, None, "\\u00e9"]}
op.bulk_insert(made, [{"id": 1, "n": "a\\tb", "j": document}])
op.execute("INSERT INTO t (id, n) VALUES (2, 'c\\td') -- and no more")
text = sa.text("INSERT INTO t (id, n) VALUES (:id, :n)")
op.get_bind().execute(text, {"id": 3, "n": "e\\tf"})"""


def test_tabs_comments_and_documents(
    project: MakeProject, server: Server, scratch: ScratchDatabase
) -> None:
    for reads in ("", "op.get_bind().execute(sa.text('SELECT 1')).scalar_one()\n"):
        shop = project(versions={"a.py": revision("a1", reads + ODD, 'op.drop_table("t")')})
        run(script_of(shop, text(server)), scratch)
        rows = query(scratch, "SELECT n FROM t ORDER BY id")
        assert [row[0] for row in rows] == ["a\tb", "c\td", "e\tf"]
        (stored,) = query(scratch, "SELECT j FROM t WHERE id = 1")[0]
        found = json.loads(stored) if isinstance(stored, str) else stored
        assert found == {"quote": "it's", "list": [1, None, "é"]}
        run(script_of(shop, text(server), down=True), scratch)


NOTHING = """\
class Own(sa.TypeDecorator):
    impl, cache_ok = sa.JSON, True
op.create_table("t", sa.Column("id", sa.Integer), *(sa.Column(each, sa.JSON) for each in "jkl"))
made = sa.table("t", sa.column("id"), sa.column("j", sa.JSON),
    sa.column("k", sa.JSON(none_as_null=True)), sa.column("l", Own))
op.bulk_insert(made, [{"id": 1, "j": None, "k": None, "l": None}])
op.execute(made.insert().values(id=2, j=sa.JSON.NULL, k=sa.JSON.NULL, l=sa.null()))"""


def test_no_document_and_the_document_null(
    project: MakeProject, server: Server, scratch: ScratchDatabase
) -> None:
    beside = server.create()
    for reads in ("", "op.get_bind().execute(sa.text('SELECT 1')).scalar_one()\n"):
        shop = project(versions={"a.py": revision("a1", reads + NOTHING, 'op.drop_table("t")')})
        run(script_of(shop, text(server)), scratch)
        upgrade(shop.on(beside), history=False)
        null = "j IS NULL, k IS NULL, l IS NULL"
        for place in (scratch, beside):
            rows = query(place, f"SELECT {null} FROM t ORDER BY id")
            assert [tuple(map(bool, row)) for row in rows] == [(0, 1, 0), (0, 0, 1)]
            assert query(place, "SELECT j FROM t")[0][0] in ("null", None)
        run(script_of(shop, text(server), down=True), scratch)
        downgrade(shop.on(beside), "base")
    server.drop(beside)


@pytest.mark.backends("mariadb", "mysql")
def test_every_delimiter_stands_in_the_body(
    project: MakeProject, server: Server, scratch: ScratchDatabase
) -> None:
    trigger = TRIGGER.replace("'a; b'", "'a; b' /* ;; $$ // || $$0 */")
    shop = project(versions={"a1.py": revision("a1", trigger)})
    run(script_of(shop, text(server)), scratch)
    assert query(scratch, "SELECT word FROM words")[0][0] == "a; b"


def test_what_env_py_opens_for_its_output_is_not_emptied(project: MakeProject) -> None:
    shop = project("linear")
    env = shop.root / "alembic" / "env.py"
    opens = '    open("mine.sql", "w").close()\n'
    asks = "if context.is_offline_mode():\n"
    env.write_text(env.read_text().replace(asks, asks + opens, 1))
    assert opens in env.read_text()
    shop.write("mine.sql", "precious")
    script_of(shop, "postgresql")
    upgrade(shop.here(), dry_run=True)
    assert (shop.root / "mine.sql").read_text() == "precious"


@pytest.mark.backends("sqlite")
def test_a_copy_takes_nothing_along(
    project: MakeProject, server: Server, scratch: ScratchDatabase
) -> None:
    """Whatever the shell of SQLite is told to begin with."""
    body = 'with op.batch_alter_table("p") as p:\n    p.add_column(sa.Column("n", sa.Integer))\n'
    body += '    p.alter_column("id", existing_type=sa.Integer, nullable=False)'
    made = (
        'op.create_table("p", sa.Column("id", sa.Integer, primary_key=True))\n'
        'op.create_table("c", sa.Column("p", sa.Integer,'
        ' sa.ForeignKey("p.id", ondelete="CASCADE")))\n'
        'op.execute("INSERT INTO p VALUES (1)")\nop.execute("INSERT INTO c VALUES (1)")'
    )
    versions = {"a.py": revision("a1", made), "b.py": revision("b2", body, down="a1")}
    shop = project(versions=versions)
    upgrade(shop.on(scratch), "a1")
    run("PRAGMA foreign_keys = ON;\n" + script_of(shop, text(server), "b2"), scratch)
    assert query(scratch, "SELECT p FROM c") == [(1,)]
