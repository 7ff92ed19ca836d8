"""Show the revisions the database is at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from topchef_schema.commands import options
from topchef_schema.commands.listing import table
from topchef_schema.model import Report

if TYPE_CHECKING:
    from topchef_schema.project import Project


def current(project: Project) -> Report:
    """Return the heads of the database: ``data`` is ``{"current": [ids]}``."""
    from topchef_schema.stages import observe

    seen = observe.database(project)
    project.revisions.require_known(seen.heads)
    found = tuple(project.revisions.one(each) for each in seen.heads)
    return Report(
        "current",
        target=seen.label,
        data={"current": list(seen.heads)},
        tables=(table(project, found),),
        summary=None if found else f"{seen.label} is at base",
    )


def current_command(project: Project) -> Report:
    """Call `current`."""
    return current(project)


COMMAND = options.command(epilog="topchef-db current")(current_command)
