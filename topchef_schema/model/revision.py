"""Revisions, and the steps and plans made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Direction(StrEnum):
    """Which way a step goes."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of a project, as its file says."""

    id: str
    down: tuple[str, ...]
    depends_on: tuple[str, ...]
    labels: tuple[str, ...]
    message: str
    doc: str
    path: str

    @property
    def is_merge(self) -> bool:
        """Whether it joins several branches."""
        return len(self.down) > 1


@dataclass(frozen=True, slots=True)
class Step:
    """One revision taken one way."""

    revision: Revision
    direction: Direction

    @property
    def stamped_as(self) -> str:
        """What to stamp a database with on which this step was done by hand."""
        if self.direction is Direction.UP:
            return self.revision.id
        return " ".join(self.revision.down) or "base"

    @property
    def facts(self) -> dict[str, str]:
        """What a line of the log about it is marked with."""
        return {"revision": self.revision.id, "direction": str(self.direction)}

    def __str__(self) -> str:
        return f"{self.direction} {self.revision.id} {self.revision.message}".rstrip()


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps that bring a database from some heads to others, in order."""

    steps: tuple[Step, ...]
    start: tuple[str, ...]

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)
