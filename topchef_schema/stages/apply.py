"""Does a plan to a database: the only writer to one that is not scratch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from topchef_schema import stopping
from topchef_schema.backends.timeouts import Limits
from topchef_schema.errors import (
    HistoryError,
    InterruptedRunError,
    LockedError,
    MigrationError,
    TopchefError,
)
from topchef_schema.model import (
    Direction,
    HistoryEntry,
    HistoryStatus,
    Plan,
)
from topchef_schema.project import Project
from topchef_schema.stages import (
    baseline,
    changed_files,
    failed_run,
    journal,
    observe,
    retrying,
    run_history,
    unfinished,
)
from topchef_schema.stages.entry import Entry, Target, look_first
from topchef_schema.stages.fingerprints import Fingerprints
from topchef_schema.stages.ledger import drop, read
from topchef_schema.stages.retrying import Retries
from topchef_schema.stages.run import Applied, Repair, Run

if TYPE_CHECKING:
    from topchef_schema.bridge.session import Session
    from topchef_schema.stages.observe import Observed

log = logging.getLogger(__name__)

LOCK_TIMEOUT = 300.0
"""Seconds to wait for another migrator."""


def migrate(
    project: Project,
    plan: Callable[[tuple[str, ...]], Plan],
    *,
    lock_timeout: float = LOCK_TIMEOUT,
    limits: Limits | None = None,
    history: bool = True,
    repair: Repair | None = None,
) -> tuple[Applied, ...]:
    """Take the steps that *plan* finds from the heads of each database that env.py comes to.

    Where nothing is to do, no lock is taken and nothing is written. With *repair* only the step
    that an interrupted run left is finished. Raises `MigrationError` or
    `PartialError` for a step that failed, `LockedError`, `HistoryError`, `UnreachableError`.
    """
    limits = limits or Limits()
    plan = cache(plan)
    seen = observe.before_writing(project, plan)
    if not any([plan(each.heads).steps or each.unfinished for each in seen]):
        return tuple(Applied(each.label, each.backend, each.heads, each.heads) for each in seen)
    if not all(each.present for each in seen):
        look_first(project)
    found = changed_files.checked(project, seen) if repair is None else {}
    baseline.lay_where_empty(project, lock_timeout, history=history)
    runs: list[Run] = []
    earlier: Run | None = None

    def body(session: Session, target: Target) -> Applied:
        runs.append(Run(project, plan, history, repair, limits, fingerprints=fingerprints))
        if earlier is not None and len(runs) == 1:
            runs[0].follow(earlier)
        return runs[-1].body(session, target)

    retries = Retries(limits)
    applied = None
    steps = [step for each in seen for step in plan(each.heads)] if history else []
    with Fingerprints([step.revision.path for step in steps]) as fingerprints:
        while applied is None:
            earlier = runs[0] if runs and runs[0].failed else None
            runs.clear()
            entry = Entry(project, lock_timeout=lock_timeout, announce=not retries.made)
            applied = _attempt(entry, body, runs, retries, several=len(seen) > 1)
    _require_committed(project, runs, applied)
    return tuple(replace(each, findings=found.get(each.label, ())) for each in applied)


def _attempt(
    entry: Entry,
    body: Callable[[Session, Target], Applied],
    runs: Sequence[Run],
    retries: Retries,
    *,
    several: bool,
) -> tuple[Applied, ...] | None:
    """Go through env.py once; None where somebody held a lock, and it is to be tried again."""
    project = entry.project
    try:
        return _interruptible(entry, body, runs)
    except TopchefError as error:
        if _again(entry, runs, error.__cause__, retries):
            return None
        raise _after_tail(project, runs, _blamed(entry, error, retries)) from error.__cause__
    except Exception:
        run = runs[-1] if runs else None
        if run is None or run.failed is None:
            raise
        if _again(entry, runs, run.failed.cause, retries):
            return None
        raise _explained(project, runs, several=several) from run.failed.cause


def _interruptible(
    entry: Entry, body: Callable[[Session, Target], Applied], runs: Sequence[Run]
) -> tuple[Applied, ...]:
    """Run *body* at each database; a signal that the program heeds ends it between statements."""
    try:
        with stopping.between_statements():
            applied = tuple(entry.run(body))
            for run in runs:
                run.kept = len(run.done)
            stopping.check()
            return applied
    except KeyboardInterrupt:
        if not stopping.asked():
            raise  # another program calls us, and knows what Ctrl-C means to it
        raise failed_run.interrupted(runs) from None


def _explained(project: Project, runs: Sequence[Run], *, several: bool) -> MigrationError:
    """Say what the step that failed has left, and where the databases are now."""
    run, several = runs[-1], several or len(runs) > 1
    assert run.failed is not None
    now = _looked_again(project) if several or run.torn else ()
    heads = now[len(runs) - 1].heads if now else ()
    failure = failed_run.failure(run, run.failed, heads, alone=not several)
    if now:
        failure.hint = f"{_where(now)}; {failure.hint}"
    return failure


def _again(
    entry: Entry, runs: Sequence[Run], cause: BaseException | None, retries: Retries
) -> bool:
    """Wait for whoever held a lock, where the whole run can be repeated."""
    backend = entry.target.backend if entry.target else None
    failure = retrying.waited(backend, cause) if backend else None
    if failure is None or not all(run.repeatable(alone=len(runs) == 1) for run in runs):
        return False
    blockers = runs[-1].bounds.blockers if runs and runs[-1].bounds else ()
    return retries.again("the run", failure, blockers)


def _blamed(entry: Entry, error: TopchefError, retries: Retries) -> TopchefError:
    """Say of a lock that was held before the first step what is said of one in a step."""
    backend = entry.target.backend if entry.target else None
    if backend is None or error.__cause__ is None:
        return error
    added = retrying.remedy(backend, error.__cause__, retries.limits, ())
    if added is None:
        return error
    return MigrationError(f"{error.message}{added[0]}", where=error.where, hint=added[1])


def _require_committed(project: Project, runs: Sequence[Run], applied: Sequence[Applied]) -> None:
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


def _after_tail(project: Project, runs: Sequence[Run], error: TopchefError) -> TopchefError:
    """Explain what env.py raised after our work: its commit may have failed."""
    if isinstance(error, InterruptedRunError) or not any(run.done for run in runs):
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

    runs: list[Run] = []

    def body(session: Session, target: Target) -> Applied:
        if require is not None:
            require(session, target)
        seen = observe.within(session, target)
        before = seen.heads
        runs.append(Run(project, _stay, history, external=session.external))
        ledger = run_history.opened(project, session, target) if history else None
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
        said = unfinished.passed_over(project, seen)
        return Applied(target.label, target.backend.name, before, heads, findings=said)

    # Before the visit that writes: Alembic begins one by making its version table.
    if require is None and not all(
        each.present for each in observe.before_writing(project, _stay, purge=purge)
    ):
        look_first(project)
    applied = Entry(project, lock_timeout=LOCK_TIMEOUT, announce=True, tag=tag).run(body)
    _require_committed(project, runs, applied)
    return tuple(applied)


def _stay(heads: tuple[str, ...]) -> Plan:
    return Plan((), heads)


def _places(project: Project, word: str) -> tuple[str, ...]:
    """Return the ids that *word* names, or what Alembic calls the place below them all."""
    found = tuple(each.id for each in project.revisions.get(word))
    return found or (word if word.endswith("@base") else "base",)


def drop_own_tables(project: Project) -> list[tuple[HistoryEntry, ...]]:
    """Remove our tables, and return what was in them, database by database.

    Alembic's version table stays as it is. Raises `InDoubtError` where a revision was interrupted:
    only the journal tells what was done of it.
    """

    def body(session: Session, target: Target) -> tuple[HistoryEntry, ...]:
        unfinished.refuse(project, observe.within(session, target))
        rows = read(session.connection, target.version_table_schema)
        drop(session.connection, target.version_table_schema)
        journal.drop(session.connection, target.version_table_schema)
        session.commit()
        return rows

    for each in observe.databases(project):
        # Before the first of them: what it had would be in no report.
        unfinished.refuse(project, each)
    return Entry(project, lock_timeout=LOCK_TIMEOUT, announce=True).run(body)
