"""The proof of one revision: up, down and up again, on a scratch database that holds rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import TYPE_CHECKING

from topchef_schema.backends.base import first_line
from topchef_schema.model import (
    Change,
    Direction,
    Finding,
    Revision,
    Severity,
    Snapshot,
    Statement,
    Step,
    diff,
)
from topchef_schema.stages import row_words, undoing, undoing_table
from topchef_schema.stages.contents import Contents, Loss
from topchef_schema.stages.rows import Seeds
from topchef_schema.stages.survival import Survival

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

    *look* tells what the schema is now; *before* is it where that is known, and after a clean proof
    that of the second upgrade. With *fill* the tables are filled with rows first; *seeds* are the
    rows of our making that are there, *on_rows* says what failed because of them.
    """

    session: Session
    target: Target
    backend: str
    revision: Revision
    look: Callable[[Connection], Snapshot]
    seeds: Seeds
    before: Snapshot | None = None
    fill: bool = True
    findings: list[Finding] = field(default_factory=list)
    on_rows: Finding | None = None
    _is_up: bool = field(default=False, init=False)

    def only_up(self) -> Ending:
        """Take a revision that is not to be proven, as the way to those that are."""
        try:
            self._take(Direction.UP)
        except _Failed as failed:
            if self.seeds:
                return self._again_without_rows(failed.step_failed)
            self._fails("upgrade-fails", "the upgrade fails", failed.step_failed)
            return Ending.BROKEN
        return Ending.CLEAN

    def prove(self) -> Ending:
        """Take the revision up, down and up, and note what is wrong in *findings*.

        Where it fails on rows, and nothing of it is left, it is proven on plainer ones, else on
        none, in the same database.
        """
        before, self.before = self.before or self._snapshot(), None
        ending = self._prove(before, plain=False)
        for plain in (True, False):
            if ending is not Ending.AGAIN_WITHOUT_ROWS or not self._cleared(before):
                break
            told, self.fill = self.on_rows, plain
            ending = self._prove(before, plain=plain)
            if told is not None and ending is not Ending.AGAIN_WITHOUT_ROWS:
                goes = " (plainer ones go through)" if plain else ""
                self.on_rows = replace(told, message=told.message + goes)
        return ending

    def fill_now(self) -> None:
        """Fill the tables for a revision that is not to be proven, and needs rows all the same."""
        self._fill(self._snapshot(), plain=False)

    def clear_now(self) -> bool:
        """Take these rows away again; return whether that could be."""
        cleared = self.seeds.clear(self.session.connection, self._snapshot())
        self.session.settle()
        return cleared

    def _fill(self, schema: Snapshot, *, plain: bool) -> None:
        self.seeds.fill(self.session.connection, schema, plain=plain)
        self.session.settle()

    def _prove(self, before: Snapshot, *, plain: bool) -> Ending:
        if self.fill:
            self._fill(before, plain=plain)
        known = self._contents(before)
        try:
            self._take(Direction.UP)
        except _Failed as failed:
            if self.seeds:
                return self._again_without_rows(failed.step_failed, known)
            self._fails("upgrade-fails", "the upgrade fails", failed.step_failed)
            return Ending.BROKEN
        after = self._snapshot()
        filled = self._contents(after)
        survival = Survival(known, filled, (before, after))
        for message, about in row_words.changed(survival.changed_by_upgrade, filled):
            self._note("data-changed", Severity.INFO, message, "upgrade", **about)
        return self._down_and_up(survival)

    def _cleared(self, before: Snapshot) -> bool:
        """Whether the failed upgrade has left nothing, and the rows of our making could go."""
        if self.findings or self._snapshot() != before:
            return False
        cleared = self.seeds.clear(self.session.connection, before)
        self.session.settle()
        if cleared and self._is_up:
            # Nothing but the version row tells that it is: its downgrade has failed.
            self.session.mark(Step(self.revision, Direction.DOWN))
            self._is_up = False
        return cleared

    def _down_and_up(self, survival: Survival) -> Ending:
        before, after = survival.schemas
        try:
            sent = self._take(Direction.DOWN)
        except _Failed as failed:
            return self._downgrade_failed(failed.step_failed, survival)
        down = self._snapshot()
        if not sent and before != after and down == after:
            self._note("empty-downgrade", Severity.INFO, "the downgrade does nothing", "downgrade")
            self.session.mark(Step(self.revision, Direction.UP))
            return Ending.SETTLED
        if not self._same(before, down, "downgrade-leaves-trace", _undone):
            for loss in survival.lost_by_downgrade(self._contents(down)):
                part = f"table {loss.table}"
                if loss.column is not None:
                    part = f"column {loss.table}.{loss.column}"
                # One fault is not to hide another, and not to be told twice.
                if before.objects.get(part) == down.objects.get(part):
                    self._lost(loss, "the downgrade")
            return Ending.DIRTY
        return self._up_again(survival, self._contents(down), empty=not sent)

    def _up_again(self, survival: Survival, kept: Contents, *, empty: bool) -> Ending:
        """Take it up a second time; *kept* is what the downgrade left, an *empty* one all of it."""
        try:
            self._take(Direction.UP)
        except _Failed as failed:
            if self.seeds:
                return self._again_without_rows(failed.step_failed, kept)
            self._fails(
                "upgrade-not-repeatable",
                "the second upgrade fails",
                failed.step_failed,
                help_="let downgrade() undo all that upgrade() makes",
            )
            return Ending.DIRTY
        again = self._snapshot()
        if not self._same(survival.schemas[1], again, "upgrade-not-repeatable", _repeated):
            return Ending.DIRTY
        for loss, when in survival.lost(kept, self._contents(again)):
            self._lost(loss, when)
        for table in survival.written_by_upgrade if empty else ():
            message = "the downgrade does nothing, and the upgrade has changed the rows"
            self._note(
                "empty-downgrade", Severity.INFO, message, "downgrade", object=f"table {table}"
            )
        self.before = again
        return Ending.CLEAN

    def _downgrade_failed(self, failed: StepFailed, survival: Survival) -> Ending:
        if _refusal(failed):
            self._note(
                "irreversible",
                Severity.INFO,
                f"the downgrade refuses: {first_line(failed.cause)}",
                failed.location.line or "downgrade",
            )
        elif self.seeds:
            return self._again_without_rows(failed, survival.after)
        else:
            self._fails("downgrade-fails", "the downgrade fails", failed)
        return Ending.SETTLED if self._snapshot() == survival.schemas[1] else Ending.DIRTY

    def _again_without_rows(self, failed: StepFailed, contents: Contents | None = None) -> Ending:
        sql = failed.failed.sql if failed.failed else None
        message = first_line(failed.cause)
        table = row_words.concerned(sql or "", message, contents or {})
        rows = None if table is None else (contents or {})[table]
        self.on_rows = self.finding(
            "fails-on-rows",
            Severity.WARNING,
            f"works on empty tables, and fails when they hold rows: {message}",
            line=failed.location.line or _function(failed),
            sql=sql,
            object=None if table is None else f"table {table}",
            help=None if rows is None else row_words.such_rows(rows, sql or "", message),
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
                help_ = self._code(change, expected) or help_
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

    def _code(self, change: Change, before: Snapshot) -> str | None:
        """Return the help that is code to paste, where it can be known."""
        schema = self.session.dialect.default_schema_name
        # A database that is a file alters a table by making it anew.
        rebuilds = self.target.backend.made_by_connecting
        if change.kind == "table" and change.after is None:
            objects = before.objects
            found = undoing_table.code(change, schema, objects, rebuilds=rebuilds)
        else:
            found = undoing.code(change, schema, rebuilds=rebuilds)
        return None if found is None else f"add to downgrade(): {found}"

    def _lost(self, loss: Loss, when: str) -> None:
        """Add a finding for what did not survive."""
        message, about = row_words.lost(loss, when)
        self._note("data-lost", Severity.ERROR, message, "downgrade", **about)

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
        from topchef_schema.bridge.session import StepFailed

        self.seeds.watch.stale()
        try:
            sent = take(self.session, self.target, Step(self.revision, direction))
        except StepFailed as failed:
            self.session.settle()
            raise _Failed(failed) from failed
        self._is_up = direction is Direction.UP
        return len(sent)

    def _snapshot(self) -> Snapshot:
        snapshot = self.look(self.session.connection)
        self.session.settle()
        return snapshot

    def _contents(self, schema: Snapshot) -> Contents:
        """Return what stands in the tables of *schema*, which is that of now."""
        contents = self.seeds.watch.now(self.session.connection, schema)
        self.session.settle()
        return contents

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


def take(session: Session, target: Target, step: Step) -> tuple[Statement, ...]:
    """Take *step*, and return the statements it sent: they go the way they go in an upgrade.

    Without a journal of them. Raises `StepFailed`.
    """
    from topchef_schema.bridge.journaling import Journaling

    rules = target.backend.commit_rules
    assert rules is not None
    return session.step(step, journaling=Journaling(None, rules, session.listener))


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
