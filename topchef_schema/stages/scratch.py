"""Scratch databases for ``--on``: on a named server, else on a throwaway one; gone afterwards."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from topchef_schema import backends
from topchef_schema.backends.base import safe_label
from topchef_schema.errors import UnreachableError
from topchef_schema.model import DatabaseUrl
from topchef_schema.project import Project, parse_url
from topchef_schema.stages import baseline
from topchef_schema.stages.worker import Workers

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend, ScratchDatabase, Server

log = logging.getLogger(__name__)

Databases = Mapping["str | None", "ScratchDatabase"]
"""The scratch databases of a project, by their names in the setting ``databases``, or None."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """An open server and its backend, and the workers that run on it."""

    backend: Backend
    server: Server
    workers: Workers = field(default_factory=Workers)
    kept: set[str] = field(default_factory=set)

    @contextmanager
    def database(self) -> Iterator[ScratchDatabase]:
        """Make a scratch database, and drop it afterwards, unless it is to be kept."""
        database = self.server.create()
        try:
            yield database
        finally:
            if database.name not in self.kept:
                self.server.drop(database)

    def keep(self, databases: Databases) -> list[str]:
        """Keep *databases*; return how to connect to each, none where the server ends with us.

        The secret is that of the user whom the server was named with: the one of the revisions
        has a password that nobody knows.
        """
        kept = [each for each in databases.values() if self.server.keep(each)]
        self.kept.update(each.name for each in kept)
        if self.backend.made_by_connecting:
            return [safe_label(each.url) for each in kept]
        return [safe_label(self.server.url.set(database=each.name)) for each in kept]

    @contextmanager
    def databases(self, project: Project) -> Iterator[Databases]:
        """Make a scratch database for each that *project* has, and drop them afterwards."""
        with ExitStack() as stack:
            yield {name: stack.enter_context(self.database()) for name in project.databases}

    def run(
        self,
        function: Callable[Concatenate[Project, P], T],
        project: Project,
        databases: Databases,
        *arguments: P.args,
        **keywords: P.kwargs,
    ) -> T:
        """Call *function* in a worker, with *project* on *databases*, which hold its baseline."""
        source = f"--on {self.backend.name}"
        urls = {
            name: each.url.render_as_string(hide_password=False) for name, each in databases.items()
        }
        there = project.at(urls, source)
        if project.settings.baseline is not None:
            self.workers.call(baseline.lay, there)
        return self.workers.call(function, there, *arguments, **keywords)


@contextmanager
def place(on: str, *, workers: Workers | None = None) -> Iterator[Place]:
    """Open the server that *on* (a backend's name, or the URL of a server) stands for.

    A name uses the server in ``TOPCHEF_<NAME>_SERVER``, else a throwaway one, which is stopped
    afterwards. So does a named server on which no user with rights on a scratch database alone
    can be made. Raises `UnreachableError` that says what to install.
    """
    backend, server = open_server(on)
    try:
        if not _confines(backend, server):
            server.close()
            server = _throwaway_instead(backend, on)
        yield Place(backend, server, workers or Workers())
    finally:
        server.close()


def open_server(on: str) -> tuple[Backend, Server]:
    """Open the server that *on* stands for, as it is; the caller closes it."""
    backend, url = resolve(on)
    return backend, backend.server(None if url is None else parse_url(url))


def _confines(backend: Backend, server: Server) -> bool:
    """Whether what runs on a scratch database can reach nothing else there."""
    if server.throwaway or backend.made_by_connecting:
        return True
    probe = server.create()
    server.drop(probe)
    return probe.url.username != server.url.username


def _throwaway_instead(backend: Backend, on: str) -> Server:
    word = on if "://" not in on else "the server of --on"
    reason = f"the user of {word} may not create users, so revisions could reach other databases"
    log.info("%s: using a throwaway %s server", reason, backend.title)
    try:
        return backend.server(None)
    except UnreachableError as error:
        raise UnreachableError(
            f"{reason}, and there is no throwaway server: {error.message}",
            where=error.where,
            hint=f"let that user create users, or {error.hint}",
        ) from None


def resolve(on: str) -> tuple[Backend, DatabaseUrl | None]:
    """Return the backend of *on*, and the server it names; None for a throwaway one."""
    if "://" in on:
        url = DatabaseUrl(on, "--on")
        return backends.for_url(parse_url(url), where="--on"), url
    backend = backends.named(on)
    variable = f"TOPCHEF_{on.upper()}_SERVER"
    named = os.environ.get(variable, "").strip()
    return backend, DatabaseUrl(named, variable) if named else None
