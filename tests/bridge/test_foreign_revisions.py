"""What revisions in the wild do beside calling ``op``, beside plain Alembic."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.plain_alembic import Rival
from tests.whole_projects import MakeProject, query, revision, tables, text
from topchef_schema import downgrade, roundtrip, sql, stamp, upgrade
from topchef_schema.errors import MigrationError

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase, Server
    from topchef_schema.project import Project

ROWS = (
    "SELECT id, name, nickname FROM people ORDER BY id",
    "SELECT id, body FROM notes ORDER BY id",
    "SELECT id FROM places",
)


@pytest.mark.parametrize(("env", "target"), [("usual", "h4h4"), ("step_by_step", "h6h6")])
def test_habits(
    project: MakeProject, server: Server, scratch: ScratchDatabase, env: str, target: str
) -> None:
    """In one transaction, plain Alembic does not survive those that commit by themselves."""
    rival = Rival(project("habits", env=env), scratch, target=target)
    rival.agree()

    other = server.create()
    try:
        Rival(rival.whole, other).alembic("upgrade", target)
        upgrade(rival.ours, target)
        for each in ROWS[: 3 if target == "h6h6" else 2]:
            assert query(scratch, each) == query(other, each)
    finally:
        server.drop(other)


def test_habits_on_scratch(project: MakeProject, server: Server) -> None:
    report = roundtrip(project("habits").load(), on=[text(server)])
    assert [(each.revision, each.rule) for each in report.findings] == [("h7h7", "irreversible")]
    assert {str(each.outcome) for each in report.checks if each.revision} == {"passed"}


def test_habits_written_down(project: MakeProject, server: Server) -> None:
    """What asks the database is replayed, and the reason names the line."""
    shop = project("habits")
    script = sql(shop.load(), on=[text(server)]).script
    assert script is not None
    asking = ("h1_session.py", "h3_catches.py", "h5_commits.py")
    for each in asking:
        assert f"cannot be written down without: alembic/versions/{each}:" in script
    assert script.count("cannot be written down without") >= len(asking)
    assert "50% of :names" in script
    assert "100% at 10:30, :always" in script or "100%% at 10:30, :always" in script
    assert "żółw :x %s" in script


WAYS_DOWN: dict[str, Callable[[Project], object]] = {
    "downgrade": lambda project: downgrade(project, "h6h6"),
    "dry run": lambda project: downgrade(project, "h6h6", dry_run=True),
    "sql": lambda project: sql(project, "h6h6:heads", down=True),
}


@pytest.mark.parametrize("way", sorted(WAYS_DOWN))
def test_no_downgrade_function(project: MakeProject, scratch: ScratchDatabase, way: str) -> None:
    shop = project("habits", env="step_by_step")
    stamp(shop.on(scratch), ["heads"])
    with pytest.raises(MigrationError, match="revision h7h7 has no downgrade function") as caught:
        WAYS_DOWN[way](shop.on(scratch))
    assert caught.value.where == "alembic/versions/h7_no_way_back.py"
    assert query(scratch, "SELECT version_num FROM alembic_version") == [("h7h7",)]


def test_refused_downgrade(project: MakeProject, scratch: ScratchDatabase) -> None:
    refuses = revision("dd40", "pass", 'raise NotImplementedError("one way")', down="cc30")
    shop = project("linear", versions={"d.py": refuses})
    upgrade(shop.on(scratch))
    with pytest.raises(MigrationError, match="dd40 failed: one way") as caught:
        downgrade(shop.on(scratch), "base")
    assert caught.value.exit_code == 5
    assert query(scratch, "SELECT version_num FROM alembic_version") == [("dd40",)]


ASYNC = """
async def make(connection):
    await connection.execute(sa.text("CREATE TABLE made (id INTEGER)"))
op.run_async(make)
"""


@pytest.mark.backends("sqlite", "postgresql")
def test_asynchronous_revision(project: MakeProject, scratch: ScratchDatabase) -> None:
    versions = {"a1.py": revision("a1", ASYNC.strip(), 'op.drop_table("made")')}
    settings = "drivers =\n    sqlite = aiosqlite\n    postgresql = asyncpg"
    shop = project(env="asynchronous_begin", settings=settings, versions=versions)
    upgrade(shop.on(scratch))
    assert "made" in tables(scratch)
    downgrade(shop.on(scratch), "base")
    assert "made" not in tables(scratch)


@pytest.mark.backends("sqlite")
def test_source_in_another_encoding(project: MakeProject, scratch: ScratchDatabase) -> None:
    body = revision("dd40", "op.execute(\"CREATE TABLE 'caf\xe9' (id INTEGER)\")", down="cc30")
    shop = project("linear")
    path = shop.versions / "d.py"
    path.write_bytes(f"# -*- coding: latin-1 -*-\n{body}".encode("latin-1"))
    upgrade(shop.on(scratch))
    assert "caf\xe9" in tables(scratch)
    (finding,) = {each.line for each in roundtrip(shop.load(), "dd40", on=["sqlite"]).findings}
    assert finding == 15
    script = sql(shop.load(), "dd40", on=["sqlite"]).script
    assert script is not None
    assert "caf\xe9" in script
