"""What a column takes, checked when an attribute is set.

Otherwise a text that is too long is an error of the server on PostgreSQL, at the next flush, and
is silently stored on SQLite.
"""

from __future__ import annotations

import copy
import uuid
from datetime import datetime
from enum import Enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ClauseElement

from topchef_schema.database.json_document import encode
from topchef_schema.database.json_type import JSON
from topchef_schema.database.utc_date_time import UtcDateTime, to_utc
from topchef_schema.database.uuid_database_type import UUID, read_uuid

_LARGEST_INTEGER = 2**31 - 1


def accepted(column: Any, value: Any) -> Any:
    """Return *value* as *column* holds it: another spelling becomes the one type of the column.

    SQL expressions pass as they are. Raises `ValueError` (or `JSONValueError`, which is one) that
    names the column for what it cannot hold.
    """
    if isinstance(value, ClauseElement) or (value is None and column.nullable):
        return value
    if isinstance(column.type, JSON):
        encode(value)
        return value
    try:
        return _of_type(column.type, value)
    except ValueError as error:
        raise ValueError(f"{column.table.name}.{column.name}: {error}") from None


def _of_type(type_: Any, value: Any) -> Any:
    if isinstance(type_, UUID):
        return read_uuid(value)
    if isinstance(type_, UtcDateTime):
        return to_utc(value)
    if isinstance(type_, sa.Enum) and type_.enum_class is not None:
        return type_.enum_class(value)
    if not isinstance(value, type_.python_type) or (
        isinstance(value, bool) and type_.python_type is not bool
    ):
        raise ValueError(f"{value!r} is no {type_.python_type.__name__}")
    if isinstance(type_, sa.String):
        return _text(value, type_.length)
    if isinstance(type_, sa.Integer) and not -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER:
        raise ValueError(f"{value} is outside 32 bits")
    return value


def _text(value: str, length: int | None) -> str:
    encode(value)  # NUL and lone surrogates are as impossible in a text as in a document
    if length is not None and len(value) > length:
        raise ValueError(f"a text of {len(value)} characters; it holds {length}")
    return value


def to_plain(value: Any) -> Any:
    """Return *value*, which a column gave, as data that ``json.dumps`` takes."""
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    return copy.deepcopy(value)


def from_plain(column: Any, value: Any) -> Any:
    """Return what `to_plain` made of a value of *column* as it was before."""
    if isinstance(column.type, UtcDateTime) and isinstance(value, str):
        return datetime.fromisoformat(value)
    return copy.deepcopy(value)
