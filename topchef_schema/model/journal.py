"""What is remembered of an unfinished revision: the rows of `topchef_journal`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from topchef_schema.model.history import SCRIPT_RUN
from topchef_schema.model.revision import Direction


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One statement of a revision that is not finished.

    *fingerprint* is that of its SQL and values, which are not kept themselves. An entry is written
    in the transaction of its statement, and so stands for one that was done. Where the statement
    ends that transaction by itself, *alone* is true: the entry was committed just before it, and
    *before* is what the catalog said then of the object it changes, None where nothing was asked.
    """

    run_id: str
    revision: str
    direction: Direction
    position: int
    fingerprint: str
    sql: str
    alone: bool = False
    before: str | None = None

    @property
    def by_script(self) -> bool:
        """Whether it stands for a revision that a script began, not for one statement."""
        return self.run_id.startswith(SCRIPT_RUN)


def fingerprint(sql: str, values: object) -> str:
    """Return the sha256 of a statement and its values, in hexadecimal."""
    return hashlib.sha256(f"{sql}\0{values!r}".encode(errors="backslashreplace")).hexdigest()


def in_flight(entries: Sequence[JournalEntry]) -> JournalEntry | None:
    """Return the statement of which the journal alone does not tell whether it was done."""
    return entries[-1] if entries and entries[-1].alone else None
