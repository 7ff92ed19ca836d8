"""What the tests of backends share: connections, and a server that is named instead of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

    from topchef_schema.backends.base import Backend, ScratchDatabase, Server

Connect = Callable[["URL"], AbstractContextManager["Connection"]]


@contextmanager
def connected(url: URL) -> Iterator[Connection]:
    """Connect to *url* without a pool that would keep the connection."""
    from sqlalchemy import NullPool, create_engine

    with create_engine(url, poolclass=NullPool).connect() as connection:
        yield connection


@pytest.fixture
def connect() -> Connect:
    """Return `connected`, which opens a connection for the length of a ``with``."""
    return connected


@pytest.fixture
def connection(scratch: ScratchDatabase) -> Iterator[Connection]:
    """Connect to an empty scratch database."""
    with connected(scratch.url) as opened:
        yield opened


@pytest.fixture
def server_url(backend_name: str, server: Server, tmp_path: Path) -> URL:
    """Return the URL under which the session's server is opened as one that is named."""
    if backend_name == "sqlite":  # it has no server: a folder is what can be named
        return server.url.set(database=str(tmp_path / "somebodys.db"))
    return server.url


@pytest.fixture
def named_server(backend: Backend, server_url: URL) -> Iterator[Server]:
    """Open the session's server as one that is named: with users of its own where it has users."""
    opened = backend.server(server_url)
    try:
        yield opened
    finally:
        opened.close()
