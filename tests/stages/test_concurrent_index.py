"""An index that PostgreSQL builds beside its writers is built whole, whoever waits for the lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.killing import Runner
from tests.whole_projects import MakeProject, execute, query, revision
from topchef_schema import upgrade
from topchef_schema.errors import MigrationError

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase

pytestmark = pytest.mark.backends("postgresql")

READS_WHAT_WAS = """\
from alembic import context
from sqlalchemy import create_engine, pool

url = context.config.get_main_option("sqlalchemy.url")
engine = create_engine(url, poolclass=pool.NullPool, isolation_level="REPEATABLE READ")
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
TWICE = revision(
    "a1",
    'op.create_table("items", sa.Column("id", sa.Integer))\n'
    'op.execute("INSERT INTO items VALUES (1), (1)")',
    'op.drop_table("items")',
)
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_items'::regclass"


def beside(kind: str) -> str:
    block = (
        "with op.get_context().autocommit_block():\n"
        f'    op.execute("CREATE {kind} CONCURRENTLY IF NOT EXISTS ix_items ON items (id)")'
    )
    return revision("b2", block, 'op.drop_index("ix_items", "items")', down="a1")


@pytest.mark.fact(3)
def test_who_waits_for_the_lock_holds_up_no_index(
    project: MakeProject, scratch: ScratchDatabase
) -> None:
    """Also where env.py asks for transactions that see what was there when they began."""
    shop = project(versions={"a1.py": TWICE, "b2.py": beside("INDEX")})
    shop.write("alembic/env.py", READS_WHAT_WAS)
    runner = Runner(shop)
    for done in [runner.start(scratch, "upgrade") for _ in range(3)]:
        assert done.ended().code == 0, done.said
    assert query(scratch, VALID) == [(True,)]


@pytest.mark.fact(16)
def test_a_build_that_failed_is_built_again(project: MakeProject, scratch: ScratchDatabase) -> None:
    """The server leaves an INVALID index, and IF NOT EXISTS alone would be content with it."""
    shop = project(versions={"a1.py": TWICE, "b2.py": beside("UNIQUE INDEX")})
    with pytest.raises(MigrationError, match="ix_items"):
        upgrade(shop.on(scratch))
    assert query(scratch, VALID) == [(False,)]
    execute(scratch, "DELETE FROM items", "INSERT INTO items VALUES (1), (2)")
    upgrade(shop.on(scratch))
    assert query(scratch, VALID) == [(True,)]
