"""Connections for the tests of backends: one at a time, without a pool that would keep them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sa

if TYPE_CHECKING:
    from topchef_schema.backends.base import Server

T = TypeVar("T")


@contextmanager
def connected(url: sa.URL) -> Iterator[sa.Connection]:
    """Connect to *url* for the length of a ``with``."""
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        yield connection


def as_administrator(server: Server, url: sa.URL) -> sa.URL:
    """Return *url* for the server's own user: the one of the database goes with it."""
    return url.set(username=server.url.username, password=server.url.password)


def name_of(user: str | None) -> str | None:
    """Return a user's name without the host that MySQL and MariaDB know it by."""
    return None if user is None else user.partition("@")[0]


def send(connection: sa.Connection, statements: str) -> None:
    """Execute *statements*, in which `%` means itself, and commit."""
    connection.exec_driver_sql(statements, execution_options={"no_parameters": True})
    connection.commit()


def in_event_loop(url: sa.URL, work: Callable[[sa.Connection], T]) -> T:
    """Do *work* on a connection of an asynchronous driver, as an async ``env.py`` does."""
    from sqlalchemy.ext.asyncio import create_async_engine

    async def run() -> T:
        engine = create_async_engine(url)
        try:
            async with engine.connect() as connection:
                return await connection.run_sync(work)
        finally:
            await engine.dispose()

    return asyncio.run(run())
