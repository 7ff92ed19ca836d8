"""The floors in pyproject.toml are the versions that the session with the oldest ones installs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

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


def test_oldest_versions_are_the_floors() -> None:
    lines = (ROOT / "tests" / "oldest.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert pins.keys() == floors().keys()
    for name, floor in floors().items():
        assert re.fullmatch(re.escape(floor) + r"(\.0)*", pins[name]), (name, floor, pins[name])
