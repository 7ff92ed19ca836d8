"""Which JSON documents all four databases hold exactly, and the one text that each is written as.

The limits were measured, not read: on SQLite 3.40, PostgreSQL 15, MariaDB 10.11 and MySQL 9.7.
Whatever one of them cannot hold is refused on all, before it reaches the database. Otherwise a
document would be fine on the developer's SQLite and fail, or worse, change, in production.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from topchef_schema.model.json_difference import path_of

SMALLEST_INTEGER = -(2**63)
LARGEST_INTEGER = 2**64 - 1
"""Integers of 64 bits, signed or not; MySQL makes floats of all others."""

MAX_DEPTH = 31
"""Objects and arrays within each other; MariaDB's ``json_valid`` says no to more, MySQL to 101."""

MAX_KEY_BYTES = 65535
"""The length of a key in UTF-8; MySQL refuses longer ones."""

_LARGEST_PLAIN_FLOAT = 1e16  # from here on repr() writes an exponent
_UNHOLDABLE = re.compile("[\0\ud800-\udfff]")
_write = json.JSONEncoder(ensure_ascii=False).encode


class JSONValueError(ValueError):
    """A value that cannot be stored as JSON on every database.

    *path* says where in the document it stands (``$.jobs[3].name``; ``$`` is the document
    itself), *problem* what it is and why it is refused.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"not storable as JSON: {path} {problem}")
        self.path = path
        self.problem = problem


class _RefusedError(Exception):
    """A value is refused; the way to it is gathered while the containers are left."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.steps: list[str | int] = []


def encode(document: Any) -> str:
    """Write *document* as JSON: compact, keys in order, so that equal documents are equal texts.

    Raises `JSONValueError` for what not every database can hold exactly: NUL and lone surrogates
    in strings, integers outside 64 bits, NaN and infinities, keys that are not strings or are
    longer than `MAX_KEY_BYTES`, nesting deeper than `MAX_DEPTH`, and everything that JSON has no
    word for (tuples among it: they would come back as lists).
    """
    try:
        return _encode(document, 0)
    except _RefusedError as refused:
        raise JSONValueError(path_of(reversed(refused.steps)), refused.problem) from None


def _encode(value: Any, depth: int) -> str:
    if isinstance(value, str):
        return _string(value)
    if value is None or value is sa.JSON.NULL or isinstance(value, bool):
        return _write(value if isinstance(value, bool) else None)
    if isinstance(value, int | float):
        return _integer(value) if isinstance(value, int) else _float(value)
    if isinstance(value, list | dict):
        if depth == MAX_DEPTH:
            raise _RefusedError(f"is nested deeper than {MAX_DEPTH}, MariaDB's limit")
        return _array(value, depth + 1) if isinstance(value, list) else _object(value, depth + 1)
    raise _RefusedError(f"is a {type(value).__name__}, which JSON does not have")


def _string(value: str) -> str:
    found = _UNHOLDABLE.search(value)
    if found:
        what = "NUL" if found[0] == "\0" else f"the lone surrogate U+{ord(found[0]):04X}"
        raise _RefusedError(f"has {what} in its text, which PostgreSQL refuses")
    return _write(value)


def is_integer(value: int) -> bool:
    """Whether *value* is among the integers that every database holds."""
    return SMALLEST_INTEGER <= value <= LARGEST_INTEGER


def _integer(value: int) -> str:
    if not is_integer(value):
        raise _RefusedError("is an integer outside 64 bits, which MySQL would round")
    return int.__repr__(value)


def _float(value: float) -> str:
    if not math.isfinite(value):
        raise _RefusedError(f"is {value}, which JSON does not have")
    if abs(value) < _LARGEST_PLAIN_FLOAT:
        return float.__repr__(value + 0.0)  # -0.0 becomes 0.0: PostgreSQL knows no other
    # PostgreSQL gives 1e+16 back as an integer, and only a fraction makes it stay a float.
    return f"{Decimal(float.__repr__(value)):f}.0"


def _array(value: list[Any], depth: int) -> str:
    items = []
    for index, item in enumerate(value):
        try:
            items.append(_encode(item, depth))
        except _RefusedError as refused:
            refused.steps.append(index)
            raise
    return f"[{','.join(items)}]"


def _object(value: dict[Any, Any], depth: int) -> str:
    for key in value:
        if not isinstance(key, str):
            raise _RefusedError(f"has the key {key!r}, which is not a string")
        if len(key) > MAX_KEY_BYTES or len(key.encode(errors="replace")) > MAX_KEY_BYTES:
            raise _RefusedError(f"has a key longer than {MAX_KEY_BYTES} bytes, MySQL's limit")
    members = []
    for key in sorted(value):
        try:
            members.append(f"{_string(key)}:{_encode(value[key], depth)}")
        except _RefusedError as refused:
            refused.steps.append(key)
            raise
    return f"{{{','.join(members)}}}"
