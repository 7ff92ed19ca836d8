"""Plain alembic works on, as if topchef-db had never been there."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.whole_projects import (
    ALEMBIC,
    ROOT,
    MakeProject,
    Whole,
    execute,
    query,
    tables,
    text,
)
from topchef_schema import history, upgrade

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase

BEDS = '''
"""beds"""
from alembic import op
from garden_models import metadata

revision = "aaaa"
down_revision = None


def upgrade():
    metadata.create_all(op.get_bind())


def downgrade():
    metadata.drop_all(op.get_bind())
'''


def test_alembic_proposes_nothing_about_our_tables(
    project: MakeProject, scratch: ScratchDatabase
) -> None:
    garden = project("modelled", versions={"a.py": BEDS})
    if ALEMBIC < (1, 18):
        leave_out_by_hand(garden)
    upgrade(garden.on(scratch))
    assert "topchef_history" in tables(scratch)
    if scratch.url.get_backend_name() != "sqlite":
        # Also what hangs on it, and what later versions of ours may add.
        execute(
            scratch,
            "CREATE INDEX ix_topchef_history_run ON topchef_history (run_id)",
            "CREATE TABLE IF NOT EXISTS topchef_journal (id INTEGER PRIMARY KEY)",
            "CREATE TABLE topchef_documents (id INTEGER PRIMARY KEY)",
        )
    ini = (garden.root / "alembic.ini").read_text()
    escaped = text(scratch).replace("%", "%%")
    garden.write("alembic.ini", ini.replace("[alembic]", f"[alembic]\nsqlalchemy.url = {escaped}"))

    check = garden.alembic("check")
    assert check.returncode == 0, check.stdout + check.stderr
    written = garden.alembic("revision", "--autogenerate", "-m", "nothing")
    assert written.returncode == 0, written.stderr
    (file,) = garden.versions.glob("*_nothing.py")
    assert "topchef_" not in file.read_text()
    assert "op." not in file.read_text()


def leave_out_by_hand(whole: Whole) -> None:
    """Write into env.py what the docs say is needed where Alembic knows no plugins yet."""
    docs = (ROOT / "docs" / "history.md").read_text(encoding="utf-8")
    function = docs.partition("```python\n")[2].partition("```")[0]
    content = (whole.root / "alembic" / "env.py").read_text(encoding="utf-8")
    named = "connection=connection, include_name=include_name,"
    whole.write("alembic/env.py", function + content.replace("connection=connection,", named))


@pytest.mark.parametrize("first", ["alembic", "topchef-db"])
def test_the_two_take_turns(project: MakeProject, first: str) -> None:
    shop = project("linear", ini="sqlalchemy.url = sqlite:///app.db")
    second = {"alembic": "topchef-db", "topchef-db": "alembic"}[first]
    for name, target in ((first, "aa10"), (second, "bb20"), (first, "cc30")):
        if name == "alembic":
            assert shop.alembic("upgrade", target).returncode == 0
        else:
            upgrade(shop.here(), target)
    assert query(shop.url, "SELECT version_num FROM alembic_version") == [("cc30",)]
    rows = {row["revision"]: row for row in history(shop.here()).data["revisions"]}
    ours = {"aa10", "cc30"} if first == "topchef-db" else {"bb20"}
    assert {each: row["status"] for each, row in rows.items()} == {
        each: "applied" if each in ours else "applied by alembic" for each in rows
    }
    for each, row in rows.items():
        assert (row["applied_at"] is not None) is (each in ours)
        assert (row["by"] is not None) is (each in ours)


def test_the_plugin_imports_next_to_nothing() -> None:
    code = (
        "import sys; import topchef_schema.bridge.plugin; "
        "print(sorted(set(sys.modules) & {'sqlalchemy', 'alembic', 'click', 'mako'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
