"""What sql and upgrade do with bundles: write one, see whether it is fresh, hold to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from topchef_schema.errors import UsageError
from topchef_schema.model import Check, Finding, Outcome, Plan, Report, Table

if TYPE_CHECKING:
    from topchef_schema.project import Project
    from topchef_schema.stages.bundle import Part
    from topchef_schema.stages.bundle_check import Compared
    from topchef_schema.stages.observe import Observed
    from topchef_schema.stages.plan import Planner
    from topchef_schema.stages.script import Terms
    from topchef_schema.stages.written import Written

Folder = str | os.PathLike[str]
Noted = Callable[["Written"], Iterator[Finding]]


def require_no_more(
    range_: str | None,
    since: str | None,
    *,
    bundle: Folder | None,
    verify: Folder | None,
    down: bool,
) -> None:
    """Raise `UsageError` for what has no meaning beside a bundle."""
    if bundle is not None and verify is not None:
        raise UsageError(
            "a bundle is either written or verified",
            where="--bundle, --verify",
            hint="give one of them",
        )
    if down:
        raise UsageError(
            "a bundle holds both ways",
            where="--down",
            hint="leave it out: down.sql is the way back",
        )
    if verify is not None and (range_ or since):
        raise UsageError(
            "a bundle knows its range", where="--verify", hint="leave the range and --since out"
        )


def written(
    project: Project,
    folder: Folder,
    chosen: tuple[str | None, str | None],
    on: Sequence[str],
    terms: Terms,
    *,
    noted: Noted,
    prove: bool = False,
) -> Report:
    """Write a bundle into *folder*; *noted* finds what is to be said of a script.

    *chosen* is a range, or the commit since which revisions were added.
    """
    from topchef_schema.stages import bundle, bundle_files, bundle_folder

    bundle_folder.require_free(folder)
    order = bundle.Order.of(project, bundle.given_range(project, *chosen), terms)
    parts = bundle.parts(order, on)
    findings = [finding for each in parts for finding in noted(each.up.made)]
    files = bundle_files.of(parts)
    if prove:
        findings += _proven(project, parts)
    bundle_folder.write(folder, files)
    names = sorted([*files, bundle_folder.SUMS])
    return Report(
        "sql",
        findings=tuple(findings),
        statements=tuple(each for part in parts for each in part.up.recording.statements),
        data={"bundle": str(folder), "files": names},
        tables=(Table(("file", "what it is"), tuple(map(_described, names))),),
        summary=f"the bundle is written: {folder}",
    )


def _described(name: str) -> tuple[str, str]:
    from topchef_schema.stages.bundle_files import WHAT

    return name, WHAT[name.rpartition("/")[2]]


def _proven(project: Project, parts: Sequence[Part]) -> Iterator[Finding]:
    """Run the scripts of each backend on scratch databases, up and down."""
    from topchef_schema.stages import script_proof

    for on in dict.fromkeys(each.on for each in parts):
        here = [each for each in parts if each.on == on]
        order = here[0].order
        history = order.terms.history
        up = {each.database: each.up.script for each in here}
        yield from script_proof.proven(project, order.steps, up, on, history=history)
        if all(each.down.why_not is None for each in here):
            down = {each.database: each.down.script for each in here}
            yield from script_proof.proven(project, order.back, down, on, history=history)


def verified(project: Project, folder: Folder, on: Sequence[str]) -> Report:
    """Say whether the bundle in *folder* is intact, and what the revisions say now.

    With *on*, of these backends alone, whose scratch databases are made there.
    """
    from topchef_schema.stages import bundle_check, bundle_folder, scratch

    found = bundle_folder.read(folder)
    places = {scratch.resolve(each)[0].name: each for each in on}
    only = [each for each in found.parts if not on or each.partition("/")[0] in places]
    missing = sorted(places.keys() - {each.partition("/")[0] for each in found.parts})
    if missing:
        raise UsageError(
            f"the bundle has no scripts for {', '.join(missing)}",
            where=str(folder),
            hint="it has them for " + ", ".join(found.parts),
        )
    compared = bundle_check.verified(project, found, places, only)
    findings = tuple(finding for each in compared for finding in each.findings)
    return Report(
        "sql",
        checks=tuple(map(_check, compared)),
        findings=findings,
        data={"bundle": str(folder), "fresh": not findings},
        summary=_verdict(findings),
    )


def committed(project: Project, on: Sequence[str]) -> tuple[tuple[Check, ...], tuple[Finding, ...]]:
    """Verify the bundles that the settings name; scratch databases are made at *on*.

    Raises `UsageError` for a folder that is no bundle; what matches a ``*`` may be none at all.
    """
    from topchef_schema.stages import bundle_check, bundle_folder, scratch

    places = {scratch.resolve(each)[0].name: each for each in on}
    compared = [
        each
        for path in bundle_folder.named(project)
        for each in bundle_check.verified(project, bundle_folder.read(path), places)
    ]
    findings = tuple(finding for each in compared for finding in each.findings)
    return tuple(map(_check, compared)), findings


def _check(compared: Compared) -> Check:
    outcome = Outcome.FAILED if compared.findings else Outcome.PASSED
    rules = ", ".join(dict.fromkeys(each.rule for each in compared.findings))
    name = f"bundle {compared.path}"
    return Check(name, outcome, backend=compared.backend, detail=rules or None)


def _verdict(findings: Sequence[Finding]) -> str:
    if not findings:
        return "the bundle is intact, and it is what the revisions say"
    rules = {each.rule for each in findings}
    said = {"bundle-damaged": "damaged", "bundle-stale": "not what the revisions say any more"}
    return f"the bundle is {' and '.join(said[each] for each in sorted(rules))}"


def held(
    project: Project, folder: Folder, revision: str
) -> tuple[Planner, Sequence[Observed], tuple[Finding, ...]]:
    """Return the steps of the bundle for the databases of *project*, and what speaks against them.

    They come from the project: nothing that stands in the bundle is run.
    """
    from topchef_schema.stages import bundle_check, bundle_folder, observe
    from topchef_schema.stages.plan import unmoved

    if revision != "heads":
        raise UsageError(
            "a bundle knows where it leads",
            where=f"--bundle {folder}",
            hint="leave the revision out",
        )
    found = bundle_folder.read(folder)
    seen = observe.databases(project)
    for each in seen:
        observe.require_known(project, each)
    compared = bundle_check.held(project, found, seen)
    findings = tuple(finding for each in compared for finding in each.findings)
    steps = next((each.now.order.steps for each in compared if each.now), Plan((), ()))
    start = set(steps.start)

    def planned(heads: tuple[str, ...]) -> Plan:
        # At its end nothing is left: a container that starts again is to find that out.
        return steps if set(heads) == start else Plan((), heads)

    return unmoved(planned, seen), seen, findings
