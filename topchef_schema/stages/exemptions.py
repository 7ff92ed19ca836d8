"""What a project has declared is no error: it is said with its reason, and has to be still true."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from topchef_schema.errors import UsageError
from topchef_schema.model import Check, Exemption, Finding, Outcome, Severity

if TYPE_CHECKING:
    from topchef_schema.project import Project

_PROVEN = (Outcome.PASSED, Outcome.FAILED)


def declared(project: Project) -> tuple[Exemption, ...]:
    """Return what the settings declare, and the revisions themselves, as ``topchef_allow``.

    Raises `UsageError` for a line that cannot be read.
    """
    found = list(project.settings.allow)
    for revision in project.revisions.all:
        where = f"{revision.path}, topchef_allow"
        module = project.revisions.script(revision.id).module
        lines = getattr(module, "topchef_allow", ())
        for line in [lines] if isinstance(lines, str) else lines:
            exemption = Exemption.parse(str(line), where, revision=revision.id)
            if exemption is None:
                raise UsageError(
                    f'"{line}" declares nothing',
                    where=where,
                    hint='write "RULE: reason" or "RULE OBJECT: reason", for example '
                    '"data-lost column items.price: prices are kept elsewhere"',
                )
            found.append(exemption)
    return tuple(found)


def exempt(
    checks: Sequence[Check],
    findings: Sequence[Finding],
    exemptions: Sequence[Exemption],
    known: Collection[str],
) -> tuple[tuple[Check, ...], tuple[Finding, ...]]:
    """Return both as they are once *exemptions* are taken into account.

    *known* are the ids of all revisions. An exemption that matches nothing is a finding, unless
    no revision that it names was proven.
    """
    used: set[Exemption] = set()
    found = []
    for finding in findings:
        of = finding.rule, finding.revision, finding.object
        matching = [each for each in exemptions if each.covers(*of)]
        used.update(matching)
        found.append(_declared(finding, matching[0]) if matching else finding)
    failing = {(each.revision, each.backend) for each in found if each.severity is Severity.ERROR}
    excused = {
        (old.revision, old.backend)
        for old, new in zip(findings, found, strict=True)
        if old.severity is Severity.ERROR and new.severity is not Severity.ERROR
    } - failing
    passed = tuple(
        replace(each, outcome=Outcome.PASSED)
        if each.outcome is Outcome.FAILED and (each.revision, each.backend) in excused
        else each
        for each in checks
    )
    proven = {each.revision for each in checks if each.outcome in _PROVEN and each.revision}
    stale = (each for each in exemptions if each not in used)
    found += [_stale(each) for each in stale if _is_told(each, proven, known)]
    return passed, tuple(found)


def _declared(finding: Finding, exemption: Exemption) -> Finding:
    message = f"{finding.message} (declared: {exemption.reason})"
    return replace(finding, severity=Severity.INFO, message=message, help=None)


def _is_told(exemption: Exemption, proven: Collection[str], known: Collection[str]) -> bool:
    named = {each for each in known if each.startswith(exemption.revision)}
    return not named or bool(named & set(proven))


def _stale(exemption: Exemption) -> Finding:
    return Finding(
        rule="stale-exemption",
        severity=Severity.WARNING,
        message=f"nothing matches what {exemption.where} declares: {exemption}",
        help="remove it, or correct its revision and object",
        object=exemption.object,
    )
