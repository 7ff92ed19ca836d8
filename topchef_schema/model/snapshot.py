"""A schema as flat data, and the difference between two of them."""

from __future__ import annotations

import re
import weakref
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import compress
from operator import ne

_STEPS = 3
"""So many snapshots back one is looked for that a later one was made from."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Snapshot:
    """A schema: object key (``kind qualified.name``) to canonical definition.

    Two snapshots of equal schemas on one server are equal.
    """

    objects: Mapping[str, str]
    _made_from: tuple[weakref.ref[Snapshot], Collection[str]] | None = field(
        default=None, init=False, compare=False, repr=False
    )

    def __reduce__(self) -> tuple[type[Snapshot], tuple[Mapping[str, str]]]:
        """Leave out what it was made from, which has no meaning in another process."""
        return Snapshot, (self.objects,)

    def having(self, changed: Mapping[str, str | None]) -> Snapshot:
        """Return this schema with the objects *changed*, None for those that are gone."""
        objects = dict(self.objects)
        for key, said in changed.items():
            if said is None:
                objects.pop(key, None)
            else:
                objects[key] = said
        made = Snapshot(objects)
        object.__setattr__(made, "_made_from", (weakref.ref(self), changed.keys()))
        return made

    def may_differ(self, before: Snapshot) -> Collection[str] | None:
        """Return the only keys that can differ from *before*; None where that is not known."""
        keys: set[str] = set()
        each: Snapshot | None = self
        for _ in range(_STEPS + 1):
            if each is before or each is None:
                break
            earlier, changed = each._made_from or (lambda: None, ())
            keys.update(changed)
            each = earlier()
        return keys if each is before else None

    @property
    def fingerprint(self) -> str:
        """The sha256 of the whole schema, in hexadecimal."""
        import hashlib
        import json

        text = json.dumps(sorted(self.objects.items()), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()


SAID = frozenset({"comment", "grants", "owner"})
"""Kinds that are named after the whole key of another object."""

WHOLES = (
    "table",
    "foreign-table",
    "view",
    "materialized-view",
    "composite-type",
    "domain",
    "schema",
)
"""Kinds of objects that have parts."""


NAME = re.compile(r'"(?:[^"]|"")*"|`(?:[^`]|``)*`|[^.]+')
"""One of the names between dots, in its quotes if it has any."""


def names_of(key: str) -> tuple[str, ...]:
    """Return the names between the dots of the object *key*, without their quotes."""
    return tuple(bare(each) for each in NAME.findall(key.partition(" ")[2]))


def bare(name: str) -> str:
    """Return *name* without the quotes it may stand in."""
    quote = name[0]
    return name[1:-1].replace(quote * 2, quote) if quote in '"`' else name


@dataclass(frozen=True, slots=True)
class Change:
    """One object that differs; *before* or *after* is None where it did not exist."""

    key: str
    before: str | None
    after: str | None

    @property
    def kind(self) -> str:
        """The kind of the object: ``table``, ``column``, ``index`` and so on."""
        return self.key.partition(" ")[0]

    @property
    def name(self) -> str:
        """The qualified name: that of a table's part begins with the table's and a dot."""
        return self.key.partition(" ")[2]

    @property
    def came(self) -> bool | None:
        """Whether the object came, or went; None where it was there before and after."""
        return None if self.before is not None and self.after is not None else self.before is None

    @property
    def possible_causes(self) -> tuple[str, ...]:
        """The keys of objects that take this one along, where they come or go as it does.

        So it is with the parts of a table, with what a definition says is ``owned by`` it or its
        column, and with what is said of another object.
        """
        if self.kind in SAID:
            said_of = Change(self.name, None, None)
            return (said_of.key, *said_of.possible_causes)
        _, owned, owner = (self.after or self.before or "").rpartition("owned by ")
        if owned:
            return tuple(
                f"{kind} {name}" for name in _beginnings(owner) for kind in ("table", "column")
            )
        names = _beginnings(self.name)
        if self.kind in WHOLES:
            names.pop()
        return tuple(f"{kind} {name}" for name in names for kind in WHOLES)


def _beginnings(name: str) -> list[str]:
    """Return *name*, and all before each dot in it."""
    dots = [position for position, each in enumerate(name) if each == "."]
    return [name[:end] for end in dots] + [name]


@dataclass(frozen=True, slots=True)
class Diff:
    """All changes from one snapshot to another, in order of their keys; false if there are none."""

    changes: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.changes)

    @property
    def causes(self) -> tuple[Change, ...]:
        """The changes that do not follow from another one.

        The order of columns follows from a column that came or went.
        """
        moved = {each.key: each.came for each in self.changes if each.came is not None}
        reordered = {
            f"column-order {each.name.rpartition('.')[0]}"
            for each in self.changes
            if each.kind == "column" and each.came is not None
        }
        return tuple(
            each
            for each in self.changes
            if each.key not in reordered
            and (
                each.came is None
                or not any(moved.get(key) is each.came for key in each.possible_causes)
            )
        )


def diff(before: Snapshot, after: Snapshot) -> Diff:
    """Return what differs between two snapshots of the same backend."""
    old, new = before.objects, after.objects
    # Thousands of objects, of which few differ, many times: so without a step of Python for each.
    few = after.may_differ(before)
    if few is not None:
        keys = [each for each in few if old.get(each) != new.get(each)]
    elif old == new:
        return Diff(())
    else:
        differing = compress(new, map(ne, map(old.get, new), new.values()))
        keys = [*differing, *(old.keys() - new.keys())]
    return Diff(tuple(Change(key, old.get(key), new.get(key)) for key in sorted(keys)))
