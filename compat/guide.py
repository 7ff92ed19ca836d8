"""The guide that walks through a real project: what it shows is typed, and compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compat.description import Description

DOCS = Path(__file__).resolve().parent.parent / "docs"


def checked(
    project: Description, programs: Path, environment: Mapping[str, str], *, write: bool
) -> Iterator[str]:
    """Type what the guide shows, where *project* is installed; yield what it says wrongly.

    With *write* the real output is put in instead.
    """
    from tests import console

    page = DOCS / str(project.guide)
    text = page.read_text(encoding="utf-8")
    with TemporaryDirectory(prefix="topchef_compat_") as folder:
        reader = {
            **{key: value for key, value in environment.items() if key.startswith("TOPCHEF_")},
            "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin",
            "HOME": folder,
            "LOGNAME": "deploy",
            "LC_ALL": "C.UTF-8",
        }
        printed = console.run(text, Path(folder), reader)
        # The reader is told to make the environment here.
        here = [
            tuple(line.replace(str(programs.parent), "venv") for line in each) for each in printed
        ]
        fresh = console.corrected(text, here)
    if write:
        page.write_text(fresh, encoding="utf-8")
    elif fresh != text:
        yield f"docs/{page.name} shows what is not printed; help: python3 compat/run.py --write"
