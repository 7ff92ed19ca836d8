"""Show the revisions where branches begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from topchef_schema.commands import options
from topchef_schema.commands.listing import marks
from topchef_schema.model import Report, Table

if TYPE_CHECKING:
    from topchef_schema.project import Project


def branches(project: Project) -> Report:
    """Return the branch points of *project*.

    ``data`` is ``{"branches": [{"revision", "branches": [ids]}]}``; several bases are the branches
    of the revision ``null``.
    """
    following: dict[str | None, list[str]] = {}
    for each in project.revisions.all:
        for parent in each.down or (None,):
            following.setdefault(parent, []).append(each.id)
    found = {parent: ids for parent, ids in following.items() if len(ids) > 1}
    rows = []
    for parent, ids in found.items():
        for position, branch in enumerate(ids):
            revision = project.revisions.one(branch)
            name = (parent or "base") if position == 0 else ""
            rows.append((name, branch, marks(project, revision), revision.message))
    return Report(
        "branches",
        data={"branches": [{"revision": key, "branches": ids} for key, ids in found.items()]},
        tables=(Table(("from", "branch", "", "message"), tuple(rows)),),
        summary=None if found else "there are no branches",
    )


def branches_command(project: Project) -> Report:
    """Call `branches`."""
    return branches(project)


COMMAND = options.command(epilog="topchef-db branches", url=False)(branches_command)
