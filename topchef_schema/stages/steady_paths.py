"""Paths of revision files that are the same on every machine, whatever folder one stands in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from topchef_schema.project import Project


@dataclass(frozen=True)
class SteadyPaths:
    """Says paths from the folder of the configuration on.

    *known* are the paths of revisions that messages have in another way: absolute, or from where
    one stands.
    """

    root: Path
    known: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, project: Project) -> SteadyPaths:
        """Return those of a project."""
        root = Path(project.environment.config_file).absolute().parent.resolve()
        paths = sorted({each.path for each in project.revisions.all}, key=len, reverse=True)
        steady = {each: _from(root, each) for each in paths}
        return cls(root, {path: to for path, to in steady.items() if path != to})

    def path(self, path: str) -> str:
        """Return the path of a file; one that lies elsewhere is its name alone."""
        return self.known.get(path) or _from(self.root, path)

    def text(self, text: str) -> str:
        """Return a message with the paths in it."""
        for path, steady in self.known.items():
            text = text.replace(path, steady)
        return text


@cache
def _from(root: Path, path: str) -> str:
    full = Path(path).absolute()
    whole = full.parent.resolve() / full.name
    return whole.relative_to(root).as_posix() if whole.is_relative_to(root) else whole.name
