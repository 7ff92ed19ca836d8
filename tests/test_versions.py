"""The versions that a session of the gate is to have are those that it has.

The floors in pyproject.toml are what the session with the oldest ones installs.
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def floors() -> dict[str, str]:
    """Return requirement → lowest version, of all that the test session installs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    requirements = [*project["dependencies"]]
    requirements += [each for name in extras if name != "docs" for each in extras[name]]
    found = {}
    for requirement in requirements:
        match = re.fullmatch(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)(?:,.*)?", requirement)
        if match:
            found[match[1]] = match[2]
        else:
            assert re.match(r"topchef-schema\[|types-", requirement), f"no floor: {requirement}"
    return found


def oldest() -> dict[str, str]:
    """Return requirement → version that the session with the oldest ones installs."""
    lines = (ROOT / "tests" / "oldest.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def numbers(text: str) -> tuple[int, ...]:
    """Return a version as numbers, without what makes it a pre-release."""
    return tuple(int(each) for each in re.findall(r"\d+", text)[:3])


def test_oldest_versions_are_the_floors() -> None:
    pins = oldest()
    assert pins.keys() == floors().keys()
    for name, floor in floors().items():
        assert re.fullmatch(re.escape(floor) + r"(\.0)*", pins[name]), (name, floor, pins[name])


def test_versions_of_this_session() -> None:
    """A resolver holds back without a word where two requirements do not agree."""
    session = Path(sys.prefix).name.removeprefix(".venv-")
    if session == "oldest":
        names = ("alembic", "SQLAlchemy", "click")
        assert {name: version(name) for name in names} == {name: oldest()[name] for name in names}
    elif session == "sqlalchemy-2.0":
        assert (2, 0, 50) < numbers(version("SQLAlchemy")) < (2, 1)
        assert numbers(version("alembic")) >= (1, 20)
    elif session == ".venv":
        assert numbers(version("SQLAlchemy")) >= (2, 1)
        assert numbers(version("alembic")) >= (1, 20)
    else:
        pytest.skip(f"{sys.prefix} is none that tests/run.py makes")
