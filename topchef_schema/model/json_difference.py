"""Where two JSON documents differ, place by place, in the words in which a path is written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

LONGEST = 200
"""The characters of a value that are shown; a document may have millions."""

_IDENTIFIER = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two documents differ: what each has there, None where it has nothing."""

    path: str
    one: str | None
    other: str | None


def differences(one: Any, other: Any) -> Iterator[Difference]:
    """Yield the places where *one* and *other* differ, members in the order of their keys.

    Numbers differ when their values do: 1 and 1.0 are equal, as in Python, 1 and true are not.
    What only one of them has is one place, whatever is inside.
    """
    yield from _differences(one, other, ())


def shown(value: Any) -> str:
    """Write *value* as JSON for a reader, the end of a long one left out."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=repr)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def path_of(steps: Iterable[str | int]) -> str:
    """Write the way to a place in a document: ``$.jobs[3].name``."""
    return "$" + "".join(map(_step, steps))


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if _IDENTIFIER.fullmatch(step) else f"[{json.dumps(step)}]"


def _differences(one: Any, other: Any, steps: tuple[str | int, ...]) -> Iterator[Difference]:
    if isinstance(one, dict) and isinstance(other, dict):
        yield from _within(one, other, sorted(one.keys() | other.keys()), steps)
    elif isinstance(one, list) and isinstance(other, list):
        here, there = dict(enumerate(one)), dict(enumerate(other))
        yield from _within(here, there, sorted(here.keys() | there.keys()), steps)
    elif isinstance(one, bool) is not isinstance(other, bool) or one != other:
        yield Difference(path_of(steps), shown(one), shown(other))


def _within(
    one: dict[Any, Any], other: dict[Any, Any], keys: list[Any], steps: tuple[str | int, ...]
) -> Iterator[Difference]:
    for key in keys:
        further = (*steps, key)
        if key in one and key in other:
            yield from _differences(one[key], other[key], further)
        else:
            here = shown(one[key]) if key in one else None
            there = shown(other[key]) if key in other else None
            yield Difference(path_of(further), here, there)
