"""The order in which tables can be filled: those first that others lead to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import ForeignKeyConstraint, Table


def target(key: ForeignKeyConstraint, home: str | None) -> tuple[str | None, str]:
    """Return schema and name of what *key* leads to; one in *home* may go without its schema."""
    schema, _, name = key.elements[0].target_fullname.rpartition(".")[0].rpartition(".")
    return schema or (home if key.parent.schema else None), name


def parents_first(reflected: Mapping[str, Table], home: str | None) -> Iterator[str]:
    """Yield the tables in the order of their foreign keys.

    In a circle those come first that can be NULL where their parents are not there yet.
    """
    waiting = dict(sorted(reflected.items()))
    while waiting:
        unmade = {(table.schema, table.name) for table in waiting.values()}

        def needs(table: Table, *, strict: bool, unmade: Collection[Any] = unmade) -> bool:
            return any(
                target(key, home) in unmade
                and target(key, home) != (table.schema, table.name)
                and (strict or not all(each.parent.nullable for each in key.elements))
                for key in table.foreign_key_constraints
            )

        ready = [name for name, each in waiting.items() if not needs(each, strict=True)]
        if not ready:
            lax = (name for name, each in waiting.items() if not needs(each, strict=False))
            ready = [next(lax, next(iter(waiting)))]
        for name in ready:
            del waiting[name]
            yield name
