"""Reading a table page by page, in the order in which the database itself keeps its keys."""

from __future__ import annotations

import uuid
from typing import Any, TypeVar

import sqlalchemy as sa

from topchef_schema.database.uuid_database_type import UUID

_Select = TypeVar("_Select", bound="sa.Select[Any]")


def page_of(
    statement: _Select, key: sa.ColumnElement[Any], after: uuid.UUID | None, size: int
) -> _Select:
    """Return the *size* rows of *statement* that follow *after*; None begins.

    The order is the database's own, whatever that is: a page needs no more than that it stays the
    same. Our own type sorts UUIDs by their digits everywhere, which on MariaDB no index can do.
    """
    if after is not None:
        # Sent as our type does, which a MariaDB with a CHAR(32) needs too.
        last = sa.literal(after, key.type)
        statement = statement.where(_in_own_order(key) > last)
    return statement.order_by(_in_own_order(key)).limit(size)


def _in_own_order(key: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.type_coerce(key, sa.Uuid()) if isinstance(key.type, UUID) else key
