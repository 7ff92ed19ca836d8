"""Whether a project's files and settings say nothing that the short way would have to act on."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from topchef_schema.settings import Settings
from topchef_schema.shortcut.doubt import Doubt

if TYPE_CHECKING:
    from topchef_schema.model import Environment
    from topchef_schema.project import Project

NO_MATTER = frozenset(
    {
        "metadata",  # env_py looks at it
        "documents",
        "backends",
        "default_url",
        "transaction_per_migration",
        "bundles",
        "changed_files",
        "commands",
    }
)
"""Settings that say nothing about a database at which nothing is to do."""


def require_plain(project: Project) -> None:
    """Raise `Doubt` for what changes how env.py, revisions or the database are found."""
    environment, nothing = project.environment, Settings()
    for name, value in project.settings._asdict().items():
        if value != getattr(nothing, name) and name not in NO_MATTER:
            raise Doubt(f"the setting {name} is used")
    if environment.toml is not None or environment.ini is None:
        raise Doubt("the configuration is in pyproject.toml")
    if environment.section != "alembic" or environment.x:
        raise Doubt("-n or -x is used")
    if any(each.startswith("e") for each in sys.warnoptions):
        raise Doubt("warnings are errors")


def script_location(environment: Environment) -> Path:
    """Return the folder of env.py; its revisions are all in ``versions`` below it."""
    from topchef_schema.project import read_ini

    assert environment.ini is not None
    path = Path(environment.ini)
    if not path.read_bytes().isascii():
        # Alembic reads it in the encoding of the locale.
        raise Doubt(f"{path} is not all ASCII")
    parser = read_ini(path)
    section = dict(parser.items("alembic"))
    if parser.has_section("post_write_hooks"):
        parser.items("post_write_hooks")  # Alembic reads them, too, and fails where that fails
    for name, value in section.items():
        if not _is_plain(name, value):
            raise Doubt(f"{path} has {name}")
    location = section.get("script_location", "")
    if not location or (":" in location and not os.path.isabs(location)):
        raise Doubt("the script location is in a package")
    return Path(location)


def _is_plain(name: str, value: str) -> bool:
    """Whether the option *name* with this *value* leaves revisions and engine where they are."""
    if name.startswith("sqlalchemy."):
        return name == "sqlalchemy.url"
    if name in ("recursive_version_locations", "sourceless"):
        return value == "false"
    if name == "path_separator":
        return value in ("os", "space", "newline", ":", ";")
    if name == "truncate_slug_length":
        return value.isdigit()
    return name != "version_locations"
