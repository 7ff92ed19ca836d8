"""What the short way understands, it understands as Alembic, SQLAlchemy and Python do."""

from __future__ import annotations

import compileall
import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from tests import synthetic
from tests.bridge import test_foreign_environments as ways
from tests.bridge import test_foreign_layouts as layouts
from tests.bridge import test_templates as templates
from tests.shortcut.conftest import Agree
from tests.whole_projects import LOGGING, MakeProject, Whole, execute, text
from topchef_schema import model, upgrade
from topchef_schema.backends import direct
from topchef_schema.backends.base import ScratchDatabase, safe_label
from topchef_schema.backends.direct import arguments
from topchef_schema.model import DatabaseUrl
from topchef_schema.shortcut import address, inert, revision_files
from topchef_schema.shortcut.doubt import Doubt

URL = "sqlalchemy.url = sqlite:///app.db\n"
UNDERSTOOD = {"usual"}
"""The ways of writing an env.py (``test_foreign_environments``) that are wholly understood."""


def test_what_was_loaded_and_opened(project: MakeProject) -> None:
    """Nothing heavy is imported, and nothing is written."""
    shop = project("linear", ini=URL)
    upgrade(shop.here())
    before = {path: path.stat().st_mtime_ns for path in shop.root.rglob("*")}
    command = [sys.executable, "-X", "importtime", "-m", "topchef_schema", "upgrade"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    assert done.stdout == "nothing to do: the database is at cc30\n"
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not {each.partition(".")[0] for each in imported} & {"sqlalchemy", "alembic", "mako"}
    assert {path: path.stat().st_mtime_ns for path in shop.root.rglob("*")} == before


@pytest.mark.parametrize(
    "keywords",
    ['version_table="shop_versions"', "compare_type=True, render_as_batch=False"],
)
def test_keywords(project: MakeProject, agree: Agree, keywords: str) -> None:
    shop = project("linear", ini=URL)
    path = shop.root / "alembic" / "env.py"
    call = "context.configure(connection=connection"
    path.write_text(path.read_text().replace(call, f"{call}, {keywords}"))
    upgrade(shop.here())
    assert agree()


def test_logging(project: MakeProject, agree: Agree) -> None:
    shop = project("linear", ini=f"{URL}{LOGGING}")
    path = shop.root / "alembic" / "env.py"
    lines = "from logging.config import fileConfig\n"
    lines += "if config.config_file_name is not None:\n    fileConfig(config.config_file_name)\n"
    head, _, rest = lines.partition("\n")
    content = path.read_text().replace("target_metadata =", f"{rest}target_metadata =", 1)
    path.write_text(content.replace("from alembic", f"{head}\nfrom alembic", 1))
    upgrade(shop.here())
    assert agree()
    for old, new in [
        ("StreamHandler", "FileHandler"),
        ("(sys.stdout,)", "(print('hello'),)"),
        ("keys = plain", "keys = plain, another"),
        ("level = WARNING", "level = LOUD"),
        ("handlers = console", "handlers = nowhere"),
        ("keys = root", "keys = root, sqlalchemy"),
        ("formatter = plain", "formatter = plane"),
        ("%(message)s", "no field"),
        ("[logger_root]", "[logger_root]\nfilters = x"),
    ]:
        ini = (shop.root / "alembic.ini").read_text()
        assert old in ini
        shop.write("alembic.ini", ini.replace(old, new, 1))
        assert not agree(formats=("text",)), new
        shop.write("alembic.ini", ini)


@pytest.mark.parametrize("compiled", ["fresh", "none", "old"])
def test_many_revisions_and_merges(project: MakeProject, agree: Agree, compiled: str) -> None:
    files = {
        name: content.partition("\n\ndepends_on")[0] + "\n"
        for name, content in synthetic.joined(60).items()
    }
    shop = project(versions=files, ini=URL)
    upgrade(shop.here(), history=False)
    shutil.rmtree(shop.versions / "__pycache__", ignore_errors=True)
    if compiled != "none":
        compileall.compile_dir(shop.versions, quiet=1)
    if compiled == "old":
        for path in shop.versions.glob("*.py"):
            os.utime(path, (1, 1))
    assert agree()
    assert agree("heads", "--no-history")
    assert revision_files.heads(shop.versions) == list(shop.here().revisions.heads)


@pytest.mark.parametrize(("size", "understood"), [(20_000, True), (200_000, False)])
def test_a_revision_of_this_size(
    project: MakeProject, agree: Agree, size: int, understood: bool
) -> None:
    shop = project("linear", ini=URL)
    (path,) = shop.versions.glob("*bb20*.py")
    path.write_text(f"{path.read_text()}\n\nTEXT = {'x' * size!r}\n")
    upgrade(shop.here())
    compileall.compile_dir(shop.versions, quiet=1)
    assert agree() is understood


def test_topchefs_own_project(
    tmp_path: Path, agree: Agree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOPCHEF_DATABASE_URL", raising=False)
    url = f"sqlite:///{tmp_path}/app.db"
    subprocess.run(
        [sys.executable, "-m", "topchef_schema", "upgrade", "--url", url], check=True, cwd=tmp_path
    )
    assert agree("--url", url)
    execute(url, "UPDATE alembic_version SET version_num = '0009'")
    assert not agree("--url", url)


@pytest.mark.parametrize("env", sorted(ways.WAYS))
def test_it_never_disagrees(
    project: MakeProject, scratch: ScratchDatabase, agree: Agree, env: str
) -> None:
    """Each way of writing an env.py, on each database on which it says something."""
    if scratch.url.get_backend_name() not in ways.WAYS[env].backends:
        pytest.skip(f"{env} has nothing to do with it")
    shop = ways.laid_out(project, env)
    upgrade(shop.on(scratch))
    assert agree("--url", text(scratch)) is (env in UNDERSTOOD)
    assert agree("--url", text(scratch), "head", formats=("json",)) is (env in UNDERSTOOD)


def without_branches(shop: Whole) -> None:
    for path in shop.versions.glob("*.py"):
        path.write_text(re.sub("(branch_labels|depends_on) = .*", "", path.read_text()))


@pytest.mark.backends("sqlite", "postgresql")
@pytest.mark.filterwarnings("ignore:.*path_separator:DeprecationWarning")
@pytest.mark.parametrize("layout", layouts.EACH)
def test_it_never_disagrees_about_layouts(
    project: MakeProject, scratch: ScratchDatabase, agree: Agree, layout: str
) -> None:
    shop = project("branched")
    layouts.LAYOUTS[layout](shop)
    upgrade(shop.on(scratch))
    without_branches(shop)
    assert agree("--url", text(scratch)) is (layout in PLAIN_LAYOUTS)


PLAIN_LAYOUTS = {"relative", "dated names"}


@pytest.mark.parametrize("template", templates.TEMPLATES)
def test_templates(
    project: MakeProject, scratch: ScratchDatabase, agree: Agree, template: str
) -> None:
    shop = templates.initialised(project, template)
    if "async" in template and scratch.url.get_backend_name() not in templates.DRIVERS:
        pytest.skip("no async driver for it is installed")
    upgrade(shop.on(scratch))
    assert agree("--url", text(scratch)) is (template == "generic")


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize(
    "name", ["branched", "habits", "irreversible", "leaky", "linear", "modelled"]
)
def test_projects(project: MakeProject, scratch: ScratchDatabase, agree: Agree, name: str) -> None:
    shop = project(name)
    upgrade(shop.on(scratch))
    assert agree("--url", text(scratch)) is (name in PLAIN_PROJECTS)


PLAIN_PROJECTS = {"irreversible", "leaky", "linear"}

WORDS = st.text(list("abcXYZ019_.-~%/@:+?&= "), min_size=0, max_size=6)


@given(
    scheme=st.sampled_from(["sqlite", "postgresql+psycopg", "mysql+pymysql", "a b", "+"]),
    user=WORDS,
    password=st.one_of(st.none(), WORDS, st.sampled_from(["%40", "a%2Fb%21", "%zz", "%C3%A9"])),
    host=st.sampled_from(["", "localhost", "db.example.org", "10.0.0.1", "[::1]", "a_b", "-x"]),
    port=st.sampled_from(["", ":", ":5432", ":05", ":x", ":99999"]),
    database=WORDS,
    query=st.sampled_from(["", "?", "?a=b", "?host=%2Ftmp%2Fx", "?a=b&a=c", "?a=", "?a=b+c", "?a"]),
)
def test_urls(
    scheme: str,
    user: str,
    password: str | None,
    host: str,
    port: str,
    database: str,
    query: str,
) -> None:
    secret = "" if password is None else f":{password}"
    for words in (
        f"{scheme}:///{database}{query}",
        f"{scheme}://{user}{secret}@{host}{port}/{database}{query}",
    ):
        try:
            found = address.of(DatabaseUrl(words, "a test"))
        except Doubt:
            continue
        url = make_url(words)
        # What env.py is given is written anew.
        assert make_url(url.render_as_string(hide_password=False)) == url
        assert found.label == safe_label(url)
        assert (found.scheme, found.database) == (url.drivername, url.database)
        assert (found.user, found.password) == (url.username, url.password)
        assert (found.host, found.port) == (url.host, url.port)
        assert dict(found.query) == dict(url.query)


@pytest.mark.parametrize(
    "words",
    [
        "sqlite:///app.db",
        "sqlite:////srv/data/app.db",
        "postgresql+psycopg://app:secret@db.example.org:5432/shop",
        "postgresql+psycopg://app@db/shop?sslmode=require",
        "postgresql+psycopg://app:s%40cret@/shop?host=%2Frun%2Fpostgresql",
        "mysql+pymysql://app:secret@db/shop?charset=utf8mb4",
        "mariadb+pymysql://app:secret@db:3307/shop",
    ],
)
def test_usual_urls_are_understood(words: str) -> None:
    found = address.of(DatabaseUrl(words, "a test"))
    assert found.label == safe_label(make_url(words))
    if found.user is None:
        return
    dialect = make_url(words).get_dialect()()
    _, given = dialect.create_connect_args(make_url(words))
    words_for = {"passwd": "password", "db": "database"}
    theirs = {words_for.get(key, key): value for key, value in given.items()}
    word = "dbname" if "dbname" in theirs else "database"
    ours = arguments(found, ("charset", "host", "sslmode"), database=word)
    assert ours == {key: value for key, value in theirs.items() if key in ours}
    assert theirs.keys() - ours.keys() <= {"context", "client_flag"}


def test_what_is_spelled_out_is_what_the_model_says() -> None:
    not_ended = {model.HistoryStatus.STARTED, model.HistoryStatus.FAILED}
    assert set(direct.ENDED_WELL) <= set(model.HistoryStatus) - not_ended
    assert direct.HISTORY_TABLE == model.HISTORY_TABLE
    assert direct.JOURNAL_TABLE == model.JOURNAL_TABLE


def test_what_an_import_may_name_is_there() -> None:
    """With the oldest versions that we work with, too: the tests run with them."""
    for module, names in inert.NAMES.items():
        for name in names:
            found = importlib.import_module(module)
            assert hasattr(found, name) or importlib.import_module(f"{module}.{name}"), name
    for module in inert.MODULES:
        importlib.import_module(module)


def test_what_an_import_may_name_is_loaded_before() -> None:
    """So that no file of the project can take its place."""
    code = "import sys, alembic.command, alembic.runtime.environment, sqlalchemy, logging.config\n"
    code += "print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    wanted = {each for each in {*inert.NAMES, *inert.MODULES} if "sqlalchemy." not in each}
    assert wanted - {"__future__"} <= loaded


def test_classes_are_classes() -> None:
    """An annotation such as ``sa.Table | None`` cannot fail."""
    import sqlalchemy

    for name in inert.NAMES["sqlalchemy"]:
        if name[0].isupper():
            assert isinstance(getattr(sqlalchemy, name), type), name


def test_annotations(tmp_path: Path) -> None:
    """All shapes that are understood can be evaluated."""
    shapes = ["str", "str | None", "Union[str, None]", "Union[str, Sequence[str], None]"]
    shapes += ["Sequence[str]", "list[sa.Table]", "tuple[int, str]", "sa.Table | None", "None"]
    shapes += ["Optional[List[str]]"]
    lines = ["from typing import List, Optional, Sequence, Union", "import sqlalchemy as sa"]
    lines += [f"a{number}: {shape} = None" for number, shape in enumerate(shapes)]
    lines += [f"def f{number}(x: {each}) -> {each}: pass" for number, each in enumerate(shapes)]
    source = "\n".join(lines)
    exec(source, {})
    import ast

    assert len(inert.Bindings(ast.parse(source)).literals) == len(shapes)
    for each in ["None | None", "Sequence", "Optional[str, int]", "sa.text", "List[()]", "'str'"]:
        with pytest.raises(Doubt):
            inert.Bindings(ast.parse(f"{lines[0]}\n{lines[1]}\na: {each} = None"))


def test_names_in_another_meaning() -> None:
    import ast

    for each in [
        "from sqlalchemy import Sequence\na: Sequence[str] = None",
        "str = None\na: str = None",
        "def sa(): pass\na: sa.Table = None",
        "import sqlalchemy as sa\nimport datetime as sa",
        "__path__ = None",
        "from alembic import *",
        "from . import op",
        "import alembic.op",
        "a = b = None",
        "a: str",
        "a += 1",
        "x = {**{}}",
        "x = {[]: 1}",
        "async def f(): pass",
    ]:
        with pytest.raises(Doubt):
            inert.Bindings(ast.parse(each))
