"""The answer of every command: what was done, what is wrong, what was run."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from topchef_schema.errors import TopchefError
    from topchef_schema.model.recording import Statement
    from topchef_schema.model.revision import Direction

FOUND = 10
"""The exit code of a command that worked and found something."""


class Severity(StrEnum):
    """How bad a finding is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for error."""
        return list(Severity).index(self)


class Outcome(StrEnum):
    """How a check ended; *pending* is one that was never reached."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was done. *seconds* is wall time; *detail* is for a reader."""

    name: str
    outcome: Outcome
    backend: str | None = None
    revision: str | None = None
    direction: Direction | None = None
    seconds: float | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and what to do about it.

    *check* is the name of the check that found it, where revision and backend do not tell.
    """

    rule: str
    severity: Severity
    message: str
    help: str | None = None
    backend: str | None = None
    revision: str | None = None
    object: str | None = None
    before: str | None = None
    after: str | None = None
    path: str | None = None
    line: int | None = None
    sql: str | None = None
    check: str | None = None


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """A failure as data, for the report of a run that failed."""

    kind: str
    message: str
    where: str
    hint: str
    exit_code: int

    @classmethod
    def of(cls, error: TopchefError) -> ErrorInfo:
        """Return *error* as data."""
        return cls(error.kind, error.message, error.where, error.hint, error.exit_code)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows for a reader: what the text, markdown and HTML formats show of a report's data."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The hinge of the house: every command returns one, every format prints one.

    *target* is the label of the database, without its secret. *tables*, *summary* and *script*
    are for a reader; programs read *data*. *pieces* are those of the script: where it is long,
    they are made each time they are asked for, and never are all there at once.
    """

    command: str
    target: str | None = None
    checks: tuple[Check, ...] = ()
    findings: tuple[Finding, ...] = ()
    statements: tuple[Statement, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    summary: str | None = None
    pieces: Iterable[str] | None = None
    error: ErrorInfo | None = None
    seconds: float | None = None

    @property
    def script(self) -> str | None:
        """The text of the script, if there is one."""
        return None if self.pieces is None else "".join(self.pieces)

    def exit_code(self, fail_on: Severity = Severity.ERROR) -> int:
        """Return the process's exit code: the error's, 10 for findings from *fail_on* up, or 0."""
        if self.error is not None:
            return self.error.exit_code
        found = any(finding.severity.rank >= fail_on.rank for finding in self.findings)
        return FOUND if found else 0
