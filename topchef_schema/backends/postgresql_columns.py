"""What SQLAlchemy's reflection says of columns, told from a schema that is known already.

To ask the server for it takes longer than to fill a table. Only what is told for certain is told:
any word that is not known here leads to asking.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Dialect

    from topchef_schema.model import Snapshot

_COLUMN = re.compile(
    r"(?P<type>[a-z][a-z ]*?)(?:\((?P<size>\d+(?:,\d+)?)\))?(?P<filled> not null)?"
    r"(?: default (?P<default>.+))?",
    re.DOTALL,
)
_SIZED = {"character varying": 1, "character": 1, "numeric": 2}
"""How many numbers stand behind a type."""

_PLAIN: Mapping[str, Mapping[str, Any]] = {
    "bigint": {},
    "boolean": {},
    "bytea": {},
    "character varying": {},
    "date": {},
    "integer": {},
    "json": {},
    "jsonb": {},
    "numeric": {},
    "smallint": {},
    "text": {},
    "uuid": {},
    "double precision": {"precision": 53},
    "timestamp with time zone": {"timezone": True},
    "timestamp without time zone": {"timezone": False},
}
"""Types without numbers, and what SQLAlchemy makes them with."""


def reflected(schema: Snapshot, table: str, dialect: Dialect) -> list[dict[str, Any]] | None:
    """Return the columns as ``Inspector.get_columns`` does; None where that is to be asked.

    *table* is its name in *schema*.
    """
    names = schema.objects.get(f"column-order {table}")
    if names is None or '"' in names:
        return None
    found = []
    for name in names.split(", "):
        said = _COLUMN.fullmatch(schema.objects.get(f"column {table}.{name}", ""))
        type_ = said and _type(said["type"], said["size"], dialect)
        if not said or type_ is None:
            return None
        column = {"name": name, "type": type_, "nullable": not said["filled"]}
        found.append({**column, "default": said["default"], "autoincrement": False})
    return found


def _type(name: str, size: str | None, dialect: Any) -> Any:
    if size is None:
        keywords = _PLAIN.get(name)
        return None if keywords is None else dialect.ischema_names[name](**keywords)
    numbers = [int(each) for each in size.split(",")]
    return dialect.ischema_names[name](*numbers) if len(numbers) == _SIZED.get(name) else None
