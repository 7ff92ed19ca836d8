"""How long a statement of a revision may wait, and run, in words that all databases share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sqlalchemy import Connection

_LITERAL = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"(?=\s*[,)=]|$)|\b\d+(?:\.\d+)?\b")


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a run, in seconds; None is no bound. *retries* is how often a unit is repeated.

    *ddl_lock* bounds a wait that others queue up behind, *statement* each statement of a revision.
    """

    ddl_lock: float | None = 5.0
    statement: float | None = None
    retries: int = 5

    @classmethod
    def given(cls, ddl_lock: float, statement: float | None, retries: int) -> Limits:
        """Return what the options say, where 0 is no bound."""
        return cls(ddl_lock or None, statement or None, retries)


class Timeouts(Protocol):
    """The limits of one connection, set in the server's own words around the statements.

    What somebody else has set (a revision, env.py, the URL) is left as it is.
    """

    connection: Connection

    blockers: tuple[str, ...]
    """Who held what the last statement waited for, as far as this user may see."""

    def begin(self) -> None:
        """Begin with a revision: what the one before had set for itself counts no more."""

    def before(self, sql: str, *, autocommit: bool, lock: bool) -> None:
        """Set, or lift, what *sql* needs.

        *autocommit* says that it is in no transaction, *lock* that its wait for one may be cut.
        """

    def after(self) -> None:
        """End what is for one statement alone."""

    def transaction_ended(self) -> None:
        """Take note that what was set for the length of the transaction is gone."""

    def back_to_savepoint(self) -> None:
        """Take note that what was set since some savepoint is gone."""

    def failed(self, error: BaseException, sql: str) -> None:
        """Find out who blocked, where *error* says that *sql* waited for somebody."""

    def restore(self) -> None:
        """Leave the session as it was found: it may go back to a pool."""


def masked(sql: str | None, length: int = 80) -> str:
    """Return the beginning of somebody's statement, without the values in it."""
    line = " ".join(_LITERAL.sub("?", sql or "").split())
    return line if len(line) <= length else line[: length - 3] + "..."


def names_one(sql: str, name: str) -> bool:
    """Whether *name* stands in *sql* as a word."""
    if name.lower() not in sql.lower():
        return False
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", sql, re.IGNORECASE) is not None


@contextmanager
def beside(connection: Connection) -> Iterator[Callable[[str], list[Any]]]:
    """Open another session, made as those of *connection*'s engine, and yield how to ask it.

    Outside the limits of its pool.
    """
    pool = connection.engine.pool.recreate()
    try:
        session = pool.connect()

        def ask(sql: str) -> list[Any]:
            with closing(session.cursor()) as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())

        try:
            yield ask
        finally:
            session.invalidate()
    finally:
        pool.dispose()
