"""What the history tells of a database, held against where its version table says it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from topchef_schema.model import HistoryEntry, HistoryStatus

if TYPE_CHECKING:
    from topchef_schema.bridge.revisions import Revisions

_STAMPED = {HistoryStatus.STAMPED, HistoryStatus.BASELINED}
ONE_REVISION = {HistoryStatus.APPLIED, HistoryStatus.REVERTED, HistoryStatus.REPAIRED}
"""What is said of a step that is finished."""


@dataclass(frozen=True, slots=True)
class UnrecordedMoves:
    """The revisions that came, and went, without a row: by plain alembic or `--no-history`."""

    applied: tuple[str, ...] = ()
    reverted: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.applied or self.reverted)

    def __str__(self) -> str:
        came = f"{_listed(self.applied)} applied" if self.applied else ""
        went = f"{_listed(self.reverted)} reverted" if self.reverted else ""
        return " and ".join(filter(None, (came, went)))


def unrecorded_moves(
    entries: Sequence[HistoryEntry], heads: tuple[str, ...], revisions: Revisions
) -> UnrecordedMoves:
    """Tell how a database at *heads* got there, where its history does not; none without one."""
    if not entries:
        return UnrecordedMoves()
    has = revisions.applied_at(heads)
    should = recorded(entries, revisions.parents_of)
    order = [each.id for each in revisions.all]
    return UnrecordedMoves(
        tuple(each for each in order if each in has and each not in should),
        tuple(each for each in order if each in should and each not in has),
    )


def recorded(
    entries: Iterable[HistoryEntry], parents: Callable[[str], Collection[str]]
) -> dict[str, HistoryEntry]:
    """Return the revisions that a database has by its history alone, each with what brought it.

    A stamp also brings, or takes, what its revision stands on (*parents* leads there).
    """
    state = _Recorded(parents)
    for entry in entries:
        state.follow(entry)
    return state.found


@dataclass
class _Recorded:
    """The revisions a database has after some rows; *own* is the last row of each that came."""

    parents: Callable[[str], Collection[str]]
    found: dict[str, HistoryEntry] = field(default_factory=dict)
    own: dict[str, HistoryEntry] = field(default_factory=dict)
    above: dict[str, set[str]] = field(default_factory=dict)
    covered: set[str] = field(default_factory=set)

    def follow(self, entry: HistoryEntry) -> None:
        """Do what one row tells of."""
        if entry.takes_away:
            self.own.pop(entry.revision, None)
            self._remove(entry.revision)
            if entry.status in _STAMPED:
                self._remove_below(entry.revision)
        elif entry.status in ONE_REVISION | _STAMPED:
            self.own[entry.revision] = entry
            self._add(entry.revision, entry)
            if entry.status in _STAMPED:
                for each in self._newly_below(entry.revision):
                    if each not in self.found:
                        self._add(each, self.own.get(each, entry))

    def _add(self, revision: str, entry: HistoryEntry) -> None:
        self.found[revision] = entry
        for parent in self.parents(revision):
            self.above.setdefault(parent, set()).add(revision)

    def _remove(self, revision: str) -> None:
        self.covered.clear()
        self.found.pop(revision, None)
        for parent in self.parents(revision):
            self.above.get(parent, set()).discard(revision)

    def _remove_below(self, revision: str) -> None:
        """Take what *revision* stood on, and nothing else does: a stamp names the heads alone."""
        waiting = list(self.parents(revision))
        while waiting:
            each = waiting.pop()
            if each in self.found and not self.above.get(each):
                self._remove(each)
                waiting += self.parents(each)

    def _newly_below(self, revision: str) -> Iterator[str]:
        """Yield *revision* and what it stands on, and cover it; not what is covered already.

        Whatever is covered, all below it is: a history of many stamps is walked once.
        """
        waiting = [revision]
        while waiting:
            each = waiting.pop()
            if each not in self.covered:
                self.covered.add(each)
                waiting += self.parents(each)
                yield each


def _listed(ids: Sequence[str]) -> str:
    """Return the newest of *ids*: a team that comes from plain alembic has hundreds."""
    if len(ids) <= 5:
        return ", ".join(ids)
    return f"{', '.join(ids[-5:])} and {len(ids) - 5} before"
