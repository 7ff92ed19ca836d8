"""Write a revision that joins several heads.

REVISION is two or more ids, or `heads` (the default) for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from topchef_schema.commands import options
from topchef_schema.commands.listing import plain
from topchef_schema.errors import HistoryError
from topchef_schema.model import Report

if TYPE_CHECKING:
    from topchef_schema.project import Project


def merge(
    project: Project,
    revisions: Sequence[str] = ("heads",),
    *,
    message: str | None = None,
    branch_label: str | None = None,
    rev_id: str | None = None,
) -> Report:
    """Write a merge revision of *revisions*; ``data`` is ``{"revisions": [the new one]}``."""
    from topchef_schema.bridge.writing import write_merge

    joined = tuple(
        dict.fromkeys(each.id for word in revisions for each in project.revisions.get(word))
    )
    if len(joined) < 2:
        raise HistoryError(
            f"there is nothing to merge: {', '.join(joined) or 'no revision'} is alone",
            where="merge",
            hint="topchef-db heads shows the heads; name two or more",
        )
    written = write_merge(
        project.environment,
        project.revisions,
        joined,
        message=message or f"merge {' and '.join(joined)}",
        branch_label=branch_label,
        rev_id=rev_id,
    )
    return Report(
        "merge",
        data={"revisions": [plain(written)]},
        summary=f"{written.path} joins {', '.join(joined)}",
    )


@click.argument("revisions", nargs=-1, type=options.REVISION)
@click.option("-m", "--message", metavar="TEXT", help="What the revision is for.")
@click.option("--branch-label", metavar="NAME", help="A label for the new revision.")
@click.option("--rev-id", metavar="ID", help="Its id, instead of a random one.")
def merge_command(project: Project, *, revisions: tuple[str, ...], **arguments: object) -> Report:
    """Hand the options to `merge`."""
    return merge(project, revisions or ("heads",), **arguments)  # type: ignore[arg-type]


COMMAND = options.command(
    epilog="""
    topchef-db merge -m "join the branches"
    topchef-db merge 7c1e 90ab -m "uuid keys and job sets"
    """,
    url=False,
)(merge_command)
