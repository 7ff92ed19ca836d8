"""Scratch databases for ``--on``: on a named server, else on a throwaway one; gone afterwards."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from topchef_schema import backends
from topchef_schema.backends.base import first_line
from topchef_schema.errors import UnreachableError, UsageError
from topchef_schema.model import DatabaseUrl
from topchef_schema.project import Project, parse_url
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

    @contextmanager
    def database(self) -> Iterator[ScratchDatabase]:
        """Make a scratch database, and drop it afterwards."""
        database = self.server.create()
        try:
            yield database
        finally:
            self.server.drop(database)

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
            self.workers.call(lay_baseline, there)
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


def lay_baseline(project: Project) -> None:
    """Make what the first revision takes to be there: call the function of the settings.

    Raises `UsageError` where there is no such function or it fails.
    """
    from topchef_schema.bridge.configuration import load_object
    from topchef_schema.stages.entry import connected, database_url

    reference = str(project.settings.baseline)
    project.revisions  # noqa: B018 (reading them puts prepend_sys_path of the ini on the path)
    function = load_object(reference, where="setting baseline")
    if not callable(function):
        raise UsageError(
            f'"{reference}" is not a function',
            where="setting baseline",
            hint="name a function that takes a SQLAlchemy connection to an empty database",
        )
    for _, named in project.environment.named:
        with connected(database_url(project, named)[1]) as connection:
            try:
                function(connection)
            except Exception as error:
                raise UsageError(
                    f"the baseline fails: {type(error).__name__}: {first_line(error)}",
                    where=f"setting baseline, {reference}",
                    hint="it gets a connection to an empty database and has to fill it",
                ) from None
            connection.commit()
