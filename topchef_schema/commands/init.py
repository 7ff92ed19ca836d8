"""Make a new Alembic project, wired for topchef-db, in DIR.

The files are those of `alembic init`, with a [topchef] section; plain alembic works on it too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from topchef_schema.commands import options
from topchef_schema.errors import UsageError
from topchef_schema.model import Report

if TYPE_CHECKING:
    from topchef_schema.project import Project

SETTINGS = """

# What topchef-db needs to know beside what env.py says; every key is optional.
[topchef]
# Where round trips, generated revisions and SQL scripts are tried: any of
# sqlite, postgresql, mariadb, mysql.
backends = sqlite
# The environment variable from which env.py takes its URL, if it does so.
# url_env = DATABASE_URL
"""


def init(directory: str, *, template: str = "generic") -> Report:
    """Make a project in *directory*; an existing one is left as it is, with a `UsageError`."""
    from topchef_schema.bridge.writing import init_project
    from topchef_schema.project import has_alembic_table

    root = Path(directory)
    ini, toml, folder = root / "alembic.ini", root / "pyproject.toml", root / "alembic"
    there = [each for each in (ini, folder) if each.exists()]
    there += [toml] if has_alembic_table(toml) else []
    if there:
        raise UsageError(
            "there is an Alembic project already",
            where=str(there[0]),
            hint="give another directory; topchef-db works on an existing project as it is",
        )
    init_project(directory, template=template)
    with ini.open("a", encoding="utf-8") as file:
        file.write(SETTINGS)
    files = sorted(
        str(path) for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    return Report(
        "init",
        data={"files": files},
        pieces=("\n".join(files),),
        summary="next: set target_metadata in alembic/env.py and the URL in alembic.ini, then "
        "topchef-db revision -m MESSAGE",
    )


@click.argument("directory", metavar="DIR")
@click.option(
    "--template", default="generic", show_default=True, help="generic, async, multidb, pyproject …"
)
def init_command(project: Project, *, directory: str, template: str) -> Report:
    """Hand the options to `init`."""
    return init(directory, template=template)


COMMAND = options.command(
    epilog="""
    topchef-db init .
    topchef-db init services/billing --template async
    """,
    url=False,
    project=False,
)(init_command)
