"""Scripts of ``topchef-db sql``, and how a person runs them: with the database's own client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.whole_projects import Whole
from topchef_schema import sql
from topchef_schema.backends import named

if TYPE_CHECKING:
    import subprocess

    from topchef_schema.backends.base import ScratchDatabase
    from topchef_schema.model import Report

OURS = {"topchef_history", "topchef_journal"}


def script_of(whole: Whole, on: str, *arguments: str, **options: Any) -> str:
    """Return the script for one backend."""
    report: Report = sql(whole.load(), *arguments, on=[on], **options)
    assert report.script is not None
    return report.script


def run(script: str, database: ScratchDatabase) -> None:
    """Feed *script* to the client of the database; it must succeed."""
    done = by_hand(script, database)
    assert done.returncode == 0, done.stdout + done.stderr


def by_hand(script: str, database: ScratchDatabase) -> subprocess.CompletedProcess[str]:
    """Feed *script* to the client of the database, as a person would."""
    return named(database.url.get_backend_name()).scripting.client(database.url).run(script)


def refused(script: str, database: ScratchDatabase) -> str:
    """Feed *script* to the client; it must fail. Return what it said."""
    done = by_hand(script, database)
    assert done.returncode != 0, done.stdout + done.stderr
    return done.stdout + done.stderr
