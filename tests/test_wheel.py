"""What is installed from the wheel does the main job from any directory."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import sysconfig
import venv
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = [pytest.mark.whole_run, pytest.mark.xdist_group("wheel")]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as a release would."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an environment of its own; its dependencies are those of ours."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python)
    run(*pip, "install", "-q", "--no-index", "--no-deps", wheel)
    ours = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    (site_packages,) = folder.glob("lib/python3*/site-packages")
    # a .pth file in a folder that is itself named by one is not read: the editable install of
    # this checkout stays unknown
    (site_packages / "dependencies.pth").write_text("\n".join(dict.fromkeys(ours)) + "\n")
    return python


def run(*command: object, cwd: Path | None = None) -> str:
    """Run *command* without what this session's environment says; return all it printed."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("TOPCHEF_", "PYTHON"))}
    done = subprocess.run(
        [str(word) for word in command],
        check=False,
        cwd=cwd,
        env=clean,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_wheel_carries_the_project(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    revisions = {path.name for path in (ROOT / "alembic" / "versions").glob("*.py")}
    packaged = "topchef_schema/packaged"
    assert {"topchef_schema/py.typed", f"{packaged}/alembic.ini"} <= names
    assert {f"{packaged}/alembic/env.py", f"{packaged}/alembic/script.py.mako"} <= names
    assert revisions
    assert {f"{packaged}/alembic/versions/{name}" for name in revisions} <= names
    assert not [name for name in names if name.startswith(("tests/", "alembic/"))]


def test_installed_program_upgrades_from_an_empty_directory(python: Path, tmp_path: Path) -> None:
    where = "import topchef_schema; print(topchef_schema.__file__)"
    assert str(python.parent.parent) in run(python, "-c", where, cwd=tmp_path)

    run(python.with_name("topchef-db"), "upgrade", cwd=tmp_path)

    with closing(sqlite3.connect(tmp_path / "topchef.db")) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = {name for (name,) in rows}
    assert {"services", "jobs", "job_sets", "alembic_version"} <= tables


def test_module_and_program_are_the_same(python: Path, tmp_path: Path) -> None:
    program = run(python.with_name("topchef-db"), "--help", cwd=tmp_path)
    assert run(python, "-m", "topchef_schema", "--help", cwd=tmp_path) == program
    assert "upgrade" in program
