"""Does a plan to a database: the only writer to one that is not scratch."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from topchef_schema.backends.base import first_line
from topchef_schema.errors import (
    HistoryError,
    LockedError,
    MigrationError,
    PartialError,
    TopchefError,
)
from topchef_schema.model import (
    Check,
    Direction,
    HistoryEntry,
    HistoryStatus,
    Outcome,
    Plan,
    Statement,
    Step,
    short,
)
from topchef_schema.project import Project
from topchef_schema.stages import baseline, observe
from topchef_schema.stages.entry import Entry, Target, look_first
from topchef_schema.stages.ledger import Ledger, drop, read

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from topchef_schema.bridge.session import Session, StepFailed
    from topchef_schema.stages.observe import Observed

log = logging.getLogger(__name__)

LOCK_TIMEOUT = 300.0
"""Seconds to wait for another migrator."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done. *before* and *heads* are the version rows before and after."""

    label: str
    backend: str
    before: tuple[str, ...]
    heads: tuple[str, ...]
    checks: tuple[Check, ...] = ()
    statements: tuple[Statement, ...] = ()


@dataclass
class _Run:
    """The steps of one database; the first *kept* of *done* stay if the next one fails."""

    project: Project
    plan: Callable[[tuple[str, ...]], Plan]
    history: bool
    done: list[Step] = field(default_factory=list)
    kept: int = 0
    checks: list[Check] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    failed: StepFailed | None = None
    whole_run: bool = False
    external: bool = False
    transactional: bool = True

    def body(self, session: Session, target: Target) -> Applied:
        """Read where the database is, now that the lock is held, and take the steps."""
        packaged = self.project.packaged
        seen = observe.within(session, target, history=packaged, schema=packaged)
        observe.refuse_foreign(self.project, seen)
        before = seen.heads
        steps = self.plan(before)
        self.whole_run = session.whole_run
        self.external = session.external
        self.transactional = session.transactional
        ledger = self._ledger(session, target) if steps.steps else None
        for position, step in enumerate(steps, 1):
            log.info("%s/%s %s", position, len(steps), step)
            self._take(step, session, ledger)
        return Applied(
            target.label,
            target.backend.name,
            before,
            session.heads(),
            tuple(self.checks),
            tuple(self.statements),
        )

    def _take(self, step: Step, session: Session, ledger: Ledger | None) -> None:
        from topchef_schema.bridge.session import StepFailed

        status = HistoryStatus.APPLIED if step.direction is Direction.UP else HistoryStatus.REVERTED

        def record(connection: Connection, seconds: float) -> None:
            if ledger is not None:
                ledger.write(
                    connection, step.revision, status, direction=step.direction, seconds=seconds
                )

        started = time.perf_counter()
        try:
            self.statements += session.step(step, record=record)
        except StepFailed as failed:
            self.failed = failed
            if failed.own_commits:
                self.kept = len(self.done)
            if ledger is not None and not self.whole_run:
                self._write_failure(session, ledger, failed)
            raise
        self.done.append(step)
        if session.committed or not self.whole_run:
            self.kept = len(self.done)
        self.checks.append(
            Check(
                name=step.revision.message or step.revision.id,
                outcome=Outcome.PASSED,
                backend=self.statements[-1].backend if self.statements else None,
                revision=step.revision.id,
                direction=step.direction,
                seconds=time.perf_counter() - started,
            )
        )

    def _ledger(self, session: Session, target: Target) -> Ledger | None:
        if not self.history:
            return None
        connection = session.connection
        ledger = Ledger.open(
            schema=target.version_table_schema,
            database_user=target.backend.user(connection),
            folder=Path(self.project.environment.config_file).absolute().parent,
        )
        ledger.create(connection)
        session.commit()
        return ledger

    def _write_failure(self, session: Session, ledger: Ledger, failed: StepFailed) -> None:
        session.settle()
        ledger.write(
            session.connection,
            failed.step.revision,
            HistoryStatus.FAILED,
            direction=failed.step.direction,
            error=first_line(failed.cause),
        )
        session.commit()

    @property
    def torn(self) -> bool:
        """Whether steps were done in a transaction of env.py that cannot be undone as a whole."""
        return self.whole_run and not self.transactional and len(self.done) > self.kept

    def error(self, failed: StepFailed, now: tuple[str, ...]) -> MigrationError:
        """Say what failed, what stays, and what to do; the database is at *now*."""
        unrecorded = self._unrecorded(failed, now)
        undone = self.transactional or bool(unrecorded)
        half = bool(failed.own_commits) or (not undone and bool(failed.sent))
        partial = half or bool(unrecorded)
        stays = [step.revision.id for step in self.done[: self.kept]]
        word = "upgrade" if failed.step.direction is Direction.UP else "downgrade"
        message = (
            f"the {word} of revision {failed.step.revision.id} failed: {first_line(failed.cause)}"
        )
        if stays:
            message += f"; of this run, these stay done: {', '.join(stays)}"
        else:
            message += "; nothing else of this run stays"
        if unrecorded:
            before = ", ".join(step.revision.id for step in self.done[self.kept :])
            message += (
                f"; {before} went before it in the transaction of env.py, which this database does "
                "not undo as a whole: the version rows are gone, and some of these statements "
                f"stay: {_listed(unrecorded)}"
            )
        if half:
            message += f"; of this revision, these statements took effect: {_listed(failed.sent)}"
        hint = "correct the revision or the data and run the same command again"
        if partial:
            hint = (
                "undo these statements by hand, or do the rest by hand and run: "
                f"topchef-db stamp {failed.step.stamped_as}"
            )
        if failed.failed is not None:
            hint += f"; the statement was: {short(failed.failed.sql)}"
        kind = PartialError if partial else MigrationError
        return kind(message, where=str(failed.location), hint=hint)

    def _unrecorded(self, failed: StepFailed, now: tuple[str, ...]) -> tuple[Statement, ...]:
        """Return the statements of the steps that a rollback left without their version rows.

        In a transaction around everything, each DDL statement of a database that cannot undo it
        commits what came before, version rows included: only the database knows how far.
        """
        if not self.torn:
            return ()
        there = self.project.revisions.applied_at(now)
        for step in self.done[self.kept :]:
            if (step.revision.id in there) is not (step.direction is Direction.UP):
                break
            self.kept += 1
        lost = {step.revision.id for step in self.done[self.kept :]}
        before = tuple(each for each in self.statements if each.revision in lost)
        return (*before, *failed.sent) if lost else ()


def _listed(statements: Sequence[Statement]) -> str:
    return "; ".join(short(each.sql) for each in statements)


def migrate(
    project: Project,
    plan: Callable[[tuple[str, ...]], Plan],
    *,
    lock_timeout: float = LOCK_TIMEOUT,
    history: bool = True,
) -> tuple[Applied, ...]:
    """Take the steps that *plan* finds from the heads of each database that env.py comes to.

    Where nothing is to do, no lock is taken and nothing is written. Raises `MigrationError` or
    `PartialError` for a step that failed, `LockedError`, `HistoryError`, `UnreachableError`.
    """
    seen = _looked_at(project)
    if not any([plan(each.heads).steps for each in seen]):
        return tuple(Applied(each.label, each.backend, each.heads, each.heads) for each in seen)
    if not all(each.present for each in seen):
        look_first(project)
    baseline.lay_where_empty(project, lock_timeout)
    runs: list[_Run] = []

    def body(session: Session, target: Target) -> Applied:
        runs.append(_Run(project, plan, history))
        return runs[-1].body(session, target)

    entry = Entry(project, lock_timeout=lock_timeout, announce=True)
    try:
        applied = tuple(entry.run(body))
    except TopchefError as error:
        raise _after_tail(project, runs, error) from error.__cause__
    except Exception:
        run = runs[-1] if runs else None
        if run is None or run.failed is None:
            raise
        now = _looked_again(project) if len(seen) > 1 or run.torn else ()
        failure = run.error(run.failed, now[len(runs) - 1].heads if now else ())
        if now:
            failure.hint = f"{_where(now)}; {failure.hint}"
        raise failure from run.failed.cause
    _require_committed(project, runs, applied)
    return applied


def _require_committed(project: Project, runs: Sequence[_Run], applied: Sequence[Applied]) -> None:
    """Raise `MigrationError` where env.py left the transaction that it began without a commit."""
    from topchef_schema.bridge.explaining import shown_path

    if not any(run.external for run in runs):
        return
    now = observe.databases(project)
    if [each.heads for each in now] != [each.heads for each in applied]:
        raise MigrationError(
            "env.py began a transaction and did not commit it",
            where=shown_path(project.revisions.directory.env_py_location),
            hint="let it commit at the end, with connection.begin() or connection.commit(): plain "
            f"alembic loses the work, too; {_where(now)}",
        )


def _looked_at(project: Project, *, purge: bool = False) -> tuple[Observed, ...]:
    """Look at all databases before anything is written to the first of them.

    Raises `HistoryError` where one is at a revision that this project does not know (but with
    *purge*), or is not this project's.
    """
    seen = observe.databases(project, history=project.packaged, schema=project.packaged)
    for each in seen:
        observe.refuse_foreign(project, each)
        if not purge:
            project.revisions.require_known(each.heads)
    return seen


def _after_tail(project: Project, runs: Sequence[_Run], error: TopchefError) -> TopchefError:
    """Explain what env.py raised after our work: its commit may have failed."""
    if not any(run.done for run in runs):
        return error
    places = _where(_looked_again(project))
    if isinstance(error, LockedError | HistoryError):
        # At a further database of the same run.
        error.hint = f"{places}; {error.hint}"
        return error
    return MigrationError(
        f"env.py failed after the steps were taken: {error.message}",
        where=error.where,
        hint=f"{places}; run the same command again",
    )


def _looked_again(project: Project) -> tuple[Observed, ...]:
    """Look where the databases are after a failure; none where that fails, too."""
    try:
        return observe.databases(project)
    except TopchefError as error:
        log.warning("where the database is now cannot be read: %s", error.message)
        return ()


def _where(seen: Sequence[Observed]) -> str:
    if not seen:
        return "see first where the database is: topchef-db status"
    names = ["the database"] if len(seen) == 1 else [each.label for each in seen]
    return "; ".join(
        f"{name} is now at {', '.join(each.heads) or 'base'}"
        for name, each in zip(names, seen, strict=True)
    )


def stamp(
    project: Project,
    words: Sequence[str],
    *,
    purge: bool = False,
    reason: str | None = None,
    history: bool = True,
    tag: str | None = None,
    status: HistoryStatus = HistoryStatus.STAMPED,
    require: Callable[[Session, Target], None] | None = None,
) -> tuple[Applied, ...]:
    """Set the version rows to what *words* name without running anything; it is recorded.

    *require* is called first, under the lock, and raises where that must not be.
    """
    targets = tuple(each for word in words for each in project.revisions.get(word))
    places = tuple(place for word in words for place in _places(project, word))

    runs: list[_Run] = []

    def body(session: Session, target: Target) -> Applied:
        if require is not None:
            require(session, target)
        before = session.heads()
        run = _Run(project, lambda heads: Plan((), heads), history, external=session.external)
        runs.append(run)
        ledger = run._ledger(session, target)
        session.stamp(places, purge=purge)
        heads = session.heads()
        if ledger is not None:
            still = project.revisions.applied_at(heads)
            gone = [each for each in before if each not in still and project.revisions.known(each)]
            rows = [(project.revisions.one(each), Direction.DOWN) for each in gone]
            for revision, direction in [*rows, *((each, Direction.UP) for each in targets)]:
                ledger.write(
                    session.connection,
                    revision,
                    status,
                    direction=direction,
                    reason=reason,
                )
            session.commit()
        return Applied(target.label, target.backend.name, before, heads)

    # Before the visit that writes: Alembic begins one by making its version table.
    if require is None and not all(each.present for each in _looked_at(project, purge=purge)):
        look_first(project)
    applied = Entry(project, lock_timeout=LOCK_TIMEOUT, announce=True, tag=tag).run(body)
    _require_committed(project, runs, applied)
    return tuple(applied)


def _places(project: Project, word: str) -> tuple[str, ...]:
    """Return the ids that *word* names, or what Alembic calls the place below them all."""
    found = tuple(each.id for each in project.revisions.get(word))
    return found or (word if word.endswith("@base") else "base",)


def drop_own_tables(project: Project) -> list[tuple[HistoryEntry, ...]]:
    """Remove our tables, and return what was in them, database by database.

    Alembic's version table stays as it is.
    """

    def body(session: Session, target: Target) -> tuple[HistoryEntry, ...]:
        rows = read(session.connection, target.version_table_schema)
        drop(session.connection, target.version_table_schema)
        session.commit()
        return rows

    return Entry(project, lock_timeout=LOCK_TIMEOUT, announce=True).run(body)
