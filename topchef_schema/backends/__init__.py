"""The databases: one file each, found by lying here."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from topchef_schema.discover import discover, find
from topchef_schema.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

    from topchef_schema.backends.base import Backend


def all_backends() -> dict[str, Backend]:
    """Return every backend, by name."""
    return cast("dict[str, Backend]", discover("topchef_schema.backends", "BACKEND"))


def named(name: str, *, where: str = "--on") -> Backend:
    """Return the backend called *name*; raises `UsageError` naming those there are."""
    backend = _alone(name)
    if backend is None:
        raise UsageError(
            f'there is no backend "{name}"',
            where=where,
            hint="one of: " + ", ".join(all_backends()),
        )
    return backend


def _alone(name: str) -> Backend | None:
    """Return the backend called *name* without a look at the others."""
    return cast("Backend | None", find("topchef_schema.backends", "BACKEND", name))


def for_url(url: URL, *, where: str = "the URL") -> Backend:
    """Return the backend that *url* belongs to; raises `UsageError` where there is none."""
    dialect = url.get_backend_name()
    alone = _alone(dialect)
    if alone is not None and dialect in alone.dialects:
        return alone
    for backend in all_backends().values():
        if dialect in backend.dialects:
            return backend
    raise UsageError(
        f'no backend for the dialect "{dialect}"',
        where=where,
        hint="one of: " + ", ".join(all_backends()),
    )


def for_connection(connection: Connection) -> Backend:
    """Return the backend of a live connection: what the server says it is decides.

    A ``mysql://`` URL often leads to a MariaDB server.
    """
    dialect = connection.dialect
    if getattr(dialect, "is_mariadb", False):
        return named("mariadb")
    return for_url(connection.engine.url)
