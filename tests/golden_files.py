"""Golden files: expected texts in ``tests/golden/``, changed only by an explicit ``--update``."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

FOLDER = Path(__file__).with_name("golden")
USED = pytest.StashKey[set[str]]()


class Golden:
    """Compare texts with golden files: ``golden("help/upgrade.txt", text)``."""

    def __init__(self, used: set[str], *, update: bool) -> None:
        self._used = used
        self._update = update

    def __call__(self, name: str, text: str) -> None:
        """Fail with a diff unless ``tests/golden/<name>`` holds exactly *text*."""
        self._used.add(name)
        path = FOLDER / name
        stored = path.read_bytes().decode() if path.is_file() else None
        if stored == text:
            return
        if self._update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
            return
        difference = "\n".join(
            difflib.unified_diff(
                (stored or "").splitlines(),
                text.splitlines(),
                f"tests/golden/{name}" + ("" if stored is not None else " (does not exist)"),
                "this run",
                lineterm="",
            )
        )
        pytest.fail(
            f"{difference or 'they differ in line endings or the last line'}\n"
            "help: if the new text is right, run this test again with --update",
            pytrace=False,
        )

    def keep(self, name: str) -> None:
        """Say that a test reads ``tests/golden/<name>`` which is not in every sample."""
        assert (FOLDER / name).is_file(), f"tests/golden/{name} does not exist"
        self._used.add(name)


def unreferenced(used: set[str]) -> list[str]:
    """Return the golden files that none of *used* names."""
    there = {
        path.relative_to(FOLDER).as_posix()
        for path in FOLDER.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
    return sorted(there - used)
