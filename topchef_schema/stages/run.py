"""Takes the steps of one database, one after the other, and notes what each came to."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from topchef_schema import stopping
from topchef_schema.backends.base import Failure, first_line
from topchef_schema.backends.timeouts import Limits
from topchef_schema.model import (
    Check,
    Finding,
    JournalEntry,
    Outcome,
    Plan,
    Statement,
    Step,
)
from topchef_schema.project import Project
from topchef_schema.stages import journal, observe, resume, retrying, run_history
from topchef_schema.stages.entry import Target
from topchef_schema.stages.fingerprints import Fingerprints
from topchef_schema.stages.journal import Journal
from topchef_schema.stages.ledger import Ledger
from topchef_schema.stages.retrying import Retries

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from topchef_schema.backends.base import Backend
    from topchef_schema.backends.timeouts import Timeouts
    from topchef_schema.bridge.bounding import Bounding
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

    With *repair* nothing is done but the step that an interrupted run left.
    """

    project: Project
    plan: Callable[[tuple[str, ...]], Plan]
    history: bool
    repair: Repair | None = None
    limits: Limits = field(default_factory=Limits)
    done: list[Step] = field(default_factory=list)
    kept: int = 0
    checks: list[Check] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    done_before: tuple[JournalEntry, ...] = ()
    before: tuple[str, ...] | None = None
    planned: Plan | None = None
    failed: StepFailed | None = None
    begun: Step | None = None
    in_part: bool = False
    target: Target | None = None
    backend: Backend | None = None
    bounds: Timeouts | None = None
    bounding: Bounding | None = None
    journaling: Journaling | None = None
    whole_run: bool = False
    external: bool = False
    transactional: bool = True
    more: bool = False
    fingerprints: Fingerprints = field(default_factory=Fingerprints)

    def body(self, session: Session, target: Target) -> Applied:
        """Read where the database is, now that the lock is held, and take the steps."""
        packaged = self.project.packaged
        seen = observe.within(session, target, history=packaged, schema=packaged)
        observe.refuse_foreign(self.project, seen)
        steps = self._planned(seen)
        before = seen.heads if self.before is None else self.before
        self.whole_run = session.whole_run
        self.external = session.external
        self.transactional = target.backend.transactional_ddl and not session.autocommit
        self.target, self.backend = target, target.backend
        self.bounds = target.backend.timeouts(session.connection, self.limits)
        try:
            self._take_all(session, target, steps)
        finally:
            self.bounds.restore()
        return Applied(
            target.label,
            target.backend.name,
            before,
            session.heads(),
            tuple(self.checks),
            tuple(self.statements),
        )

    def follow(self, earlier: Run) -> None:
        """Go on where *earlier* failed: with its steps, but for those that stay done."""
        self.done, self.kept = earlier.done[: earlier.kept], earlier.kept
        self.before, self.planned = earlier.before, earlier.planned
        self.checks = earlier.checks[: earlier.kept]
        stay = {step.revision.id for step in self.done}
        self.statements = [each for each in earlier.statements if each.revision in stay]

    def _planned(self, seen: Observed) -> Plan:
        if self.repair is not None:
            return self._interrupted(seen)
        if self.planned is None:
            # Once: +1 is another revision after the first of several steps.
            self.before, self.planned = seen.heads, self.plan(seen.heads)
        rest = tuple(each for each in self.planned if each not in self.done)
        return Plan(rest, seen.heads)

    def _take_all(self, session: Session, target: Target, steps: Plan) -> None:
        from topchef_schema.bridge.bounding import Bounding

        steps = self._continued(session, target, steps)
        ledger = None
        if self.history and steps.steps:
            at_once = not (self.whole_run and self.transactional)
            ledger = run_history.opened(self.project, session, target, at_once=at_once)
            ledger = replace(ledger, fingerprints=self.fingerprints)
        stopping.work_begins()
        assert self.bounds is not None
        self.bounding = Bounding(self.bounds, session.autocommit)
        with self.bounding.attached(session.connection.engine):
            for position, step in enumerate(steps, 1):
                stopping.check()
                facts = {**step.facts, "backend": target.backend.name}
                log.info("%s/%s %s", position, len(steps), step, extra=facts)
                self.more = position < len(steps)
                self._take(step, session, ledger)
                self.done_before = ()
        if ledger is not None:
            ledger.write_waiting(session.connection)

    def _interrupted(self, seen: Observed) -> Plan:
        if not seen.unfinished:
            return Plan((), seen.heads)
        left = seen.unfinished[0]
        self.project.revisions.require_known((left.revision,))
        step = Step(self.project.revisions.one(left.revision), left.direction)
        return Plan((step,), seen.heads)

    def _continued(self, session: Session, target: Target, steps: Plan) -> Plan:
        """Return *steps*, that which an interrupted run had begun first, and note what it did."""
        schema = target.version_table_schema
        left = journal.read(session.connection, schema, commit=session.commit)
        if not left:
            return steps
        by_hand = resume.settled(left, self.project.revisions.applied_at(session.heads()))
        resume.tell(left, by_hand=by_hand)
        if by_hand:
            journal.clear(session.connection, schema, left[0].revision)
            session.commit()
            return steps
        steps = resume.continued(left, steps, self.project.revisions, target)
        assert self.bounds is not None
        in_doubt = self.repair.in_flight_done if self.repair else None
        self.done_before = resume.done(left, session, target, self.bounds, in_doubt=in_doubt)
        return steps

    def _take(self, step: Step, session: Session, ledger: Ledger | None) -> None:
        from topchef_schema.bridge.session import StepFailed

        started = time.perf_counter()
        retries = Retries(self.limits)
        try:
            while not self._taken(step, session, ledger, retries):
                pass
        except KeyboardInterrupt:
            self.begun = step
            self.in_part = bool(retries.sent or (self.journaling and self.journaling.lasting))
            raise
        except StepFailed as failed:
            self.failed = failed
            if failed.own_commits:
                self.kept = len(self.done)
            if ledger is not None and not self.whole_run:
                run_history.failure(ledger, session, failed)
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

    def _taken(self, step: Step, session: Session, ledger: Ledger | None, retries: Retries) -> bool:
        """Take *step*; false where somebody held a lock, and it is to be tried again."""
        from topchef_schema.bridge.session import StepFailed

        assert self.bounding is not None
        journaling = self.journaling = self._journaling(step, session, ledger)
        try:
            record = self._record(step, session, ledger)
            with self.bounding.of_step(journaling):
                sent = session.step(step, record=record, journaling=journaling)
        except StepFailed as failed:
            if journaling.refused is not None and retries.failed is not None:
                # It is not the same twice: what stopped it first is what to tell of.
                raise retries.failed from None
            if journaling.refused is not None:
                raise resume.explained(
                    str(journaling.refused), step.revision.id, str(failed.location)
                ) from None
            if retries.failed is None and journaling.replaying and self._own_fault(failed):
                raise resume.explained(
                    f"it fails ({first_line(failed.cause)}) before it comes to where it stopped",
                    step.revision.id,
                    str(failed.location),
                ) from None
            failed.lasting = (*(each.sql for each in retries.sent), *journaling.lasting)
            failed.sent = (*retries.sent, *failed.sent)
            if not self._again(failed, session, journaling, retries):
                raise
            return False
        self.statements += (*retries.sent, *sent)
        return True

    def _own_fault(self, failed: StepFailed) -> bool:
        """Whether the revision failed by itself: it looked, and found what it had done already."""
        assert self.backend is not None
        lost = isinstance(failed.cause, LockLostError)
        return not lost and self.backend.failure(failed.cause) is Failure.OTHER

    def _journaling(self, step: Step, session: Session, ledger: Ledger | None) -> Journaling:
        from topchef_schema.bridge.journaling import Journaling

        assert self.backend is not None
        keep = None
        if ledger is not None:
            made = not self.backend.transactional_ddl
            # What another run has written of this step, the history does not know as finished.
            more = made and self.more and not self.done_before
            keep = Journal(
                ledger.schema, ledger.run_id, step.revision.id, step.direction, made, more
            )
        rules = self.backend.commit_rules
        assert rules is not None

        def before_commit(connection: Connection) -> None:
            if ledger is not None and connection is session.connection:
                ledger.write_waiting(connection)

        return Journaling(
            keep, rules, session.listener, self.done_before, self._require_lock, before_commit
        )

    def _again(
        self, failed: StepFailed, session: Session, journaling: Journaling, retries: Retries
    ) -> bool:
        """Wait for whoever held a lock, where the step can be repeated."""
        assert self.backend is not None
        assert self.bounds is not None
        failure = retrying.waited(self.backend, failed.cause)
        undone = self.transactional and not failed.own_commits
        known = undone or journaling.keep is not None or not failed.sent
        if self.whole_run or session.lost or not known:
            return False
        session.settle()
        if not undone and journaling.keep is not None:
            done = self._cleared_away(session, journaling, retries, failure)
            if done is None:
                return False
            sent = {entry.sql for entry in done}
            retries.sent = tuple(each for each in failed.sent if each.sql in sent)
            self.done_before = done
        retries.failed = failed
        blockers = self.bounds.blockers
        return failure is not None and retries.again(str(failed.step), failure, blockers)

    def _cleared_away(
        self, session: Session, journaling: Journaling, retries: Retries, failure: Failure | None
    ) -> tuple[JournalEntry, ...] | None:
        """Return what was done of a step that failed; None where its rest cannot be removed now."""
        from sqlalchemy.exc import DBAPIError

        assert self.backend is not None
        assert self.bounds is not None
        assert isinstance(journaling.keep, Journal)
        while True:
            try:
                return resume.without_refused(
                    journaling.keep.schema, journaling, session, self.bounds
                )
            except DBAPIError as error:
                if session.lost:
                    return None
                session.settle()
                self.bounds.transaction_ended()
                again = failure and retrying.waited(self.backend, error)
                if not again or not retries.again("clearing away", again, ()):
                    log.warning("what a statement has left stays for now: %s", first_line(error))
                    return None

    def _record(
        self, step: Step, session: Session, ledger: Ledger | None
    ) -> Callable[[Connection, float], None] | None:
        if ledger is None:
            return None
        repaired, reason = self.repair is not None, self.repair.reason if self.repair else None
        return run_history.of_step(ledger, step, session, repaired=repaired, reason=reason)

    def _require_lock(self) -> None:
        assert self.target is not None
        if not self.target.locked():
            raise LockLostError(
                "the server ended the session that held the migration lock, and somebody else may "
                "hold it now; nothing more was sent"
            )

    @property
    def torn(self) -> bool:
        """Whether steps were done in a transaction of env.py that cannot be undone as a whole."""
        return self.whole_run and not self.transactional and len(self.done) > self.kept

    def repeatable(self, *, alone: bool) -> bool:
        """Whether the rest of the run can be tried again: what stays of it is known.

        Where it is not *alone*, only if nothing stays.
        """
        if self.failed is None:
            return not self.done
        if not self.whole_run:
            return False
        if not self.transactional:
            return not self.done and (self.history or not self.failed.sent)
        commits = bool(self.failed.own_commits)
        return (alone or not (self.kept or commits)) and (self.history or not commits)


class LockLostError(Exception):
    """The session that held the migration lock is gone, so somebody else may hold it now."""
