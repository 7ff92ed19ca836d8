"""What the tests of backends share: connections, and a server that is named instead of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.backends.connections import connected

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

    from topchef_schema.backends.base import Backend, ScratchDatabase, Server

Connect = Callable[["URL"], AbstractContextManager["Connection"]]


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


@pytest.fixture
def as_superuser(server: Server, scratch: ScratchDatabase) -> Iterator[Connection]:
    """Connect to an empty scratch database as the server's own user."""
    url = scratch.url.set(username=server.url.username, password=server.url.password)
    with connected(url) as opened:
        yield opened
