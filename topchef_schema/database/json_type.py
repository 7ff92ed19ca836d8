"""JSON documents that come back as they went in, and can be asked about, on all four databases.

Stored as ``JSONB`` on PostgreSQL, as ``JSON`` on MySQL and MariaDB, as text everywhere else.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, ColumnElement, Null
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from topchef_schema.database.json_document import JSONValueError, encode
from topchef_schema.types import Portable

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Dialect

__all__ = ["JSON", "JSONValueError"]


class JSON(Portable[Any]):
    """A column of JSON documents."""

    impl = sa.JSON
    cache_ok = True
    storage = {
        "default": sa.Text(),
        "postgresql": postgresql.JSONB(),
        "mysql": mysql.JSON(),
        "mariadb": mysql.JSON(),
    }
    NULL = sa.JSON.NULL

    def __init__(self, *, none_as_null: bool = False) -> None:
        super().__init__()
        self.none_as_null = none_as_null

    @property
    def should_evaluate_none(self) -> bool:  # type: ignore[override]
        """Whether the ORM hands a None over to this type; else it leaves the column out."""
        return not self.none_as_null

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        """Treat what a document is compared with as a document."""
        return self

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | None]:
        """Write documents as text."""
        return self._text

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """Read documents."""
        if isinstance(self.stored_on(dialect.name), sa.JSON):
            return super().result_processor(dialect, coltype)
        return lambda value: json.loads(value) if isinstance(value, str) else value

    def _text(self, value: Any) -> str | None:
        if isinstance(value, Null) or (value is None and self.none_as_null):
            return None
        return encode(None if value is sa.JSON.NULL else value)
