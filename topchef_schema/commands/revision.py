"""Write a new revision, generated from the model metadata.

The revisions that exist are run on a scratch database of each backend, and what the models have
beyond them becomes the new one. What all backends need stands plainly in it; what only some need
is guarded by the dialect's name. With --empty it is a file to fill in by hand.
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


def revision(
    project: Project,
    message: str,
    *,
    on: Sequence[str] = (),
    empty: bool = False,
    head: str = "head",
    rev_id: str | None = None,
    branch_label: str | None = None,
    depends_on: Sequence[str] = (),
    splice: bool = False,
    version_path: str | None = None,
) -> Report:
    """Write a revision; ``data`` is ``{"revisions": [the new one, or none]}``.

    Where models and revisions agree on every backend of *on* no file is written. Raises
    `HistoryError` where there are several heads and *head* names none of them.
    """
    from topchef_schema.bridge.writing import write_revision

    if head == "head" and len(project.revisions.heads) > 1:
        raise HistoryError(
            f"there are several heads: {', '.join(project.revisions.heads)}",
            where="revision",
            hint="name the one to build on with --head, or join them: topchef-db merge heads",
        )
    bodies = ("pass", "pass", "")
    if not empty:
        bodies = _generated(project, on)
        if bodies[0] == "pass":
            return Report(
                "revision",
                data={"revisions": []},
                summary="models and revisions agree; nothing was written (--empty writes a file "
                "all the same)",
            )
    written = write_revision(
        project.environment,
        project.revisions,
        message=message,
        upgrades=_indented(bodies[0]),
        downgrades=_indented(bodies[1]),
        imports=bodies[2],
        head=head,
        rev_id=rev_id,
        branch_label=branch_label,
        depends_on=tuple(depends_on),
        splice=splice,
        version_path=version_path,
    )
    return Report(
        "revision",
        data={"revisions": [plain(written)]},
        summary=f"{written.path}\nread it, then: topchef-db roundtrip {written.id}",
    )


def _generated(project: Project, on: Sequence[str]) -> tuple[str, str, str]:
    """Return the bodies of upgrade and downgrade, and the import lines."""
    from topchef_schema.stages import compare

    found = compare.generated(project, on or project.backends)
    imports: set[str] = set()
    for each in found.values():
        imports |= each.imports
    return (
        compare.merged({backend: each.upgrades for backend, each in found.items()}),
        compare.merged({backend: each.downgrades for backend, each in found.items()}),
        "\n".join(sorted(imports)),
    )


def _indented(body: str) -> str:
    lines = body.splitlines()
    return "\n".join([lines[0], *(f"    {line}".rstrip() for line in lines[1:])])


@click.option("-m", "--message", metavar="TEXT", required=True, help="What the revision is for.")
@click.option("--empty", is_flag=True, help="Generate nothing: a file to fill in by hand.")
@click.option("--head", metavar="REV", default="head", show_default=True, help="What it follows.")
@click.option("--rev-id", metavar="ID", help="Its id, instead of a random one.")
@click.option("--branch-label", metavar="NAME", help="A label for a new branch.")
@click.option("--depends-on", metavar="REV", multiple=True, help="A revision it needs. Repeatable.")
@click.option("--splice", is_flag=True, help="Allow a --head that is not a head.")
@click.option("--version-path", metavar="DIR", help="Where to write it, of several locations.")
def revision_command(project: Project, *, message: str, **arguments: object) -> Report:
    """Hand the options to `revision`."""
    return revision(project, message, **arguments)  # type: ignore[arg-type]


COMMAND = options.command(
    epilog="""
    topchef-db revision -m "add job priorities"
    topchef-db revision -m "backfill names" --empty
    topchef-db revision -m "add tags" --on sqlite --on postgresql
    """,
    url=False,
    on=True,
)(revision_command)
