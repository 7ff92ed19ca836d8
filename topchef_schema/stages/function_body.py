"""Joins what several databases need into one Python function, laid out as a person would."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from topchef_schema.bridge.autogenerate import Operation, mark
from topchef_schema.stages.layout import laid_out

if TYPE_CHECKING:
    from collections.abc import Iterable

Bodies = Mapping[str, tuple[Operation, ...]]
"""Backend name to its operations, in their order."""

_INDENT = "    "
_STEP = len(_INDENT)


def merged(bodies: Bodies) -> str:
    """Return the body of a function that does on each backend what *bodies* says.

    What all need stands plainly; what only some need is guarded by the database's name, which is
    known offline too.
    """
    parts = {name: _by_head(operations) for name, operations in bodies.items()}
    blocks = [
        _block({name: parts[name][head] for name in names}, head, bodies)
        for head, names in _in_order(parts)
    ]
    lines: list[str] = []
    for names, group in groupby(blocks, key=lambda block: block[0]):
        inner = [line for _, block in group for line in block]
        lines += _guarded(inner, names, bodies)
    if any("backend" in line.split() for line in lines):
        lines = [*_prelude(bodies), *lines]
    return "\n".join(lines) or "pass"


def _by_head(operations: Iterable[Operation]) -> dict[str, dict[str, Operation]]:
    """Return what a body is made of, batches and operations in none, with all that each holds."""
    found: dict[str, dict[str, Operation]] = {}
    for each in operations:
        found.setdefault(each.within or each.text, {})[each.text] = each
    return found


def _block(
    parts: Mapping[str, Mapping[str, Operation]], head: str, bodies: Bodies
) -> tuple[tuple[str, ...], list[str]]:
    """Return the backends that need the batch or operation *head*, and its lines.

    *parts* is what is in it, for each of these backends, by its text.
    """
    found = [{name: parts[name][text] for name in names} for text, names in _in_order(parts)]
    column = 2 * _STEP if len(parts) < len(bodies) else _STEP
    if found[0][next(iter(found[0]))].within is None:
        return tuple(parts), _lines(found[0], column)
    lines = []
    for names, group in groupby(found, key=tuple):
        deeper = column + (_STEP if len(names) == len(parts) else 2 * _STEP)
        inner = [line for same in group for line in _lines(same, deeper)]
        lines += inner if len(names) == len(parts) else _if(inner, names)
    return tuple(parts), [laid_out(head, column), *(_INDENT + line for line in lines)]


def _lines(same: Mapping[str, Operation], column: int) -> list[str]:
    """Write one operation for the backends that need it, in the words of each about its types."""
    first = next(iter(same.values()))
    text = first.text
    for position in range(len(first.reflected)):
        words = {name: each.reflected[position] for name, each in same.items()}
        text = text.replace(mark(position), _type(words))
    return laid_out(text, column).splitlines()


def _type(words: Mapping[str, str]) -> str:
    """Return one expression for a type that is called otherwise on each database."""
    names: dict[str, list[str]] = {}
    for name, expression in words.items():
        names.setdefault(expression, []).append(name)
    # A generic type first: the others are what it is on their own databases.
    base = min(names, key=lambda expression: not expression.startswith("sa."))
    variants = [
        f".with_variant({expression}, {', '.join(map(repr, names[expression]))})"
        for expression in names
        if expression != base
    ]
    return base + "".join(variants)


def _guarded(lines: list[str], names: Sequence[str], bodies: Bodies) -> list[str]:
    return lines if len(names) == len(bodies) else _if(lines, names)


def _if(lines: list[str], names: Sequence[str]) -> list[str]:
    if len(names) == 1:
        test = f'backend == "{names[0]}"'
    else:
        quoted = ", ".join(f'"{name}"' for name in names)
        test = f"backend in ({quoted})"
    return [f"if {test}:", *(_INDENT + line for line in lines)]


def _prelude(bodies: Bodies) -> list[str]:
    if not {"mariadb", "mysql"} & set(bodies):
        return ["backend = op.get_context().dialect.name"]
    return [
        "dialect = op.get_context().dialect",
        "# A mysql:// URL may lead to MariaDB, which the dialect knows once it is connected.",
        'backend = "mariadb" if getattr(dialect, "is_mariadb", False) else dialect.name',
    ]


def _in_order(bodies: Mapping[str, Iterable[str]]) -> list[tuple[str, list[str]]]:
    """Merge several orders into one, of items and the names of those that have them.

    Each keeps its own order: what two have in another one is there for each of them.
    """
    found: list[tuple[str, list[str]]] = []
    for name, items in bodies.items():
        places = {item: place for place, (item, _) in reversed([*enumerate(found)])}
        shared = _rising([places[item] for item in items if item in places])
        lines, done = [], 0
        for item in items:
            if places.get(item) in shared:
                lines += found[done : places[item] + 1]
                lines[-1][1].append(name)
                done = places[item] + 1
            else:
                lines.append((item, [name]))
        found = lines + found[done:]
    return found


def _rising(places: Sequence[int]) -> set[int]:
    """Return the most of *places* that stand one behind the other."""
    ends: list[int] = []
    before: dict[int, int | None] = {}
    for place in places:
        length = bisect_left(ends, place)
        before[place] = ends[length - 1] if length else None
        ends[length : length + 1] = [place]
    found = set()
    last = ends[-1] if ends else None
    while last is not None:
        found.add(last)
        last = before[last]
    return found
