"""JSON documents that come back as they went in, and can be asked about, on all four databases.

Stored as ``JSONB`` on PostgreSQL, as ``JSON`` on MySQL and MariaDB, as text everywhere else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy import Dialect
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.sql.elements import BindParameter, ColumnElement, Null
from sqlalchemy.types import TypeEngine

from topchef_schema.database.json_document import JSONValueError, encode
from topchef_schema.database.json_query import Document, DocumentComparator
from topchef_schema.types import Portable

__all__ = ["JSON", "JSONValueError"]


class JSON(Portable[Any]):
    """A column of JSON documents: dicts with string keys, lists, texts, numbers, booleans, None.

    What went in comes out equal on every database; what one of them could not hold is refused on
    all with a `JSONValueError` that names the place in the document. (SQLAlchemy wraps it in its
    own ``StatementError``, whose ``orig`` it is.) `DocumentComparator` says what can be asked.

    Nothing at all (SQL NULL) and the document ``null`` are two things, and both are read as
    None. ``sqlalchemy.null()`` writes the one, `JSON.NULL` the other, and None the document, or
    with *none_as_null* SQL NULL. In queries ``column.is_(None)`` finds the one and
    ``column == JSON.NULL`` the other.

    A document that was changed in place is not seen to have changed: assign a new one.
    """

    impl = sa.JSON
    comparator_factory = DocumentComparator
    storage: ClassVar[Mapping[str, TypeEngine[Any]]] = {
        "default": sa.Text(),  # a column of SQLite's type JSON would turn the text "1.0" into 1
        "postgresql": postgresql.JSONB(),
        "mysql": mysql.JSON(),
        "mariadb": mysql.JSON(),
    }

    NULL = sa.JSON.NULL
    """The document ``null``."""

    def __init__(self, *, none_as_null: bool = False) -> None:
        super().__init__()
        self.none_as_null = none_as_null

    @property
    def should_evaluate_none(self) -> bool:  # type: ignore[override]
        """Whether the ORM hands a None to this type, or leaves the column out of the INSERT."""
        return not self.none_as_null

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:
        """Take what a document is compared with for a document."""
        return self

    def bind_expression(self, bindvalue: BindParameter[Any]) -> ColumnElement[Any]:
        """Tell the database, where it has to be told, that a bound text is a document."""
        return Document(bindvalue)

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | None]:
        """Write documents as text; the drivers' own ways differ in what they let through."""
        return self._text

    def literal_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        """Write documents as literals, for SQL that is printed and not run."""
        quote = sa.String().literal_processor(dialect)  # type: ignore[no-untyped-call]

        def process(value: Any) -> str:
            text = self._text(value)
            return "NULL" if text is None else str(quote(text))

        return process

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """Read documents: the native types as SQLAlchemy does, text here."""
        if isinstance(self.stored_on(dialect.name), sa.JSON):
            return super().result_processor(dialect, coltype)
        return lambda value: json.loads(value) if isinstance(value, str) else value

    def _text(self, value: Any) -> str | None:
        if isinstance(value, Null) or (value is None and self.none_as_null):
            return None
        return encode(value)
