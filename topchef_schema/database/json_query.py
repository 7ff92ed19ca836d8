"""Asking about JSON documents, so that all databases answer alike.

SQLAlchemy's own ``column["key"]`` gives each database's native answer, and these differ: SQLite
makes 1 of true and null of what is not there, MySQL takes the text that a value is compared with
for a JSON string, MariaDB strips the quotes of the one side when it compares with a string, and
all but SQLite take a scalar for an array of one.
"""

from __future__ import annotations

import re
from functools import reduce
from operator import getitem
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import operators
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BinaryExpression, ColumnElement
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from topchef_schema.database.json_document import is_integer
from topchef_schema.types import reaches_mariadb

_ORDERING = frozenset(
    {operators.lt, operators.le, operators.gt, operators.ge, operators.between_op}
)
_MEMBERSHIP = {operators.eq: operators.in_op, operators.ne: operators.not_in_op}
_UNFINDABLE = re.compile(r'^-|["\\\x00-\x1f\ud800-\udfff]')
_SQLITE_WITH_ARROW = (3, 38)


class DocumentComparator(TypeDecorator.Comparator[Any], sa.JSON.Comparator[Any]):
    """What a column of documents, and each value within one, can be asked.

    ``column["key"]``, ``column[0]`` and ``column["key", 0, "name"]`` are JSON themselves; they
    are equal or unequal to, or ``in_``, what Python holds, and ``is_(None)`` where nothing is
    there. ``as_string()``, ``as_integer()``, ``as_float()`` and ``as_boolean()`` leave JSON.
    """

    def __getitem__(self, index: Any) -> ColumnElement[Any]:
        """Return what stands at a key, at an index of an array, or at a path of both.

        Raises `ValueError` for what not every database can look up: negative indexes, keys with
        double quotes, backslashes or control characters, and keys that begin with a hyphen, which
        MariaDB never finds.
        """
        if not isinstance(index, list | tuple):
            _check(index)
            found = super().__getitem__(index)  # type: ignore[no-untyped-call]
            return _Found(found.left, found.right, found.operator, type_=found.type)
        # PostgreSQL's operator for paths would look in an object for the text of an index.
        return reduce(getitem, index, self.expr)

    def operate(self, op: Any, *other: Any, **kwargs: Any) -> ColumnElement[Any]:
        """Compare; 1 and 1.0 are equal, as they are in Python.

        Raises `TypeError` for an ordering: documents have none that is the same everywhere.
        """
        if op in _ORDERING:
            raise TypeError(
                "JSON has no order that all databases agree on: compare a number or a text in the"
                ' document, as in column["key"].as_float() < 3'
            )
        if op in _MEMBERSHIP and _is_number(other[0]):
            return super().operate(_MEMBERSHIP[op], _spellings(other[0]), **kwargs)
        if op in _MEMBERSHIP.values() and isinstance(other[0], list | tuple | set | frozenset):
            spelled = [one for value in other[0] for one in _spellings(value)]
            return super().operate(op, spelled, **kwargs)
        return super().operate(op, *other, **kwargs)


def _check(part: Any) -> None:
    if isinstance(part, str):
        if _UNFINDABLE.search(part):
            raise ValueError(
                f"not every database can look up the key {part!r}: it begins with a hyphen, or has"
                " a double quote, a backslash, a control character or a lone surrogate"
            )
    elif isinstance(part, bool) or not isinstance(part, int) or part < 0:
        raise ValueError(f"a document is indexed with keys and numbers from 0 on, not {part!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool | sa.util.symbol)


def _spellings(value: Any) -> list[Any]:
    """Return *value* and, for a number, the equal one of the other type: as text they differ."""
    if _is_number(value):
        if isinstance(value, int) and is_integer(value) and float(value) == value:
            return [value, float(value)]
        if isinstance(value, float) and value.is_integer() and is_integer(int(value)):
            return [value, int(value)]
    return [value]


class _Found(BinaryExpression[Any]):
    """What stands at an index or a path of a document."""

    inherit_cache = True


def _as_sqlalchemy_does(element: _Found, compiler: SQLCompiler, **kw: Any) -> str:
    sql: str = compiler.visit_binary(element, **kw)  # type: ignore[no-untyped-call]
    return sql


def _leaves_json(element: _Found) -> bool:
    """Whether it was taken with as_string() or its like, which have answers of their own."""
    return not isinstance(element.type, TypeDecorator)


@compiles(_Found, "sqlite")
def _found_on_sqlite(element: _Found, compiler: SQLCompiler, **kw: Any) -> str:
    # https://www.sqlite.org/json1.html#jptr: what `->` returns is always JSON, or NULL.
    library = getattr(compiler.dialect.dbapi, "sqlite_version_info", _SQLITE_WITH_ARROW)
    if _leaves_json(element) or library < _SQLITE_WITH_ARROW:
        return _as_sqlalchemy_does(element, compiler, **kw)
    left, right = compiler.process(element.left, **kw), compiler.process(element.right, **kw)
    return f"({left} -> {right})"


@compiles(_Found, "postgresql")
def _found_on_postgresql(element: _Found, compiler: SQLCompiler, **kw: Any) -> str:
    sql = _as_sqlalchemy_does(element, compiler, **kw)
    within_cast = kw.pop("_cast_applied", False)
    if _leaves_json(element) and not within_cast:
        return sql  # a cast around this element, which has come by here to be written
    return _in_array(element, sql, compiler, "jsonb_typeof({}) = 'array'", **kw)


@compiles(_Found, "mysql", "mariadb")
def _found_on_mysql(element: _Found, compiler: SQLCompiler, **kw: Any) -> str:
    sql = _as_sqlalchemy_does(element, compiler, **kw)
    if reaches_mariadb(compiler.dialect) and not _leaves_json(element):
        # MariaDB compares the result of a JSON function with a string in its own way, and what
        # concat() returns as the text it is; json_extract() puts spaces into arrays and objects.
        sql = f"concat(json_compact({sql}))"
    return _in_array(element, sql, compiler, "json_type({}) = 'ARRAY'", **kw)


def _in_array(element: _Found, sql: str, compiler: SQLCompiler, condition: str, **kw: Any) -> str:
    """Let an index find nothing in what is no array; by itself, 0 would find a scalar there."""
    if not isinstance(element.right.type, sa.JSON.JSONIntIndexType):
        return sql
    array = condition.format(compiler.process(element.left, **kw))
    return f"CASE WHEN {array} THEN {sql} END"


class Document(FunctionElement[Any]):
    """A bound document, where the database must be told that it is one."""

    inherit_cache = True


@compiles(Document)
def _document(element: Document, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(element.clauses.clauses[0], **kw)


@compiles(Document, "mysql")
def _document_on_mysql(element: Document, compiler: SQLCompiler, **kw: Any) -> str:
    # MariaDB has no such cast, and needs none: there, documents are text.
    text = compiler.process(element.clauses.clauses[0], **kw)
    return text if reaches_mariadb(compiler.dialect) else f"CAST({text} AS JSON)"
