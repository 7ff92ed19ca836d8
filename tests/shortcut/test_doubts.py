"""Whatever is not wholly understood goes the long way, and gets the long way's answer."""

from __future__ import annotations

import os
import py_compile
import re
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.shortcut.conftest import Agree
from tests.whole_projects import MakeProject, Whole, execute, revision, text
from topchef_schema import upgrade
from topchef_schema.backends.base import ScratchDatabase

Change = Callable[[Whole], object]


@pytest.fixture
def shop(project: MakeProject) -> Whole:
    """A project whose database is at head; its ini file says where that is."""
    whole = project("linear", ini="sqlalchemy.url = sqlite:///app.db\n")
    upgrade(whole.here())
    return whole


def ini(old: str, new: str) -> Change:
    return lambda shop: replaced(shop, "alembic.ini", old, new)


def setting(line: str) -> Change:
    return ini("[topchef]\n", f"[topchef]\n{line}\n")


def env(old: str, new: str) -> Change:
    return lambda shop: replaced(shop, "alembic/env.py", old, new)


def last(old: str, new: str) -> Change:
    """Change the last revision."""
    return lambda shop: replaced(shop, "alembic/versions/cc30_longer_titles.py", old, new)


def replaced(shop: Whole, name: str, old: str, new: str) -> None:
    path = shop.root / name
    content = path.read_text(encoding="utf-8")
    assert old in content, f"{old} is not in {name}"
    shop.write(name, content.replace(old, new, 1))


def added(file: str, content: str) -> Change:
    return lambda shop: shop.write(f"alembic/versions/{file}", content)


def run(*statements: str) -> Change:
    return lambda shop: execute(shop.url, *statements)


ROW = (
    "INSERT INTO topchef_history (run_id, revision, status, started_at) "
    "VALUES ('x', 'cc30', '{}', '2026-01-01 00:00:00')"
)
EMPTY_JOURNAL = (
    "DROP TABLE IF EXISTS topchef_journal",
    "CREATE TABLE topchef_journal (id INTEGER PRIMARY KEY, whatever TEXT)",
)
IN_JOURNAL = "INSERT INTO topchef_journal (id, whatever) VALUES (1, 'x')"
CONFIGURE = "context.configure(connection=connection, target_metadata=target_metadata"
FILE_CONFIG = "from logging.config import fileConfig\nfileConfig(context.config.config_file_name)\n"


def moved_to_a_package(shop: Whole) -> None:
    (shop.root / "inner").mkdir()
    (shop.root / "alembic").rename(shop.root / "inner" / "alembic")
    shop.write("inner/__init__.py", "")
    replaced(shop, "alembic.ini", "%(here)s/alembic", "inner:alembic")


def in_pyproject(shop: Whole) -> None:
    shop.write("pyproject.toml", '[tool.alembic]\nscript_location = "alembic"\n')


def a_link(shop: Whole) -> None:
    path = shop.versions / "cc30_longer_titles.py"
    path.rename(shop.root / "elsewhere.py")
    path.symlink_to(shop.root / "elsewhere.py")


def in_write_ahead_mode(shop: Whole) -> None:
    with closing(sqlite3.connect(shop.file)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def compiled_before_it_changed(shop: Whole) -> None:
    """What was compiled does not say what the file says, and Python knows."""
    path = shop.versions / "cc30_longer_titles.py"
    py_compile.compile(str(path))
    replaced(shop, "alembic/versions/cc30_longer_titles.py", 'down_revision = "bb20"', "x = (")
    os.utime(path, (1, 1))


def unchecked(shop: Whole) -> None:
    """What was compiled does not say what the file says, and Python takes it all the same."""
    path = shop.versions / "dd40.py"
    path.write_text(revision("dd40", "pass", down="cc30"))
    py_compile.compile(str(path), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    path.write_text(revision("ab15", "pass", down="aa10").replace("aa10", "bb20"))
    replaced(shop, "alembic/versions/cc30_longer_titles.py", '"bb20"', '"ab15"')


def old_env_py(shop: Whole) -> None:
    """What was compiled of env.py has the time and the size of what it is now."""
    path = shop.root / "alembic" / "env.py"
    content = path.read_text()
    path.write_text(content.replace("target_metadata = None", "raise SystemExit(31)  "))
    assert path.stat().st_size == len(content)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    py_compile.compile(str(path))
    path.write_text(content)
    os.utime(path, (1_000_000_000, 1_000_000_000))


DOUBTS: dict[str, Change] = {
    # what is to do
    "pending": added("dd40.py", revision("dd40", "pass", down="cc30")),
    "pending merge": lambda shop: [
        added("dd40.py", revision("dd40", "pass", down="bb20"))(shop),
        added("ee50.py", revision("ee50", "pass", down=("cc30", "dd40")))(shop),
    ],
    "another head": added("dd40.py", revision("dd40", "pass", down="bb20")),
    "another base": added("dd40.py", revision("dd40", "pass")),
    "unknown version row": run("UPDATE alembic_version SET version_num = 'zz99'"),
    "second version row": run("INSERT INTO alembic_version VALUES ('bb20')"),
    "no version row": lambda shop: [
        run("DELETE FROM alembic_version")(shop),
        run("DROP TABLE books", "DROP TABLE authors")(shop),
    ],
    "no version table": lambda shop: [
        run("DROP TABLE alembic_version", "DROP TABLE books", "DROP TABLE authors")(shop),
    ],
    "no database": lambda shop: shop.file.unlink(),
    "no database file": lambda shop: shop.file.write_text("this is text" * 100),
    "write-ahead log": in_write_ahead_mode,
    # revision files
    "computed id": last('revision = "cc30"', 'revision = "-".join(["cc30"])'),
    "computed name": last('revision = "cc30"', 'globals()["revision"] = "cc30"'),
    "computed down": last('down_revision = "bb20"', 'down_revision = "bb20".lower()'),
    "list": last('down_revision = "bb20"', 'down_revision = ["bb20"]'),
    "id said twice": last('revision = "cc30"', 'revision = "aa10"\nrevision = "cc30"'),
    "id by condition": last('revision = "cc30"', 'if True:\n    revision = "cc30"'),
    "no id": last('revision = "cc30"', 'name = "cc30"'),
    "no down": last('down_revision = "bb20"', 'below = "bb20"'),
    "unknown down": added("dd40.py", revision("dd40", "pass", down="zz99")),
    "same id": added("dd40.py", revision("cc30", "pass", down="bb20")),
    "circle": lambda shop: [
        added("dd40.py", revision("dd40", "pass", down="ee50"))(shop),
        added("ee50.py", revision("ee50", "pass", down="dd40"))(shop),
    ],
    "id with a sign": added("dd40.py", revision("dd-40", "pass", down="cc30")),
    "depends_on": last('revision = "cc30"', 'revision = "cc30"\ndepends_on = "aa10"'),
    "branch_labels": last('revision = "cc30"', 'revision = "cc30"\nbranch_labels = ("shop",)'),
    "printing": last('revision = "cc30"', 'revision = "cc30"\nprint("hello")'),
    "raising": last('revision = "cc30"', 'revision = "cc30"\nraise ValueError("hello")'),
    "writing": last('revision = "cc30"', 'revision = "cc30"\nopen("touched", "w").close()'),
    "import": last('revision = "cc30"', 'revision = "cc30"\nimport application'),
    "missing name": last("from alembic import op", "from alembic import op, oops"),
    "decorator": last("def upgrade", "@print\ndef upgrade"),
    "default": last("def upgrade()", 'def upgrade(x=print("x"))'),
    "annotation": last("def upgrade()", "def upgrade() -> unknown"),
    "generic annotation": last("def upgrade()", "def upgrade() -> list[str][int]"),
    "class": last("def upgrade", "class Upgrade(str):\n    pass\n\n\ndef upgrade"),
    "syntax in a body": last("def upgrade():", "def upgrade():\n    return )"),
    "not utf-8": lambda shop: (shop.versions / "bb20_sort_names.py").write_bytes(b"# \xff\n"),
    "link": a_link,
    "folder": lambda shop: (shop.versions / "dd40.py").mkdir(),
    "empty file": added("dd40.py", ""),
    "compiled before it changed": compiled_before_it_changed,
    "compiled and not checked": unchecked,
    # env.py
    "changed engine": env("poolclass=pool.NullPool", "poolclass=pool.StaticPool"),
    "import in env.py": env(
        "from alembic import context", "from alembic import context\nimport os"
    ),
    "models": lambda shop: [
        shop.write("shop_models.py", "target_metadata = None\n"),
        env("target_metadata = None", "from shop_models import target_metadata")(shop),
    ],
    "missing models": env("target_metadata = None", "from nowhere import target_metadata"),
    "side effect in env.py": env("config =", 'open("touched", "w").close()\nconfig ='),
    "printing env.py": env("config =", 'print("hello")\nconfig ='),
    "ending env.py": env("config =", "raise SystemExit(3)\nconfig ="),
    "broken env.py": env("config =", "config = ("),
    "code after it": lambda shop: replaced(
        shop, "alembic/env.py", "else:\n", "else:\n    context.get_x_argument()\n"
    ),
    "another URL": env(
        "section = config.get_section(config.config_ini_section, {})",
        'section = {"sqlalchemy.url": "sqlite:///other.db"}',
    ),
    "other work": env(CONFIGURE, CONFIGURE.replace("target_metadata=target_metadata", "fn=print")),
    "env.py compiled before": old_env_py,
    "several databases": env("config =", "for each in ():\n    pass\nconfig ="),
    "version table of an expression": env(CONFIGURE, f'{CONFIGURE}, version_table="a" + "b"'),
    "version table with a sign": env(CONFIGURE, f'{CONFIGURE}, version_table="my-versions"'),
    "version table of another schema": env(CONFIGURE, f'{CONFIGURE}, version_table_schema="main"'),
    "unknown keyword": env(CONFIGURE, f'{CONFIGURE}, on_version_apply=lambda **_: print("x")'),
    "logging without sections": env("config =", f"{FILE_CONFIG}config ="),
    # configuration
    "version_locations": ini(
        "path_separator", "version_locations = %(here)s/alembic/versions\npath_separator"
    ),
    "several version_locations": lambda shop: [
        shop.write("more/dd40.py", revision("dd40", "pass", down="cc30")),
        ini(
            "path_separator",
            "version_locations = %(here)s/alembic/versions:%(here)s/more\npath_separator",
        )(shop),
    ],
    "recursive_version_locations": lambda shop: [
        shop.write("alembic/versions/more/dd40.py", revision("dd40", "pass", down="cc30")),
        ini("path_separator", "recursive_version_locations = true\npath_separator")(shop),
    ],
    "sourceless": ini("path_separator", "sourceless = true\npath_separator"),
    "package": moved_to_a_package,
    "no script_location": ini("script_location", "no_location"),
    "pyproject": in_pyproject,
    "broken option": ini("path_separator", "mine = %(nothing)s\npath_separator"),
    "engine option": ini("path_separator", "sqlalchemy.echo = true\npath_separator"),
    "not ASCII": ini("[topchef]", "# café\n[topchef]"),
    "metadata": lambda shop: [
        shop.write("shop_models.py", "import sqlalchemy as sa\n\nmetadata = sa.MetaData()\n"),
        setting("metadata = shop_models:metadata")(shop),
    ],
    "missing metadata": setting("metadata = nowhere:metadata"),
    "url_env": setting("url_env = SHOP_DATABASE"),
    "url_x": setting("url_x = database"),
    "url_option": setting("url_option = shop_url"),
    "prepare": lambda shop: [
        shop.write("before.py", "def prepare(config):\n    raise ValueError('no')\n"),
        setting("prepare = before:prepare")(shop),
    ],
    "baseline": setting("baseline = old.sql"),
    "databases": setting("databases = one, two"),
    "drivers": setting("drivers = sqlite = pysqlite"),
    # history and journal
    "started": run(ROW.format("started")),
    "failed": run(ROW.format("failed")),
    "of a later version": run(ROW.format("unheard of")),
    "journal": run(*EMPTY_JOURNAL, IN_JOURNAL),
}


def test_without_a_doubt_it_is_taken(shop: Whole, agree: Agree) -> None:
    assert agree()
    assert agree("heads")
    assert agree("head")
    assert agree("--url", shop.url)
    assert agree("--no-history", "--lock-timeout", "0")
    assert agree(formats=("junit",))


@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore:.*path_separator:DeprecationWarning")
@pytest.mark.parametrize("doubt", DOUBTS)
def test_doubt(shop: Whole, agree: Agree, doubt: str) -> None:
    DOUBTS[doubt](shop)
    assert not agree()


def test_nothing_of_it_is_run(shop: Whole, agree: Agree) -> None:
    """A side effect happens once for each of the four long ways, and never in a short one."""
    line = 'with open("touched", "a") as file:\n    file.write("x")\nconfig ='
    replaced(shop, "alembic/env.py", "config =", line)
    assert not agree()
    assert len((shop.root / "touched").read_text()) == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ("cc30",),
        ("cc3",),
        ("+0",),
        ("+1",),
        ("bb20",),
        ("nothing",),
        ("@head",),
        ("-x", "key=value"),
        ("-n", "topchef"),
        ("--dry-run",),
        ("--url", "sqlite://"),
        ("--url", "sqlite:///:memory:"),
        ("--url", "sqlite:///app.db?timeout=3"),
        ("--url", "sqlite:///file:app.db?uri=true"),
        ("--url", "sqlite+pysqlite:///app.db"),
        ("--url", "postgresql:///shop"),
        ("--url", "oracle://scott:tiger@localhost/shop"),
        ("--url", "not a url"),
        ("--url-env", "NOWHERE"),
        ("-c", "nowhere.ini"),
        ("--settings", "nowhere.ini"),
        ("--unknown",),
    ],
    ids=" ".join,
)
def test_doubtful_call(shop: Whole, agree: Agree, arguments: tuple[str, ...]) -> None:
    assert not agree(*arguments)


def test_other_formats_are_the_same(shop: Whole, agree: Agree) -> None:
    assert agree("--format", "markdown", formats=("markdown",))
    assert agree("-o", "report.json", formats=("json",))


def test_several_heads(project: MakeProject, agree: Agree) -> None:
    shop = project("branched", ini="sqlalchemy.url = sqlite:///app.db\n")
    for path in shop.versions.glob("*.py"):
        path.write_text(re.sub("(branch_labels|depends_on) = .*", "", path.read_text()))
    upgrade(shop.here())
    assert agree()
    assert not agree("head")


def test_warnings_that_are_errors(
    shop: Whole, agree: Agree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "warnoptions", ["error"])
    assert not agree()


def test_the_settings_can_forbid_it(shop: Whole, agree: Agree) -> None:
    shop.write(
        "alembic.ini", (shop.root / "alembic.ini").read_text() + "[topchef.upgrade]\nfast = no\n"
    )
    assert not agree()


def test_it_says_why(shop: Whole) -> None:
    replaced(shop, "alembic/env.py", "config =", 'print("hello")\nconfig =')
    done = shop.call("upgrade", "-v")
    assert "the long way: line 6 of env.py is not understood" in done.stderr


def test_python_takes_it_where_it_is_told_to(shop: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    replaced(shop, "alembic/env.py", "config =", "raise ValueError\nconfig =")
    project = shop.here()
    with pytest.raises(Exception, match=r"env\.py failed"):
        upgrade(project, fast=True)
    with pytest.raises(Exception, match=r"env\.py failed"):
        upgrade(project)


ON_SERVERS: dict[str, tuple[bool, tuple[str, ...]]] = {
    "at head": (True, ()),
    "no history": (True, ("DROP TABLE IF EXISTS topchef_history",)),
    "failed, then applied": (True, (ROW.format("failed"), ROW.format("applied"))),
    "empty journal": (True, EMPTY_JOURNAL),
    "journal": (False, (*EMPTY_JOURNAL, IN_JOURNAL)),
    "failed": (False, (ROW.format("failed"),)),
    "unknown version row": (False, ("UPDATE alembic_version SET version_num = 'zz99'",)),
    "no version table": (
        False,
        ("DROP TABLE alembic_version", "DROP TABLE books", "DROP TABLE authors"),
    ),
}


@pytest.mark.parametrize("state", ON_SERVERS)
def test_each_database(
    project: MakeProject, scratch: ScratchDatabase, agree: Agree, state: str
) -> None:
    shop = project("linear")
    upgrade(shop.on(scratch))
    expected, statements = ON_SERVERS[state]
    execute(scratch, *statements)
    assert agree("--url", text(scratch), again=lambda: execute(scratch, *statements)) is expected
