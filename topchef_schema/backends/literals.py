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
    words = {"binary": binary, "carriage_return": carriage_return, "zones": zones}
    return type("AsSent", (_AsSent, usual), words)


class _AsSent:
    """Goes before a compiler of SQLAlchemy's."""

    dialect: Any
    binary: str
    carriage_return: str
    zones: bool

    def render_literal_value(self, value: Any, type_: Any) -> str:
        """Return *value* as a literal; raises `CompileError` where it has none."""
        from sqlalchemy import literal

        if value is None:
            return self._usual(value, type_)
        sent = self._sent(value, type_)
        if isinstance(sent, bytes | bytearray | memoryview):
            return self.binary.format(bytes(sent).hex())
        if not self.zones and isinstance(sent, datetime | time) and sent.tzinfo is not None:
            value = sent.replace(tzinfo=None)
            type_ = literal(value).type
        return self._with_ends(self._written(value, type_, sent))

    def _sent(self, value: Any, type_: Any) -> Any:
        """Return what the driver is given, as far as that can be told without a driver."""
        from sqlalchemy.exc import CompileError

        bind = type_._cached_bind_processor(self.dialect)
        try:
            return value if bind is None else bind(value)
        except Exception as error:
            raise CompileError(f"{type_!r}: {error}") from error

    def _written(self, value: Any, type_: Any, sent: Any) -> str:
        from sqlalchemy import literal
        from sqlalchemy.exc import CompileError

        try:
            return self._usual(value, type_)
        except CompileError:
            # Its type knows no literal, or a wrong one, as Interval on SQLite.
            return self._usual(sent, literal(sent).type)

    def _usual(self, value: Any, type_: Any) -> str:
        compiler: Any = super()
        return str(compiler.render_literal_value(value, type_))

    def _with_ends(self, written: str) -> str:
        if "\r\n" not in written:
            return written
        written = written.replace("\r\n", self.carriage_return + "\n")
        return f"({written})" if "||" in self.carriage_return else written
