"""Prove that every revision goes down as it went up.

Each revision of RANGE is taken up, down and up again on a scratch database of every backend, with
rows in its tables. The schema after the downgrade has to be the schema before the upgrade, the
second upgrade has to give the schema of the first, and the rows have to survive. Nothing is done
to any other database.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import click

from topchef_schema.commands import options
from topchef_schema.commands.progress import bar
from topchef_schema.model import Check, Finding, Outcome, Report, Severity, Table

if TYPE_CHECKING:
    from topchef_schema.model import Revision
    from topchef_schema.project import Project
    from topchef_schema.stages.prove import Proof

F = TypeVar("F", bound=Callable[..., Report])

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
    fail_fast: bool = False,
    keep: bool = False,
    models: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Prove the revisions of *range_* on each backend of *on*, *jobs* at a time.

    With *fail_fast* those after the first on a backend that is not clean are not proven. With
    *keep* the scratch database of that one is left as it is, or where all are clean, that of the
    first check of the whole history that fails. Without *models* these are not
    compared. *progress* is called with what is done and what there is to do.

    *since* is a git commit: the revisions added since. One check for each revision and backend,
    and without a revision one for each of: all revisions in one run, the whole way down, both
    where *range_* is everything; and the models, where it has the heads.
    Findings: ``upgrade-fails``, ``downgrade-fails``, ``downgrade-leaves-trace``,
    ``upgrade-not-repeatable``, ``stepwise-differs``, ``data-lost``, ``models-differ`` (errors),
    ``fails-on-rows`` and ``stale-exemption`` (warnings), ``data-changed`` (info), ``irreversible``
    and ``empty-downgrade`` (info; errors with *strict*). What the project declares in
    ``[topchef.roundtrip] allow`` is info. ``data`` is ``{"backends": [{"backend", "version"}],
    "revisions": [ids], "kept": [{"backend", "revision", "check", "url"}]}``; a kept database has a
    revision, or the check of the whole history.
    """
    from topchef_schema.stages.plan import chosen
    from topchef_schema.stages.prove import provers

    wishes = {"fail_fast": fail_fast, "keep": keep, "progress": progress}
    wishes["models"] = None if models else False
    words = tuple(on) or project.backends
    with provers(words) as workers:
        revisions = chosen(project, range_, since)
        return proven(project, revisions, words, jobs, strict=strict, workers=workers, **wishes)


def proven(
    project: Project,
    revisions: Sequence[Revision],
    on: Sequence[str],
    jobs: int | None,
    *,
    strict: bool,
    **wishes: Any,
) -> Report:
    """Return the report of `roundtrip` on *revisions*; *wishes* are those of `prove.prove`."""
    from topchef_schema.stages.exemptions import declared, exempt
    from topchef_schema.stages.prove import prove

    exemptions = declared(project)
    proofs = prove(project, revisions, on, jobs=jobs or os.cpu_count() or 1, **wishes)
    findings = tuple(
        _strict(each) if strict else each for proof in proofs for each in proof.findings
    )
    checks = tuple(check for proof in proofs for check in proof.all_checks)
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
            "kept": [
                {
                    "backend": proof.backend,
                    "revision": each.revision,
                    "check": each.check,
                    "url": each.url,
                }
                for proof in proofs
                for each in proof.kept
            ],
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
    columns = [list(islice(waiting, len(proof.all_checks))) for proof in proofs]
    cells = [{each.revision or each.name: _cell(each) for each in column} for column in columns]
    rows = [
        (each.id, each.message, *(column.get(each.id, "") for column in cells)) for each in chosen
    ]
    whole = dict.fromkeys(
        each.name for column in columns for each in column if each.revision is None
    )
    rows += [("", name, *(column.get(name, "") for column in cells)) for name in whole]
    names = (" ".join(filter(None, (proof.backend, proof.database))) for proof in proofs)
    return Table(("revision", "message", *names), tuple(rows))


def _cell(check: Check) -> str:
    noted = {"irreversible", "empty-downgrade", "fails-on-rows"}
    details = set((check.detail or "").split(", "))
    if check.outcome is Outcome.PASSED and details & noted:
        return "ok, " + ", ".join(sorted(details & noted))
    return _CELLS[check.outcome]


def _summary(checks: Sequence[Check]) -> str:
    single = [check for check in checks if check.revision is not None]
    proven = [check for check in single if check.outcome is not Outcome.SKIPPED]
    unclean = sum(check.outcome is not Outcome.PASSED for check in proven)
    skipped = len(single) - len(proven)
    if not proven:
        return "there are no revisions to prove"
    facts = [f"{unclean} of {len(proven)} not clean" if unclean else f"{len(proven)} clean"]
    if skipped:
        facts.append(f"{skipped} are in the baseline")
    whole = [check for check in checks if check.revision is None]
    failed = [check.name for check in whole if check.outcome is Outcome.FAILED]
    return "; ".join(facts + [f"failed: {name}" for name in dict.fromkeys(failed)])


def proof_options(function: F) -> F:
    """Add what all have that prove revisions."""
    for decorator in (
        click.option(
            "--strict", is_flag=True, help="Irreversible revisions and empty downgrades are errors."
        ),
        click.option(
            "--jobs",
            type=click.IntRange(min=1),
            metavar="N",
            help="Proofs at a time: of backends, and of the parts of a long history.",
        ),
    ):
        function = decorator(function)
    return function


@click.argument("range_", metavar="[RANGE]", required=False, type=options.REVISION)
@options.since_option
@proof_options
@click.option(
    "--fail-fast", is_flag=True, help="Stop, on each backend, after the first that is not clean."
)
@click.option(
    "--keep", is_flag=True, help="Leave the scratch database of that one, and say where it is."
)
@click.option(
    "--models/--no-models", default=True, help="Compare the models with what revisions make."
)
def roundtrip_command(project: Project, *, range_: str | None, **arguments: object) -> Report:
    """Hand the options to `roundtrip`, and show how far it is."""
    with bar("revisions") as progress:
        return roundtrip(project, range_, progress=progress, **arguments)  # type: ignore[arg-type]


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
