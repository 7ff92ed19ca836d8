"""The short way beside the long way."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.whole_projects import call
from topchef_schema import shortcut
from topchef_schema.project import Project
from topchef_schema.shortcut import AtHead

Agree = Callable[..., bool]
"""Calls ``topchef-db upgrade`` with the arguments it is given, the short way and the long way.

The exit codes and what stands on stdout are the same; returns whether the short way was taken.
"""


@pytest.fixture
def agree(monkeypatch: pytest.MonkeyPatch) -> Agree:
    """Return what compares both ways."""
    answers: list[AtHead | None] = []
    real = shortcut.at_head

    def noting(project: Project, revision: str) -> AtHead | None:
        answers.append(real(project, revision))
        return answers[-1]

    monkeypatch.setattr(shortcut, "at_head", noting)

    def compared(
        *arguments: str,
        formats: tuple[str, ...] = ("json", "text"),
        again: Callable[[], object] = lambda: None,
    ) -> bool:
        taken = set()
        file = Path("app.db")
        before = file.read_bytes() if file.exists() else None
        for each in formats:
            answers.clear()
            words = ("upgrade", *arguments, "--format", each)
            short = call(*words)
            taken.add(any(answers))
            assert "Traceback" not in short.stderr
            # The long way writes what is pending: both begin with the same database.
            lay(file, before)
            again()
            long = call(*words, "--no-fast")
            assert (short.returncode, said(short.stdout)) == (long.returncode, said(long.stdout))
            lay(file, before)
            again()
        assert len(taken) == 1
        return taken.pop()

    return compared


def lay(file: Path, content: bytes | None) -> None:
    """Make the SQLite *file* what it was; None stands for none."""
    if content is not None:
        file.write_bytes(content)
    else:
        file.unlink(missing_ok=True)


def said(text: str) -> str:
    """Return a report without the seconds, which differ from one run to the next."""
    text = re.sub(r'("seconds": )[0-9.]+', r"\1", text)
    return re.sub(r'(time="|)[0-9]+\.[0-9]+( s\b|")', "", text)
