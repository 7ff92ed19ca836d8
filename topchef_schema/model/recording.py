"""What a plan says when it is recorded or applied: statements, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass, field

from topchef_schema.model.effect import Effect
from topchef_schema.model.revision import Direction, Step


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a revision file; *line* counts from 1."""

    path: str
    line: int | None

    def __str__(self) -> str:
        return self.path if self.line is None else f"{self.path}:{self.line}"


VALUES_LEFT_OUT = "/* its values cannot be written out */"

"""Ends a recorded statement that has placeholders for values of types without literals."""

DATABASE_UNKNOWN = "NAME_OF_THE_DATABASE"
"""Stands where a revision wrote down the name of the database it runs on, and none is known."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, as it was or would be sent; never its bound values.

    *seconds* is the time the server took, None where nothing was sent. *revision* is None for
    what belongs to no revision (BEGIN, the version table). *effects* are those of the operation
    that it comes from, None where it was written as SQL; *autocommit* is a statement outside of
    any transaction.
    """

    sql: str
    backend: str
    revision: str | None = None
    direction: Direction | None = None
    path: str | None = None
    line: int | None = None
    seconds: float | None = None
    effects: tuple[Effect, ...] | None = field(default=None, compare=False, repr=False)
    autocommit: bool = field(default=False, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Section:
    """What one step says. *reason* is why it had to be run to be written down, else None.

    *where* is the place in its file that says so.
    *reads* are the questions that it asked then. *unknown* is why its statements are not all here,
    and *fails* whether that is because it fails itself. *heads* are the version rows after it.
    *varies* says that it says something else each time, as with ``uuid4()``.
    """

    step: Step
    statements: tuple[Statement, ...]
    reason: str | None = None
    where: Location | None = None
    reads: tuple[str, ...] = ()
    unknown: str | None = None
    fails: bool = False
    heads: tuple[str, ...] = ()
    varies: bool = False


@dataclass(frozen=True, slots=True)
class VersionTable:
    """Alembic's table of a project: its name as SQL needs it, and what makes it if it is not there.

    *key* is what the migration lock is held for.
    """

    name: str
    key: str
    schema: str | None
    create: str


@dataclass(frozen=True, slots=True)
class Recording:
    """What a plan says on one backend; *opening* and *closing* stand around all steps.

    *start* are the version rows that it goes on from. Only where there is nothing to do, there is
    no *version_table*.
    """

    backend: str
    opening: tuple[Statement, ...] = ()
    sections: tuple[Section, ...] = ()
    closing: tuple[Statement, ...] = ()
    start: tuple[str, ...] = ()
    version_table: VersionTable | None = None

    @property
    def statements(self) -> tuple[Statement, ...]:
        """All statements, in order."""
        inside = [each for section in self.sections for each in section.statements]
        return (*self.opening, *inside, *self.closing)
