"""The documentation has a page for every module, and its examples run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

import topchef_schema.database
from topchef_schema.database.schemas.database_schema import metadata
from topchef_schema.types import Portable

PAGES = Path(__file__).resolve().parents[2] / "docs" / "api"
HOUSE = Path(topchef_schema.database.__path__[0])
OPTIONS = ("members", "private-members", "special-members", "undoc-members", "show-inheritance")


def modules() -> list[str]:
    """Return every module of the room, by its name within it."""
    files = [path.relative_to(HOUSE) for path in HOUSE.rglob("*.py") if path.stem != "__init__"]
    return sorted(".".join(file.with_suffix("").parts) for file in files)


def documented() -> dict[str, str]:
    """Module → the options that its page shows it with."""
    found = {}
    for page in PAGES.glob("*.md"):
        for name, options in re.findall(r"automodule:: (\S+)\n((?:   :.+\n)+)", page.read_text()):
            found[name] = options
    return found


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (PAGES / page).read_text(), re.DOTALL)


@pytest.mark.parametrize("module", modules())
def test_every_module_is_documented_with_all_it_has(module: str) -> None:
    options = documented()[f"topchef_schema.database.{module}"]
    assert all(f"   :{option}:\n" in options for option in OPTIONS)


@pytest.mark.parametrize(
    "page",
    [
        "models.abstract_database_model",
        "models.service",
        "models.job",
        "models.job_set",
        "schemas.abstract_database_schema",
        "schemas.database_schema",
        "schemas.job_status",
        "json_type",
        "uuid_database_type",
    ],
)
def test_what_the_original_documentation_named_has_a_page_of_its_own(page: str) -> None:
    assert f"automodule:: topchef_schema.database.{page}\n" in (PAGES / f"{page}.md").read_text()


def test_every_page_is_in_the_table_of_contents() -> None:
    listed = set(re.findall(r"^[a-z_.]+$", (PAGES / "index.md").read_text(), re.MULTILINE))
    assert {page.stem for page in PAGES.glob("*.md")} - {"index"} == listed


def test_the_example_of_the_models_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    engine = sa.create_engine("sqlite:///topchef.db")
    metadata.create_all(engine)
    engine.dispose()
    (example,) = blocks("index.md")
    names: dict[str, sa.Engine] = {}
    exec(example, names)
    names["engine"].dispose()
    assert "'parameters': {'degrees': 200}" in capsys.readouterr().out


def test_the_example_of_a_type_of_your_own_renders_what_it_says() -> None:
    (example,) = blocks("types.md")
    names: dict[str, type[Portable[object]]] = {}
    exec(example, names)
    said = example.rstrip().splitlines()[-1].removeprefix("# ")
    assert names["Money"]().rendered() == eval(said)
