"""Mends what Alembic's offline mode says otherwise than a database would be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import TextClause, bindparam, literal

from topchef_schema.bridge.listening import with_values

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext


def keep_values(context: MigrationContext) -> None:
    """Let ``op.get_bind().execute(statement, values)`` write down the values, too.

    Alembic leaves them out, and what is left says NULL.
    """

    def execute(
        statement: Any, values: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> None:
        several = [values or {}] if values is None or isinstance(values, Mapping) else values
        for each in several:
            context.impl._exec(_typed(statement, each) if each else statement)

    # On the instance: it is the function that the stand-in for a connection was made with.
    vars(context.connection)["_execute_impl"] = execute


def _typed(statement: Any, values: Mapping[str, Any]) -> Any:
    """Return *statement* with *values*; in text, they have no types but their own."""
    if not isinstance(statement, TextClause):
        return with_values(statement, values)
    given = [bindparam(name, each, type_=literal(each).type) for name, each in values.items()]
    return statement.bindparams(*given)
