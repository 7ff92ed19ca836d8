"""Says what a run that failed has left in its database, and what to do about it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from topchef_schema.backends.base import Failure, first_line
from topchef_schema.backends.driver_message import driver_message
from topchef_schema.errors import InterruptedRunError, MigrationError, PartialError
from topchef_schema.model import Direction, Statement, Step, short
from topchef_schema.stages import retrying
from topchef_schema.stages.run import LockLostError

if TYPE_CHECKING:
    from topchef_schema.bridge.session import StepFailed
    from topchef_schema.stages.run import Run


log = logging.getLogger(__name__)


def failure(
    run: Run, failed: StepFailed, now: tuple[str, ...], *, alone: bool = True
) -> MigrationError:
    """Say what failed, what stays, and what to do; the database is at *now*.

    Where it is not *alone*, others were migrated before it.
    """
    log.debug("the driver said: %s", driver_message(failed.cause), extra=failed.step.facts)
    word = "upgrade" if failed.step.direction is Direction.UP else "downgrade"
    added, remedy = _limited(run, failed)
    if run.project.environment.scratch:
        kind, hint = MigrationError, _what_to_do(run, failed)
        stays = "it was on a scratch database, and nothing of it stays"
    else:
        kind, stays, hint = _left(run, failed, now, alone=alone)
    message = f"the {word} of revision {failed.step.revision.id} failed: "
    message += f"{first_line(failed.cause)}{added}; {stays}"
    hint = remedy + hint
    if failed.failed is not None:
        hint += f"; the statement was: {short(failed.failed.sql)}"
    return kind(message, where=str(failed.location), hint=hint)


def _left(
    run: Run, failed: StepFailed, now: tuple[str, ...], *, alone: bool
) -> tuple[type[MigrationError], str, str]:
    """Return the kind of the failure, what stays of the run, and what to do about it."""
    unrecorded = _unrecorded(run, failed, now)
    half = bool(failed.lasting) and not unrecorded
    partial = half or bool(unrecorded)
    there = "" if alone or run.target is None else f" in {run.target.label}"
    done = ", ".join(step.revision.id for step in run.done[: run.kept])
    stays = f"nothing else of this run stays{there}"
    if done:
        stays = f"of this run, these stay done{there}: {done}"
    if unrecorded:
        before = ", ".join(step.revision.id for step in run.done[run.kept :])
        stays += (
            f"; {before} went before it in the transaction of env.py, which this database does "
            "not undo as a whole: the version rows are gone, and some of these statements "
            f"stay: {_listed(each.sql for each in unrecorded)}"
        )
    if half:
        stays += f"; of this revision, these statements took effect: {_listed(failed.lasting)}"
    hint = _what_to_do(run, failed)
    if partial and run.history and not unrecorded:
        hint += (
            ": what took effect is not sent again; or finish it, or undo it, by hand and run: "
            "topchef-db repair --mark-applied, or --mark-reverted"
        )
    elif partial:
        hint = (
            "undo these statements by hand, or do the rest by hand and run: "
            f"topchef-db stamp {failed.step.stamped_as}"
        )
    return PartialError if partial else MigrationError, stays, hint


def _what_to_do(run: Run, failed: StepFailed) -> str:
    again = "run the same command again"
    if isinstance(failed.cause, LockLostError):
        return again
    meaning = run.backend.failure(failed.cause) if run.backend else Failure.OTHER
    if meaning is Failure.DISK_FULL:
        return f"make room, on the disk or where a table may not grow, and {again}"
    if meaning is Failure.CONNECTION_LOST:
        return f"{again} once the server is back"
    return f"correct the revision or the data and {again}"


def interrupted(runs: Sequence[Run]) -> InterruptedRunError:
    """Say what stays of *runs*, one for each database, which a signal has ended."""
    stays: list[Step] = []
    undone: list[Step] = []
    begun: list[Step] = []
    for run in runs:
        stays += run.done[: run.kept]
        (undone if run.transactional else begun).extend(run.done[run.kept :])
        if run.begun is not None:
            (begun if run.in_part else undone).append(run.begun)
    message = "interrupted; nothing of this run stays"
    if stays:
        message = f"interrupted; of this run, these stay done: {_named(stays)}"
    hint = "run the same command again: the next run continues"
    if undone:
        message += f"; undone: {_named(undone)}"
    if begun and all(run.history for run in runs):
        message += f"; done in part, and gone on with by the next run: {_named(begun)}"
    elif begun:
        message += f"; done in part, and no journal tells how far: {_named(begun)}"
        hint = (
            "look what is there, do the rest by hand, and run: "
            f"topchef-db stamp {begun[-1].stamped_as}"
        )
    return InterruptedRunError(message, where="this run", hint=hint)


def _named(steps: Sequence[Step]) -> str:
    return ", ".join(step.revision.id for step in steps)


def _limited(run: Run, failed: StepFailed) -> tuple[str, str]:
    """Return what a limit of the run adds to the message and to the hint."""
    if run.backend is None or run.bounds is None:
        return "", ""
    found = retrying.remedy(run.backend, failed.cause, run.limits, run.bounds.blockers)
    return (found[0], f"{found[1]}; else ") if found else ("", "")


def _unrecorded(run: Run, failed: StepFailed, now: tuple[str, ...]) -> tuple[Statement, ...]:
    """Return the statements of the steps that a rollback left without their version rows.

    In a transaction around everything, each DDL statement of a database that cannot undo it
    commits what came before, version rows included: only the database knows how far.
    """
    if not run.torn:
        return ()
    there = run.project.revisions.applied_at(now)
    for step in run.done[run.kept :]:
        if (step.revision.id in there) is not (step.direction is Direction.UP):
            break
        run.kept += 1
    lost = {step.revision.id for step in run.done[run.kept :]}
    before = tuple(each for each in run.statements if each.revision in lost)
    return (*before, *failed.sent) if lost else ()


def _listed(statements: Iterable[str]) -> str:
    return "; ".join(map(short, statements))
