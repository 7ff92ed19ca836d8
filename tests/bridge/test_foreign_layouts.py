"""Where revisions may lie, and what configuration says so, beside plain Alembic."""

from __future__ import annotations

import compileall
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.plain_alembic import Rival
from tests.whole_projects import ALEMBIC, MakeProject, Whole, needs_alembic, reads_toml
from topchef_schema import heads, history, roundtrip, show, snapshot, sql, status
from topchef_schema.project import Project

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase

FILES = {
    "a0a0": "a0_customers.py",
    "b1b1": "b1_invoices.py",
    "b2b2": "b2_due_dates.py",
    "c1c1": "c1_parcels.py",
}


def moved(shop: Whole, **folders: str) -> None:
    """Move revisions into *folders*, relative to the project."""
    for id, folder in folders.items():
        (shop.root / folder).mkdir(parents=True, exist_ok=True)
        shutil.move(shop.versions / FILES[id], shop.root / folder)


def several(separator: str, between: str) -> Callable[[Whole], None]:
    """Return a layout with a folder for each branch, listed with a separator of that name."""

    def layout(shop: Whole) -> None:
        moved(shop, b1b1="billing", b2b2="billing", c1c1="shipping/versions")
        listed = ("%(here)s/alembic/versions", "%(here)s/billing", "%(here)s/shipping/versions")
        ini = shop.root / "alembic.ini"
        content = ini.read_text().replace("path_separator = os", separator)
        locations = f"version_locations = {between.join(listed)}\n"
        ini.write_text(content.replace("file_template", f"{locations}file_template"))

    return layout


def by_date(shop: Whole) -> None:
    """Folders for years and months, as ``file_template`` makes them, and files beside them."""
    moved(shop, b1b1="alembic/versions/2023/07", b2b2="alembic/versions/2024/01")
    ini = shop.root / "alembic.ini"
    template = "file_template = %%(year)d/%%(month).2d/%%(rev)s_%%(slug)s\n"
    recursive = "recursive_version_locations = true\n"
    content = ini.read_text().replace("file_template = %%(rev)s_%%(slug)s\n", template + recursive)
    ini.write_text(content)


def in_a_package(shop: Whole) -> None:
    """The script location is a folder of an importable package."""
    shutil.move(shop.root / "alembic", shop.root / "shop_package" / "migrations")
    shop.write("shop_package/__init__.py", "")
    (shop.root / "alembic").symlink_to("shop_package/migrations")
    ini = shop.root / "alembic.ini"
    ini.write_text(ini.read_text().replace("%(here)s/alembic", "shop_package:migrations"))


def relative(shop: Whole) -> None:
    """The script location is relative to the working directory, as old templates wrote it."""
    ini = shop.root / "alembic.ini"
    ini.write_text(ini.read_text().replace("%(here)s/alembic", "alembic"))


def sourceless(shop: Whole) -> None:
    """Only compiled files were shipped."""
    compileall.compile_dir(shop.versions, legacy=True, quiet=1)
    for path in shop.versions.glob("*.py"):
        path.unlink()
    ini = shop.root / "alembic.ini"
    ini.write_text(ini.read_text().replace("file_template", "sourceless = true\nfile_template"))


def in_pyproject(shop: Whole) -> None:
    """``pyproject.toml`` says where everything is; the ini file says nothing."""
    moved(shop, c1c1="shipping")
    shop.write(
        "pyproject.toml",
        '[tool.alembic]\nscript_location = "%(here)s/alembic"\nprepend_sys_path = ["."]\n'
        'version_locations = ["%(here)s/alembic/versions", "%(here)s/shipping"]\n',
    )
    (shop.root / "alembic.ini").write_text("[alembic]\n\n[topchef]\n")


def dated_names(shop: Whole) -> None:
    """File names that say nothing of the revision, one with a package file beside them."""
    for number, path in enumerate(sorted(shop.versions.glob("*.py"))):
        path.rename(path.with_name(f"2024_07_0{number}_1200-{number}.py"))
    shop.write("alembic/versions/__init__.py", "")
    shop.write("alembic/versions/README.txt", "not a revision")


LAYOUTS = {
    "os": several("path_separator = os", ":"),
    "space": several("path_separator = space", " "),
    "newline": several("path_separator = newline", "\n    "),
    "version_path_separator": several("version_path_separator = ;", ";"),
    "by date": by_date,
    "package": in_a_package,
    "relative": relative,
    "sourceless": sourceless,
    "pyproject": in_pyproject,
    "dated names": dated_names,
}

NEWER = {
    "os": needs_alembic(16, "there is no path_separator"),
    "newline": needs_alembic(16, "there is no path_separator"),
    "pyproject": reads_toml,
}

EACH = [
    pytest.param(each, marks=[NEWER[each]] if each in NEWER else []) for each in sorted(LAYOUTS)
]


@pytest.mark.filterwarnings("ignore:.*path_separator:DeprecationWarning")
@pytest.mark.backends("sqlite", "postgresql")
@pytest.mark.parametrize("layout", EACH)
def test_layouts(project: MakeProject, scratch: ScratchDatabase, layout: str) -> None:
    shop = project("branched")
    LAYOUTS[layout](shop)
    rival = Rival(shop, scratch)
    above, below = rival.agree()
    assert above.versions == ["b2b2", "c1c1"]
    assert below.versions == []
    assert heads(rival.ours).data["heads"] == ["b2b2", "c1c1"]
    assert len(status(rival.ours).data["pending"]) == 4
    assert len(history(rival.ours).data["events"]) == 8
    (shown,) = [each.path for each in rival.ours.revisions.all if each.id == "c1c1"]
    assert (shop.root / shown).is_file()


@pytest.mark.filterwarnings("ignore:.*path_separator:DeprecationWarning")
@pytest.mark.parametrize("layout", EACH)
def test_scratch_work(project: MakeProject, layout: str) -> None:
    shop = project("branched")
    LAYOUTS[layout](shop)
    report = roundtrip(shop.load(), "b1b1:heads", on=["sqlite"])
    assert (report.findings, sum(each.revision is not None for each in report.checks)) == ((), 2)
    script = sql(shop.load(), "b1b1", on=["sqlite"]).script
    assert script is not None
    assert "CREATE TABLE invoices" in script
    if layout == "by date" and ALEMBIC < (1, 18):
        return  # it makes no folders below that of the versions
    written = shop.call("revision", "--empty", "-m", "words", "--head", "b2b2", "--rev-id", "d4d4")
    assert written.returncode == 0, written.stderr
    assert heads(shop.load()).data["heads"] == ["c1c1", "d4d4"]


def test_section_of_another_name(project: MakeProject, scratch: ScratchDatabase) -> None:
    """Two projects in one file: ``-n`` chooses."""
    shop = project("branched")
    ini = shop.root / "alembic.ini"
    other = "[other]\nscript_location = %(here)s/other\npath_separator = os\n"
    ini.write_text(f"{ini.read_text()}\n{other}")
    shutil.copytree(shop.root / "alembic", shop.root / "other")
    for id in ("b2b2", "c1c1"):
        (shop.root / "other" / "versions" / FILES[id]).unlink()
    above, _ = Rival(shop, scratch, section="other").agree()
    assert above.versions == ["b1b1"]
    done = shop.call("-n", "other", "heads", "--format", "json")
    assert '"b1b1"' in done.stdout
    assert '"c1c1"' not in done.stdout


def test_from_another_folder(
    project: MakeProject, scratch: ScratchDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = project("branched")
    (shop.root / "elsewhere").mkdir()
    monkeypatch.chdir(shop.root / "elsewhere")
    above, _ = Rival(shop, scratch).agree()
    assert above.versions == ["b2b2", "c1c1"]
    assert "invoices" in str(show(Project.load("../alembic.ini"), "b1b1").data)
    assert not any("invoices" in key for key in snapshot(shop.on(scratch)).data["objects"])
