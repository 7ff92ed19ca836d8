"""The proof of one revision: up, down and up again, on a scratch database that holds rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from topchef_schema.backends.base import first_line
from topchef_schema.model import (
    OWN_TABLES,
    Change,
    Direction,
    Finding,
    Revision,
    Severity,
    Snapshot,
    Step,
    diff,
)
from topchef_schema.stages import rows, undoing

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from topchef_schema.bridge.session import Session, StepFailed
    from topchef_schema.stages.entry import Target


class Ending(Enum):
    """In what state a proof leaves the scratch database."""

    CLEAN = auto()
    """Up, down and up went well: the next revision can go on from here."""

    SETTLED = auto()
    """There was no way down, and the database is as it was after the upgrade: go on from here."""

    DIRTY = auto()
    """The next revision needs another database."""

    BROKEN = auto()
    """The upgrade failed: what stands on this revision cannot be reached."""

    AGAIN_WITHOUT_ROWS = auto()
    """Something failed on filled tables: to be proven again on empty ones."""


@dataclass
class UpDownUp:
    """The proof of one revision, on a scratch database that is just below it.

    *look* tells what the schema is now. With *fill* the tables are filled with rows first; *seeded*
    counts the rows of our making that are there, *on_rows* says what failed because of them.
    """

    session: Session
    target: Target
    backend: str
    revision: Revision
    look: Callable[[Connection], Snapshot]
    fill: bool = True
    findings: list[Finding] = field(default_factory=list)
    seeded: int = 0
    on_rows: Finding | None = None

    def only_up(self) -> Ending:
        """Take a revision that is not to be proven, as the way to those that are."""
        try:
            self._take(Direction.UP)
        except _Failed as failed:
            if self.seeded:
                return self._again_without_rows(failed.step_failed)
            self._fails("upgrade-fails", "the upgrade fails", failed.step_failed)
            return Ending.BROKEN
        return Ending.CLEAN

    def prove(self) -> Ending:
        """Take the revision up, down and up, and note what is wrong in *findings*."""
        if self.fill:
            self.seeded += rows.seed(self.session.connection, self._left_out())
            self.session.settle()
        known = self._contents()
        before = self._snapshot()
        try:
            self._take(Direction.UP)
        except _Failed as failed:
            if self.seeded:
                return self._again_without_rows(failed.step_failed)
            self._fails("upgrade-fails", "the upgrade fails", failed.step_failed)
            return Ending.BROKEN
        after = self._snapshot()
        filled = self._contents()
        ending = self._down_and_up(before, after)
        if ending is Ending.CLEAN:
            self._compare_rows(filled, known)
        return ending

    def _down_and_up(self, before: Snapshot, after: Snapshot) -> Ending:
        try:
            sent = self._take(Direction.DOWN)
        except _Failed as failed:
            return self._downgrade_failed(failed.step_failed, after)
        down = self._snapshot()
        if not sent and before != after and down == after:
            self._note("empty-downgrade", Severity.INFO, "the downgrade does nothing", "downgrade")
            self.session.mark(Step(self.revision, Direction.UP))
            return Ending.SETTLED
        if not self._same(before, down, "downgrade-leaves-trace", _undone):
            return Ending.DIRTY
        try:
            self._take(Direction.UP)
        except _Failed as failed:
            if self.seeded:
                return self._again_without_rows(failed.step_failed)
            self._fails(
                "upgrade-not-repeatable",
                "the second upgrade fails",
                failed.step_failed,
                help_="let downgrade() undo all that upgrade() makes",
            )
            return Ending.DIRTY
        same = self._same(after, self._snapshot(), "upgrade-not-repeatable", _repeated)
        return Ending.CLEAN if same else Ending.DIRTY

    def _downgrade_failed(self, failed: StepFailed, after: Snapshot) -> Ending:
        if _refusal(failed):
            self._note(
                "irreversible",
                Severity.INFO,
                f"the downgrade refuses: {first_line(failed.cause)}",
                failed.location.line or "downgrade",
            )
        elif self.seeded:
            return self._again_without_rows(failed)
        else:
            self._fails("downgrade-fails", "the downgrade fails", failed)
        return Ending.SETTLED if self._snapshot() == after else Ending.DIRTY

    def _again_without_rows(self, failed: StepFailed) -> Ending:
        self.on_rows = self.finding(
            "fails-on-rows",
            Severity.WARNING,
            "works on empty tables, and fails when they hold rows: " + first_line(failed.cause),
            line=failed.location.line or _function(failed),
            sql=failed.failed.sql if failed.failed else None,
        )
        return Ending.AGAIN_WITHOUT_ROWS

    def _same(
        self,
        expected: Snapshot,
        found: Snapshot,
        rule: str,
        words: Callable[[str | None, str | None], tuple[str, str]],
    ) -> bool:
        """Add a finding for each difference; return whether there is none that matters."""
        clean = True
        for change in diff(expected, found).causes:
            harmless = change.kind == "column-order"
            message, help_ = words(change.before, change.after)
            if words is _undone:
                help_ = self._code(change) or help_
            self._note(
                rule,
                Severity.INFO if harmless else Severity.ERROR,
                message,
                "downgrade",
                object=change.key,
                before=change.before,
                after=change.after,
                help=help_,
            )
            clean = clean and harmless
        return clean

    def _code(self, change: Change) -> str | None:
        """Return the help that is code to paste, where it can be known."""
        schema = self.session.dialect.default_schema_name
        # A database that is a file alters a table by making it anew.
        rebuilds = self.target.backend.made_by_connecting
        found = undoing.code(change, schema, rebuilds=rebuilds)
        return None if found is None else f"add to downgrade(): {found}"

    def _compare_rows(self, filled: rows.Contents, known: rows.Contents) -> None:
        """Add a finding for each column whose values did not survive."""
        for loss in rows.lost(filled, self._contents(), known):
            if loss.column is None:
                what, object_ = f"rows of {loss.table}", f"table {loss.table}"
            else:
                what = f"values of {loss.table}.{loss.column}"
                object_ = f"column {loss.table}.{loss.column}"
            kind = "rows" if loss.column is None else "values"
            self._note(
                "data-lost",
                Severity.ERROR,
                f"{what} are not there after down and up, for example {loss.example}",
                "downgrade",
                object=object_,
                before=f"{loss.before} {kind}",
                after=f"{loss.after} {kind}",
                help="keep them in downgrade(), and bring them back in upgrade()",
            )

    def _fails(
        self, rule: str, words: str, failed: StepFailed, *, help_: str | None = None
    ) -> None:
        self._note(
            rule,
            Severity.ERROR,
            f"{words}: {first_line(failed.cause)}",
            failed.location.line or _function(failed),
            sql=failed.failed.sql if failed.failed else None,
            help=help_,
        )

    def _take(self, direction: Direction) -> int:
        """Take the step; return how many statements it sent. Raises `_Failed`."""
        from topchef_schema.bridge.journaling import Journaling
        from topchef_schema.bridge.session import StepFailed

        rules = self.target.backend.commit_rules
        assert rules is not None
        # Without a place to keep it: the statements go the way they go in an upgrade.
        journaling = Journaling(None, rules, self.session.listener)
        try:
            return len(self.session.step(Step(self.revision, direction), journaling=journaling))
        except StepFailed as failed:
            self.session.settle()
            raise _Failed(failed) from failed

    def _snapshot(self) -> Snapshot:
        snapshot = self.look(self.session.connection)
        self.session.settle()
        return snapshot

    def _contents(self) -> rows.Contents:
        contents = rows.contents(self.session.connection, self._left_out())
        self.session.settle()
        return contents

    def _left_out(self) -> set[str]:
        return {self.target.version_table, *OWN_TABLES}

    def _note(
        self, rule: str, severity: Severity, message: str, line: int | str, **more: str | None
    ) -> None:
        """Add a finding; *line* may be the name of a function in the revision's file."""
        self.findings.append(self.finding(rule, severity, message, line=line, **more))

    def finding(
        self,
        rule: str,
        severity: Severity,
        message: str,
        *,
        line: int | str | None = None,
        **more: str | None,
    ) -> Finding:
        """Return a finding on this revision."""
        path = self.revision.path
        return Finding(
            rule=rule,
            severity=severity,
            message=message,
            backend=self.backend,
            revision=self.revision.id,
            path=path,
            line=_line_of(path, line) if isinstance(line, str) else line,
            **more,
        )


class _Failed(Exception):
    def __init__(self, step_failed: StepFailed) -> None:
        super().__init__(str(step_failed))
        self.step_failed = step_failed


def _refusal(failed: StepFailed) -> bool:
    """Whether the downgrade itself raised, before it sent anything: it is meant."""
    from sqlalchemy.exc import SQLAlchemyError

    from topchef_schema.bridge.session import NoDowngradeError

    if isinstance(failed.cause, NoDowngradeError):
        return True
    raised_here = failed.raised_by == "downgrade"
    return raised_here and not failed.sent and not isinstance(failed.cause, SQLAlchemyError)


def _function(failed: StepFailed) -> str:
    return "upgrade" if failed.step.direction is Direction.UP else "downgrade"


def _undone(before: str | None, after: str | None) -> tuple[str, str]:
    if before is None:
        return "is left behind by the downgrade", "drop it in downgrade()"
    if after is None:
        return "is not brought back by the downgrade", "recreate it in downgrade()"
    return "is not what it was before the upgrade", "change it back in downgrade()"


def _repeated(before: str | None, after: str | None) -> tuple[str, str]:
    return (
        "is not the same after the second upgrade",
        "let downgrade() undo all that upgrade() makes",
    )


def _line_of(path: str, function: str) -> int | None:
    """Return the line on which *function* is defined in *path*, which may be no source."""
    import tokenize

    try:
        with tokenize.open(path) as file:
            for number, line in enumerate(file, 1):
                if line.startswith(f"def {function}"):
                    return number
    except (OSError, SyntaxError, UnicodeDecodeError):
        return None
    return None
