"""TopChef's database schema, and a migration toolkit for any Alembic project.

Every command of ``topchef-db`` is a function here that takes a :class:`Project`, returns a
:class:`Report` and never prints or exits::

    from topchef_schema import Project, upgrade

    report = upgrade(Project.load(url="sqlite:///app.db"))
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Project": "topchef_schema.project",
    "Report": "topchef_schema.model",
    "TopchefError": "topchef_schema.errors",
}


def __getattr__(name: str) -> Any:
    """Import a command or class when it is first asked for: start-up is part of the product."""
    from importlib import import_module
    from importlib.util import find_spec

    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if not name.startswith("_") and find_spec(f"topchef_schema.commands.{name}") is not None:
        command = getattr(import_module(f"topchef_schema.commands.{name}"), name, None)
        if command is not None:
            return command
    raise AttributeError(f"module 'topchef_schema' has no attribute {name!r}")
