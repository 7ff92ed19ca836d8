"""Column types that are stored differently on each database, and that history never has to import.

A revision is read for years after the class behind a column has moved, changed or gone. So a
portable type writes itself into a revision as the plain SQLAlchemy that it stands for::

    class Money(Portable[Decimal]):
        \"\"\"An amount; SQLite has no exact decimals, so it is text there.\"\"\"

        storage = {"default": sa.Numeric(12, 2), "sqlite": sa.String(13)}

        def process_bind_param(self, value, dialect):
            return None if value is None else str(value)

        def process_result_value(self, value, dialect):
            return None if value is None else Decimal(value)

``Money().rendered()`` is ``sa.Numeric(precision=12, scale=2).with_variant(sa.String(length=13),
'sqlite')`` and the imports that this needs beside ``import sqlalchemy as sa``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from sqlalchemy import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

_T = TypeVar("_T")

_LITERALS = (str, int, float, bytes, type(None))


class Portable(TypeDecorator[_T]):
    """A column type that owns its row "dialect → storage".

    A subclass sets `storage`, and converts values as in any `TypeDecorator`. It may also set
    ``impl``, which decides what operators a column has (``sa.JSON`` for ``column["key"]``) and
    never how it is stored; without one it has those of its default storage. Statements with it
    are cached: what its constructor takes must be hashable and kept under the same names.
    """

    impl = TypeEngine

    @property
    def storage(self) -> Mapping[str, TypeEngine[Any]]:
        """Dialect name → the plain SQLAlchemy type that the values are stored in.

        A subclass sets it as a class attribute, or as a property where it depends on what an
        instance was made with. ``"default"`` is for every dialect that is not named. MariaDB's
        dialect is called ``mariadb`` or ``mysql``, as the URL says: name both.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how it is stored")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let a subclass be cached, and give it the operators of its default storage."""
        super().__init_subclass__(**kwargs)
        if "cache_ok" not in cls.__dict__:  # SQLAlchemy looks at the class itself, not above it
            cls.cache_ok = True
        storage = cls.__dict__.get("storage")
        if not isinstance(storage, Mapping):
            return  # inherited, or a property
        if "default" not in storage:
            raise TypeError(f"{cls.__name__}.storage has no 'default'")
        if "impl" not in cls.__dict__ and cls.impl is TypeEngine:
            cls.impl = type(storage["default"])

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type in which *dialect* stores the values."""
        return self.stored_on(dialect.name)

    def stored_on(self, dialect_name: str) -> TypeEngine[Any]:
        """Return the plain type in which the dialect of that name stores the values."""
        return self.storage.get(dialect_name, self.storage["default"])

    def rendered(self) -> tuple[str, frozenset[str]]:
        """Return this type as plain SQLAlchemy: a Python expression, and import lines.

        The expression evaluates with ``import sqlalchemy as sa`` and the import lines, makes the
        same DDL as this type on every dialect, and does not depend on a connection. Values are
        not converted by it: a revision that moves data does that itself.

        Raises `TypeError` for a storage type that cannot be written as a call of its class; such
        a subclass overrides this method.
        """
        imports: set[str] = set()
        expression = _expression(self.storage["default"], imports)
        variants: dict[str, list[str]] = {}
        for dialect_name, type_ in self.storage.items():
            if dialect_name != "default":
                variants.setdefault(_expression(type_, imports), []).append(repr(dialect_name))
        for variant, names in variants.items():
            expression += f".with_variant({variant}, {', '.join(names)})"
        return expression, frozenset(imports)


def reaches_mariadb(dialect: Dialect) -> bool:
    """Whether the server behind *dialect* is MariaDB, where also a ``mysql://`` URL may lead.

    Known once connected, before that by the URL's own word. Only a portable type asks this, for
    it is at home on every database; all others leave it to the backends.
    """
    return bool(getattr(dialect, "is_mariadb", False))


def _expression(type_: TypeEngine[Any], imports: set[str]) -> str:
    """Write *type_* as a call of its class, adding to *imports* what that needs."""
    packages = type(type_).__module__.split(".")
    if packages[0] != "sqlalchemy":
        raise TypeError(
            f"{type(type_).__qualname__} is not SQLAlchemy's own: history would depend on it"
        )
    prefix = "sa"
    if packages[1] == "dialects":
        prefix = packages[2]
        imports.add(f"from sqlalchemy.dialects import {prefix}")
    arguments = _arguments(type_)
    if repr(type(type_)(**arguments)) != repr(type_):  # as with Enum("a", "b"): no names to go by
        raise TypeError(f"{type_!r} cannot be written into a revision: override rendered()")
    written = ", ".join(f"{name}={_value(value, imports)}" for name, value in arguments.items())
    return f"{prefix}.{type(type_).__name__}({written})"


def _arguments(type_: TypeEngine[Any]) -> dict[str, Any]:
    """Return what *type_* was made with, as far as it differs from a type made with nothing."""
    try:
        plain = type(type_)()
    except TypeError:  # it has arguments that must be given
        plain = None
    missing = object()
    return {
        name: value
        for name in _parameters(type(type_))
        if (value := getattr(type_, name, missing)) is not missing
        and (plain is None or repr(value) != repr(getattr(plain, name, missing)))
    }


def _parameters(cls: type[Any]) -> Iterator[str]:
    """Yield the names of the arguments of *cls*, up the classes that it passes ``**kwargs`` to."""
    seen = {"self"}
    for owner in cls.__mro__:
        if "__init__" not in owner.__dict__ or owner is object:
            continue
        passes_on = False
        for parameter in inspect.signature(owner.__dict__["__init__"]).parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                passes_on = True
            elif parameter.kind is not parameter.VAR_POSITIONAL and parameter.name not in seen:
                seen.add(parameter.name)
                yield parameter.name
        if not passes_on:
            return


def _value(value: Any, imports: set[str]) -> str:
    if isinstance(value, TypeEngine):
        return _expression(value, imports)
    if type(value) in (*_LITERALS, bool):
        return repr(value)
    raise TypeError(f"{value!r} cannot be written into a revision: override rendered()")
