"""Show the revisions the database is at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from topchef_schema.commands import options
from topchef_schema.commands.listing import table
from topchef_schema.commands.several import labels, together
from topchef_schema.model import Report, Table

if TYPE_CHECKING:
    from topchef_schema.project import Project
    from topchef_schema.stages.observe import Observed


def current(project: Project) -> Report:
    """Return the heads of the database: ``data`` is ``{"current": [ids]}``.

    Where env.py migrates several, it tells of all together, and ``"databases"`` of each.
    """
    from topchef_schema.stages import observe

    seen = observe.databases(project)
    for each in seen:
        project.revisions.require_known(each.heads)
    return Report(
        "current",
        target=labels(seen),
        data=together(seen, [{"current": each.heads} for each in seen]),
        tables=tuple(_table(project, each, several=len(seen) > 1) for each in seen),
        summary="\n".join(f"{each.label} is at base" for each in seen if not each.heads) or None,
    )


def _table(project: Project, seen: Observed, *, several: bool) -> Table:
    found = tuple(project.revisions.one(each) for each in seen.heads)
    return table(project, found)._replace(title=seen.label if several else None)


def current_command(project: Project) -> Report:
    """Call `current`."""
    return current(project)


COMMAND = options.command(epilog="topchef-db current")(current_command)
