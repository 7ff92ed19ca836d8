"""What only the whole history shows is found, named, and told once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.whole_projects import MakeProject, Whole, revision, text
from topchef_schema import roundtrip

if TYPE_CHECKING:
    from topchef_schema.backends.base import Server
    from topchef_schema.model import Finding, Report

AT_ONCE = "all revisions in one run"
WAY_DOWN = "the whole way down to base"
MODELS = "models and revisions agree"

NOTES = """\
op.create_table(
    "notes",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("title", sa.String(40), nullable=False, server_default="none"),
    sa.Column("made", sa.DateTime, server_default=sa.text("CURRENT_TIMESTAMP")),
)
op.create_index("ix_notes_title", "notes", ["title"])"""
MODELS_OF_NOTES = """\
import sqlalchemy as sa

metadata = sa.MetaData()
notes = sa.Table(
    "notes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("made", sa.DateTime, server_default=sa.func.current_timestamp()),
    sa.Column("title", sa.String({length}), nullable=False, index=True, server_default="none"),
)
{more}
"""


def proven(whole: Whole, server: Server, *arguments: str) -> Report:
    report: Report = roundtrip(whole.load(), *arguments, on=[text(server)])
    return report


def whole_checks(report: Report) -> dict[str, str]:
    names = (AT_ONCE, WAY_DOWN, MODELS)
    return {each.name: str(each.outcome) for each in report.checks if each.name in names}


def told(report: Report) -> list[tuple[str, str, str | None]]:
    return [(each.rule, str(each.severity), bare(each)) for each in report.findings]


def bare(finding: Finding) -> str | None:
    return finding.object and finding.object.replace("public.", "")


def notes(project: MakeProject, *, length: int = 40, more: str = "", extra: str = "") -> Whole:
    versions = {"a1.py": revision("a1", NOTES, 'op.drop_table("notes")')}
    if extra:
        versions["b2.py"] = revision("b2", *extra.split("|"), down="a1")
    whole = project(versions=versions, settings="metadata = notes_models:metadata")
    whole.write("notes_models.py", MODELS_OF_NOTES.format(length=length, more=more))
    return whole


def test_models_that_agree(project: MakeProject, server: Server) -> None:
    report = proven(notes(project), server)
    assert told(report) == []
    assert whole_checks(report) == {MODELS: "passed"}


def test_models_that_differ(project: MakeProject, server: Server) -> None:
    more = 'sa.Table("tags", metadata, sa.Column("id", sa.Integer, primary_key=True))'
    report = proven(notes(project, length=41, more=more), server)
    assert told(report) == [
        ("models-differ", "error", "column notes.title"),
        ("models-differ", "error", "table tags"),
    ]
    changed, made = report.findings
    assert ("40" in str(changed.before), "41" in str(changed.after)) == (True, True)
    assert made.before is None
    assert whole_checks(report) == {MODELS: "failed"}
    assert report.exit_code() == 10


TABLES = """\
for name in ("one", "two", "three"):
    op.create_table(name, sa.Column("id", sa.Integer, primary_key=True))|\
for name in ("one", "two", "three"):
    op.drop_table(name)"""
ONE = 'op.create_table("one", sa.Column("id", sa.Integer, primary_key=True))|op.drop_table("one")'


@pytest.mark.backends("sqlite", "postgresql")
def test_metadata_that_lacks_most_tables_is_incomplete(
    project: MakeProject, server: Server
) -> None:
    report = proven(notes(project, extra=TABLES, length=41), server)
    assert told(report) == [("models-differ", "info", None)]
    assert "3 of 4 tables are in no model" in report.findings[0].message
    assert report.exit_code() == 0


@pytest.mark.backends("postgresql")
def test_table_in_no_model(project: MakeProject, server: Server) -> None:
    report = proven(notes(project, extra=ONE), server)
    assert told(report) == [("models-differ", "error", "table one")]
    only_one = proven(notes(project, extra=ONE), server, "a1")
    assert (told(only_one), whole_checks(only_one)) == ([], {})


SHIFTS = """\
memo = op.get_context().impl.memo
memo["seen"] = memo.get("seen", 0) + 1
op.create_table("t{0}", sa.Column(f"c{{memo['seen']}}", sa.Integer, primary_key=True))"""


@pytest.mark.backends("sqlite", "postgresql")
def test_other_schema_in_one_run(project: MakeProject, server: Server) -> None:
    versions = {
        "a.py": revision("a1", SHIFTS.format(1), 'op.drop_table("t1")'),
        "b.py": revision("b2", SHIFTS.format(2), 'op.drop_table("t2")', down="a1"),
        "c.py": revision("c3", SHIFTS.format(3), 'op.drop_table("t3")', down="b2"),
    }
    report = proven(project(versions=versions), server)
    found = {
        (each.rule, each.revision, bare(each), each.before is None) for each in report.findings
    }
    # The name of the column is in that of its key, too, where keys have none.
    assert {each for each in found if str(each[2]).startswith("column")} == {
        ("stepwise-differs", "b2", "column t2.c1", False),
        ("stepwise-differs", "b2", "column t2.c2", True),
    }
    assert {each[:2] for each in found} == {("stepwise-differs", "b2")}
    assert whole_checks(report) == {AT_ONCE: "failed", WAY_DOWN: "passed", MODELS: "skipped"}


MOOD = 'sa.Column("mood", sa.Enum("calm", "loud", name="mood"))'
KEY = 'sa.Column("id", sa.Integer, primary_key=True)'
NEW_VALUE = """ALTER TYPE mood ADD VALUE 'new'"""


@pytest.mark.backends("postgresql")
def test_type_that_one_run_remembers(project: MakeProject, server: Server) -> None:
    """Alone, the second revision makes the type a second time."""
    gone = 'op.drop_table("{0}")'
    last = gone.format("one") + '\nop.execute("DROP TYPE mood")'
    table = f'op.create_table("{{0}}", {KEY}, {MOOD})'
    versions = {
        "a.py": revision("a1", table.format("one"), last),
        "b.py": revision("b2", table.format("two"), gone.format("two"), down="a1"),
        "c.py": revision("c3", *ONE.replace('"one"', '"three"').split("|"), down="b2"),
    }
    shop = project(versions=versions)
    report = proven(shop, server)
    assert told(report) == [("stepwise-differs", "error", None)]
    assert (report.findings[0].revision, report.findings[0].line) == (
        "b2",
        shop.line("b2", "op.create_table"),
    )
    assert [str(each.outcome) for each in report.checks if each.revision] == [
        "passed",
        "failed",
        "passed",
    ]
    assert whole_checks(report) == {AT_ONCE: "passed", WAY_DOWN: "passed", MODELS: "skipped"}


@pytest.mark.backends("postgresql")
def test_what_fails_in_one_transaction(project: MakeProject, server: Server) -> None:
    table = f'op.create_table("one", {KEY}, {MOOD})'
    last = 'op.drop_table("one")\nop.execute("DROP TYPE mood")'
    versions = {
        "a.py": revision("a1", table, last),
        "b.py": revision(
            "b2", f'op.execute("{NEW_VALUE}")', "raise NotImplementedError", down="a1"
        ),
        "c.py": revision("c3", "op.execute(\"UPDATE one SET mood = 'new'\")", down="b2"),
    }
    report = proven(project(versions=versions), server)
    assert told(report)[-1] == ("stepwise-differs", "error", None)
    assert report.findings[-1].revision == "c3"
    assert "in one run" in report.findings[-1].message
    assert [each.rule for each in report.findings].count("stepwise-differs") == 1


@pytest.mark.backends("sqlite", "mariadb")
def test_trace_on_the_whole_way_down(project: MakeProject, server: Server) -> None:
    """Where the tables are empty, and only there, something is left."""
    log = f'op.create_table("log", {KEY})'
    keep = """\
if op.get_bind().execute(sa.text("SELECT id FROM log")).first():
    op.drop_table("kept")"""
    versions = {
        "a.py": revision("a1", log, 'op.drop_table("log")'),
        "b.py": revision("b2", f'op.create_table("kept", {KEY})', keep, down="a1"),
    }
    shop = project(versions=versions)
    report = proven(shop, server)
    assert told(report) == [("downgrade-leaves-trace", "error", "table kept")]
    finding = report.findings[0]
    assert "only on the whole way down" in finding.message
    # Where it is named first, for want of anything better.
    assert finding.path == "alembic/versions/b.py"
    lines = (shop.root / finding.path).read_text().splitlines()
    assert 'create_table("kept"' in lines[(finding.line or 0) - 1]
    assert whole_checks(report) == {AT_ONCE: "passed", WAY_DOWN: "failed", MODELS: "skipped"}


@pytest.mark.backends("sqlite")
def test_upgrade_that_needs_rows_fails_on_a_new_database(
    project: MakeProject, server: Server
) -> None:
    needs = 'op.get_bind().execute(sa.text("SELECT id FROM log")).first() or 1 / 0'
    versions = {
        "a.py": revision("a1", f'op.create_table("log", {KEY})', 'op.drop_table("log")'),
        "b.py": revision("b2", needs, 'op.execute("UPDATE log SET id = id")', down="a1"),
    }
    report = proven(project(versions=versions), server)
    assert told(report) == [("upgrade-fails", "error", None)]
    assert "on empty tables" in report.findings[0].message


@pytest.mark.backends("sqlite")
def test_what_one_revision_is_to_blame_for_is_told_once(
    project: MakeProject, server: Server
) -> None:
    leaky = whole_checks(proven(project("leaky"), server))
    assert leaky == {AT_ONCE: "passed", WAY_DOWN: "pending", MODELS: "skipped"}
    refused = whole_checks(proven(project("irreversible"), server))
    assert refused == {AT_ONCE: "passed", WAY_DOWN: "skipped", MODELS: "skipped"}


@pytest.mark.backends("postgresql", "mariadb", "mysql")
def test_roles_are_not_met_on_other_databases(
    project: MakeProject, backend_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither those of the walk over the whole history, nor those of before a new beginning."""
    monkeypatch.delenv(f"TOPCHEF_{backend_name.upper()}_SERVER", raising=False)
    make, drop = 'op.execute("CREATE ROLE cook")', 'op.execute("DROP ROLE cook")'
    tables = "\n".join(f'op.create_table("{name}", {KEY})' for name in ("left_there", "two"))
    versions = {
        "a.py": revision("a1", make, drop),
        "b.py": revision("b2", tables, 'op.drop_table("two")', down="a1"),
        "c.py": revision("c3", *ONE.split("|"), down="b2"),
    }
    report = roundtrip(project(versions=versions).load(), on=[backend_name])
    assert told(report) == [("downgrade-leaves-trace", "error", "table left_there")]
    assert [str(each.outcome) for each in report.checks if each.revision] == [
        "passed",
        "failed",
        "passed",
    ]
    assert whole_checks(report)[AT_ONCE] == "passed"


def kept_tables(report: Report, server: Server) -> tuple[str, set[str]]:
    """Return the check that a database was kept for, and the tables there; remove it."""
    (kept,) = report.data["kept"]
    place = sa.make_url(kept["url"]).set(password=server.url.password, query=server.url.query)
    engine = sa.create_engine(place, poolclass=sa.NullPool)
    try:
        assert kept["revision"] is None
        return kept["check"], set(sa.inspect(engine).get_table_names()) - {"alembic_version"}
    finally:
        if place.drivername.startswith("sqlite"):
            shutil.rmtree(Path(str(place.database)).parent)
        else:
            server.remove(str(place.database))


def test_databases_of_the_whole_history_are_kept(project: MakeProject, server: Server) -> None:
    kept = """\
if op.get_bind().execute(sa.text("SELECT id FROM log")).first():
    op.drop_table("left_there")"""
    versions = {
        "a.py": revision("a1", f'op.create_table("log", {KEY})', 'op.drop_table("log")'),
        "b.py": revision("b2", f'op.create_table("left_there", {KEY})', kept, down="a1"),
    }
    down = roundtrip(project(versions=versions).load(), on=[text(server)], keep=True)
    assert kept_tables(down, server) == (WAY_DOWN, {"left_there"})


def test_database_of_the_models_is_kept(project: MakeProject, server: Server) -> None:
    more = 'sa.Table("tags", metadata, sa.Column("id", sa.Integer, primary_key=True))'
    shop = notes(project, more=more)
    models = roundtrip(shop.load(), on=[text(server)], keep=True)
    assert kept_tables(models, server) == (MODELS, {"notes", "tags"})


@pytest.mark.backends("sqlite", "postgresql")
def test_database_of_one_run_is_kept(project: MakeProject, server: Server) -> None:
    versions = {
        "a.py": revision("a1", SHIFTS.format(1), 'op.drop_table("t1")'),
        "b.py": revision("b2", SHIFTS.format(2), 'op.drop_table("t2")', down="a1"),
        "c.py": revision("c3", SHIFTS.format(3), 'op.drop_table("t3")', down="b2"),
    }
    one = roundtrip(project(versions=versions).load(), on=[text(server)], keep=True)
    assert kept_tables(one, server) == (AT_ONCE, {"t1", "t2"})
