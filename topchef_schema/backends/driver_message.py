"""What a driver said, without the values that were bound: messages quote them, and logs are kept.

Servers repeat a value in quotes, cut it after some characters, or list the whole row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

HIDDEN = "***"

_LONG = 4
"""A shorter value is hidden only where it stands in quotes: it may be a part of any word."""

_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_ROWS = (
    re.compile(r"((?:\)=|\bcontains )\().*(\))"),
    re.compile(r"(\$\d+ = ).*()"),
    re.compile(r"(\bcolumn \w+: )\".*\"()"),
    re.compile(r"(\bline \d+: )\".*\"()"),
)
"""How further lines tell of rows, and of parameters."""

_STATEMENT = re.compile(r"LINE \d+:|\s*\^")
"""A piece of the statement, which some drivers put the values into before they send it."""

_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+(?=>)")
"""Where a Python object lies in memory: another place each time, and reports are to be the same."""


def driver_message(error: BaseException) -> str:
    """Return all that the driver said about *error*, without SQL and bound values."""
    original = getattr(error, "orig", None) or error
    said = _ADDRESS.sub("", str(original))
    if isinstance(original, KeyError):
        said = f"KeyError: {said}"  # which says of itself no more than the key
    first, *further = said.strip().splitlines() or [type(original).__name__]
    values = set(_texts(getattr(error, "params", None)))
    lines = [first, *(_without_rows(each) for each in further if not _STATEMENT.match(each))]
    return _without(values, "\n".join(lines))


def _texts(given: object) -> Iterator[str]:
    """Yield what bound values look like in a message."""
    if isinstance(given, Mapping):
        yield from _texts(list(given.values()))
    elif isinstance(given, list | tuple | set):
        for each in given:
            yield from _texts(each)
    elif isinstance(given, bytes | bytearray | memoryview):
        content = bytes(given)
        yield from (content.hex(), content.decode("utf-8", "replace"), repr(content)[2:-1])
    elif given is not None and not isinstance(given, bool):
        text = str(given)
        yield from (text, repr(text)[1:-1], text.replace("'", "\\'"), text.replace("'", "''"))


def _without(values: Iterable[str], text: str) -> str:
    known = sorted((each for each in values if each.strip()), key=len, reverse=True)
    for value in known:
        if len(value) >= _LONG:
            text = text.replace(value, HIDDEN)

    def hidden(found: re.Match[str]) -> str:
        shown = (found[1] or found[2] or "").removesuffix("...")
        cut = len(shown) >= _LONG and any(shown in each for each in known)
        return f"'{HIDDEN}'" if cut or shown in known else found[0]

    return _QUOTED.sub(hidden, text)


def _without_rows(line: str) -> str:
    for pattern in _ROWS:
        line = pattern.sub(rf"\1{HIDDEN}\2", line)
    return line
