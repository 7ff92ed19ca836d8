"""Takes the steps of one database, one after the other, and notes what each came to."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from topchef_schema import stopping
from topchef_schema.backends.base import first_line
from topchef_schema.model import (
    Check,
    Direction,
    Finding,
    HistoryStatus,
    JournalEntry,
    Outcome,
    Plan,
    Statement,
    Step,
)
from topchef_schema.project import Project
from topchef_schema.stages import journal, observe, resume
from topchef_schema.stages.entry import Target
from topchef_schema.stages.journal import Journal
from topchef_schema.stages.ledger import Ledger

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from topchef_schema.bridge.journaling import Journaling
    from topchef_schema.bridge.session import Session, StepFailed
    from topchef_schema.stages.observe import Observed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done. *before* and *heads* are the version rows before and after."""

    label: str
    backend: str
    before: tuple[str, ...]
    heads: tuple[str, ...]
    checks: tuple[Check, ...] = ()
    statements: tuple[Statement, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Repair:
    """What a person decided of an interrupted step: whether the statement in flight was done."""

    in_flight_done: bool | None = None
    reason: str | None = None


@dataclass
class Run:
    """The steps of one database; the first *kept* of *done* stay if the next one fails.

    *begun* is the one in which a signal came, *in_part* whether some of it stays. With *repair*
    nothing is done but the step that an interrupted run left.
    """

    project: Project
    plan: Callable[[tuple[str, ...]], Plan]
    history: bool
    repair: Repair | None = None
    done: list[Step] = field(default_factory=list)
    kept: int = 0
    checks: list[Check] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    done_before: tuple[JournalEntry, ...] = ()
    failed: StepFailed | None = None
    begun: Step | None = None
    in_part: bool = False
    whole_run: bool = False
    external: bool = False
    transactional: bool = True

    def body(self, session: Session, target: Target) -> Applied:
        """Read where the database is, now that the lock is held, and take the steps."""
        packaged = self.project.packaged
        seen = observe.within(session, target, history=packaged, schema=packaged)
        observe.refuse_foreign(self.project, seen)
        before = seen.heads
        steps = self.plan(before) if self.repair is None else self._interrupted(seen)
        self.whole_run = session.whole_run
        self.external = session.external
        self.transactional = target.backend.transactional_ddl and not session.autocommit
        steps = self._continued(session, target, steps)
        ledger = self.ledger(session, target) if steps.steps else None
        stopping.work_begins()
        for position, step in enumerate(steps, 1):
            stopping.check()
            facts = {**step.facts, "backend": target.backend.name}
            log.info("%s/%s %s", position, len(steps), step, extra=facts)
            self._take(step, session, target, ledger)
            self.done_before = ()
        return Applied(
            target.label,
            target.backend.name,
            before,
            session.heads(),
            tuple(self.checks),
            tuple(self.statements),
        )

    def _interrupted(self, seen: Observed) -> Plan:
        if not seen.interrupted:
            return Plan((), seen.heads)
        left = seen.interrupted[0]
        self.project.revisions.require_known((left.revision,))
        step = Step(self.project.revisions.one(left.revision), left.direction)
        return Plan((step,), seen.heads)

    def _continued(self, session: Session, target: Target, steps: Plan) -> Plan:
        """Return *steps*, that which an interrupted run had begun first, and note what it did."""
        left = journal.read(session.connection, target.version_table_schema)
        if not left:
            return steps
        by_hand = resume.settled(left, self.project.revisions.applied_at(session.heads()))
        resume.tell(left, by_hand=by_hand)
        if by_hand:
            journal.clear(session.connection, target.version_table_schema, left[0].revision)
            session.commit()
            return steps
        steps = resume.continued(left, steps, target)
        in_doubt = self.repair.in_flight_done if self.repair else None
        self.done_before = resume.done(left, session, target, in_doubt=in_doubt)
        return steps

    def _journaling(
        self, step: Step, session: Session, target: Target, ledger: Ledger | None
    ) -> Journaling:
        from topchef_schema.bridge.journaling import Journaling

        keep = None
        if ledger is not None:
            made = not target.backend.transactional_ddl
            keep = Journal(ledger.schema, ledger.run_id, step.revision.id, step.direction, made)
        rules = target.backend.commit_rules
        assert rules is not None
        allowed = lambda: _require_lock(target)  # noqa: E731
        return Journaling(keep, rules, session.listener, self.done_before, allowed)

    def _take(self, step: Step, session: Session, target: Target, ledger: Ledger | None) -> None:
        from topchef_schema.bridge.session import StepFailed

        started = time.perf_counter()
        journaling = self._journaling(step, session, target, ledger)
        try:
            record = self._record(step, ledger)
            self.statements += session.step(step, record=record, journaling=journaling)
        except KeyboardInterrupt:
            self.begun = step
            self.in_part = bool(session.listener.commits or not self.transactional)
            self.in_part &= bool(session.listener.take())
            raise
        except StepFailed as failed:
            if journaling.refused is not None:
                raise resume.explained(
                    str(journaling.refused), step.revision.id, str(failed.location)
                ) from None
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

    def _record(self, step: Step, ledger: Ledger | None) -> Callable[[Connection, float], None]:
        """Return what writes down that *step* was taken."""
        status = HistoryStatus.APPLIED if step.direction is Direction.UP else HistoryStatus.REVERTED
        if self.repair is not None:
            status = HistoryStatus.REPAIRED
        reason = self.repair.reason if self.repair is not None else None

        def record(connection: Connection, seconds: float) -> None:
            if ledger is not None:
                ledger.write(
                    connection,
                    step.revision,
                    status,
                    direction=step.direction,
                    seconds=seconds,
                    reason=reason,
                )

        return record

    def ledger(self, session: Session, target: Target) -> Ledger | None:
        """Open the history, and make the tables it needs; None where none is wanted."""
        if not self.history:
            return None
        connection = session.connection
        ledger = Ledger.open(
            schema=target.version_table_schema,
            database_user=target.backend.user(connection),
            folder=Path(self.project.environment.config_file).absolute().parent,
            run_id=target.run_id,
        )
        ledger.create(connection)
        if not target.backend.transactional_ddl:
            # Where making it later would commit what it is to tell of.
            journal.create(connection, ledger.schema)
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


class LockLostError(Exception):
    """The session that held the migration lock is gone, so somebody else may hold it now."""


def _require_lock(target: Target) -> None:
    if not target.locked():
        raise LockLostError(
            "the server ended the session that held the migration lock, and somebody else may "
            "hold it now; nothing more was sent"
        )
