"""What revisions in the wild do beside calling ``op``, beside plain Alembic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plain_alembic import Rival
from tests.whole_projects import MakeProject, query, text
from topchef_schema import roundtrip, upgrade

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase, Server

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
    assert {str(each.outcome) for each in report.checks} == {"passed"}
