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
from sqlalchemy.sql.elements import ClauseElement, ColumnElement
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
    return f"CAST(CAST({sql} AS UUID) AS BINARY(16))" if _turns_round(compiler) else sql


@compiles(sa.Select, "mysql", "mariadb")
def _select(select: sa.Select[Any], compiler: SQLCompiler, **kw: Any) -> str:
    # The one place where a column is sorted by without being asked: order_by(column).
    clauses = select._order_by_clauses
    if _turns_round(compiler) and any(_is_bare(clause) for clause in clauses):
        ordered = [_InOrder(clause) if _is_bare(clause) else clause for clause in clauses]
        select = select.order_by(None).order_by(*ordered)
    sql: str = compiler.visit_select(select, **kw)  # type: ignore[no-untyped-call]
    return sql


def _turns_round(compiler: SQLCompiler) -> bool:
    """Whether the server is a MariaDB with UUIDs of its own."""
    return reaches_mariadb(compiler.dialect) and compiler.dialect.supports_native_uuid


def _is_bare(clause: ColumnElement[Any]) -> bool:
    """Whether *clause* is a UUID to sort by, in no direction."""
    return clause.type.comparator_factory is UUIDComparator
