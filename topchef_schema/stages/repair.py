"""Shows what an interrupted run left, and settles it as a person decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from topchef_schema.bridge.journaled import written_down
from topchef_schema.errors import InDoubtError, TopchefError
from topchef_schema.model import (
    Direction,
    HistoryStatus,
    JournalEntry,
    Plan,
    Statement,
    Step,
    in_flight,
)
from topchef_schema.stages import apply, journal, observe, resume, run_history
from topchef_schema.stages.entry import Entry, Target
from topchef_schema.stages.run import Applied, Repair

if TYPE_CHECKING:
    from topchef_schema.backends.base import Leftover
    from topchef_schema.backends.timeouts import Limits
    from topchef_schema.bridge.session import Session
    from topchef_schema.project import Project

    Left = tuple[tuple[JournalEntry, ...], tuple[Leftover, ...]]


@dataclass(frozen=True, slots=True)
class Interrupted:
    """What is left of an interrupted step in one database, and beside it.

    *undecided* says that only a person can know whether the statement *in_flight* was done; else it
    was not, and one that was is among *done*. *to_do* are the statements that were not sent, as
    far as the revision tells without a database; *why_unknown* says why it does not. Where *holder*
    says who holds the migration lock, nothing was interrupted: that run is at work. *moved* says
    that the version rows are not where it was interrupted.
    """

    label: str
    backend: str
    done: tuple[JournalEntry, ...]
    in_flight: JournalEntry | None
    leftovers: tuple[Leftover, ...]
    undecided: bool = False
    to_do: tuple[Statement, ...] = ()
    why_unknown: str | None = None
    holder: str | None = None
    moved: InDoubtError | None = None

    @property
    def by_script(self) -> bool:
        """Whether a script began the step: then nothing is known of its statements."""
        return self.first is not None and self.first.by_script

    @property
    def for_a_person(self) -> bool:
        """Whether no command goes on with it before somebody has looked."""
        return self.undecided or self.by_script or self.moved is not None

    @property
    def first(self) -> JournalEntry | None:
        """The first statement of the step; None where no step was interrupted."""
        return self.done[0] if self.done else self.in_flight


def show(project: Project) -> tuple[Interrupted, ...]:
    """Look at what interrupted runs left in each database; only reads."""

    def body(session: Session, target: Target) -> Interrupted:
        rules = target.backend.commit_rules
        assert rules is not None

        def look() -> Left:
            left = journal.read(session.connection, target.version_table_schema)
            return left, rules.leftovers(session.connection)

        (entries, leftovers), holder = observe.whose(
            look, session, target, unfinished=lambda each: (*each[0], *each[1])
        )
        nothing = Interrupted(target.label, target.backend.name, (), None, (), holder=holder)
        if holder is not None:
            return nothing
        applied = project.revisions.applied_at(session.heads())
        if entries and resume.settled(entries, applied):
            entries = ()
        open_ = None if entries and entries[0].by_script else in_flight(entries)
        happened = resume.took_effect(open_, session, target) if open_ else None
        return replace(
            nothing,
            done=entries if open_ is None or happened else entries[:-1],
            in_flight=None if happened else open_,
            undecided=open_ is not None and happened is None,
            leftovers=leftovers,
            moved=_moved(project, entries, applied, target),
        )

    return tuple(_with_the_rest(project, each) for each in Entry(project).run(body, look=True))


def _moved(
    project: Project, entries: Sequence[JournalEntry], applied: set[str], target: Target
) -> InDoubtError | None:
    if not entries or not project.revisions.known(entries[0].revision):
        return None
    step = Step(project.revisions.one(entries[0].revision), entries[0].direction)
    try:
        resume.require_its_place(step, project.revisions, applied, target)
    except InDoubtError as moved:
        return moved
    return None


def _with_the_rest(project: Project, found: Interrupted) -> Interrupted:
    from topchef_schema.backends import named
    from topchef_schema.stages import record

    if found.first is None or not project.revisions.known(found.first.revision):
        return found
    if found.by_script:
        return replace(found, why_unknown="a script does not write down its statements")
    step = Step(project.revisions.one(found.first.revision), found.first.direction)
    up = step.direction is Direction.UP
    start = project.revisions.parents(step.revision) if up else (step.revision.id,)
    try:
        recording = record.plan(project, Plan((step,), start), named(found.backend))
    except TopchefError as error:
        return replace(found, why_unknown=error.message)
    sent = found.done if found.in_flight is None else (*found.done, found.in_flight)
    return replace(found, to_do=_rest(recording.statements, sent))


def _rest(recorded: Sequence[Statement], sent: Sequence[JournalEntry]) -> tuple[Statement, ...]:
    """Return what was *recorded* after what was *sent*.

    A statement without values reads the same in both; of one with values, which may be one for
    each row here, only the place tells.
    """
    of_journal = [each for each in recorded if each.line is not None and written_down(each.sql)]
    said = [" ".join(each.sql.rstrip(";").split()) for each in of_journal]
    at = 0
    for entry in sent:
        same = " ".join(entry.sql.rstrip(";").split())
        at = 1 + (said.index(same, at) if same in said[at:] else at)
    return tuple(of_journal[at:])


def resume_step(
    project: Project,
    *,
    repair: Repair,
    lock_timeout: float = apply.LOCK_TIMEOUT,
    limits: Limits | None = None,
) -> tuple[Applied, ...]:
    """Finish the interrupted step of each database, and nothing else.

    Raises what `apply.migrate` raises.
    """
    nothing_else = lambda heads: Plan((), heads)  # noqa: E731
    return apply.migrate(
        project, nothing_else, lock_timeout=lock_timeout, limits=limits, repair=repair
    )


def mark(
    project: Project,
    *,
    applied: bool,
    reason: str | None,
    lock_timeout: float = apply.LOCK_TIMEOUT,
) -> tuple[Applied, ...]:
    """Take the interrupted step of each database to be applied, or not, without running it."""

    def body(session: Session, target: Target) -> Applied:
        before = session.heads()
        schema = target.version_table_schema
        left = journal.read(session.connection, schema)
        if not left:
            return Applied(target.label, target.backend.name, before, before)
        if left[0].revision == journal.BASELINE:
            # It has no version row, and no place in the history.
            journal.clear(session.connection, schema, journal.BASELINE)
            session.commit()
            return Applied(target.label, target.backend.name, before, before)
        project.revisions.require_known((left[0].revision,))
        revision = project.revisions.one(left[0].revision)
        there = project.revisions.applied_at(before)
        direction = Direction.UP if applied else Direction.DOWN
        moves = (revision.id in there) is not applied
        if moves:
            step = Step(revision, direction)
            resume.require_its_place(step, project.revisions, there, target)
        ledger = run_history.opened(project, session, target)
        if moves:
            session.mark(step)
        ledger.write(
            session.connection, revision, HistoryStatus.REPAIRED, direction=direction, reason=reason
        )
        journal.clear(session.connection, schema, revision.id)
        session.commit()
        return Applied(target.label, target.backend.name, before, session.heads())

    if not any(each.first or each.holder for each in show(project)):
        return ()
    return tuple(Entry(project, lock_timeout=lock_timeout, announce=True).run(body))
