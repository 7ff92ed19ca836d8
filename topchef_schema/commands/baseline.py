"""Adopt an existing database that has no version rows.

It is stamped with the revision that builds its very schema: each is built on a scratch database of
the same kind, and compared. REVISION is the one it has to be; without, it is the newest that is
equal. Where none is, it exits 10, shows the nearest one and what differs, and nothing is stamped.
To the database nothing is written but the stamp and its row in the history.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from topchef_schema.commands import options
from topchef_schema.commands.several import labels, together
from topchef_schema.errors import UsageError
from topchef_schema.model import Finding, Report, Severity

if TYPE_CHECKING:
    from topchef_schema.project import Project
    from topchef_schema.stages.adopt import Adoption, Candidate


def baseline(
    project: Project,
    revision: str | None = None,
    *,
    on: str | Sequence[str] | None = None,
    dry_run: bool = False,
    reason: str | None = None,
    history: bool = True,
) -> Report:
    """Stamp the database of *project* with the revision that builds its schema.

    With *revision* only that one counts. *on* is the server for scratch databases: the word of the
    database's own kind, or a URL. What differs from the nearest revision is a finding
    ``schema-differs``, an error. Other revisions that build the same schema, because they only
    move rows, are a warning ``not-the-only-one``. ``data`` is ``{"before", "current", "equal",
    "nearest", "server"}``. With *dry_run* nothing is stamped. Raises `HistoryError` for a database
    that has version rows, or is empty.
    """
    from topchef_schema.stages import adopt

    words = [on] if isinstance(on, str) else list(on or ())
    if len(words) > 1:
        raise UsageError("several servers are named", where="--on", hint="name one")
    found = adopt.search(project, revision, words[0] if words else None)
    state = adopt.agreed(found)
    report = _report(found, state, named=revision is not None)
    if state is None:
        return report._replace(summary=_unequal(found))
    place = ", ".join(state.heads)
    if dry_run:
        said = f"equal to what {place} builds; dry run: nothing was stamped"
        return report._replace(summary=said)
    done = adopt.adopt(project, found, state, reason=reason, history=history)
    return report._replace(
        data={**report.data, **together(done, [{"current": each.heads} for each in done])},
        summary=f"equal to what {place} builds, and stamped with it; nothing was run",
    )


def _report(found: Sequence[Adoption], state: Candidate | None, *, named: bool) -> Report:
    findings: list[Finding] = []
    if state is None:
        findings += [finding for each in found for finding in _differences(each)]
    elif not named:
        findings += _others(found, state)
    nothing: dict[str, tuple[str, ...]] = {"before": (), "current": ()}
    return Report(
        "baseline",
        target=labels(found),
        findings=tuple(findings),
        data={
            **together(found, [nothing for _ in found]),
            "equal": [each.revision for each in found[0].equal],
            "nearest": None if state is not None else _nearest(found[0]),
            "server": found[0].server,
        },
    )


def _nearest(found: Adoption) -> str | None:
    return None if found.nearest is None else found.nearest.revision


def _differences(found: Adoption) -> Iterator[Finding]:
    nearest = found.nearest
    for change in found.changes if nearest is not None else ():
        if change.before is None:
            message = "is in the database, and the revision does not build it"
        elif change.after is None:
            message = "is missing in the database"
        else:
            message = "is not what the revision builds"
        yield Finding(
            rule="schema-differs",
            severity=Severity.ERROR,
            message=message,
            help="change the database, or name the revision that it should be at",
            backend=found.seen.backend,
            revision=_nearest(found),
            object=change.key,
            before=change.before,
            after=change.after,
        )


def _others(found: Sequence[Adoption], state: Candidate) -> list[Finding]:
    """Tell of states that the schema alone does not tell apart: nobody knows whether rows moved."""
    others = [each.revision for each in found[0].equal if each.heads != state.heads]
    if not others:
        return []
    return [
        Finding(
            rule="not-the-only-one",
            severity=Severity.WARNING,
            message=f"the schema is also that of {', '.join(others)}: whether rows were moved in "
            "between cannot be seen",
            help="look at these revisions; topchef-db stamp sets another one of them",
            backend=found[0].seen.backend,
            revision=state.revision,
        )
    ]


def _unequal(found: Sequence[Adoption]) -> str:
    lines = []
    for each in found:
        if each.equal:
            said = f"equal to what {', '.join(one.revision for one in each.equal)} builds"
        elif each.nearest is None:
            said = "there is no revision to compare with"
        else:
            number = len(each.changes)
            said = f"equal to no revision; {each.nearest.revision} is the nearest, with {number} "
            said += "difference" if number == 1 else "differences"
        failed = f"; revision {each.failed}" if each.failed else ""
        lines.append(f"{each.label} is {said} (built on {each.seen.backend} {each.server}){failed}")
    return "\n".join(lines) + "\nnothing was stamped"


@click.argument("revision", required=False, type=options.REVISION)
@click.option("--dry-run", is_flag=True, help="Say which revision it is; stamp nothing.")
@click.option("--reason", metavar="TEXT", help="Why; written into the history.")
@click.option(
    "--history/--no-history", default=True, help="Record it in the table topchef_history."
)
def baseline_command(project: Project, **arguments: Any) -> Report:
    """Hand the options to `baseline`."""
    return baseline(project, **arguments)


COMMAND = options.command(
    epilog="""
    topchef-db baseline --dry-run
    topchef-db baseline ae10 --reason "was made by hand"
    topchef-db baseline --on postgresql
    """,
    on=True,
)(baseline_command)
