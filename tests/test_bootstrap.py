"""The environment is made once, and by Pythons that cannot run anything else of this project."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest

import bootstrap

ROOT = Path(__file__).resolve().parent.parent


def environment_at(folder: Path, **stamp: object) -> Path:
    """Make what looks like an environment that an earlier run has finished."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (folder / "pyvenv.cfg").touch()
    finished = {
        "project": bootstrap.fingerprint(None),
        "extras": ["docs", "test"],
        "python": "Python {}.{}".format(*sys.version_info),
    }
    (folder / bootstrap.STAMP).write_text(json.dumps(finished | stamp))
    return python


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what would be installed, instead of installing it."""
    targets: list[str] = []

    def installer_into(_: Path, python: Path) -> list[str]:
        if not python.exists():
            python.parent.mkdir(parents=True)
            python.symlink_to(sys.executable)
        return ["install"]

    def openly(command: list[str]) -> bool:
        targets.append(command[-1])
        return True

    monkeypatch.setattr(bootstrap, "installer_into", installer_into)
    monkeypatch.setattr(bootstrap, "openly", openly)
    return targets


def test_fresh_environment_is_left_alone(tmp_path: Path, installed: list[str]) -> None:
    python = environment_at(tmp_path / "env")
    assert bootstrap.environment(tmp_path / "env", extras={"test"}) == python
    assert installed == []


def test_extras_are_added_to_those_that_are_there(tmp_path: Path, installed: list[str]) -> None:
    environment_at(tmp_path / "env", extras=["test"])
    bootstrap.environment(tmp_path / "env", extras={"docs"})
    bootstrap.environment(tmp_path / "env", extras={"docs", "test"})
    assert installed == [f"{ROOT}[docs,test]"]


@pytest.mark.parametrize("stale", [{"project": "another"}, {"python": "Python 3.10"}])
def test_stale_environment_is_made_again(
    stale: dict[str, object], tmp_path: Path, installed: list[str]
) -> None:
    environment_at(tmp_path / "env", **stale)
    bootstrap.environment(tmp_path / "env")
    bootstrap.environment(tmp_path / "env")
    assert len(installed) == 1


def test_folder_that_is_no_environment_is_kept(tmp_path: Path, installed: list[str]) -> None:
    (tmp_path / "treasure").touch()
    with pytest.raises(bootstrap.BootstrapError, match="in the way"):
        bootstrap.environment(tmp_path)
    assert (tmp_path / "treasure").exists()
    assert installed == []


@pytest.mark.parametrize("name", ["bootstrap.py", "tests/run.py"])
def test_old_pythons_can_read_what_looks_for_a_newer_one(name: str) -> None:
    ast.parse((ROOT / name).read_text(), feature_version=(3, 8))
