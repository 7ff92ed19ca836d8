"""Finds the programs of a database on this machine: its client, or its server."""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Iterator
from pathlib import Path


def programs(names: Collection[str], places: Collection[str]) -> Iterator[Path]:
    """Yield the programs called one of *names*, first on PATH, then in *places* (globs)."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    for pattern in places:
        folders += sorted(glob.glob(os.path.expanduser(pattern)), reverse=True)
    seen = set()
    for folder in folders:
        for name in names:
            path = Path(folder, name)
            if path not in seen and path.is_file() and os.access(path, os.X_OK):
                seen.add(path)
                yield path
