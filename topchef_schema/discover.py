"""A module that lies in a folder is registered by lying there; this finds them."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any


@cache
def discover(package: str, constant: str) -> dict[str, Any]:
    """Return the value of *constant* in each module of *package* that defines it, by name.

    The name is the module's, with hyphens for underscores: ``rules/drop_column.py`` is
    ``drop-column``. Modules are imported; importing one has no side effect.
    """
    found = {}
    path = importlib.import_module(package).__path__
    for module in sorted(pkgutil.iter_modules(path), key=lambda each: each.name):
        value = getattr(importlib.import_module(f"{package}.{module.name}"), constant, None)
        if value is not None:
            found[module.name.strip("_").replace("_", "-")] = value
    return found
