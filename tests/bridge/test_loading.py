"""Revision files are loaded as Alembic itself loads them, whatever lies in the folder."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError

from tests.whole_projects import FOLDER, revision
from topchef_schema.bridge.loading import scripts

PROJECTS = sorted(each.parent.name for each in FOLDER.glob("*/versions"))


def plain(root: Path) -> dict[str, str]:
    """Write two revisions and what is none; return no options."""
    versions = root / "versions"
    versions.mkdir()
    (versions / "b2_second.py").write_text(revision("b2", "pass", down="a1"))
    (versions / "a1-first.v2.py").write_text(revision("a1", "pass"))
    (versions / "__init__.py").write_text("raise RuntimeError('this is no revision')")
    (versions / ".#a1.py").write_text("raise RuntimeError('an editor has it open')")
    (versions / "notes.txt").write_text("to do")
    (versions / "old.py").mkdir()
    return {}


def linked_file(root: Path) -> dict[str, str]:
    options = plain(root)
    (root / "elsewhere.py").write_text(revision("c3", "pass", down="b2"))
    (root / "versions" / "c3.py").symlink_to(root / "elsewhere.py")
    (root / "versions" / "c4.py").symlink_to(root / "elsewhere.py")
    return options


def linked_folder(root: Path) -> dict[str, str]:
    plain(root)
    (root / "link").symlink_to(root / "versions")
    return {"version_locations": str(root / "link")}


def several_folders(root: Path) -> dict[str, str]:
    plain(root)
    more = root / "more"
    more.mkdir()
    (more / "c3.py").write_text(revision("c3", "pass", down="b2"))
    return {"version_locations": f"{root / 'versions'} {more} {root / 'versions'}"}


def folders_within(root: Path) -> dict[str, str]:
    plain(root)
    (root / "versions" / "old.py").rmdir()
    deep = root / "versions" / "2024" / "05"
    deep.mkdir(parents=True)
    (deep / "c3.py").write_text(revision("c3", "pass", down="b2"))
    return {"recursive_version_locations": "true"}


def compiled_too(root: Path) -> dict[str, str]:
    return plain(root) | {"sourceless": "true"}


def id_in_its_name(root: Path) -> dict[str, str]:
    plain(root)
    (root / "versions" / "c0ffee1.py").write_text("down_revision = 'b2'\n")
    return {}


def without_folder(root: Path) -> dict[str, str]:
    return {}


def directory(root: Path, options: dict[str, str]) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(root))
    for name, value in options.items():
        config.set_main_option(name, value)
    return ScriptDirectory.from_config(config)


def described(script: Script) -> tuple[object, ...]:
    module = script.module
    return (script.revision, script.path, module.__name__, module.__file__, script.doc)


def both(root: Path, options: dict[str, str]) -> list[tuple[list[object], list[str]]]:
    """Return what Alembic's loading gives and warns of, and what ours does."""
    found = []
    own: list[Callable[[ScriptDirectory], object]] = [ScriptDirectory._load_revisions, scripts]
    for load in own:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            given: list[object] = [described(each) for each in load(directory(root, options))]  # type: ignore[attr-defined]
        found.append((given, [str(each.message) for each in warned]))
    return found


@pytest.mark.parametrize(
    "layout",
    [
        plain,
        linked_file,
        linked_folder,
        several_folders,
        folders_within,
        compiled_too,
        id_in_its_name,
        without_folder,
    ],
)
def test_layouts(tmp_path: Path, layout: Callable[[Path], dict[str, str]]) -> None:
    theirs, ours = both(tmp_path, layout(tmp_path))
    assert ours == theirs
    assert bool(theirs[0]) is (layout is not without_folder)


@pytest.mark.parametrize("name", PROJECTS)
def test_tiny_projects(name: str) -> None:
    theirs, ours = both(FOLDER / name, {})
    assert theirs[0]
    assert ours == theirs


def test_a_file_without_an_id(tmp_path: Path) -> None:
    plain(tmp_path)
    (tmp_path / "versions" / "no id.py").write_text("down_revision = None\n")
    said = []
    for load in (ScriptDirectory._load_revisions, scripts):
        with pytest.raises(CommandError) as caught:
            list(load(directory(tmp_path, {})))
        said.append(str(caught.value))
    assert said[0] == said[1]
