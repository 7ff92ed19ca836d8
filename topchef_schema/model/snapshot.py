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


@dataclass(frozen=True, slots=True)
class Diff:
    """All changes from one snapshot to another, in order of their keys; false if there are none."""

    changes: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.changes)


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
