"""Hears every statement of a step, and finds the line of the revision file it came from."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from topchef_schema.bridge.explaining import shown_path
from topchef_schema.model import VALUES_LEFT_OUT, Statement

if TYPE_CHECKING:
    from types import FrameType

    from sqlalchemy import Connection, Dialect, Engine
    from sqlalchemy.types import TypeEngine

    from topchef_schema.model import Effect, Step

_READS = re.compile(r"\s*(select|pragma|show|describe|desc|explain|values)\b", re.IGNORECASE)


_LOCAL = re.compile(r"\s*(set\s+local\b|select\s+(pg_catalog\.)?set_config\s*\()", re.IGNORECASE)


@contextmanager
def heard(engine: Engine, hooks: Mapping[str, Callable[..., Any]]) -> Iterator[None]:
    """Call *hooks*, by the names of SQLAlchemy's events, for what *engine* does meanwhile."""
    from sqlalchemy import event

    for name, hook in hooks.items():
        event.listen(engine, name, hook)
    try:
        yield
    finally:
        for name, hook in hooks.items():
            event.remove(engine, name, hook)


@dataclass
class Listener:
    """Collects the statements that are sent while a step is current.

    Reads are left out, unless ``op.execute`` sent them: it gives no result back, so a SELECT there
    is sent for what it does. With *literal* each statement is written as a script needs it, with
    its values in it; else as it was sent, without them. *effects* are those of the operation that
    is under way. While it is *deaf* nothing is heard.
    """

    backend: str
    literal: Dialect | None = None
    step: Step | None = None
    file: str | None = None
    statements: list[Statement] = field(default_factory=list)
    commits: int = 0
    reads: list[str] = field(default_factory=list)
    effects: tuple[Effect, ...] | None = None
    deaf: bool = False
    _rendered: list[str] | None = None
    _started: float = 0.0
    _heard: int = 0

    @contextmanager
    def attached(self, engine: Engine | None) -> Iterator[None]:
        """Listen on *engine*: also to further connections that a revision opens from it.

        Offline there is none; `add` is called then.
        """
        if engine is None:
            yield
            return
        hooks: dict[str, Callable[..., Any]] = {
            "before_cursor_execute": self._before_cursor,
            "after_cursor_execute": self._after_cursor,
            "commit": self._commit,
        }
        if self.literal is not None:
            hooks["before_execute"] = self._before_execute
        with heard(engine, hooks):
            yield

    @contextmanager
    def hearing(self, step: Step, file: str) -> Iterator[None]:
        """Take what is sent meanwhile as *step*'s, whose revision lies in *file*."""
        self.step, self.file, self.commits = step, file, 0
        self.reads.clear()
        try:
            yield
        finally:
            self.step = self.file = None

    @contextmanager
    def caused_by(self, effects: tuple[Effect, ...] | None) -> Iterator[None]:
        """Take what is sent meanwhile as what has these *effects*."""
        before, self.effects = self.effects, effects
        try:
            yield
        finally:
            self.effects = before

    def take(self) -> tuple[Statement, ...]:
        """Return what was heard since the last call."""
        heard, self.statements = tuple(self.statements), []
        return heard

    def add(self, sql: str, *, line: int | None, autocommit: bool = False) -> None:
        """Note one statement of the current step (or of none)."""
        step = self.step
        self.statements.append(
            Statement(
                sql=sql,
                backend=self.backend,
                revision=step.revision.id if step else None,
                direction=step.direction if step else None,
                path=shown_path(self.file) if step and self.file and line else None,
                line=line,
                effects=self.effects,
                autocommit=autocommit,
            )
        )

    def forget(self) -> None:
        """Take back the statement that was heard last: it is not sent."""
        if self._heard:
            del self.statements[-self._heard :]
            self._heard = 0

    def _before_execute(
        self, connection: Connection, element: Any, multiparams: Any, params: Any, options: Any
    ) -> None:
        if self.step is not None and self.literal is not None and not self.deaf:
            values = list(multiparams) or ([params] if params else [{}])
            self._rendered = [literal_sql(element, each, self.literal) for each in values]

    def _before_cursor(
        self, connection: Connection, cursor: Any, sql: str, values: Any, *more: Any
    ) -> None:
        if self.deaf:
            return
        rendered, self._rendered = self._rendered, None
        self._heard = 0
        if self.step is None:
            return
        line, executed = revision_line(sys._getframe(1), self.file)
        if _READS.match(sql) and not executed:
            self.reads.append(sql)
            return
        before = len(self.statements)
        if rendered is None and self.literal is not None and values:
            # As the driver wants them: what SQLAlchemy has not seen, it cannot write out.
            rendered = [f"{sql} {VALUES_LEFT_OUT}"] * (len(values) if more[-1] else 1)
        for each in rendered or [sql]:
            self.add(each, line=line, autocommit=connection._is_autocommit_isolation())
        self._heard = len(self.statements) - before
        self._started = time.perf_counter()

    def _after_cursor(self, *_: Any) -> None:
        if self._heard and not self.deaf:
            from dataclasses import replace

            *others, last = self.statements[-self._heard :]
            seconds = time.perf_counter() - self._started
            done = [replace(each, seconds=0.0) for each in others]
            self.statements[-self._heard :] = [*done, replace(last, seconds=seconds)]
            self._heard = 0

    def _commit(self, connection: Connection) -> None:
        if self.step is not None:  # else it is the commit that ends a step, and may yet fail
            self.commits += 1


@contextmanager
def local_settings() -> Iterator[list[tuple[str, Any]]]:
    """Hear what env.py sets until its transaction ends, on whatever engine it makes."""
    from sqlalchemy import Engine, event

    heard: list[tuple[str, Any]] = []

    def sent(connection: Connection, cursor: Any, sql: str, parameters: Any, *_: Any) -> None:
        if _LOCAL.match(sql):
            heard.append((sql, parameters))

    event.listen(Engine, "before_cursor_execute", sent)
    try:
        yield heard
    finally:
        event.remove(Engine, "before_cursor_execute", sent)


def revision_line(frame: FrameType | None, file: str | None) -> tuple[int | None, bool]:
    """Walk up to the revision's file: its line, and whether ``op.execute`` is on the way."""
    executed = False
    while frame is not None:
        code = frame.f_code
        if code.co_filename == file:
            return frame.f_lineno, executed
        if code.co_name == "_exec":
            executed = True
        frame = frame.f_back
    return None, executed


def current_line(file: str | None) -> int | None:
    """Return the line of *file* that is being executed now."""
    return revision_line(sys._getframe(1), file)[0]


def literal_sql(element: Any, values: Any, dialect: Dialect) -> str:
    """Render one construct with its values in it, as Alembic's offline mode does.

    What cannot be rendered with its values comes with placeholders, and a comment that says so.
    """
    from sqlalchemy.exc import CompileError, SQLAlchemyError
    from sqlalchemy.schema import ExecutableDDLElement

    if isinstance(element, str):
        return element if not values else f"{element} {VALUES_LEFT_OUT}"
    try:
        if isinstance(element, ExecutableDDLElement):
            return str(element.compile(dialect=dialect)).strip()
        given = with_values(element, values) if values else element
        own: Any = dialect.statement_compiler
        compiler = telling_by_value(own)
        return str(compiler(dialect, given, compile_kwargs={"literal_binds": True})).strip()
    except (CompileError, SQLAlchemyError, NotImplementedError):
        text = str(element.compile(dialect=dialect)).strip()
        return f"{text} {VALUES_LEFT_OUT}"


@cache
def telling_by_value(compiler: type[Any]) -> type[Any]:
    """Return *compiler*, knowing the type of a value that was given to a column without one."""
    from sqlalchemy import literal

    class Telling(compiler):  # type: ignore[misc]
        def render_literal_bindparam(self, bindparam: Any, **options: Any) -> str:
            # SQLAlchemy writes NULL for any None, without asking the type of the column.
            given = bindparam.callable or bindparam.key in getattr(self, "_collected_params", ())
            if bindparam.value is None and not given and _sent(None, bindparam.type, self.dialect):
                options.setdefault("render_literal_value", None)
            return str(super().render_literal_bindparam(bindparam, **options))

        def render_literal_value(self, value: Any, type_: TypeEngine[Any]) -> str:
            if type_._isnull and value is not None:
                type_ = literal(value).type
            document = _sent(value, type_, self.dialect)
            return str(super().render_literal_value(*(document or (value, type_))))

    return Telling


def _sent(
    value: Any, type_: TypeEngine[Any], dialect: Dialect
) -> tuple[str | None, TypeEngine[Any]] | None:
    """Return the text that a driver is sent for *value*, and its type, where it is a document.

    What stands for no value, in a column of that type, is a document too: ``null``.
    """
    from sqlalchemy import JSON, String, TypeDecorator

    own, stored = type_.dialect_impl(dialect), type_._unwrapped_dialect_impl(dialect)
    if not isinstance(stored, JSON):
        return None
    if isinstance(own, TypeDecorator) and own._has_bind_processor:
        value = own.process_bind_param(value, dialect)
    if value is None and stored.none_as_null:
        return None, stored
    write: Any = dialect._json_serializer or json.dumps
    return write(None if value is JSON.NULL else value), String()


def with_values(element: Any, values: Any) -> Any:
    """Return a construct that has *values* for its parameters, or columns."""
    if not getattr(element, "is_dml", False):
        return element.params(**values)
    # An ORM session names some values after columns, and some after parameters in WHERE.
    from sqlalchemy.sql import visitors

    named = set()

    def give(parameter: Any) -> None:
        if parameter.key in values:
            named.add(parameter.key)
            parameter.value, parameter.required = values[parameter.key], False

    given = visitors.cloned_traverse(element, {}, {"bindparam": give})
    columns = {key: value for key, value in values.items() if key not in named}
    return given.values(**columns) if columns else given
