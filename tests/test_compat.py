"""What ``compat/`` says of its projects fits together, and the page holds all of them."""

from __future__ import annotations

import configparser
import re

import pytest

from compat import page
from compat.description import COMMANDS, Description, all_projects
from compat.trial import Ended, unexpected
from tests.servers import BACKENDS

PROJECTS = list(all_projects())
TEXT = page.PAGE.read_text(encoding="utf-8")


def named(project: Description) -> str:
    return project.name


def section(project: Description) -> str:
    return TEXT.partition(f"\n## {project.title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("project", PROJECTS, ids=named)
def test_description(project: Description) -> None:
    assert set(project.gate) <= set(project.backends) <= set(BACKENDS)
    assert project.requirements[0].startswith(f"{project.distribution}=="), "its version is fixed"
    for each in project.unusual:
        assert each["command"] in COMMANDS
        assert set(each.get("backends", project.backends)) <= set(project.backends)
        assert each["exit"] != 0
        assert each.get("says") or each.get("findings"), "it says what is unusual"
    settings = configparser.ConfigParser({"here": str(project.folder)})
    settings.read(project.settings)
    assert "topchef" in settings


@pytest.mark.parametrize("project", PROJECTS, ids=named)
def test_page_has_all_of_it(project: Description) -> None:
    text = section(project)
    rows = re.findall(r"(?m)^\| (\w+) \| (.*) \|$", text)
    assert [name for name, _ in rows] == ["backend", *project.backends]
    for backend, cells in rows[1:]:
        assert "not tried" not in cells, f"help: python3 compat/run.py --write --on {backend}"
        expected = [project.expected(command, backend) for command in COMMANDS]
        codes = [each.exit_code for each in expected]
        shown = cells.split(" | ")
        said = [0 if cell == "ok" else int(cell) for cell in shown[: len(COMMANDS) - 1]]
        assert said == codes[:-1]
        found = re.findall(rf"(?m)^- {backend}: `[a-z-]+` [0-9a-f]+[ ,]", text)
        assert len(found) == len(expected[-1].findings)
    assert project.settings.read_text(encoding="utf-8").strip() in text
    version = project.requirements[0].partition("==")[2]
    assert f"| {project.distribution} | {version} |" in TEXT


def test_what_is_not_expected_is_noticed() -> None:
    project = Description("a", "A", "", "a", ["a==1"], ["sqlite"], unusual=[UNUSUAL])
    expected = project.expected("roundtrip", "sqlite")
    finding = {"rule": "data-lost", "revision": "a1", "object": "table a", "severity": "error"}
    again = finding | {"object": "table b"}
    other = finding | {"revision": "b2"}
    report = {"findings": [finding, again, other | {"severity": "info"}], "error": None}
    assert list(unexpected(Ended(10, report, 0.0, ""), expected)) == []
    for code, differs in (10, {"findings": []}), (0, report), (10, {"findings": [finding, other]}):
        assert list(unexpected(Ended(code, differs, 0.0, ""), expected))
    assert list(unexpected(Ended(10, report, 0.0, ""), project.expected("upgrade", "sqlite")))


UNUSUAL = {"command": "roundtrip", "exit": 10, "findings": ["data-lost a1"]}
