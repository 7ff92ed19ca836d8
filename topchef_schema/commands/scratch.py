"""List and remove the scratch databases that dead runs left.

Only databases named topchef_scratch_... that nobody is connected to are listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from topchef_schema.commands import options
from topchef_schema.model import Report, Table

if TYPE_CHECKING:
    from topchef_schema.project import Project


def scratch(project: Project, *, on: Sequence[str] = (), clean: bool = False) -> Report:
    """Return what is left on the servers of *on*; with *clean* remove it.

    ``data`` is ``{"leftovers": [{"backend", "name"}], "removed": true|false}``. A backend without
    a named server has nothing: a throwaway server goes with all it holds.
    """
    from topchef_schema.stages import scratch as stage

    found = []
    for word in on or project.backends:
        _, url = stage.resolve(word)
        if url is None:
            continue
        backend, server = stage.open_server(word)
        try:
            for name in server.leftovers():
                found.append((backend.name, name))
                if clean:
                    server.remove(name)
        finally:
            server.close()
    did = "removed" if clean else "left"
    return Report(
        "scratch",
        data={
            "leftovers": [{"backend": backend, "name": name} for backend, name in found],
            "removed": clean,
        },
        tables=(Table(("backend", "database"), tuple(found)),),
        summary=f"{len(found)} scratch databases {did}",
    )


@click.option("--clean", is_flag=True, help="Remove what is listed.")
def scratch_command(project: Project, **arguments: object) -> Report:
    """Hand the options to `scratch`."""
    return scratch(project, **arguments)  # type: ignore[arg-type]


COMMAND = options.command(
    epilog="""
    topchef-db scratch --on postgresql
    topchef-db scratch --clean
    """,
    url=False,
    on=True,
)(scratch_command)
