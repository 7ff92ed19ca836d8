"""Writes values out as drivers send them, where SQLAlchemy writes them otherwise, or not at all."""

from __future__ import annotations

from datetime import datetime, time
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Dialect


def write_as_sent(
    dialect: Dialect, *, binary: str, carriage_return: str = "\r", zones: bool = True
) -> None:
    """Let *dialect* write out in literals what a driver would send for the values.

    *binary* is a literal of bytes, with braces for their hexadecimal digits; SQLAlchemy takes them
    for text. *carriage_return* goes on with a text after one that a client would take for a part
    of a line's end. Without *zones* drivers leave out those of times.
    """
    own: Any = dialect
    own.statement_compiler = _compiler(own.statement_compiler, binary, carriage_return, zones=zones)


@cache
def _compiler(usual: type[Any], binary: str, carriage_return: str, *, zones: bool) -> type[Any]:
    from sqlalchemy import literal
    from sqlalchemy.exc import CompileError

    class AsSent(usual):  # type: ignore[misc]
        def render_literal_value(self, value: Any, type_: Any) -> str:
            if value is None:
                return str(super().render_literal_value(value, type_))
            bind = type_._cached_bind_processor(self.dialect)
            sent = value if bind is None else bind(value)
            if isinstance(sent, bytes | bytearray | memoryview):
                return binary.format(bytes(sent).hex())
            if not zones and isinstance(sent, datetime | time):
                value = sent.replace(tzinfo=None)
            try:
                written = str(super().render_literal_value(value, type_))
            except CompileError:
                # Its type knows no literal, or a wrong one, as Interval on SQLite.
                written = str(super().render_literal_value(sent, literal(sent).type))
            if "\r" not in written or carriage_return == "\r":
                return written
            return f"({written.replace(chr(13), carriage_return)})"

    return AsSent
