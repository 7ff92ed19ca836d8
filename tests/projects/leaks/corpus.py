"""All leaks, and the table of what kinds of object they prove on which backend."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Mapping

from tests.projects.leaks.leak import ALL, Leak

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "tables": ("tables", "columns"),
    "keys": ("keys", "indexes"),
    "programs": ("programs", "types", "rare"),
    "contents": ("contents",),
    "administered": ("administered",),
}
"""The leaks that are proven in one run, and the modules that have them."""

TITLES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mariadb": "MariaDB", "mysql": "MySQL"}


def leaks(family: str, backend: str) -> list[Leak]:
    """Return the leaks of *family* that *backend* has."""
    return [each for each in _all(family) if backend in each.on]


def _all(family: str) -> list[Leak]:
    modules = (importlib.import_module(f"tests.projects.leaks.{each}") for each in FAMILIES[family])
    return [each for module in modules for each in module.LEAKS]


def table() -> str:
    """Return the table of kinds and backends: how many leaks of each are found."""
    found: dict[str, Counter[str]] = {}
    for family in FAMILIES:
        for each in _all(family):
            found.setdefault(each.kind, Counter()).update(each.on)
    total = sum(found.values(), Counter())
    head = ["kind", *(TITLES[name] for name in ALL)]
    lines = [head, ["---", *["--:"] * len(ALL)]]
    lines += [[kind, *(str(found[kind][name] or "–") for name in ALL)] for kind in sorted(found)]
    lines.append([f"all ({total.total()})", *(str(total[name]) for name in ALL)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
