"""The proof of one revision after the other, in a worker, as far as a scratch database carries.

One run of env.py carries all revisions. Where one is not clean, the next needs a database that it
has not touched: a new scratch database is quickly brought up to it, in a new process.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from topchef_schema.backends.following import Everything
from topchef_schema.model import (
    Check,
    Finding,
    Outcome,
    Revision,
    Severity,
    Snapshot,
    diff,
)
from topchef_schema.project import Project
from topchef_schema.stages import observe
from topchef_schema.stages.contents import Watch, read, tables
from topchef_schema.stages.entry import Entry, Target
from topchef_schema.stages.progress import did_one
from topchef_schema.stages.rows import Seeds, Sown
from topchef_schema.stages.up_down_up import Ending, UpDownUp
from topchef_schema.stages.whole_way import fingerprint

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from topchef_schema.backends.following import Following
    from topchef_schema.bridge.session import Session

log = logging.getLogger(__name__)

CHECKED_FIRST = 50
"""Revisions after which what is read bit by bit is held against the whole, and after twice as many
each time: the whole grows with the history, and so all checks together do as one does.
"""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What else is wanted.

    *fail_fast*: nothing is proven after the first revision that is not clean. *keep*: the scratch
    database of that one. *done* is the file that counts revisions, see `progress`.
    """

    fail_fast: bool = False
    keep: bool = False
    done: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """Where a worker begins, and what it must leave out.

    *position* counts revisions of the whole order that are brought up without proof, on empty
    tables but for those that *need_rows*: they failed there, each with that finding. *rowless* are
    revisions to prove on empty tables, each with the finding that says why, *broken* those whose
    upgrade failed. *remembering* are those whose upgrade failed with what a new process knows of
    named types, each with that finding: they get what one run would remember. Where the database is
    not empty, but where another worker has left it, *sown* are the rows of our making there.
    *apart*: another one proves what is before *position*, at the same time; whatever depends on the
    rows that it would leave ends the work. *whole*: all is read after each step.
    """

    chosen: frozenset[str]
    database: str | None
    wishes: Wishes = field(default_factory=Wishes)
    position: int = 0
    rowless: Mapping[str, Finding] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    need_rows: Mapping[str, Finding] = field(default_factory=dict)
    remembering: Mapping[str, Finding] = field(default_factory=dict)
    sown: Sown = field(default_factory=Sown)
    apart: bool = False
    whole: bool = False


@dataclass
class Brought:
    """What a worker brings home; *task* is where to go on, None when all is done.

    *head* is the fingerprint of the schema at the last revision, None where it was not reached.
    *unclean* is the revision that this database was left for. *sown* are the rows of our making
    that are left in it. *others* counts those that are not of our making, at the end, or apart at
    the beginning. *out_of_order*: the work has ended, see `Task`. *missed* is what was not seen
    where only what may have changed was read: nothing of this counts.
    """

    checks: list[Check] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    task: Task | None = None
    head: str | None = None
    unclean: str | None = None
    sown: Sown = field(default_factory=Sown)
    others: Mapping[str, int] | None = None
    out_of_order: bool = False
    missed: tuple[str, ...] = ()


class Missed(Exception):
    """What was read bit by bit is not what there is: a fault of ours."""

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__(", ".join(keys))
        self.keys = tuple(keys)


class OutOfOrder(Exception):
    """What is proven apart depends on the rows that what is before it would have left."""


class Restart(Exception):
    """The scratch database is not what the next revision needs."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task


def work(project: Project, task: Task, backend: str) -> Brought:
    """Prove revisions from *task* on, in a worker, as far as this database carries."""
    outcome = Brought()

    def body(session: Session, target: Target) -> None:
        Prover(project, session, target, task, backend, outcome).run()

    try:
        Entry(project, isolate=True).run_at(task.database, body)
    except Restart as restart:
        outcome.task = restart.task
    except OutOfOrder:
        outcome.out_of_order = True
    except Missed as missed:
        outcome.missed = missed.keys
    return outcome


@dataclass
class Prover:
    """The proof of one revision after the other, within one run of env.py.

    *seeds* are the rows of our making that are in the database, *schema* is what it is now, where
    that is known.
    """

    project: Project
    session: Session
    target: Target
    task: Task
    backend: str
    outcome: Brought
    look: Callable[[Connection], Snapshot] = field(init=False)
    seeds: Seeds = field(init=False)
    schema: Snapshot | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        following = self._following()
        self.look, self.seeds = following.schema, Seeds(Watch(following))

    def _following(self) -> Following:
        if self.task.whole:
            return Everything(lambda _: observe.schema_of(self.session, self.target))
        return self.target.backend.following(self.target.own_tables)

    def run(self) -> None:
        """Bring the database to where the task begins, and prove what follows."""
        order = self.project.revisions.all
        last = max((at for at, each in enumerate(order) if each.id in self.task.chosen), default=-1)
        order = order[: last + 1]
        blocked = self._blocked(order)
        # Those of which the baseline says that it holds them.
        there = self.project.revisions.applied_at(self.session.heads())
        self.seeds.take_over(self.task.sown)
        self.session.settle()
        for revision in order[: self.task.position]:
            self._bring_up(revision, blocked | there)
        if self.task.apart:
            self._count_others()
        for position, revision in enumerate(order[self.task.position :], self.task.position):
            if revision.id in there:
                self._check(revision, Outcome.SKIPPED, 0.0, "the baseline holds it")
            elif revision.id not in self.task.broken:
                self._reach(revision, position, blocked)
        self.outcome.sown = self.seeds.sown
        if not self.task.apart:
            self._count_others()
        if not blocked:
            self._look_at_the_head()

    def _reach(self, revision: Revision, position: int, blocked: Collection[str]) -> None:
        if revision.id in blocked:
            self._check(revision, Outcome.PENDING, 0.0, "it stands on one that fails")
        elif self._stopped:
            self._check(revision, Outcome.PENDING, 0.0, "it comes after one that is not clean")
        else:
            total = len(self.project.revisions.all)
            log.debug("%s %s/%s %s", self.backend, position + 1, total, revision.id)
            self._one_or_the_last(revision, position)

    def _look_at_the_head(self) -> None:
        if self._stopped:
            return
        self._check_look()
        snapshot = self.look(self.session.connection)
        self.session.settle()
        self.outcome.head = fingerprint(snapshot)

    def _check_look(self) -> None:
        """Hold what was read bit by bit against the whole; raises `Missed`."""
        if self.task.whole:
            return
        whole = observe.schema_of(self.session, self.target)
        connection = self.session.connection
        schema = self.look(connection)
        self.session.settle()
        keys = [each.key for each in diff(whole, schema).changes]
        known = self.seeds.watch.now(connection, schema)
        rows = read(connection, schema, tables(schema))
        self.session.settle()
        keys += [f"rows of {each}" for each in rows if not rows[each].equal(known[each])]
        if keys:
            raise Missed(keys)

    def _one_or_the_last(self, revision: Revision, position: int) -> None:
        """Do what `_one` does; where nothing more is to be proven no new database is needed."""
        try:
            self._one(revision, position)
        except Restart:
            if not self._stopped:
                raise
        else:
            if _is_checked_after(position) and revision.id in self.task.chosen:
                self._check_look()

    @property
    def _stopped(self) -> bool:
        """Whether nothing more is to be proven here."""
        return self.task.wishes.fail_fast and self.outcome.unclean is not None

    def _bring_up(self, revision: Revision, left_out: Collection[str]) -> None:
        """Take a revision that is behind us; raises `Restart` where it needs something else."""
        if revision.id in left_out:
            return
        proof = UpDownUp(
            self.session, self.target, self.backend, revision, self.look, self.seeds, fill=False
        )
        self.session.remembering = revision.id in self.task.remembering
        failed = self.task.need_rows.get(revision.id)
        if failed is not None:
            proof.fill_now()
        if proof.only_up() is Ending.CLEAN and (failed is None or proof.clear_now()):
            if failed is not None:
                self._require_no_rows()
            return
        need_rows = dict(self.task.need_rows)
        if failed is None:
            self._once_more(revision, self.task.position, proof.findings[-1])
            need_rows[revision.id] = proof.findings[-1]
            raise Restart(replace(self.task, need_rows=need_rows))
        # It fails with rows, too, or they cannot be taken away again before the next.
        self.outcome.findings.append(need_rows.pop(revision.id))
        broken = self.task.broken | {revision.id}
        raise Restart(replace(self.task, need_rows=need_rows, broken=broken))

    def _blocked(self, order: Sequence[Revision]) -> set[str]:
        """Return the ids that cannot be reached, because they stand on a broken revision."""
        blocked = set(self.task.broken)
        for revision in order:
            if blocked.intersection(self.project.revisions.parents(revision)):
                blocked.add(revision.id)
        return blocked

    def _one(self, revision: Revision, position: int) -> None:
        """Prove, or only take, a revision; raises `Restart` where a new database is needed."""
        started = time.perf_counter()
        on_rows = self.task.rowless.get(revision.id)
        proof = UpDownUp(
            self.session,
            self.target,
            self.backend,
            revision,
            self.look,
            self.seeds,
            self.schema,
            fill=not on_rows,
        )
        alone = self.task.remembering.get(revision.id)
        self.session.remembering = alone is not None
        wanted = revision.id in self.task.chosen
        ending = proof.prove() if wanted else proof.only_up()
        self.schema = proof.before if wanted else None
        if ending is Ending.AGAIN_WITHOUT_ROWS:
            assert proof.on_rows is not None
            again = {**self.task.rowless, revision.id: proof.on_rows}
            raise Restart(replace(self.task, position=position, rowless=again))
        on_rows = on_rows or proof.on_rows
        findings = proof.findings
        if ending is Ending.BROKEN:
            self._once_more(revision, position, findings[-1])
        elif alone is not None and wanted:
            findings = [_stepwise_differs(alone), *findings]
        if wanted and on_rows and not _FAILS.intersection(each.rule for each in findings):
            self._require_no_rows()
            findings = [on_rows, *findings]
        self.outcome.findings += findings
        if wanted or findings:
            self._judge(revision, findings, time.perf_counter() - started)
        self._leave(revision, position, ending)

    def _require_no_rows(self) -> None:
        if self.task.apart:
            raise OutOfOrder

    def _count_others(self) -> None:
        connection = self.session.connection
        self.outcome.others = self.seeds.others(connection, self.look(connection))
        self.session.settle()

    def _judge(self, revision: Revision, findings: Sequence[Finding], seconds: float) -> None:
        failed = any(each.severity is Severity.ERROR for each in findings)
        if failed:
            self.outcome.unclean = revision.id
        outcome = Outcome.FAILED if failed else Outcome.PASSED
        detail = ", ".join(dict.fromkeys(each.rule for each in findings)) or None
        self._check(revision, outcome, seconds, detail)

    def _leave(self, revision: Revision, position: int, ending: Ending) -> None:
        """Raise `Restart` for a database that the next revision cannot have."""
        if ending is Ending.BROKEN:
            broken = self.task.broken | {revision.id}
            raise Restart(replace(self.task, position=position, broken=broken))
        if ending is Ending.DIRTY or (self.task.wishes.keep and self.outcome.unclean):
            raise Restart(replace(self.task, position=position + 1))

    def _once_more(self, revision: Revision, position: int, failed: Finding) -> None:
        """Raise `Restart` for an upgrade that may go well with what one run remembers."""
        remembering = self.task.remembering
        if any(self.session.memory.values()) and revision.id not in remembering:
            remembering = {**remembering, revision.id: failed}
            rowless = {k: v for k, v in self.task.rowless.items() if k != revision.id}
            task = replace(self.task, position=position, rowless=rowless)
            raise Restart(replace(task, remembering=remembering))

    def _check(
        self, revision: Revision, outcome: Outcome, seconds: float, detail: str | None
    ) -> None:
        if revision.id not in self.task.chosen and outcome in _NOT_RUN:
            return
        did_one(self.task.wishes.done)
        self.outcome.checks.append(
            Check(
                name=revision.message or revision.id,
                outcome=outcome,
                backend=self.backend,
                revision=revision.id,
                seconds=seconds,
                detail=detail,
            )
        )


def _is_checked_after(position: int) -> bool:
    rounds, rest = divmod(position, CHECKED_FIRST)
    return not rest and not rounds & (rounds - 1)


def _stepwise_differs(alone: Finding) -> Finding:
    return replace(
        alone,
        rule="stepwise-differs",
        message="fails in a run of its own, and goes up where all revisions do in one run: "
        + alone.message.removeprefix("the upgrade fails: "),
        help="a type that an earlier revision made is made again: give it create_type=False",
    )


_FAILS = {"upgrade-fails", "downgrade-fails", "upgrade-not-repeatable"}

_NOT_RUN = {Outcome.PENDING, Outcome.SKIPPED}
