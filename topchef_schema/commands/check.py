"""Prove all that can be proven, as the gate of a pipeline.

There is one head, or as many as are wanted; every revision file can be read; every revision goes
down as it went up, see roundtrip; the models say what the revisions make; and the bundles that the
settings name are fresh, see sql. Exits 10 where anything of that is not so. Nothing is done to any
database but scratch ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from topchef_schema.commands import options
from topchef_schema.commands.progress import bar
from topchef_schema.commands.roundtrip import proof_options, proven
from topchef_schema.model import Check, Finding, Outcome, Report, Severity

if TYPE_CHECKING:
    from topchef_schema.project import Project


def check(
    project: Project,
    *,
    since: str | None = None,
    on: Sequence[str] = (),
    jobs: int | None = None,
    strict: bool = False,
    heads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Prove all that can be proven of *project*.

    The checks and findings are those of `roundtrip`, of every revision or of those added *since*
    a git commit; the models are compared in either case. Besides, ``several-heads`` (error) where
    there are more than *heads*, and what `sql` finds in the ``bundles`` of the settings. ``data``
    is that of `roundtrip` and ``"heads": [ids]``.
    """
    from topchef_schema.stages.plan import chosen
    from topchef_schema.stages.prove import provers

    words = tuple(on) or project.backends
    with provers(words) as workers:
        revisions = chosen(project, None, since)
        found = project.revisions.heads
        wishes = {"models": True, "progress": progress, "workers": workers}
        report = proven(project, revisions, words, jobs, strict=strict, **wishes)
    checks, findings = _heads(found, heads)
    kept, moved = _bundles(project, on)
    failed = [each.name for each in (*checks, *kept) if each.outcome is Outcome.FAILED]
    summary = report.summary
    if failed:
        summary = f"{summary}; failed: {', '.join(failed)}"
    return Report(
        "check",
        checks=(*checks, *report.checks, *kept),
        findings=(*findings, *report.findings, *moved),
        data={"heads": list(found), **report.data},
        tables=report.tables,
        summary=summary,
    )


def _bundles(project: Project, on: Sequence[str]) -> tuple[tuple[Check, ...], tuple[Finding, ...]]:
    if not project.settings.bundles:
        return (), ()
    from topchef_schema.commands.bundling import committed

    return committed(project, on)


def _heads(found: Sequence[str], wanted: int) -> tuple[tuple[Check, ...], tuple[Finding, ...]]:
    name = "one head" if wanted == 1 else f"at most {wanted} heads"
    if len(found) <= wanted:
        return (Check(name, Outcome.PASSED),), ()
    finding = Finding(
        rule="several-heads",
        severity=Severity.ERROR,
        message=f"there are {len(found)} heads: {', '.join(found)}",
        help="join them: topchef-db merge heads; or allow them: --heads",
        check=name,
    )
    return (Check(name, Outcome.FAILED, detail=finding.rule),), (finding,)


@options.since_option
@proof_options
@click.option(
    "--heads",
    type=click.IntRange(min=1),
    metavar="N",
    default=1,
    show_default=True,
    help="How many heads there may be.",
)
def check_command(project: Project, **arguments: object) -> Report:
    """Hand the options to `check`, and show how far it is."""
    with bar("revisions") as progress:
        return check(project, progress=progress, **arguments)  # type: ignore[arg-type]


COMMAND = options.command(
    epilog="""
    topchef-db check
    topchef-db check --on sqlite --on postgresql --since origin/main
    topchef-db check --on postgresql --format junit -o check.xml
    """,
    formats=("text", "json", "junit", "github", "markdown", "html"),
    url=False,
    on=True,
)(check_command)
