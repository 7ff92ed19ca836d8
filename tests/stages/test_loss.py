"""A downgrade that would lose something says what, and does nothing until that is accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.documents_of_reports import checked
from tests.whole_projects import MakeProject, Whole, execute, query, revision, tables, text
from topchef_schema import downgrade, upgrade
from topchef_schema.model import Severity

if TYPE_CHECKING:
    import topchef_schema
    from topchef_schema.backends.base import ScratchDatabase

FILLED = (
    "INSERT INTO authors (id, name) VALUES (1, 'Ada'), (2, 'Alan')",
    "INSERT INTO books (id, author_id, title) VALUES (1, 1, 'Notes')",
)

MADE = """\
op.create_table("shelf", sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("label", sa.String(20)), sa.Column("width", sa.Integer))
op.create_table("box", sa.Column("id", sa.Integer, primary_key=True))"""
ROWS = "INSERT INTO shelf (id, label) VALUES (1, 'a'), (2, NULL)"


def found(report: topchef_schema.Report) -> list[tuple[str | None, str | None]]:
    """Return the object of each finding, and what it has now."""
    assert {each.rule for each in report.findings} <= {"data-lost"}
    return [(each.object, each.before) for each in report.findings]


def undoing(project: MakeProject, body: str, *more: str) -> Whole:
    """Return a project whose second revision is undone by *body*."""
    versions = {
        "a.py": revision("a1a1", MADE, "op.drop_table('box')\nop.drop_table('shelf')"),
        "b.py": revision("b2b2", "pass", body, down="a1a1"),
    }
    return project(versions=versions)


def test_nothing_is_lost_where_there_is_nothing(
    project: MakeProject, scratch: ScratchDatabase
) -> None:
    shop = project("linear")
    upgrade(shop.on(scratch))
    report = downgrade(shop.on(scratch), "base")
    assert (report.findings, report.data["current"]) == ((), [])


def test_rows_and_values(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear")
    upgrade(shop.on(scratch), "aa10")
    execute(scratch, *FILLED)
    upgrade(shop.on(scratch))

    report = downgrade(shop.on(scratch), "-1")
    # Nobody has an editor yet: that column goes without a word.
    assert found(report) == [("column books.title", "1 value")]
    assert report.findings[0].severity is Severity.ERROR
    assert (report.exit_code(), report.data["current"]) == (10, ["cc30"])
    assert (report.findings[0].revision, report.checks) == ("cc30", ())

    report = downgrade(shop.on(scratch), "aa10", accept_data_loss=True)
    assert found(report) == [
        ("column books.title", "1 value"),
        ("column authors.sort_name", "2 values"),
    ]
    assert {each.severity for each in report.findings} == {Severity.INFO}
    assert (report.exit_code(), report.data["current"]) == (0, ["aa10"])
    assert query(scratch, "SELECT name FROM authors ORDER BY id") == [("Ada",), ("Alan",)]

    report = downgrade(shop.on(scratch), "base")
    assert found(report) == [("table books", "1 row"), ("table authors", "2 rows")]
    assert report.findings[0].line == shop.line("aa10", 'op.drop_table("books")')
    assert {"authors", "books"} < tables(scratch)


def test_a_call(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear")
    upgrade(shop.on(scratch), "aa10")
    execute(scratch, *FILLED)
    url = ("--url", text(scratch))
    refused = shop.call("downgrade", "base", "--yes", "--format", "json", *url)
    document = checked(refused.stdout)
    assert (refused.returncode, document["exit_code"]) == (10, 10)
    assert document["data"] == {"before": ["aa10"], "current": ["aa10"]}
    said = shop.call("downgrade", "base", "--yes", *url).stdout
    assert "the table books is dropped, with 1 row" in said
    assert "--accept-data-loss" in said
    shown = shop.call("downgrade", "base", "--dry-run", *url)
    assert shown.returncode == 0
    assert "warning · data-lost" in shown.stdout
    assert len(query(scratch, "SELECT * FROM books")) == 1
    assert shop.call("downgrade", "base", "--accept-data-loss", *url).returncode == 0
    assert "books" not in tables(scratch)


BATCH = """\
with op.batch_alter_table("shelf") as shelf:
    shelf.alter_column("label", type_=sa.String(5), existing_type=sa.String(20))
    shelf.drop_column("width")"""
CHANGED = {
    "sqlite": None,
    "postgresql": "ALTER TABLE shelf ALTER COLUMN label TYPE VARCHAR(5);",
    "mariadb": "ALTER TABLE shelf MODIFY label VARCHAR(5) NULL;",
    "mysql": "ALTER TABLE shelf MODIFY label VARCHAR(5) NULL;",
}


def test_beside_each_loss_of_a_batch_stands_its_own_statement(
    project: MakeProject, scratch: ScratchDatabase, backend_name: str
) -> None:
    """Where SQLite's table is copied no single statement does it, and none is shown."""
    shop = undoing(project, BATCH)
    upgrade(shop.on(scratch))
    execute(scratch, "INSERT INTO shelf (id, label, width) VALUES (1, 'a', 2)")
    changed = CHANGED[backend_name]
    assert [(each.object, each.sql) for each in downgrade(shop.on(scratch), "-1").findings] == [
        ("column shelf.label", changed),
        ("column shelf.width", changed and "ALTER TABLE shelf DROP COLUMN width;"),
    ]


LOSING = {
    "drop": ("op.execute('DROP TABLE IF EXISTS box, shelf')", "table shelf", "2 rows"),
    "drop a column": (
        "op.execute('ALTER TABLE shelf DROP COLUMN label')",
        "column shelf.label",
        "1 value",
    ),
    "delete": ("op.execute('DELETE FROM shelf WHERE id = 1')", "table shelf", "2 rows"),
    "update": ("op.execute(sa.text('UPDATE shelf SET width = 1'))", "table shelf", "2 rows"),
    "renamed before": (
        "op.rename_table('shelf', 'rack')\nop.drop_table('rack')",
        "table shelf",
        "2 rows",
    ),
    "renamed in SQL": (
        "op.execute('ALTER TABLE shelf RENAME TO rack')\nop.execute('DROP TABLE rack')",
        "table shelf",
        "2 rows",
    ),
    "renamed column": (
        "op.execute('ALTER TABLE shelf RENAME COLUMN label TO name')\n"
        "with op.batch_alter_table('shelf') as shelf:\n    shelf.drop_column('name')",
        "column shelf.label",
        "1 value",
    ),
    "batch": (
        "with op.batch_alter_table('shelf') as shelf:\n    shelf.drop_column('label')",
        "column shelf.label",
        "1 value",
    ),
    "another type": (
        "with op.batch_alter_table('shelf') as shelf:\n"
        "    shelf.alter_column('label', type_=sa.String(5), existing_type=sa.String(20))",
        "column shelf.label",
        "1 value",
    ),
    "through a connection": (
        "if op.get_bind() is not None:\n    op.get_bind().execute(sa.text('DELETE FROM shelf'))\n"
        "else:\n    raise RuntimeError('not offline')",
        "table shelf",
        "2 rows",
    ),
}


@pytest.mark.parametrize("what", LOSING)
def test_losing(project: MakeProject, scratch: ScratchDatabase, what: str) -> None:
    body, object_, before = LOSING[what]
    if "box, shelf" in body and scratch.url.get_backend_name() == "sqlite":
        body = "op.execute('DROP TABLE IF EXISTS shelf')"
    shop = undoing(project, body)
    upgrade(shop.on(scratch))
    assert found(downgrade(shop.on(scratch), "-1", dry_run=True)) == []
    execute(scratch, ROWS)
    report = downgrade(shop.on(scratch), "-1")
    assert found(report) == [(object_, before)]
    assert query(scratch, "SELECT count(*) FROM shelf") == [(2,)]
    report = downgrade(shop.on(scratch), "-1", accept_data_loss=True)
    assert report.data["current"] == ["a1a1"]


HARMLESS = {
    "nothing": "pass",
    "an empty table": "op.drop_table('box')",
    "an empty column": "op.execute('ALTER TABLE shelf DROP COLUMN width')",
    "an index": "op.create_index('ix', 'shelf', ['label'])",
    "in SQL": "op.execute('CREATE INDEX ix ON shelf (label)')",
    "a longer text": (
        "with op.batch_alter_table('shelf') as shelf:\n"
        "    shelf.alter_column('label', type_=sa.String(50), existing_type=sa.String(20))"
    ),
    "a table of its own": (
        "op.create_table('rack', sa.Column('id', sa.Integer))\n"
        "op.execute('INSERT INTO rack SELECT id FROM shelf')\nop.drop_table('rack')"
    ),
    "a new column": "op.add_column('shelf', sa.Column('depth', sa.Integer))",
    "a look": "assert sa.inspect(op.get_bind()).has_table('shelf')",
}


@pytest.mark.parametrize("what", HARMLESS)
def test_harmless(project: MakeProject, scratch: ScratchDatabase, what: str) -> None:
    shop = undoing(project, HARMLESS[what])
    upgrade(shop.on(scratch))
    execute(scratch, ROWS)
    report = downgrade(shop.on(scratch), "-1")
    assert (report.findings, report.data["current"]) == ((), ["a1a1"])


UNKNOWN = {
    "reads rows": (
        "for row in op.get_bind().execute(sa.text('SELECT id FROM shelf')).all():\n    pass",
        "it reads shelf",
    ),
    "only online": (
        "from alembic import context\nif not context.is_offline_mode():\n"
        "    op.get_bind().execute(sa.text('SELECT label FROM shelf')).all()",
        "it reads shelf",
    ),
    "through a view": (
        "op.execute('CREATE VIEW narrow AS SELECT * FROM shelf')\n"
        "op.execute('DELETE FROM narrow')\nop.execute('DROP VIEW narrow')",
        "the rows of narrow cannot be seen from here",
    ),
    "a query that deletes": (
        "op.execute('WITH old AS (SELECT 1) DELETE FROM box')",
        "what this statement does to rows cannot be known",
    ),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_what_cannot_be_known(project: MakeProject, scratch: ScratchDatabase, what: str) -> None:
    body, words = UNKNOWN[what]
    shop = undoing(project, body)
    if "narrow" in body and scratch.url.get_backend_name() == "sqlite":
        pytest.skip("SQLite deletes nothing through a view")
    if "WITH" in body and "mariadb" in scratch.url.drivername:
        pytest.skip("MariaDB has no such statement")
    upgrade(shop.on(scratch))
    execute(scratch, ROWS)
    report = downgrade(shop.on(scratch), "-1")
    assert [words in each.message for each in report.findings] == [True]
    execute(scratch, "DELETE FROM shelf")
    report = downgrade(shop.on(scratch), "-1")
    assert (report.findings, report.data["current"]) == ((), ["a1a1"]), "there are no rows at all"


def test_a_table_that_may_not_be_read(project: MakeProject, scratch: ScratchDatabase) -> None:
    """A type of loss nobody can look at counts; a refusal of the downgrade itself does not."""
    shop = undoing(project, "raise RuntimeError('no way back')")
    upgrade(shop.on(scratch))
    execute(scratch, ROWS)
    failed = shop.call("downgrade", "-1", "--url", text(scratch))
    assert failed.returncode == 5
    assert "no way back" in failed.stderr
