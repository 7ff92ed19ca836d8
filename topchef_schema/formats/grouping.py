"""What the formats for people share: findings in groups, and the cells that checks stand in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from topchef_schema.model import Check, Finding, Outcome, Report, Severity, Table


class Group(NamedTuple):
    """Findings of one rule on one revision; what several *backends* share stands in it once."""

    severity: Severity
    rule: str
    revision: str | None
    backends: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def heading(self) -> tuple[str, ...]:
        """What to call the group, in parts."""
        parts = (str(self.severity), self.rule, self.revision, ", ".join(self.backends))
        return tuple(part for part in parts if part)


def grouped(findings: Iterable[Finding]) -> tuple[Group, ...]:
    """Return the *findings* in groups, in their order."""
    shared: dict[Finding, list[str]] = {}
    for finding in findings:
        backends = shared.setdefault(replace(finding, backend=None), [])
        if finding.backend is not None and finding.backend not in backends:
            backends.append(finding.backend)
    return tuple(
        Group(*key, tuple(finding for finding, _ in group))
        for key, group in groupby(shared.items(), key=_key)
    )


def _key(item: tuple[Finding, list[str]]) -> tuple[Severity, str, str | None, tuple[str, ...]]:
    finding, backends = item
    return finding.severity, finding.rule, finding.revision, tuple(backends)


class Cell(NamedTuple):
    """The cell of a table that tells of checks: how they ended, and what they found."""

    outcome: Outcome
    findings: tuple[Finding, ...]

    @property
    def severity(self) -> Severity | None:
        """How bad the worst of it is; None where nothing was found."""
        return max(
            (each.severity for each in self.findings), key=lambda each: each.rank, default=None
        )


class Cells:
    """The checks and findings of a report, to be found by the cells of its tables.

    A row that begins with a revision, and a column called like a backend, meet in a cell. Of a
    project that has several databases the name of one follows that of the backend, and begins
    what is said of it.
    """

    def __init__(self, report: Report) -> None:
        self._checks: dict[tuple[str | None, str | None], list[Check]] = {}
        self._findings: dict[tuple[str | None, str | None], list[Finding]] = {}
        for check in report.checks:
            self._checks.setdefault((check.revision, check.backend), []).append(check)
        for finding in report.findings:
            self._findings.setdefault((finding.revision, finding.backend), []).append(finding)

    def of(self, table: Table, row: tuple[str, ...], column: int) -> Cell | None:
        """Return what was checked in this cell, None where it is any other cell."""
        backend, _, database = table.columns[column].partition(" ")
        key = (row[0], backend)
        begin = f"{database}: " if database else ""
        checks = [each for each in self._checks.get(key, ()) if each.name.startswith(begin)]
        if column == 0 or not checks:
            return None
        found = (each for each in self._findings.get(key, ()) if each.message.startswith(begin))
        return Cell(_worst(checks), tuple(found))


def _worst(checks: list[Check]) -> Outcome:
    order = (Outcome.FAILED, Outcome.PENDING, Outcome.SKIPPED, Outcome.PASSED)
    return min((each.outcome for each in checks), key=order.index)


def place(finding: Finding) -> str | None:
    """Return the file and line of *finding* as they are written together."""
    if finding.path is None:
        return None
    return finding.path if finding.line is None else f"{finding.path}:{finding.line}"
