"""Keeps plain ``alembic check`` and ``--autogenerate`` from proposing to drop our own tables.

Alembic imports this wherever topchef_schema is installed, and a plugin that raises would break
every ``alembic`` command there: it imports nothing heavy and does nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alembic.runtime.plugins import Plugin


def setup(plugin: Plugin) -> None:
    """Register the filter; called by Alembic at import."""
    from alembic.util import DispatchPriority

    plugin.add_autogenerate_comparator(
        leave_own_tables, "autogenerate", priority=DispatchPriority.LAST
    )


def leave_own_tables(autogen_context: Any, upgrade_ops: Any) -> Any:
    """Take every operation on our tables out of *upgrade_ops*, those on their indexes too."""
    from alembic.util import PriorityDispatchResult

    from topchef_schema.model.history import OWN_TABLES

    upgrade_ops.ops = [each for each in upgrade_ops.ops if _table(each) not in OWN_TABLES]
    return PriorityDispatchResult.CONTINUE


def _table(operation: Any) -> str | None:
    return getattr(operation, "table_name", None)


class _SeveralModules(ModuleType):
    """What Alembic 1.18 to 1.20.0 takes an entry point for: modules, of which this is the one."""

    def __iter__(self) -> Iterator[ModuleType]:
        yield self


sys.modules[__name__].__class__ = _SeveralModules
