"""What is known of a real project beforehand: ``compat/<name>/project.toml``.

A project is added by adding such a folder: nothing else knows any of them by name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
COMMANDS = (
    "status",
    "upgrade",
    "history",
    "snapshot",
    "downgrade",
    "sql",
    "sql --down",
    "roundtrip",
)
"""What is run on each backend, in the order of the page."""


@dataclass(frozen=True)
class Expected:
    """How a command ends: *says* is in its message, *findings* are the errors that it finds."""

    exit_code: int = 0
    says: str = ""
    findings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Description:
    """A project, as its ``project.toml`` tells it.

    *start* is the revision that its baseline holds already. *gate* are the backends that every
    change is tried on.
    """

    name: str
    title: str
    about: str
    distribution: str
    requirements: Sequence[str]
    backends: Sequence[str]
    gate: Sequence[str] = ()
    start: str | None = None
    guide: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    unusual: Sequence[Mapping[str, Any]] = ()

    @property
    def folder(self) -> Path:
        """Where its settings lie."""
        return FOLDER / self.name

    @property
    def settings(self) -> Path:
        """The file that is given to both programs with -c."""
        return self.folder / "alembic.ini"

    def expected(self, command: str, backend: str) -> Expected:
        """Return how *command* has to end on *backend*: well, if nothing else is said."""
        for each in self.unusual:
            if each["command"] == command and backend in each.get("backends", self.backends):
                return Expected(each["exit"], each.get("says", ""), tuple(each.get("findings", ())))
        return Expected()


def all_projects() -> Iterator[Description]:
    """Yield every project that lies here, by name."""
    for path in sorted(FOLDER.glob("*/project.toml")):
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        yield Description(path.parent.name, **values)


def chosen(names: Sequence[str]) -> list[Description]:
    """Return the projects called one of *names*, all of them where none is given."""
    return [each for each in all_projects() if not names or each.name in names]
