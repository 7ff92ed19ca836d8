"""The servers a test session works on, each opened when the first test asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from tests import mysql_server
from topchef_schema.backends import named

if TYPE_CHECKING:
    from sqlalchemy import URL

    from topchef_schema.backends.base import Backend, Server

BACKENDS = ("sqlite", "postgresql", "mariadb", "mysql")
"""The databases that tests really run on, in the order of their cost."""


def variable(name: str) -> str:
    """Return the environment variable that names the server of backend *name*."""
    return f"TOPCHEF_{name.upper()}_SERVER"


def find_fetched_mysql() -> None:
    """Let this process and its children find the MySQL that an earlier run has fetched."""
    place = str(mysql_server.folder())
    path = os.environ.get("PATH", os.defpath)
    if place not in path.split(os.pathsep):
        os.environ["PATH"] = path + os.pathsep + place


class Servers(Mapping[str, "Server"]):
    """Backend name → open server: the one that ``TOPCHEF_<NAME>_SERVER`` names, else our own.

    Either is opened as a named one, as it is where many processes share it: what runs in a scratch
    database runs as a user with rights on that alone. With *private* set it is always our own,
    and opened as such. A backend that was not chosen with ``--only`` skips the test that asks for
    it. One that was chosen and cannot be had fails every such test with the reason, which is
    found out once.
    """

    def __init__(self, selected: Sequence[str], *, private: bool = False) -> None:
        self.selected = tuple(selected)
        self.versions: dict[str, str] = {}
        self._private = private
        self._open: dict[str, Server] = {}
        self._started: list[Server] = []
        self._failed: dict[str, Exception] = {}
        find_fetched_mysql()

    def __iter__(self) -> Iterator[str]:
        return iter(self.selected)

    def __len__(self) -> int:
        return len(self.selected)

    def __getitem__(self, name: str) -> Server:
        if name not in self.selected:
            import pytest

            if name not in BACKENDS:
                raise KeyError(name)
            pytest.skip(f"{name} is left out by --only")
        if name in self._failed:
            raise self._failed[name].with_traceback(None)
        if name not in self._open:
            try:
                self._open[name] = self._opened(name)
            except Exception as error:
                self._failed[name] = error
                raise
        return self._open[name]

    def retry(self, name: str) -> Server:
        """Open *name* again, after what it lacked was installed."""
        self._failed.pop(name, None)
        return self[name]

    def _opened(self, name: str) -> Server:
        from sqlalchemy import make_url

        backend = named(name)
        if self._private or name == "sqlite":
            server = backend.server()
        else:
            given = os.environ.get(variable(name))
            server = backend.server(make_url(given) if given else self._start(backend))
        self.versions[name] = server.version
        return server

    def _start(self, backend: Backend) -> URL:
        """Start a throwaway server; return the URL by which it can be named."""
        server = backend.server()
        self._started.append(server)
        return server.url

    def close(self) -> None:
        """Close what was opened; an error of one does not keep the others open."""
        errors = []
        for server in [*self._open.values(), *self._started]:
            try:
                server.close()
            except Exception as error:
                errors.append(error)
        self._open.clear()
        self._started.clear()
        if errors:
            raise ExceptionGroup("servers that did not close", errors)
