"""A module that lies in a folder is registered by lying there; this finds them."""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from typing import Any


@cache
def discover(package: str, constant: str) -> dict[str, Any]:
    """Return the value of *constant* in each module of *package* that defines it, by name.

    The name is the module's, with hyphens for underscores: ``rules/drop_column.py`` is
    ``drop-column``. Modules are imported; importing one has no side effect.
    """
    found = {name: find(package, constant, name) for name in modules(package)}
    return {name: value for name, value in found.items() if value is not None}


def find(package: str, constant: str, name: str) -> Any:
    """Return what `discover` knows by *name*, importing that one module alone; None if nothing."""
    module = name.replace("-", "_")
    # To look for one takes less than to list them all, and pkgutil takes long to import.
    if not module.isidentifier() or not _is_there(package, module):
        module = modules(package).get(name, "")
    if not module:
        return None
    return getattr(importlib.import_module(f"{package}.{module}"), constant, None)


def _is_there(package: str, module: str) -> bool:
    return importlib.util.find_spec(f"{package}.{module}") is not None


def source(package: str, name: str) -> str:
    """Return the text of the module that `discover` would know by *name*; empty if it has none."""
    loader: Any = importlib.util.find_spec(f"{package}.{modules(package)[name]}").loader  # type: ignore[union-attr]
    return loader.get_source(loader.name) or ""


@cache
def modules(package: str) -> dict[str, str]:
    """Return the modules that lie in *package*, by the name they would have, without importing."""
    import pkgutil

    path = importlib.import_module(package).__path__
    names = sorted(each.name for each in pkgutil.iter_modules(path))
    return {name.strip("_").replace("_", "-"): name for name in names}
