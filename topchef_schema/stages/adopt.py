"""Which revision is a database at that has no version rows? The one that builds its very schema.

The revisions are built one after the other on a scratch database of the same kind, and compared
with the database after each. To the database itself nothing is written but the stamp.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from topchef_schema.backends.base import first_line
from topchef_schema.errors import HistoryError, MigrationError, UsageError
from topchef_schema.model import Change, Diff, HistoryStatus, Revision, Snapshot, diff
from topchef_schema.project import Project
from topchef_schema.stages import apply, observe, scratch
from topchef_schema.stages.entry import Entry, Target

if TYPE_CHECKING:
    from topchef_schema.bridge.session import Session
    from topchef_schema.stages.observe import Observed
    from topchef_schema.stages.run import Applied

log = logging.getLogger(__name__)

GRANTS = {"default-privileges": "; ", "grant": ", ", "grants": "; "}
"""Kinds that say who may do what, and what stands between the parts of their definitions."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A state on the way up: *heads* are its version rows, *changes* how many objects differ."""

    revision: str
    heads: tuple[str, ...]
    changes: int


@dataclass(frozen=True, slots=True)
class Adoption:
    """What was found for one database.

    *equal* are the states that build its schema, newest first; *nearest* is the one that differs
    least, in *changes*, where none is equal. *server* is the version of the server that built
    them, *failed* the revision that could not be built.
    """

    seen: Observed
    server: str
    equal: tuple[Candidate, ...]
    nearest: Candidate | None = None
    changes: tuple[Change, ...] = ()
    failed: str | None = None

    @property
    def label(self) -> str:
        """What to call the database."""
        return self.seen.label


def search(project: Project, word: str | None, on: str | None) -> tuple[Adoption, ...]:
    """Return what each database is equal to; with *word*, only what that revision builds counts.

    Raises `HistoryError` for a database that has version rows already, or nothing at all.
    """
    wanted = project.revisions.get(word) if word is not None else None
    if wanted == ():
        raise UsageError(
            "base is no revision to be at", where=f"revision argument {word}", hint="name another"
        )
    seen = observe.databases(project, schema=True)
    for each in seen:
        _require_unmarked(each)
    return tuple(_found(project, each, wanted, on) for each in seen)


def _require_unmarked(seen: Observed) -> None:
    if seen.heads:
        raise HistoryError(
            f"the database has version rows already: it is at {', '.join(seen.heads)}",
            where=seen.label,
            hint="topchef-db stamp sets them to another revision",
        )
    if seen.snapshot is None or not _has_tables(seen.snapshot):
        raise HistoryError(
            "the database is empty, so that there is nothing to adopt",
            where=seen.label,
            hint="topchef-db upgrade builds it",
        )


def _has_tables(snapshot: Snapshot) -> bool:
    return any(key.startswith("table ") for key in snapshot.objects)


def _found(
    project: Project, seen: Observed, wanted: Sequence[Revision] | None, on: str | None
) -> Adoption:
    assert seen.snapshot is not None
    word = on or seen.backend
    if scratch.resolve(word)[0].name != seen.backend:
        raise UsageError(
            f"the database is one of {seen.backend}, and schemas of two kinds do not compare",
            where=f"--on {scratch.resolve(word)[0].name}",
            hint=f"name a server of the same kind: --on {seen.backend}",
        )
    ids = None if wanted is None else tuple(each.id for each in wanted)
    with scratch.place(word) as place, place.databases(project) as databases:
        built = place.run(_build, project, databases, seen.snapshot, ids, seen.name)
        version = place.server.version
    equal = tuple(each for each in reversed(built.candidates) if each.changes == 0)
    return Adoption(seen, version, equal, built.nearest, built.changes, built.failed)


@dataclass
class _Built:
    """What a worker brings home."""

    candidates: list[Candidate]
    nearest: Candidate | None = None
    changes: tuple[Change, ...] = ()
    failed: str | None = None

    def compare(self, revision: str, heads: tuple[str, ...], found: Diff) -> None:
        """Note how far the state after *revision* is from the database."""
        self.candidates.append(Candidate(revision, heads, len(found.changes)))
        if self.nearest is None or len(found.changes) <= self.nearest.changes:
            self.nearest, self.changes = self.candidates[-1], found.causes


def _build(
    project: Project, live: Snapshot, wanted: tuple[str, ...] | None, database: str | None
) -> _Built:
    """Build one revision after the other on a scratch database, in a worker, and compare."""
    from topchef_schema.bridge.session import StepFailed

    built = _Built([])
    target_heads = project.revisions.applied_heads if wanted is None else wanted

    def body(session: Session, target: Target) -> None:
        there = project.revisions.applied_at(session.heads())
        steps = [
            step
            for step in project.revisions.way_to(tuple(target_heads))
            if step.revision.id not in there
        ]
        for position, step in enumerate(steps, 1):
            session.step(step)
            if wanted is None or position == len(steps):
                made = observe.schema_of(session, target)
                heads = session.heads()
                session.settle()
                found = diff(made, _without_further_grants(live, made))
                built.compare(step.revision.id, heads, found)

    try:
        Entry(project, isolate=True).run_at(database, body)
    except StepFailed as failed:
        said = f"{failed.step.revision.id} fails on an empty database: {first_line(failed.cause)}"
        if wanted is not None:
            raise MigrationError(
                f"revision {said}",
                where=str(failed.location),
                hint="topchef-db roundtrip shows more; topchef-db stamp does not build it",
            ) from None
        built.failed = said
    return built


def _without_further_grants(live: Snapshot, made: Snapshot) -> Snapshot:
    """Return *live* without what is granted there beyond what the revisions grant in *made*.

    Who else may do what is for an administrator to say: the rights of the migrator itself are
    among it. What a revision grants, and *live* lacks, still differs.
    """
    further = {}
    for key, said in live.objects.items():
        separator = GRANTS.get(key.partition(" ")[0])
        if separator is not None:
            ours = made.objects.get(key)
            if ours is None or set(ours.split(separator)) <= set(said.split(separator)):
                further[key] = ours
    return live.having(further)


def agreed(found: Sequence[Adoption]) -> Candidate | None:
    """Return the newest state that all databases are in; None where there is none."""
    first, *others = found
    for each in first.equal:
        if all(each.heads in [one.heads for one in other.equal] for other in others):
            return each
    return None


def adopt(
    project: Project,
    found: Sequence[Adoption],
    state: Candidate,
    *,
    reason: str | None,
    history: bool,
) -> tuple[Applied, ...]:
    """Stamp the databases with *state*, after one more look at each, under the lock."""
    return apply.stamp(
        project,
        state.heads,
        reason=reason,
        history=history,
        status=HistoryStatus.BASELINED,
        require=_unchanged(iter(found)),
    )


def _unchanged(found: Iterator[Adoption]) -> Callable[[Session, Target], None]:
    def require(session: Session, target: Target) -> None:
        before = next(found).seen
        now = observe.within(session, target, schema=True)
        if now.heads or now.snapshot != before.snapshot:
            raise HistoryError(
                "the database has moved since it was looked at",
                where=target.label,
                hint="run the same command again",
            )

    return require
