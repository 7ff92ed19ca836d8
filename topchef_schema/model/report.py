"""The answer of every command: what was done, what is wrong, what was run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from topchef_schema.model.severity import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from topchef_schema.errors import TopchefError
    from topchef_schema.model.check import Check
    from topchef_schema.model.finding import Finding
    from topchef_schema.model.recording import Statement

FOUND = 10
"""The exit code of a command that worked and found something."""


class ErrorInfo(NamedTuple):
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


class Table(NamedTuple):
    """Rows for a reader: what the text, markdown and HTML formats show of a report's data."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str | None = None


class Report(NamedTuple):
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
    data: Mapping[str, Any] = {}
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
