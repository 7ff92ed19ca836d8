"""How a script for a database's own client is guarded, in the words of that database.

A script is run by hand, later, and perhaps twice: so it looks for itself whether the database is
where it goes on from, and stops before it changes anything.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sqlalchemy import URL

    from topchef_schema.backends.client import Client
    from topchef_schema.backends.timeouts import Limits

BASE = "base"
"""What a database without version rows is said to be at."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Lets a script go on only where *table* holds exactly the rows *heads*.

    *table* is quoted. With *end* a database that is there already is told so: the script was run.
    """

    table: str
    heads: tuple[str, ...]
    end: tuple[str, ...] | None = None

    @property
    def expected(self) -> str:
        """The rows as one text, as the database itself is asked for them."""
        return listed(self.heads)

    @property
    def wrong(self) -> str:
        """What to say of a database elsewhere, before the words where it is."""
        return f"this script goes on from {self.expected}, and the database is at "

    @property
    def done(self) -> str | None:
        """What to say of a database that is at the end already."""
        if self.end is None:
            return None
        return f"the database is at {listed(self.end)} already, where this script leads"


def listed(heads: Sequence[str]) -> str:
    """Return version rows as one text."""
    return ", ".join(sorted(heads)) or BASE


def with_semicolon(sql: str) -> str:
    """Return *sql* with the one semicolon that ends a statement in most clients."""
    body = sql.rstrip().rstrip(";").rstrip()
    return f"{body}\n;" if ends_in_comment(body) else f"{body};"


def ends_in_comment(sql: str) -> bool:
    """Whether what is added to the last line of *sql* may belong to a comment."""
    last = sql.rpartition("\n")[2]
    return re.search(r"--|#(?![>-])", last) is not None


class Bounds(Protocol):
    """The time limits of a script, as SQL between its statements; "" is nothing to say."""

    def opening(self) -> str:
        """Return what bounds the whole session, if anything does."""

    def begun(self) -> str:
        """Return what belongs behind the beginning of a transaction."""

    def before(self, sql: str, *, outside: bool) -> str:
        """Return what belongs before *sql*; *outside* says that it is in no transaction."""

    def after(self) -> str:
        """Return what takes back what was for the last statement alone."""

    def next_revision(self) -> None:
        """Take note that what the revision before has set for itself counts no more."""

    def closing(self) -> str:
        """Return what takes back what `opening` and `before` have set in the session."""


class Scripting(Protocol):
    """What a script consists of beside the statements of revisions. All text ends its lines."""

    begin: str
    """Begins a transaction; complete, with what ends a statement."""

    commit: str

    now: str
    """An expression: the time in UTC, as the history keeps it."""

    user: str
    """An expression: the database user; NULL where there are none."""

    keeps_text: bool
    """Whether the catalog keeps ALTER and CREATE as they were written, blanks included."""

    looks_for_tables: bool
    """Whether a script can ask whether a table is there, and go on where it is not."""

    run_with: str
    """The command that runs a script, with THIS_FILE for its name."""

    def preamble(self) -> str:
        """Return what makes the client stop at an error, and refuse another kind of server."""

    def terminated(self, sql: str) -> str:
        """Return *sql* with what tells the client that it ends."""

    def text(self, value: str) -> str:
        """Return *value* as a literal."""

    def lock(self, key: str) -> str:
        """Return what takes the migration lock *key*, once, or stops and names its holder."""

    def unlock(self) -> str:
        """Return what lets go of it."""

    def before_guards(self, first: Guard) -> str:
        """Return what `require` needs to be said once, when the version table is there."""

    def require(self, guard: Guard) -> str:
        """Return what stops the script where the database is not as *guard* says."""

    def require_finished(self, journal: str, unfinished: str) -> str:
        """Return what stops it where an earlier run, or a script, is not finished.

        *unfinished* asks for the first revision that is not, or NULL; *journal* is the quoted name
        of the table it asks, which is there where *looks_for_tables* is false.
        """

    def bounds(self, limits: Limits) -> Bounds:
        """Return what keeps the statements of one script within *limits*."""

    def client(self, url: URL) -> Client:
        """Return how to run a script on the database at *url*.

        Raises `UnreachableError` where the client is not installed.
        """


class Unbounded:
    """Says nothing, wherever something could be said: for what bounds less, or nothing at all."""

    def opening(self) -> str:
        """Return nothing."""
        return ""

    def begun(self) -> str:
        """Return nothing."""
        return ""

    def before(self, sql: str, *, outside: bool) -> str:
        """Return nothing."""
        return ""

    def after(self) -> str:
        """Return nothing."""
        return ""

    def next_revision(self) -> None:
        """Do nothing."""

    def closing(self) -> str:
        """Return nothing."""
        return ""
