"""What comparisons of models do not see, the round trip does, and an upgrade does not do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.whole_projects import MakeProject, execute, query, revision, text
from topchef_schema import roundtrip, upgrade
from topchef_schema.errors import MigrationError
from topchef_schema.model import Severity

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase, Server
    from topchef_schema.model import Finding, Report

TRACE = "downgrade-leaves-trace"
MORE = 'op.create_table("more", sa.Column("id", sa.Integer, primary_key=True))\n'
NO_MORE = 'op.drop_table("more")\n'
ITEMS = revision(
    "a1",
    'op.create_table("items", sa.Column("id", sa.Integer, primary_key=True), '
    'sa.Column("price", sa.Integer))',
    'op.drop_table("items")',
)
LEAKS = {
    "function": "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "view": "CREATE VIEW dear AS SELECT id FROM items WHERE price > 9",
    "enum": "CREATE TYPE mood AS ENUM ('ok', 'sad')",
    "sequence": "CREATE SEQUENCE counter",
    "constraint": "ALTER TABLE items ADD CONSTRAINT positive CHECK (price > 0)",
    "grants": "GRANT SELECT ON items TO PUBLIC",
}
"""The kind of object, and what makes one that no downgrade drops."""


def errors(report: Report) -> list[Finding]:
    """Return the errors: that a CHECK fails on some rows is a warning of its own."""
    return [each for each in report.findings if each.severity is Severity.ERROR]


@pytest.mark.fact(8)
@pytest.mark.backends("postgresql")
@pytest.mark.parametrize("kind", LEAKS)
def test_what_a_downgrade_forgets(project: MakeProject, server: Server, kind: str) -> None:
    leak = revision("b2", f'{MORE}op.execute("""{LEAKS[kind]}""")', NO_MORE, down="a1")
    shop = project(versions={"a1.py": ITEMS, "b2.py": leak})
    found = errors(roundtrip(shop.load(), on=[text(server)]))
    assert [(each.rule, each.revision, str(each.object).split()[0]) for each in found] == [
        (TRACE, "b2", kind)
    ]


@pytest.mark.fact(8)
def test_a_downgrade_that_deletes_rows(project: MakeProject, server: Server) -> None:
    deletes = revision("b2", "pass", 'op.execute("DELETE FROM items")', down="a1")
    shop = project(versions={"a1.py": ITEMS, "b2.py": deletes})
    found = roundtrip(shop.load(), on=[text(server)]).findings
    assert [(each.rule, each.revision) for each in found] == [("data-lost", "b2")]


@pytest.mark.fact(9)
def test_a_named_check_that_stays(project: MakeProject, server: Server) -> None:
    check = (
        'with op.batch_alter_table("items") as batch:\n'
        '    batch.create_check_constraint("positive", "price > 0")'
    )
    checks = revision("b2", MORE + check, NO_MORE, down="a1")
    shop = project(versions={"a1.py": ITEMS, "b2.py": checks})
    found = errors(roundtrip(shop.load(), on=[text(server)]))
    assert {(each.rule, each.revision) for each in found} == {(TRACE, "b2")}
    assert "positive" in str(found)


def moody(id: str, table: str, down: str | None) -> str:
    column = 'sa.Column("mood", sa.Enum("ok", "sad", name="mood"))'
    made, gone = f'op.create_table("{table}", {column})', f'op.drop_table("{table}")'
    return revision(id, made, gone, down=down)


@pytest.mark.fact(10)
@pytest.mark.backends("postgresql")
def test_a_type_that_is_made_twice(
    project: MakeProject, server: Server, scratch: ScratchDatabase
) -> None:
    """In one run SQLAlchemy remembers the type; who has only the second revision to go fails."""
    shop = project(
        versions={"a1.py": moody("a1", "people", None), "b2.py": moody("b2", "dogs", "a1")}
    )
    found = roundtrip(shop.load(), on=[text(server)]).findings
    failed = [each for each in found if each.rule == "stepwise-differs"]
    assert [(each.revision, "already exists" in each.message) for each in failed] == [("b2", True)]
    upgrade(shop.on(scratch), "a1")
    with pytest.raises(MigrationError, match="already exists"):
        upgrade(shop.on(scratch))


@pytest.mark.fact(14)
@pytest.mark.backends("mysql", "mariadb")
def test_a_change_that_forgets_what_the_column_was(project: MakeProject, server: Server) -> None:
    made = (
        'op.execute("CREATE TABLE items (id INTEGER AUTO_INCREMENT PRIMARY KEY, '
        "price INTEGER NOT NULL DEFAULT 7 COMMENT 'in cents')\")"
    )
    up = 'op.execute("ALTER TABLE items MODIFY id BIGINT AUTO_INCREMENT")\n'
    back = (
        'op.alter_column("items", "id", type_=sa.Integer(), existing_nullable=False)\n'
        'op.alter_column("items", "price", type_=sa.Integer())'
    )
    versions = {
        "a1.py": revision("a1", made, 'op.drop_table("items")'),
        "b2.py": revision("b2", up, back, down="a1"),
    }
    found = roundtrip(project(versions=versions).load(), on=[text(server)]).findings
    assert [(each.rule, each.object) for each in found] == [
        (TRACE, "column items.id"),
        (TRACE, "column items.price"),
    ]
    assert ["AUTO_INCREMENT" in str(each.before) for each in found] == [True, False]
    for lost in ("NOT NULL", "7", "COMMENT"):
        assert lost in str(found[1].before)
        assert lost not in str(found[1].after)


ENFORCING = """\
from alembic import context
from sqlalchemy import create_engine, event, pool

engine = create_engine(context.config.get_main_option("sqlalchemy.url"), poolclass=pool.NullPool)
event.listen(engine, "connect", lambda given, record: given.execute("PRAGMA foreign_keys = ON"))
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""


def family(rule: str) -> str:
    made = (
        'op.create_table("parents", sa.Column("id", sa.Integer, primary_key=True), '
        'sa.Column("name", sa.String(40)))\n'
        'op.create_table("children", sa.Column("id", sa.Integer, primary_key=True), '
        f'sa.Column("parent_id", sa.Integer, sa.ForeignKey("parents.id", ondelete="{rule}")))'
    )
    return revision("a1", made, 'op.drop_table("children")\nop.drop_table("parents")')


def wider(size: int, other: int) -> str:
    return (
        'with op.batch_alter_table("parents") as batch:\n'
        f'    batch.alter_column("name", existing_type=sa.String({other}), type_=sa.String({size}))'
    )


@pytest.mark.fact(15)
@pytest.mark.backends("sqlite")
@pytest.mark.parametrize("rule", ["CASCADE", "SET NULL"])
def test_a_table_that_is_copied_takes_no_rows_along(
    project: MakeProject, scratch: ScratchDatabase, rule: str
) -> None:
    versions = {
        "a1.py": family(rule),
        "b2.py": revision("b2", wider(80, 40), wider(40, 80), down="a1"),
    }
    shop = project(versions=versions)
    usual = (shop.root / "alembic/env.py").read_text()
    shop.write("alembic/env.py", ENFORCING)
    (finding,) = roundtrip(shop.load(), on=["sqlite"]).findings
    assert (finding.rule, finding.revision) == ("fails-on-rows", "b2")

    upgrade(shop.on(scratch), "a1")
    execute(scratch, "INSERT INTO parents VALUES (1, 'Ann')", "INSERT INTO children VALUES (7, 1)")
    with pytest.raises(MigrationError, match=rf"rows of children \(ON DELETE {rule}\)") as refused:
        upgrade(shop.on(scratch))
    assert type(refused.value) is MigrationError
    assert query(scratch, "SELECT * FROM children") == [(7, 1)]

    shop.write("alembic/env.py", usual)
    upgrade(shop.on(scratch))
    assert query(scratch, "SELECT * FROM children") == [(7, 1)]


@pytest.mark.backends("sqlite")
def test_a_table_that_nothing_refers_to_is_copied(
    project: MakeProject, scratch: ScratchDatabase
) -> None:
    versions = {
        "a1.py": family("CASCADE"),
        "b2.py": revision("b2", wider(80, 40), wider(40, 80), down="a1"),
    }
    shop = project(versions=versions)
    shop.write("alembic/env.py", ENFORCING)
    upgrade(shop.on(scratch), "a1")
    execute(
        scratch, "INSERT INTO parents VALUES (1, 'Ann')", "INSERT INTO children VALUES (7, NULL)"
    )
    upgrade(shop.on(scratch))
    assert query(scratch, "SELECT * FROM parents") == [(1, "Ann")]


@pytest.mark.fact(15)
@pytest.mark.backends("sqlite")
def test_a_revision_can_leave_foreign_keys_alone(
    project: MakeProject, scratch: ScratchDatabase
) -> None:
    """The pragma does nothing in a transaction: it has to come before the first change."""
    off = 'op.execute("PRAGMA foreign_keys = OFF")\n'
    insert = 'op.execute("INSERT INTO parents VALUES (2, NULL)")\n'
    versions = {
        "a1.py": family("CASCADE"),
        "b2.py": revision("b2", insert + off + wider(80, 40), wider(40, 80), down="a1"),
    }
    shop = project(versions=versions)
    shop.write("alembic/env.py", ENFORCING)
    upgrade(shop.on(scratch), "a1")
    execute(scratch, "INSERT INTO parents VALUES (1, 'Ann')", "INSERT INTO children VALUES (7, 1)")
    with pytest.raises(MigrationError, match="rows of children"):
        upgrade(shop.on(scratch))
    late = (shop.versions / "b2.py").read_text()
    (shop.versions / "b2.py").write_text(late.replace(insert.strip(), "pass"))
    upgrade(shop.on(scratch))
    assert query(scratch, "SELECT * FROM children") == [(7, 1)]
