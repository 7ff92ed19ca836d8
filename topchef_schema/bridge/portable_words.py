"""Writes types and server defaults into revisions in words that run on every database.

Alembic leaves them to the database that is compared with: it alone knows how its own types are
written, and what ``true`` and ``now()`` are called is said in its dialect.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

RenderItem = Callable[[str, Any, Any], Any]
"""What env.py may give to ``configure``; it returns False for what Alembic is to write."""

_DIALECTS_OWN = re.compile(r"sqlalchemy\.dialects\.(\w+)")


def portable_first(render_item: RenderItem | None) -> RenderItem:
    """Return a ``render_item`` that writes portable types as plain SQLAlchemy.

    A portable type renders itself, so that a revision never imports our code. For everything else
    the project's own *render_item* is asked first.
    """
    from topchef_schema.types import Portable

    def render(kind: str, item: Any, context: Any) -> Any:
        if kind == "type" and isinstance(item, Portable):
            expression, imports = item.rendered()
            context.imports.update(imports)
            return expression
        written = render_item(kind, item, context) if render_item is not None else False
        if written is not False:
            return written
        if kind == "type":
            return _type(item, context)
        return _default(item, context) if kind == "server_default" else False

    return render


def _type(type_: TypeEngine[Any], context: Any) -> str | bool:
    """Write a type with its variants; one of a dialect's own as Alembic writes it there."""
    from alembic.autogenerate.render import _repr_type
    from alembic.migration import MigrationContext

    if type_._variant_mapping:
        plain = copy.copy(type_)
        plain._variant_mapping = type(type_)._variant_mapping
        written = _repr_type(plain, context)
        for name in sorted(type_._variant_mapping):
            variant = _repr_type(type_._variant_mapping[name], context)
            written += f".with_variant({variant}, {name!r})"
        return written
    found = _DIALECTS_OWN.match(type(type_).__module__)
    if found is None:
        return False
    context.imports.add(f"from sqlalchemy.dialects import {found[1]}")
    there = MigrationContext.configure(dialect_name=found[1], opts={"as_sql": True})
    return there.impl.render_type(type_, context) or f"{found[1]}.{type_!r}"


def _default(default: Any, context: Any) -> str | bool:
    """Write a default that SQLAlchemy has a word for; each database has its own."""
    from sqlalchemy.sql.elements import False_, True_
    from sqlalchemy.sql.functions import FunctionElement, current_timestamp, now

    words: dict[type[Any], str] = {
        True_: "true()",
        False_: "false()",
        now: "func.now()",
        current_timestamp: "func.current_timestamp()",
    }
    value: Any = getattr(default, "arg", None)
    word = words.get(type(value))
    if word is None or (isinstance(value, FunctionElement) and len(value.clauses)):
        return False
    return f"{context.opts['sqlalchemy_module_prefix'] or ''}{word}"
