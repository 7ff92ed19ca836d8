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

SMALLEST_INTEGER = -(2**63)
LARGEST_INTEGER = 2**64 - 1
"""Integers of 64 bits, signed or not; MySQL makes floats of all others."""

MAX_DEPTH = 31
"""Objects and arrays within each other; MariaDB's ``json_valid`` says no to more, MySQL to 101."""

MAX_KEY_BYTES = 65535
"""The length of a key in UTF-8; MySQL refuses longer ones."""

_LARGEST_PLAIN_FLOAT = 1e16  # from here on repr() writes an exponent
_UNHOLDABLE = re.compile("[\0\ud800-\udfff]")
_IDENTIFIER = re.compile(r"[^\W\d]\w*")


class JSONValueError(ValueError):
    """A value that cannot be stored as JSON on every database.

    *path* says where in the document it stands (``$.jobs[3].name``; ``$`` is the document
    itself), *problem* what it is and why it is refused.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"not storable as JSON: {path} {problem}")
        self.path = path
        self.problem = problem


def encode(document: Any) -> str:
    """Write *document* as JSON: compact, keys in order, so that equal documents are equal texts.

    Raises `JSONValueError` for what not every database can hold exactly: NUL and lone surrogates
    in strings, integers outside 64 bits, NaN and infinities, keys that are not strings or are
    longer than `MAX_KEY_BYTES`, nesting deeper than `MAX_DEPTH`, and everything that JSON has no
    word for (tuples among it: they would come back as lists).
    """
    return _encode(document, "$", 0)


def _encode(value: Any, path: str, depth: int) -> str:
    if isinstance(value, str):
        return _string(value, path)
    if value is None or value is True or value is False:
        return json.dumps(value)
    if isinstance(value, int):
        return _integer(value, path)
    if isinstance(value, float):
        return _float(value, path)
    if isinstance(value, list | dict):
        if depth == MAX_DEPTH:
            raise JSONValueError(path, f"is nested deeper than {MAX_DEPTH}, MariaDB's limit")
        return (_array if isinstance(value, list) else _object)(value, path, depth + 1)
    raise JSONValueError(path, f"is a {type(value).__name__}, which JSON does not have")


def _string(value: str, path: str) -> str:
    found = _UNHOLDABLE.search(value)
    if found:
        what = "NUL" if found[0] == "\0" else f"the lone surrogate U+{ord(found[0]):04X}"
        raise JSONValueError(path, f"has {what} in its text, which PostgreSQL refuses")
    return json.dumps(value, ensure_ascii=False)


def _integer(value: int, path: str) -> str:
    if not SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
        raise JSONValueError(path, "is an integer outside 64 bits, which MySQL would round")
    return int.__repr__(value)


def _float(value: float, path: str) -> str:
    if not math.isfinite(value):
        raise JSONValueError(path, f"is {value}, which JSON does not have")
    if abs(value) < _LARGEST_PLAIN_FLOAT:
        return float.__repr__(value + 0.0)  # -0.0 becomes 0.0: PostgreSQL knows no other
    # PostgreSQL gives 1e+16 back as an integer, and only a fraction makes it stay a float.
    return f"{Decimal(float.__repr__(value)):f}.0"


def _array(value: list[Any], path: str, depth: int) -> str:
    items = (_encode(item, f"{path}[{index}]", depth) for index, item in enumerate(value))
    return f"[{','.join(items)}]"


def _object(value: dict[Any, Any], path: str, depth: int) -> str:
    for key in value:
        if not isinstance(key, str):
            raise JSONValueError(path, f"has the key {key!r}, which is not a string")
    members = []
    for key in sorted(value):
        below = f"{path}.{key}" if _IDENTIFIER.fullmatch(key) else f"{path}[{json.dumps(key)}]"
        name = _string(key, below)
        if len(key.encode()) > MAX_KEY_BYTES:
            raise JSONValueError(path, f"has a key longer than {MAX_KEY_BYTES} bytes")
        members.append(f"{name}:{_encode(value[key], below, depth)}")
    return f"{{{','.join(members)}}}"
