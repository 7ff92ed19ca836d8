"""Write a new revision, generated from the model metadata.

The revisions that exist are run on a scratch database of each backend, and what the models have
beyond them becomes the new one. What all backends need stands plainly in it; what only some need
is guarded by the dialect's name. With --empty it is a file to fill in by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from topchef_schema.commands import options
from topchef_schema.commands.listing import plain
from topchef_schema.errors import HistoryError
from topchef_schema.model import Finding, Report, Severity

if TYPE_CHECKING:
    from topchef_schema.project import Project
    from topchef_schema.stages.compare import Lack


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

    Where no operation brings the revisions nearer to the models, on any backend of *on*, no file
    is written. What the models make otherwise all the same is a ``models-differ`` finding each,
    a warning. Raises `HistoryError` where there are several heads and *head* names none of them.
    """
    from topchef_schema.bridge.writing import write_revision
    from topchef_schema.stages import compare

    if head == "head" and len(project.revisions.heads) > 1:
        raise HistoryError(
            f"there are several heads: {', '.join(project.revisions.heads)}",
            where="revision",
            hint="name the one to build on with --head, or join them: topchef-db merge heads",
        )
    bodies = ("pass", "pass", "")
    if not empty:
        lacking = compare.lacking(project, on or project.backends)
        bodies = _bodies(lacking)
        if bodies[0] == "pass":
            return _nothing_to_write(lacking)
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


def _bodies(lacking: Mapping[str, Lack]) -> tuple[str, str, str]:
    """Return the bodies of upgrade and downgrade, and the import lines."""
    from topchef_schema.stages.function_body import merged
    from topchef_schema.stages.layout import imports

    found = {backend: each.operations for backend, each in lacking.items()}
    return (
        merged({backend: each.upgrades for backend, each in found.items()}),
        merged({backend: each.downgrades for backend, each in found.items()}),
        imports({line for each in found.values() for line in each.imports}),
    )


def _nothing_to_write(lacking: Mapping[str, Lack]) -> Report:
    findings = tuple(
        Finding(
            rule="models-differ",
            severity=Severity.WARNING,
            message="is made otherwise by the models, and no operation is generated for that",
            help="write it by hand: topchef-db revision --empty",
            backend=backend,
            object=change.key,
            before=change.before,
            after=change.after,
        )
        for backend, each in lacking.items()
        for change in each.changes
    )
    return Report(
        "revision",
        data={"revisions": []},
        findings=findings,
        summary="nothing was written"
        if findings
        else "models and revisions agree; nothing was written (--empty writes a file all the same)",
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
