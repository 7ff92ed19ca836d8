"""How the commands tell of one database, or of the several that one env.py migrates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Labelled(Protocol):
    """A database, looked at or moved."""

    @property
    def label(self) -> str:
        """Its URL without the secret, or what else it is called."""


def labels(databases: Sequence[Labelled]) -> str:
    """Return what a report calls its target."""
    return ", ".join(each.label for each in databases)


def together(
    databases: Sequence[Labelled], facts: Sequence[Mapping[str, Sequence[str]]]
) -> dict[str, Any]:
    """Return the lists of *facts*, one mapping for each database, as data of a report.

    Of several databases each list holds what any has, and ``databases`` tells of them one by one.
    """
    keys = dict.fromkeys(key for each in facts for key in each)
    data: dict[str, Any] = {
        key: list(dict.fromkeys(item for each in facts for item in each[key])) for key in keys
    }
    if len(databases) > 1:
        data["databases"] = [
            {"target": each.label, **{key: list(items) for key, items in fact.items()}}
            for each, fact in zip(databases, facts, strict=True)
        ]
    return data
