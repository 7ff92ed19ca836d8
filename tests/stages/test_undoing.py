"""The code to paste makes the revision clean that it was said of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.whole_projects import MakeProject, Whole, revision, text
from topchef_schema import roundtrip
from topchef_schema.model import Change, Finding
from topchef_schema.stages import undoing

if TYPE_CHECKING:
    from topchef_schema.backends.base import Server

BASE = revision(
    "a1",
    r"""\
op.create_table("shops", sa.Column("id", sa.Integer, primary_key=True, autoincrement=False))
op.create_table(
    "items",
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String(40)),
    sa.Column("price", sa.Integer),
    sa.Column("shop_id", sa.Integer),
    sa.Column("size", sa.Integer, server_default="7"),
    sa.UniqueConstraint("price", "name", name="uq_items_price"),
    sa.CheckConstraint("price >= 0 AND name NOT IN ('a', 'b')", name="ck_items_price"),
)
op.create_index("ix_items_price", "items", ["price", "name"])
op.create_index("ix_items_size", "items", [sa.text("size DESC"), "name"], unique=True)
if op.get_context().dialect.name == "postgresql":
    op.execute(r"CREATE INDEX ix_items_word ON items ((name || ' \:word'))")
op.create_table(
    "notes",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("title", sa.String(40), nullable=False, server_default="at :noon"),
    sa.Column("shop_id", sa.Integer, sa.ForeignKey("shops.id", name="fk_notes_shop")),
    sa.Column("amount", sa.Integer),
    sa.UniqueConstraint("amount", name="uq_notes_amount"),
    sa.CheckConstraint(r"title <> ' \:word'", name="ck_notes_title"),
)
op.create_index("ix_notes_title", "notes", ["title"])
op.create_table(
    "pairs",
    sa.Column("one", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("two", sa.BigInteger, primary_key=True),
)
op.create_table("lonely", sa.Column("id", sa.Integer, primary_key=True, autoincrement=False))""",
    "\n".join(
        f'op.drop_table("{name}")' for name in ("lonely", "pairs", "notes", "items", "shops")
    ),
)
FORGETS = """\
op.create_table("forgotten", sa.Column("id", sa.Integer, primary_key=True))
op.create_table("gone", sa.Column("id", sa.Integer, primary_key=True))
for name in ("notes", "pairs", "lonely"):
    op.drop_table(name)
op.create_index("ix_items_name", "items", ["name"])
op.drop_index("ix_items_price", "items")
op.drop_index("ix_items_size", "items")
op.execute("CREATE VIEW numbers AS SELECT id FROM shops")
op.add_column("items", sa.Column("kind", sa.String(8)))
with op.batch_alter_table("items") as batch:
    batch.create_foreign_key("fk_items_shop", "shops", ["shop_id"], ["id"])
    batch.drop_constraint("uq_items_price", type_="unique")
    batch.alter_column("name", type_=sa.String(60), existing_type=sa.String(40))
    batch.alter_column("size", server_default="8", existing_type=sa.Integer)"""
WORD = '\nop.drop_index("ix_items_word", "items")'
ENUM = '\nsa.Enum("calm", "loud", name="mood").create(op.get_bind())'
CHECK = '\nop.drop_constraint("ck_items_price", "items", type_="check")'
TRIGGERS = {
    "sqlite": "AFTER INSERT ON shops BEGIN SELECT 1; END",
    "mysql": "AFTER INSERT ON shops FOR EACH ROW SET @a = 1",
    "mariadb": "AFTER INSERT ON shops FOR EACH ROW SET @a = 1",
    "postgresql": "BEFORE UPDATE ON shops FOR EACH ROW "
    "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
}
GONE = 'op.drop_table("gone")'


def errors(shop: Whole, server: Server) -> list[Finding]:
    report = roundtrip(shop.load(), on=[text(server)])
    return [each for each in report.findings if each.severity == "error"]


def test_pasted_code_makes_the_revision_clean(
    project: MakeProject, server: Server, backend_name: str
) -> None:
    forgets = FORGETS + {"sqlite": "", "postgresql": WORD + ENUM + CHECK}.get(backend_name, CHECK)
    forgets += f'\nop.execute("CREATE TRIGGER noticed {TRIGGERS[backend_name]}")'
    versions = {"a.py": BASE, "b.py": revision("b2", forgets, GONE, down="a1")}
    shop = project(versions=versions)
    found = errors(shop, server)
    assert {each.rule for each in found} == {"downgrade-leaves-trace"}
    assert len(found) >= 13
    pasted = [str(each.help).removeprefix("add to downgrade(): ") for each in found]
    assert all(each.startswith(("op.", "with op.", "sa.")) for each in pasted)
    shop.write(
        "alembic/versions/b.py", revision("b2", forgets, "\n".join([GONE, *pasted]), down="a1")
    )
    assert errors(shop, server) == []


def test_what_cannot_be_known_is_not_said() -> None:
    for change in (
        Change("column t.c", "integer default nextval('s'::regclass)", None),
        Change("constraint t.primary key (id)", None, "primary key (id)"),
        Change("index t.ix", "(lower(name)) where (n > 0)", None),
        Change("table t", "table", None),
        Change("trigger t.x", "after insert on t begin select 1; end", None),
    ):
        assert undoing.code(change, None) is None


def test_other_schemas_and_quoted_names() -> None:
    change = Change('index other."My ""table"""."ix.1"', None, "(a)")
    assert undoing.code(change, "public") == (
        'op.drop_index("ix.1", "My \\"table\\"", schema="other")'
    )


@pytest.mark.parametrize(
    "sql", [" :a", "x:a", ":a:", "::a", r"\:a", r"\\:a", ":a$b", r"\:", r"\::a", "a:"]
)
def test_no_word_of_the_sql_is_taken_for_a_value(sql: str) -> None:
    written = sa.text(json.loads(undoing.sql_literal(sql)))
    assert written.compile().string == sql
