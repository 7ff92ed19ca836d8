"""A schema as flat data, and the difference between two of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A schema: object key (``kind qualified.name``) to canonical definition.

    Two snapshots of equal schemas on one server are equal.
    """

    objects: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """The sha256 of the whole schema, in hexadecimal."""
        text = json.dumps(sorted(self.objects.items()), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()


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

    def follows_from(self, other: Change) -> bool:
        """Whether this came or went only because *other* did.

        So it is with the parts of a table, with what a definition says is ``owned by`` it or its
        column, and with the order of columns where a column came or went.
        """
        if other is self or (other.before is None) is (other.after is None):
            return False
        if other.kind == "column" and self.kind == "column-order":
            return other.name.rpartition(".")[0] == self.name
        if (self.before is None, self.after is None) != (other.before is None, other.after is None):
            return False
        _, owned, owner = (self.after or self.before or "").rpartition("owned by ")
        if owned and other.kind in ("table", "column"):
            return owner == other.name or owner.startswith(f"{other.name}.")
        inside = self.name == other.name or self.name.startswith(f"{other.name}.")
        return other.kind == "table" and inside


@dataclass(frozen=True, slots=True)
class Diff:
    """All changes from one snapshot to another, in order of their keys; false if there are none."""

    changes: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.changes)

    @property
    def causes(self) -> tuple[Change, ...]:
        """The changes that do not follow from another one."""
        return tuple(
            each
            for each in self.changes
            if not any(each.follows_from(other) for other in self.changes)
        )


def diff(before: Snapshot, after: Snapshot) -> Diff:
    """Return what differs between two snapshots of the same backend."""
    old, new = before.objects, after.objects
    return Diff(
        tuple(
            Change(key, old.get(key), new.get(key))
            for key in sorted(old.keys() | new.keys())
            if old.get(key) != new.get(key)
        )
    )
