"""Alembic's own templates, as ``alembic init`` writes them, with nothing changed but revisions."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from alembic.config import Config

from tests.plain_alembic import Rival
from tests.whole_projects import MakeProject, Whole, reads_toml, text
from topchef_schema import history, roundtrip, sql, status

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase, Server

DRIVERS = {"sqlite": "aiosqlite", "postgresql": "asyncpg"}
SEVERAL_DATABASES = "multidb"
"""The template that migrates more than one, which is another test's."""


def names() -> list[str]:
    """Return the templates that this Alembic has."""
    folder = Path(Config().get_template_directory())
    return sorted({each.name for each in folder.iterdir() if (each / "env.py").is_file()})


TEMPLATES = [each for each in names() if each != SEVERAL_DATABASES]


def initialised(project: MakeProject, template: str) -> Whole:
    """Return a project that ``alembic init`` made, with the revisions of another."""
    shop = project("linear")
    revisions = shop.root / "revisions"
    shutil.move(shop.versions, revisions)
    shutil.rmtree(shop.root / "alembic")
    ini = shop.root / "alembic.ini"
    ini.unlink()
    toml: dict[str, Any] = (
        {"toml_file": shop.root / "pyproject.toml"} if "pyproject" in template else {}
    )
    config = Config(ini, **toml, stdout=io.StringIO())
    command.init(config, "alembic", template=template)
    shutil.copytree(revisions, shop.versions, dirs_exist_ok=True)
    settings = "\n".join(f"    {name} = {driver}" for name, driver in DRIVERS.items())
    drivers = f"drivers =\n{settings}\n" if "async" in template else ""
    ini.write_text(f"{ini.read_text()}\n[topchef]\n{drivers}")
    return shop


@reads_toml
def test_the_templates() -> None:
    assert {"generic", "async", "multidb", "pyproject"} <= set(names())


@pytest.mark.parametrize("template", TEMPLATES)
def test_template(project: MakeProject, scratch: ScratchDatabase, template: str) -> None:
    if "async" in template and scratch.url.get_backend_name() not in DRIVERS:
        pytest.skip("no async driver for it is installed")
    rival = Rival(initialised(project, template), scratch)
    above, below = rival.agree()
    assert (above.versions, below.versions) == (["cc30"], [])
    assert status(rival.ours).data["pending"] == ["aa10", "bb20", "cc30"]
    assert len(history(rival.ours).data["events"]) == 6


@pytest.mark.backends("sqlite", "postgresql")
@pytest.mark.parametrize("template", TEMPLATES)
def test_scratch_work(project: MakeProject, server: Server, template: str) -> None:
    shop = initialised(project, template)
    report = roundtrip(shop.load(), on=[text(server)])
    assert (report.findings, sum(each.revision is not None for each in report.checks)) == ((), 3)
    script = sql(shop.load(), "aa10", on=[text(server)]).script
    assert script is not None
    assert "CREATE TABLE authors" in script
    assert "depends on the data" not in script  # they have an offline mode, and it is used


@pytest.mark.parametrize("template", TEMPLATES)
def test_without_a_database_one_is_asked_for(project: MakeProject, template: str) -> None:
    """The URL that a template writes is a placeholder."""
    shop = initialised(project, template)
    done = shop.call("upgrade")
    assert done.returncode == 2
    assert "env.py was given no usable database URL" in done.stderr
    assert "--url" in done.stderr
    assert "Traceback" not in done.stderr
