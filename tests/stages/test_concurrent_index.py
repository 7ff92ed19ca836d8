"""An index that PostgreSQL could not build beside its writers is built by the next run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.whole_projects import MakeProject, execute, query, revision
from topchef_schema import upgrade
from topchef_schema.errors import MigrationError

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase

pytestmark = pytest.mark.backends("postgresql")

TWICE = revision(
    "a1",
    'op.create_table("items", sa.Column("id", sa.Integer))\n'
    'op.execute("INSERT INTO items VALUES (1), (1)")',
    'op.drop_table("items")',
)
BESIDE = revision(
    "b2",
    "with op.get_context().autocommit_block():\n"
    '    op.execute("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS ix_items ON items (id)")',
    'op.drop_index("ix_items", "items")',
    down="a1",
)
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_items'::regclass"


@pytest.mark.fact(16)
def test_a_build_that_failed_is_built_again(project: MakeProject, scratch: ScratchDatabase) -> None:
    """The server leaves an INVALID index, and IF NOT EXISTS alone would be content with it."""
    shop = project(versions={"a1.py": TWICE, "b2.py": BESIDE})
    with pytest.raises(MigrationError, match="ix_items"):
        upgrade(shop.on(scratch))
    assert query(scratch, VALID) == [(False,)]
    execute(scratch, "DELETE FROM items", "INSERT INTO items VALUES (1), (2)")
    upgrade(shop.on(scratch))
    assert query(scratch, VALID) == [(True,)]
