"""Goes on where an interrupted run stopped, or says what only a person can know."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from topchef_schema.errors import InDoubtError
from topchef_schema.model import Direction, JournalEntry, Plan, Step, in_flight
from topchef_schema.stages import journal

if TYPE_CHECKING:
    from topchef_schema.backends.timeouts import Timeouts
    from topchef_schema.bridge.journaling import Journaling, Rules
    from topchef_schema.bridge.revisions import Revisions
    from topchef_schema.bridge.session import Session
    from topchef_schema.stages.entry import Target

log = logging.getLogger(__name__)

BY_SCRIPT = (
    "see in the script which of the revision's statements were done; finish them, or undo them, by "
    "hand and say so: topchef-db repair --mark-applied, or --mark-reverted"
)
"""What to do where a script was interrupted: nobody has written down its statements."""


def continued(
    left: Sequence[JournalEntry], plan: Plan, revisions: Revisions, target: Target
) -> Plan:
    """Return *plan* with the step that *left* tells of as its first.

    Raises `InDoubtError` where it is not among the steps, or cannot be the first.
    """
    revision, direction = left[0].revision, left[0].direction
    if left[0].by_script:
        raise InDoubtError(
            f"a script stopped in the middle of revision {revision}, on the way {direction}",
            where=target.label,
            hint=BY_SCRIPT,
        )
    begun = [each for each in plan if (each.revision.id, each.direction) == (revision, direction)]
    if not begun:
        raise InDoubtError(
            f"an earlier run stopped in the middle of revision {revision}, on the way {direction}",
            where=target.label,
            hint=f"let it be finished first: {_continue(direction)}; or see what it left: "
            "topchef-db repair",
        )
    require_its_place(begun[0], revisions, revisions.applied_at(plan.start), target)
    return replace(plan, steps=(*begun, *(each for each in plan if each not in begun)))


def require_its_place(
    step: Step, revisions: Revisions, applied: Collection[str], target: Target
) -> None:
    """Raise `InDoubtError` where *step*, which had begun, cannot be taken from what is *applied*.

    Plain alembic, or a stamp, has moved the version rows meanwhile.
    """
    identity, up = step.revision.id, step.direction is Direction.UP
    below = revisions.parents(step.revision)
    if up:
        in_the_way = [each for each in below if each not in applied]
    else:
        in_the_way = sorted(each for each in applied if identity in revisions.parents_of(each))
    if in_the_way:
        before = " ".join(below) or "base" if up else identity
        names = ", ".join(in_the_way)
        raise InDoubtError(
            f"an earlier run stopped in the middle of revision {identity}, on the way "
            f"{step.direction}, and the version rows were moved since: {names} "
            + ("is not applied any more" if up else "stands on it"),
            where=target.label,
            hint=f"if only the rows were moved, set them back: topchef-db stamp {before}; else "
            f"{'undo' if up else 'bring back'} by hand what was done, and say so: "
            f"topchef-db repair --mark-{'reverted' if up else 'applied'}",
        )


def _continue(direction: Direction) -> str:
    again = "upgrade" if direction is Direction.UP else "downgrade -1"
    return f"topchef-db {again}, or topchef-db repair --resume"


def settled(left: Sequence[JournalEntry], applied: set[str]) -> bool:
    """Whether somebody else has moved the version table to where *left* was to lead."""
    here = left[0].revision in applied
    return here is (left[0].direction is Direction.UP)


def done(
    left: Sequence[JournalEntry],
    session: Session,
    target: Target,
    bounds: Timeouts,
    *,
    in_doubt: bool | None = None,
) -> tuple[JournalEntry, ...]:
    """Return the statements that were done; the catalog tells of the one that was in flight.

    Where it does not, *in_doubt* is what a person says: whether that one was done. Raises
    `InDoubtError` where nobody has said.
    """
    open_ = in_flight(left)
    if open_ is None:
        return tuple(left)
    happened = took_effect(open_, session, target)
    if happened is None:
        happened = in_doubt
    if happened is None:
        raise InDoubtError(
            f"revision {open_.revision} was interrupted in a statement of which the catalog does "
            f"not tell whether it was done: {open_.sql}",
            where=target.label,
            hint="look whether it was, and say so: topchef-db repair --resume --statement done "
            "(or not-done)",
        )
    word = "was done" if happened else "was not done"
    log.info("the statement that was interrupted %s: %s", word, " ".join(open_.sql.split()))
    if happened:
        return tuple(left)
    assert target.backend.commit_rules is not None
    _clear_away([open_], target.backend.commit_rules, session, bounds, target.version_table_schema)
    return tuple(left[:-1])


def _clear_away(
    entries: Sequence[JournalEntry],
    rules: Rules,
    session: Session,
    bounds: Timeouts,
    schema: str | None,
) -> None:
    """Remove what statements that were not done have left, and their entries."""
    for each in entries:
        bounds.before("DROP", autocommit=session.autocommit, lock=True)
        rules.clear_away(session.connection, each.sql)
        bounds.after()
        journal.remove(session.connection, schema, each.revision, [each.position])
    session.commit()
    if not session.whole_run:
        bounds.transaction_ended()


def without_refused(
    schema: str | None, journaling: Journaling, session: Session, bounds: Timeouts
) -> tuple[JournalEntry, ...]:
    """Return the statements that were done of a step that failed, and clear away the others.

    In the process that sent them nothing is in doubt.
    """
    left = journal.read(session.connection, schema)
    refused = [each for each in left if each.position in journaling.undone]
    _clear_away(refused, journaling.rules, session, bounds, schema)
    return tuple(each for each in left if each not in refused)


def took_effect(entry: JournalEntry, session: Session, target: Target) -> bool | None:
    """Ask the catalog whether a statement that was in flight was done; None: it does not tell."""
    assert target.backend.commit_rules is not None
    happened = target.backend.commit_rules.took_effect(session.connection, entry.sql, entry.before)
    session.settle()
    return happened


def explained(reason: str, revision: str, where: str) -> InDoubtError:
    """Say that the revision does not do again what it had done."""
    return InDoubtError(
        f"revision {revision} was interrupted, and does not go on as it began: {reason}; nothing "
        "of that was sent",
        where=where,
        hint="topchef-db repair shows what was done; finish the rest, or undo it, by hand and say "
        "so: topchef-db repair --mark-applied, or --mark-reverted",
    )


def _said(direction: Direction) -> str:
    return "applied" if direction is Direction.UP else "taken back"


def tell(left: Sequence[JournalEntry], *, by_hand: bool) -> None:
    """Log that an interrupted revision is gone on with, or was settled by somebody else."""
    revision, direction = left[0].revision, left[0].direction
    if by_hand:
        log.warning(
            "revision %s, in the middle of which an earlier run stopped, has been %s by somebody "
            "else since: its journal is removed",
            revision,
            _said(direction),
        )
    else:
        log.warning(
            "going on with revision %s, in the middle of which an earlier run stopped: %s of its "
            "statements are done",
            revision,
            len(left),
        )
