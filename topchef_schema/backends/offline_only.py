"""What a backend that only renders SQL says when it is asked for a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from topchef_schema.backends.scripting import Guard, Unbounded
from topchef_schema.errors import UnreachableError

if TYPE_CHECKING:
    from sqlalchemy import URL

    from topchef_schema.backends.client import Client
    from topchef_schema.backends.timeouts import Limits


def unreachable(title: str) -> UnreachableError:
    """Return the error that there is no connection to *title*, ever."""
    return UnreachableError(
        f"{title} is here for rendering SQL only",
        where=f"backend {title}",
        hint="render the script with `topchef-db sql` and run it with the client of the database",
    )


class RowsAlone:
    """What a script has nothing to say of where topchef-db never runs itself: but for the rows.

    There is no other migrator, no journal, and no client that is called; *title* says of what.
    """

    title: str
    looks_for_tables = False

    def lock(self, key: str) -> str:
        """Return nothing."""
        return ""

    def unlock(self) -> str:
        """Return nothing."""
        return ""

    def before_guards(self, first: Guard) -> str:
        """Return nothing."""
        return ""

    def require_finished(self, journal: str, unfinished: str) -> str:
        """Return nothing."""
        return ""

    def bounds(self, limits: Limits) -> Unbounded:
        """Return none."""
        return Unbounded()

    def client(self, url: URL) -> Client:
        """Refuse: nothing is connected to."""
        raise unreachable(self.title)
