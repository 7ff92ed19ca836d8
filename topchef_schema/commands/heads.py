"""Show the revisions that no other one follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from topchef_schema.commands import options
from topchef_schema.commands.listing import plain, table
from topchef_schema.model import Report

if TYPE_CHECKING:
    from topchef_schema.project import Project


def heads(project: Project) -> Report:
    """Return the heads of *project*: ``data`` is ``{"heads": [ids], "revisions": [...]}``."""
    found = tuple(project.revisions.one(each) for each in project.revisions.heads)
    return Report(
        "heads",
        data={
            "heads": [each.id for each in found],
            "revisions": [plain(each) for each in found],
        },
        tables=(table(project, found),),
        summary=None if found else "there are no revisions yet: topchef-db revision -m MESSAGE",
    )


def heads_command(project: Project) -> Report:
    """Call `heads`."""
    return heads(project)


COMMAND = options.command(epilog="topchef-db heads", url=False)(heads_command)
