"""Does every revision go down as it went up? Each is taken up, down and up on a scratch database.

The schema after the downgrade has to be the schema before the upgrade, the second upgrade has to
give the schema of the first, and rows that were there before have to be there still. By induction
the whole way down to base then leaves nothing behind.

One run of env.py carries all revisions. Where one is not clean, the next needs a database that it
has not touched: a new scratch database is quickly brought up to it, in a new process.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from topchef_schema.model import (
    OWN_TABLES,
    Check,
    Finding,
    Outcome,
    Revision,
    Severity,
    Snapshot,
    diff,
)
from topchef_schema.project import Project
from topchef_schema.stages import scratch
from topchef_schema.stages.entry import Entry, Target
from topchef_schema.stages.rows import Seeds
from topchef_schema.stages.up_down_up import Ending, UpDownUp
from topchef_schema.stages.worker import Workers

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from topchef_schema.bridge.session import Session
    from topchef_schema.stages.scratch import Place

log = logging.getLogger(__name__)

CHECK_EVERY = 50
"""Revisions after which a schema that is read bit by bit is held against the whole."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found on one backend; *version* is the server's own version string.

    *database* is the one that was proven, of a project that has several.
    """

    backend: str
    version: str
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]
    database: str | None = None


@dataclass(frozen=True, slots=True)
class _Task:
    """Where a worker begins, and what it must leave out.

    *position* counts revisions of the whole order that are brought up without proof. *rowless*
    are revisions to prove on empty tables, each with the finding that says why, *broken* those
    whose upgrade failed.
    """

    chosen: frozenset[str]
    database: str | None
    position: int = 0
    rowless: Mapping[str, Finding] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()


@dataclass
class _Outcome:
    """What a worker brings home; *task* is where to go on, None when all is done."""

    checks: list[Check] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    task: _Task | None = None


class _Restart(Exception):
    """The scratch database is not what the next revision needs."""

    def __init__(self, task: _Task) -> None:
        super().__init__()
        self.task = task


def prove(
    project: Project, chosen: Sequence[Revision], on: Sequence[str], *, jobs: int
) -> list[Proof]:
    """Prove *chosen* on each server of *on*, *jobs* at a time; order is that of *on*.

    Of a project with several databases, each is proven.
    """
    # Read now: an unreadable revision is one failure, not one for each backend.
    project.revisions.all  # noqa: B018
    identities = frozenset(each.id for each in chosen)

    workers = Workers()

    def one(word: str) -> list[Proof]:
        with scratch.place(word, workers=workers) as place:
            return [_on(place, project, _Task(identities, name)) for name in project.databases]

    with ThreadPoolExecutor(max_workers=max(1, min(jobs, len(on)))) as pool:
        try:
            return [proof for proofs in pool.map(one, on) for proof in proofs]
        except BaseException:
            # Only this thread hears of Ctrl-C; leaving would wait for the others to come to an end.
            workers.end()
            raise


def _on(place: Place, project: Project, first: _Task) -> Proof:
    """Run workers on scratch databases until every revision has been reached."""
    checks: list[Check] = []
    findings: list[Finding] = []
    task: _Task | None = first
    with place.databases(project) as databases:
        while task is not None:
            outcome = place.run(_work, project, databases, task, place.backend.name)
            checks += outcome.checks
            findings += outcome.findings
            task = outcome.task
            if task is not None:
                for each in databases.values():
                    place.server.recreate(each)
    name = first.database
    if name is not None:
        checks = [replace(each, name=f"{name}: {each.name}") for each in checks]
        findings = [replace(each, message=f"{name}: {each.message}") for each in findings]
    version = place.server.version
    return Proof(place.backend.name, version, tuple(checks), tuple(findings), name)


def _work(project: Project, task: _Task, backend: str) -> _Outcome:
    """Prove revisions from *task* on, in a worker, as far as this database carries."""
    outcome = _Outcome()

    def body(session: Session, target: Target) -> None:
        _Prover(project, session, target, task, backend, outcome).run()

    try:
        Entry(project, isolate=True).run_at(task.database, body)
    except _Restart as restart:
        outcome.task = restart.task
    return outcome


@dataclass
class _Prover:
    """The proof of one revision after the other, within one run of env.py.

    *seeds* are the rows of our making that are in the database.
    """

    project: Project
    session: Session
    target: Target
    task: _Task
    backend: str
    outcome: _Outcome
    seeds: Seeds = field(default_factory=Seeds)
    look: Callable[[Connection], Snapshot] = field(init=False)

    def __post_init__(self) -> None:
        self.look = self.target.backend.following({self.target.version_table, *OWN_TABLES})

    def run(self) -> None:
        """Bring the database to where the task begins, and prove what follows."""
        order = self.project.revisions.all
        last = max((at for at, each in enumerate(order) if each.id in self.task.chosen), default=-1)
        order = order[: last + 1]
        blocked = self._blocked(order)
        # Those of which the baseline says that it holds them.
        there = self.project.revisions.applied_at(self.session.heads())
        self.session.settle()
        for revision in order[: self.task.position]:
            if revision.id not in blocked and revision.id not in there:
                self._bring_up(revision)
        for position, revision in enumerate(order[self.task.position :], self.task.position):
            if revision.id in self.task.broken:
                continue
            if revision.id in there:
                self._check(revision, Outcome.SKIPPED, 0.0, "the baseline holds it")
                continue
            if revision.id in blocked:
                self._check(revision, Outcome.PENDING, 0.0, "it stands on one that fails")
                continue
            log.debug("%s %s/%s %s", self.backend, position + 1, len(order), revision.id)
            self._one(revision, position)
            if position % CHECK_EVERY == 0 or position == last:
                self._check_look()

    def _check_look(self) -> None:
        """Hold what was read bit by bit against the whole: another answer is a fault of ours."""
        connection = self.session.connection
        left_out = {self.target.version_table, *OWN_TABLES}
        whole = self.target.backend.snapshot(connection, left_out)
        found = diff(whole, self.look(connection))
        self.session.settle()
        if found:
            keys = ", ".join(each.key for each in found.changes)
            raise AssertionError(f"the schema was not followed rightly: {keys}")

    def _bring_up(self, revision: Revision) -> None:
        """Take a revision that is behind us, on empty tables; it may have needed rows."""
        proof = UpDownUp(self.session, self.target, self.backend, revision, self.look, fill=False)
        if proof.only_up() is Ending.BROKEN:
            self.outcome.findings += proof.findings
            raise _Restart(replace(self.task, broken=self.task.broken | {revision.id}))

    def _blocked(self, order: Sequence[Revision]) -> set[str]:
        """Return the ids that cannot be reached, because they stand on a broken revision."""
        blocked = set(self.task.broken)
        for revision in order:
            if blocked.intersection(self.project.revisions.parents(revision)):
                blocked.add(revision.id)
        return blocked

    def _one(self, revision: Revision, position: int) -> None:
        """Prove, or only take, a revision; raises `_Restart` where a new database is needed."""
        started = time.perf_counter()
        on_rows = self.task.rowless.get(revision.id)
        proof = UpDownUp(
            self.session,
            self.target,
            self.backend,
            revision,
            self.look,
            fill=not on_rows,
            seeds=self.seeds,
        )
        wanted = revision.id in self.task.chosen
        ending = proof.prove() if wanted else proof.only_up()
        if ending is Ending.AGAIN_WITHOUT_ROWS:
            assert proof.on_rows is not None
            again = {**self.task.rowless, revision.id: proof.on_rows}
            raise _Restart(replace(self.task, position=position, rowless=again))
        on_rows = on_rows or proof.on_rows
        findings = proof.findings
        if wanted and on_rows and not _FAILS.intersection(each.rule for each in findings):
            findings = [on_rows, *findings]
        self.outcome.findings += findings
        if wanted or findings:
            failed = any(each.severity is Severity.ERROR for each in findings)
            self._check(
                revision,
                Outcome.FAILED if failed else Outcome.PASSED,
                time.perf_counter() - started,
                ", ".join(dict.fromkeys(each.rule for each in findings)) or None,
            )
        if ending is Ending.BROKEN:
            broken = self.task.broken | {revision.id}
            raise _Restart(replace(self.task, position=position, broken=broken))
        if ending is Ending.DIRTY:
            raise _Restart(replace(self.task, position=position + 1))

    def _check(
        self, revision: Revision, outcome: Outcome, seconds: float, detail: str | None
    ) -> None:
        if revision.id not in self.task.chosen and outcome in _NOT_RUN:
            return
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


_FAILS = {"upgrade-fails", "downgrade-fails", "upgrade-not-repeatable"}

_NOT_RUN = {Outcome.PENDING, Outcome.SKIPPED}
