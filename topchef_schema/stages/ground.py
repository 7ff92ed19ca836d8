"""The scratch databases that one part of a proof works on, while others work beside it.

A role belongs to the server, not to a database: what a revision makes on one scratch database is
met on the next, and by whoever works beside. That can be on a throwaway server only, as elsewhere
no revision may make roles. So where a revision's file says that it makes some, each part of the
proof has a throwaway server of its own, and a new one whenever it begins anew.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from topchef_schema.model.file_fingerprint import text_of

if TYPE_CHECKING:
    from topchef_schema.project import Project
    from topchef_schema.stages.scratch import Databases, Place

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

_OF_THE_SERVER = re.compile(
    r"\bCREATE\s+(OR\s+REPLACE\s+)?(ROLE|USER(?!\s+MAPPING)|GROUP|DATABASE|TABLESPACE)\b",
    re.IGNORECASE,
)


@dataclass
class Ground:
    """Empty scratch databases, new ones as often as wanted; all are gone when *stack* is closed.

    *alone*: the server, too, is a new one each time.
    """

    place: Place
    project: Project
    stack: ExitStack
    alone: bool = field(init=False)
    databases: Databases = field(init=False)
    _last: ExitStack = field(init=False, default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.alone = self.place.server.throwaway and _makes_more_than_its_own(self.project)
        self.renew()

    def renew(self) -> None:
        """Take new databases; what was kept of the last ones stays."""
        if self.alone:
            self._last.close()
            self._last = self.stack.enter_context(ExitStack())
            self.place = self._last.enter_context(_another(self.place))
        stack = self._last if self.alone else self.stack
        self.databases = stack.enter_context(self.place.databases(self.project))

    def clear(self) -> None:
        """Let the databases be empty again."""
        if self.alone:
            self.renew()
            return
        for each in self.databases.values():
            self.place.server.recreate(each)

    def another(self) -> Ground:
        """Return other databases, which are gone when these are."""
        return Ground(self.place, self.project, self.stack)

    def run(
        self,
        function: Callable[Concatenate[Project, P], T],
        project: Project,
        *arguments: P.args,
        **keywords: P.kwargs,
    ) -> T:
        """Call *function* in a worker, with *project* on the databases."""
        return self.place.run(function, project, self.databases, *arguments, **keywords)

    def keep(self, left_by: str) -> list[str]:
        """Keep the databases as they are, and say where; none where the server ends with us."""
        urls = self.place.keep(self.databases)
        for url in urls:
            log.info("kept as %s left it: %s", left_by, url)
        if not urls:
            backend = self.place.backend
            log.info(
                "nothing is kept of %s: the throwaway %s server ends with this run. Name a server "
                "in TOPCHEF_%s_SERVER",
                left_by,
                backend.title,
                backend.name.upper(),
            )
        return urls


@contextmanager
def _another(place: Place) -> Iterator[Place]:
    """Open a throwaway server beside that of *place*."""
    server = place.backend.server(None)
    try:
        yield replace(place, server=server)
    finally:
        server.close()


def _makes_more_than_its_own(project: Project) -> bool:
    """Whether a revision says that it makes what belongs to the whole server."""
    return any(_OF_THE_SERVER.search(text_of(each.path)) for each in project.revisions.all)
