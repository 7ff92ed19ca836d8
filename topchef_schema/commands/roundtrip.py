"""Prove that every revision goes down as it went up.

Each revision of RANGE is taken up, down and up again on a scratch database of every backend, with
rows in its tables. The schema after the downgrade has to be the schema before the upgrade, the
second upgrade has to give the schema of the first, and the rows have to survive. Nothing is done
to any other database.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import click

from topchef_schema.commands import options
from topchef_schema.model import Check, Finding, Outcome, Report, Severity, Table

if TYPE_CHECKING:
    from topchef_schema.model import Revision
    from topchef_schema.project import Project
    from topchef_schema.stages.prove import Proof

_CELLS = {
    Outcome.PASSED: "ok",
    Outcome.FAILED: "FAILED",
    Outcome.SKIPPED: "skipped",
    Outcome.PENDING: "not reached",
}


def roundtrip(
    project: Project,
    range_: str | None = None,
    *,
    since: str | None = None,
    on: Sequence[str] = (),
    jobs: int | None = None,
    strict: bool = False,
) -> Report:
    """Prove the revisions of *range_* on each backend of *on*, *jobs* at a time.

    *since* is a git commit: the revisions added since. One check for each revision and backend.
    Findings: ``upgrade-fails``, ``downgrade-fails``, ``downgrade-leaves-trace``,
    ``upgrade-not-repeatable``, ``data-lost`` (errors), ``fails-on-rows`` and ``stale-exemption``
    (warnings), ``data-changed`` (info), ``irreversible`` and ``empty-downgrade`` (info; errors with
    *strict*). What the project declares in ``[topchef.roundtrip] allow`` is info. ``data`` is
    ``{"backends": [{"backend", "version"}], "revisions": [ids]}``.
    """
    from topchef_schema.stages.exemptions import declared, exempt
    from topchef_schema.stages.plan import chosen
    from topchef_schema.stages.prove import prove

    revisions = chosen(project, range_, since)
    exemptions = declared(project)
    words = tuple(on) or project.backends
    proofs = prove(project, revisions, words, jobs=jobs or os.cpu_count() or 1)
    findings = tuple(
        _strict(each) if strict else each for proof in proofs for each in proof.findings
    )
    checks = tuple(check for proof in proofs for check in proof.checks)
    known = {each.id for each in project.revisions.all}
    checks, findings = exempt(checks, findings, exemptions, known)
    return Report(
        "roundtrip",
        checks=checks,
        findings=findings,
        data={
            "backends": [
                {"backend": name, "version": version}
                for name, version in dict.fromkeys((each.backend, each.version) for each in proofs)
            ],
            "revisions": [each.id for each in revisions],
        },
        tables=(_table(revisions, proofs, checks),),
        summary=_summary(checks),
    )


def _strict(finding: Finding) -> Finding:
    if finding.rule in ("irreversible", "empty-downgrade"):
        return replace(finding, severity=Severity.ERROR)
    return finding


def _table(chosen: Sequence[Revision], proofs: Sequence[Proof], checks: Sequence[Check]) -> Table:
    """Lay out *checks*, which are those of all *proofs* in their order."""
    waiting = iter(checks)
    columns = [
        {check.revision: _cell(check) for check in islice(waiting, len(proof.checks))}
        for proof in proofs
    ]
    rows = tuple(
        (each.id, each.message, *(cells.get(each.id, "") for cells in columns)) for each in chosen
    )
    names = (" ".join(filter(None, (proof.backend, proof.database))) for proof in proofs)
    return Table(("revision", "message", *names), rows)


def _cell(check: Check) -> str:
    noted = {"irreversible", "empty-downgrade", "fails-on-rows"}
    details = set((check.detail or "").split(", "))
    if check.outcome is Outcome.PASSED and details & noted:
        return "ok, " + ", ".join(sorted(details & noted))
    return _CELLS[check.outcome]


def _summary(checks: Sequence[Check]) -> str:
    proven = [check for check in checks if check.outcome is not Outcome.SKIPPED]
    unclean = sum(check.outcome is not Outcome.PASSED for check in proven)
    skipped = len(checks) - len(proven)
    if not proven:
        return "there are no revisions to prove"
    summary = f"{unclean} of {len(proven)} not clean" if unclean else f"{len(proven)} clean"
    return f"{summary}; {skipped} are in the baseline" if skipped else summary


@click.argument("range_", metavar="[RANGE]", required=False, type=options.REVISION)
@options.since_option
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Backends at a time.")
@click.option(
    "--strict", is_flag=True, help="Irreversible revisions and empty downgrades are errors."
)
def roundtrip_command(project: Project, *, range_: str | None, **arguments: object) -> Report:
    """Hand the options to `roundtrip`."""
    return roundtrip(project, range_, **arguments)  # type: ignore[arg-type]


COMMAND = options.command(
    epilog="""
    topchef-db roundtrip
    topchef-db roundtrip --on sqlite --on postgresql --on mariadb --on mysql
    topchef-db roundtrip ae10:head --on postgresql --format junit -o roundtrip.xml
    """,
    formats=("text", "json", "junit", "github", "markdown", "html"),
    url=False,
    on=True,
)(roundtrip_command)
