"""What a backend that only renders SQL says when it is asked for a database."""

from __future__ import annotations

from topchef_schema.errors import UnreachableError


def unreachable(title: str) -> UnreachableError:
    """Return the error that there is no connection to *title*, ever."""
    return UnreachableError(
        f"{title} is here for rendering SQL only",
        where=f"backend {title}",
        hint="render the script with `topchef-db sql` and run it with the client of the database",
    )
