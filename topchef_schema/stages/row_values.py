"""What to put into a column, told from its type: plain values, and what lies at its edges.

Types are known by the class that SQLAlchemy has for all databases, else by the name of the type.
"""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

_SHORT = 255
"""Up to so many characters a text is taken for a text; one with more room may hold a document."""

_LONGEST = 2000
"""As many characters as are put where there is no limit, or a larger one."""

_LEAST = 3
"""As many characters are put where there is a limit that is not known."""

_BITS = {"TINYINT": 8, "SMALLINT": 16, "MEDIUMINT": 24, "BIGINT": 64}

_START = datetime.datetime(2024, 2, 29, 12, 30, 45)


@dataclass(frozen=True, slots=True)
class Values:
    """The values of one column.

    *plain* are such as most rows hold, a different one for each number as far as there are so
    many. *edges* are the others: each is to stand in a row. With *few* these are all there are.
    """

    plain: Callable[[int], Any]
    edges: tuple[Any, ...] = ()
    few: bool = False


def values(type_: Any) -> Values | None:
    """Return what fits a reflected type; None where that is not known."""
    import sqlalchemy as sa

    domain, type_ = type_, getattr(type_, "data_type", type_)
    if type_ is not domain and isinstance(type_, sa.String):
        # SQLAlchemy leaves out how long the text of a domain may be.
        type_ = sa.String(_LEAST)
    name = str(type_.__visit_name__).upper()
    choices = getattr(type_, "enums", None) or (name == "SET" and type_.values) or _NAMED.get(name)
    if choices:
        return of_few(tuple(choices))
    if name == "BIT":
        return _bits(type_)
    if isinstance(type_, sa.ARRAY):
        item = values(type_.item_type)
        return item and Values(lambda number: [item.plain(number), item.plain(number + 1)], ([],))
    return next((make(type_) for kind, make in _makers().items() if isinstance(type_, kind)), None)


def _bits(type_: Any) -> Values:
    """Return numbers, or the texts that PostgreSQL takes, of so many bits."""
    length = type_.length or 1
    as_text = hasattr(type_, "varying")

    def value(number: int) -> Any:
        return format(number % 2**length, f"0{length}b") if as_text else number % 2**length

    edges = (value(0), value(2**length - 1))
    return of_few(edges) if length == 1 else Values(lambda number: value(number + 1), edges)


def of_few(choices: Sequence[Any]) -> Values:
    """Return *choices* as the only values there are."""
    return Values(lambda number: choices[number % len(choices)], tuple(choices), few=True)


_NAMED: Mapping[str, tuple[Any, ...]] = {
    "INET": ("192.0.2.1", "2001:db8::1"),
    "CIDR": ("192.0.2.0/24", "2001:db8::/32"),
    "MACADDR": ("08:00:2b:01:02:03",),
    "MACADDR8": ("08:00:2b:01:02:03:04:05",),
    "TSVECTOR": ("'café':1 'text':2",),
    "TSQUERY": ("'café'",),
    "HSTORE": ({"key": "café"}, {}),
    "INTERVAL": (
        datetime.timedelta(hours=1),
        datetime.timedelta(0),
        datetime.timedelta(days=36_500, microseconds=1),
        datetime.timedelta(days=-1),
    ),
    "YEAR": (2024, 1901, 2155),
    "INT4RANGE": ("[1,5)", "empty", "(,)"),
    "INT8RANGE": ("[1,5)", "empty", "(,)"),
    "NUMRANGE": ("[1.5,2.5)", "empty", "(,)"),
    "DATERANGE": ("[2024-02-29,2024-03-01)", "empty", "(,)"),
    "TSRANGE": ("[2024-02-29 12:00,2024-03-01 12:00)", "empty", "(,)"),
}
"""Of types that SQLAlchemy has no common class for."""


@cache
def _makers() -> Mapping[Any, Callable[[Any], Values]]:
    import sqlalchemy as sa

    return {
        sa.Boolean: lambda _: of_few((True, False)),
        sa.Integer: _integers,
        sa.Float: lambda _: Values(lambda number: number + 0.5, (0.0, -0.25, 1.5e30, -1.5e-30)),
        sa.Numeric: _numerics,
        sa.JSON: lambda _: Values(_document, ({}, {"nested": {"list": [1, 2.5, "", True, None]}})),
        sa.Uuid: lambda type_: _uuids(str if not type_.as_uuid else lambda value: value),
        sa.String: _texts,
        sa.DateTime: _moments,
        sa.Date: lambda _: Values(
            lambda number: (_START + datetime.timedelta(days=number)).date(),
            (datetime.date(1000, 1, 1), datetime.date(9999, 12, 31)),
        ),
        sa.Time: lambda _: Values(
            lambda number: datetime.time(number % 24, number // 24 % 60, number // 1440 % 60),
            (datetime.time(0), datetime.time(23, 59, 59)),
        ),
        sa.LargeBinary: _binaries,
        sa.BINARY: _binaries,
        sa.VARBINARY: _binaries,
    }


def _integers(type_: Any) -> Values:
    bits = _BITS.get(str(type_.__visit_name__).upper(), 32)
    if bits == 8 and getattr(type_, "display_width", None) == 1:
        # How databases without a type for it keep what is true or false.
        return of_few((1, 0))
    unsigned = bool(getattr(type_, "unsigned", False))
    least, most = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    edges = (0, most) if unsigned else (0, -1, least, most)
    return Values(lambda number: 1 + number % (most - 1), edges)


def _numerics(type_: Any) -> Values:
    if type_.precision is None:
        return Values(
            lambda number: decimal.Decimal(number + 1),
            (decimal.Decimal(0), decimal.Decimal("-1234567.25")),
        )
    scale = type_.scale or 0
    step = decimal.Decimal(1).scaleb(-scale)
    most = (10**type_.precision - 1) * step
    unsigned = bool(getattr(type_, "unsigned", False))
    edges = (
        (decimal.Decimal(0), step, most) if unsigned else (decimal.Decimal(0), step, most, -most)
    )
    whole = 10 ** (type_.precision - scale) - 1

    def plain(number: int) -> decimal.Decimal:
        return decimal.Decimal(1 + number % whole) if whole > 0 else (number + 1) * step % 1

    return Values(plain, edges)


def _document(number: int) -> Any:
    return {"text": f"café {number}", "list": [number, None]}


def _uuids(written: Callable[[uuid.UUID], Any]) -> Values:
    first = 0x12345678123442348234567812345678
    edge = uuid.UUID("ffffffff-ffff-4fff-bfff-ffffffffffff")
    return Values(lambda number: written(uuid.UUID(int=first + number)), (written(edge),))


def _texts(type_: Any) -> Values:
    length = type_.length
    if length is None or length > _SHORT:
        # Valid JSON too: a long text may have a CHECK that it is, or become a column that it must.
        room = min(length or _LONGEST, _LONGEST) - len('{"text": ""}')
        return Values(
            lambda number: f'{{"text": "caf\\u00e9 {number}"}}',
            ("{}", f'{{"text": "{"é" * room}"}}', '{"text": "naïve — 漢字 😀"}'),
        )
    if length in (32, 36):
        return _uuids((lambda value: value.hex) if length == 32 else str)
    letters = "naïve 漢字"[:length]
    return Values(lambda number: _text(number, length), ("", "é" * length, letters))


def _text(number: int, length: int) -> str:
    text = f"é{number}"
    if len(text) <= length:
        return text
    digits = "abcdefghijklmnopqrstuvwxyz0123456789"
    found = ""
    while len(found) < length:
        found = digits[number % len(digits)] + found
        number //= len(digits)
    return found


def _moments(type_: Any) -> Values:
    edges = datetime.datetime(1000, 1, 1), datetime.datetime(9999, 12, 31, 23, 59, 59)
    if str(type_.__visit_name__).upper() == "TIMESTAMP":
        # Some count the seconds in 32 bits, and of some a driver cannot read the last day in all
        # time zones.
        edges = datetime.datetime(1970, 1, 2), datetime.datetime(2037, 12, 31, 23, 59, 59)
    return Values(lambda number: _START + datetime.timedelta(days=number), edges)


def _binaries(type_: Any) -> Values:
    length = getattr(type_, "length", None)
    if length == 16:
        return _uuids(lambda value: value.bytes)
    room = min(length or _SHORT, _SHORT)

    def plain(number: int) -> bytes:
        return bytes([0, 255, number // 256 % 256, number % 256])[-room:]

    return Values(plain, (b"", bytes(range(room)), b"\xff" * room))
