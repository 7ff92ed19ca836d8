"""What a reviewer of a script looks at: its statements both ways, beside what they change."""

from __future__ import annotations

from dataclasses import dataclass

from topchef_schema.model.snapshot import Change


@dataclass(frozen=True, slots=True)
class ReviewedStatement:
    """One statement of a script.

    *transaction* tells whether it is in one. *locks* is what is known of whom it stops, None where
    nothing is; *risks* are reasons to look twice.
    """

    sql: str
    line: int | None = None
    transaction: bool = True
    locks: str | None = None
    risks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReviewedRevision:
    """One revision: *up*, and the way back, and what it changes in the schema.

    *why* is what its file says. *changes* is None where no server was there to tell. *notes* are
    for the whole revision.
    """

    id: str
    message: str
    path: str
    why: str = ""
    up: tuple[ReviewedStatement, ...] = ()
    down: tuple[ReviewedStatement, ...] = ()
    changes: tuple[Change, ...] | None = None
    notes: tuple[str, ...] = ()

    @property
    def risky(self) -> int:
        """How many statements of the way up one should look at twice."""
        return sum(bool(each.risks) for each in self.up)


@dataclass(frozen=True, slots=True)
class Review:
    """All that a reviewer is shown of one script.

    *backend* is as its makers write it. *why_not* is why there is no way back, None where there is
    one. *schema* is the text of it before and after, *scripts* are up and down; *checklist* is what
    to do, in order, and *commands* what is typed for it, each with what it does.
    """

    backend: str
    database: str | None
    range: str
    start: tuple[str, ...]
    end: tuple[str, ...]
    revisions: tuple[ReviewedRevision, ...]
    scripts: tuple[str, str]
    checklist: tuple[str, ...]
    commands: tuple[tuple[str, str], ...]
    destroyed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    why_not: str | None = None
    schema: tuple[str, str] | None = None

    @property
    def title(self) -> str:
        """What the pages are called."""
        ends = [", ".join(each) or "base" for each in (self.start, self.end)]
        name = "" if self.database is None else f" {self.database}"
        return f"{self.backend}{name}: {ends[0]} → {ends[1]}"

    @property
    def counts(self) -> str:
        """How much there is to review."""
        statements = sum(len(each.up) for each in self.revisions)
        risky = sum(each.risky for each in self.revisions)
        parts = [counted(len(self.revisions), "revision"), counted(statements, "statement")]
        return ", ".join([*parts, f"{risky or 'none'} to look at twice"])


def counted(number: int, word: str) -> str:
    """Return how many there are."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"
