"""Mends what Alembic's offline mode says otherwise than a database would be told."""

from __future__ import annotations

import builtins
import io
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from alembic.operations.batch import ApplyBatchImpl
from sqlalchemy import BindParameter, TextClause, bindparam, literal, text
from sqlalchemy.exc import StatementError
from sqlalchemy.schema import ExecutableDDLElement
from sqlalchemy.sql import visitors
from sqlalchemy.util import OrderedSet

from topchef_schema.bridge.listening import telling_by_value, with_values

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

_INDENTED = re.compile(r"^\t+", re.MULTILINE)


def as_it_is_sent(context: MigrationContext) -> None:
    """Let what a revision sends be written down as it is, with all of its values.

    Alembic leaves out those that are given to ``op.get_bind().execute()``, writes NULL for one that
    is missing, and four blanks for each tab, also in a text.
    """
    impl: Any = context.impl

    def execute(
        statement: Any, values: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> None:
        several = [values or {}] if values is None or isinstance(values, Mapping) else values
        for each in several:
            send(_typed(statement, each) if each else statement)

    def send(statement: Any, *_: Any, **__: Any) -> None:
        construct = text(statement) if isinstance(statement, str) else statement
        impl.static_output(_written(construct, impl.dialect).strip() + impl.command_terminator)

    # On the instances: one is the function that the stand-in for a connection was made with.
    vars(context.connection)["_execute_impl"] = execute
    vars(impl)["_exec"] = send


def _written(construct: Any, dialect: Any) -> str:
    """Return *construct* as SQL; raises for what has no value, or one without a literal."""
    if isinstance(construct, ExecutableDDLElement):
        written = str(construct.compile(dialect=dialect))
        return _INDENTED.sub(lambda tabs: "    " * len(tabs[0]), written)
    if isinstance(construct, TextClause):
        inside: Any = visitors.iterate(construct)
        missing = [each.key for each in inside if isinstance(each, BindParameter) and each.required]
        if missing:
            message = f"A value is required for bind parameter {missing[0]!r}"
            raise StatementError(message, str(construct), None, None)
    compiler = telling_by_value(dialect.statement_compiler)
    return str(compiler(dialect, construct, compile_kwargs={"literal_binds": True}))


def _typed(statement: Any, values: Mapping[str, Any]) -> Any:
    """Return *statement* with *values*; in text, they have no types but their own."""
    if not isinstance(statement, TextClause):
        return with_values(statement, values)
    given = [bindparam(name, each, type_=literal(each).type) for name, each in values.items()]
    return statement.bindparams(*given)


@contextmanager
def written_down(env_py: str) -> Iterator[None]:
    """Let nothing come of a run but what it says, and that in the same order each time."""
    with _opening_nothing(env_py), _copying_in_order():
        yield


@contextmanager
def _copying_in_order() -> Iterator[None]:
    """Let a table that is copied have its constraints and indexes in the order of their names.

    Alembic takes them out of sets, whose order is another one in each process.
    """
    usual = ApplyBatchImpl._grab_table_elements

    def grabbed(self: Any) -> None:
        for part in ("constraints", "indexes"):
            setattr(self.table, part, OrderedSet(sorted(getattr(self.table, part), key=_name)))
        usual(self)

    ApplyBatchImpl._grab_table_elements = grabbed  # type: ignore[method-assign]
    try:
        yield
    finally:
        ApplyBatchImpl._grab_table_elements = usual  # type: ignore[method-assign]


def _name(part: Any) -> tuple[str, str, list[str]]:
    return type(part).__name__, str(part.name), [each.name for each in part.columns]


@contextmanager
def _opening_nothing(env_py: str) -> Iterator[None]:
    """Let env.py open no file for writing: that of Alembic's multidb template empties some.

    It hands them to Alembic as its output, for which we have our own.
    """
    usual = builtins.open

    def opened(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        asking = sys._getframe(1).f_code.co_filename
        if asking == env_py and set(mode) & set("wax+"):
            return io.BytesIO() if "b" in mode else io.StringIO()
        return usual(file, mode, *arguments, **options)

    builtins.open = opened
    try:
        yield
    finally:
        builtins.open = usual
