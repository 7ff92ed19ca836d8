"""Comparing and sorting UUIDs, in the same order on all databases: that of their digits.

MariaDB's own order begins with the last digits for UUIDs of versions 1 to 5, which it stores with
their parts turned round.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import operators
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement, ColumnElement, UnaryExpression
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from topchef_schema.types import reaches_mariadb

_ORDERING = frozenset(
    {operators.lt, operators.le, operators.gt, operators.ge}
    | {operators.between_op, operators.not_between_op}
)
_SORTING = frozenset({operators.asc_op, operators.desc_op})


class UUIDComparator(TypeDecorator.Comparator[Any]):
    """What a column of UUIDs can be asked; the other side may have any spelling."""

    def operate(self, op: Any, *other: Any, **kwargs: Any) -> ColumnElement[Any]:
        """Compare or sort."""
        if op in _SORTING or op in _ORDERING:
            operands = (self._in_order(value) for value in other)
            ordered: ColumnElement[Any] = op(_InOrder(self.expr), *operands, **kwargs)
            return ordered
        return super().operate(op, *other, **kwargs)

    def _in_order(self, value: Any) -> _InOrder:
        if not isinstance(value, ClauseElement):
            value = sa.literal(value, self.type)
        return _InOrder(value)


class _InOrder(FunctionElement[Any]):
    """A UUID as that which sorts by its digits."""

    inherit_cache = True


@compiles(_InOrder)
def _as_it_is(element: _InOrder, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(element.clauses.clauses[0], **kw)


@compiles(_InOrder, "mysql", "mariadb")
def _as_bytes(element: _InOrder, compiler: SQLCompiler, **kw: Any) -> str:
    sql = _as_it_is(element, compiler, **kw)
    return f"replace(CAST({sql} AS CHAR(36)), '-', '')" if _turns_round(compiler) else sql


@compiles(sa.Select, "mysql", "mariadb")
def _select(select: sa.Select[Any], compiler: SQLCompiler, **kw: Any) -> str:
    # A column is not asked before it is sorted by with order_by(column), nor, in SQLAlchemy 2.0,
    # with order_by(desc(column)).
    clauses = select._order_by_clauses
    if _turns_round(compiler) and any(_is_bare(clause) for clause in clauses):
        select = select.order_by(None).order_by(*map(_by_digits, clauses))
    sql: str = compiler.visit_select(select, **kw)  # type: ignore[no-untyped-call]
    return sql


def _turns_round(compiler: SQLCompiler) -> bool:
    """Whether the server sorts UUIDs its own way, if the column is one of its own."""
    return reaches_mariadb(compiler.dialect)


def _is_bare(clause: ColumnElement[Any]) -> bool:
    """Whether *clause* is a UUID to sort by, in whatever direction, and not yet by its digits."""
    if isinstance(clause, UnaryExpression):
        return _is_bare(clause.element)
    return clause.type.comparator_factory is UUIDComparator


def _by_digits(clause: ColumnElement[Any]) -> ColumnElement[Any]:
    if not _is_bare(clause):
        return clause
    if isinstance(clause, UnaryExpression) and clause.modifier is not None:
        turned: ColumnElement[Any] = clause.modifier(_by_digits(clause.element))
        return turned
    return _InOrder(clause)
