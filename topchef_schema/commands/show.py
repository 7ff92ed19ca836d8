"""Show one revision: what it says, and where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from topchef_schema.commands import options
from topchef_schema.commands.listing import follows, marks, plain
from topchef_schema.model import Report, Table

if TYPE_CHECKING:
    from topchef_schema.project import Project


def show(project: Project, revision: str) -> Report:
    """Return the revisions that *revision* names: ``data`` is ``{"revisions": [...]}``."""
    found = project.revisions.get(revision)
    tables = []
    for each in found:
        rows = [
            ("revision", each.id),
            ("follows", follows(each)),
            ("marks", marks(project, each)),
            ("file", each.path),
            ("says", each.doc or each.message),
        ]
        tables.append(Table(("", ""), tuple(row for row in rows if row[1])))
    return Report(
        "show",
        data={"revisions": [plain(each) for each in found]},
        tables=tuple(tables),
        summary=None if found else f'"{revision}" names no revision',
    )


@click.argument("revision", type=options.REVISION)
def show_command(project: Project, *, revision: str) -> Report:
    """Hand the argument to `show`."""
    return show(project, revision)


COMMAND = options.command(
    epilog="""
    topchef-db show head
    topchef-db show ae10
    """,
    url=False,
)(show_command)
