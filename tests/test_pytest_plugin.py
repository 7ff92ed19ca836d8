"""The pytest plugin, as a test suite of a project meets it: in a run of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from tests.whole_projects import revision, start

if TYPE_CHECKING:
    from tests.whole_projects import MakeProject, Whole

LEAVES = 'op.execute("CREATE INDEX kept ON books (title)")'
VERSIONS = {
    "aa10.py": revision(
        "aa10",
        'open("runs.log", "a").write("up ")\n'
        'op.create_table("books", sa.Column("id", sa.Integer, primary_key=True), '
        'sa.Column("title", sa.String(40)))',
        'op.drop_table("books")',
        message="books: they have a title",
    ),
    "bb20.py": revision(
        "bb20",
        f"{LEAVES}",
        'op.execute("SELECT 1")',
        down="aa10",
        message="an @index::stays [kept]",
    ),
    "cc30.py": revision("cc30", 'op.execute("SELECT nothing FROM nowhere")', down="bb20"),
    "dd40.py": revision("dd40", 'op.execute("SELECT 1")', down="cc30"),
}
TESTS = """
def test_no_round_trip():
    pass
"""
FIXTURES = """
import os
import sqlalchemy as sa

def titles(engine):
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO books (id, title) VALUES (1, 'a')"))
        return [column["name"] for column in sa.inspect(connection).get_columns("books")]

def test_head(topchef_engine, topchef_backend, tmp_path, monkeypatch):
    assert titles(topchef_engine) == ["id", "title", "pages"]

def test_each_test_has_a_database_of_its_own(topchef_engine):
    assert titles(topchef_engine) == ["id", "title", "pages"]

def test_any_revision_from_anywhere(topchef_database_at, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one, other = topchef_database_at("aa10"), topchef_database_at("aa10")
    assert one.url != other.url
    assert titles(one) == titles(other) == ["id", "title"]

def test_asked_for_while_it_runs(request):
    assert titles(request.getfixturevalue("topchef_engine")) == ["id", "title", "pages"]

def test_unknown_revision(topchef_database_at):
    topchef_database_at("nowhere")
"""


@dataclass(frozen=True)
class Done:
    """A run of pytest: what it printed, and how each item ended."""

    code: int
    output: str
    items: Mapping[str, str]


def run(whole: Whole, *options: str, **environment: str) -> Done:
    """Run pytest in the project, without plugins that take long to import.

    Warnings are errors there.
    """
    whole.write("pytest.ini", "[pytest]\nfilterwarnings = error\n")
    report = whole.root / "report.xml"
    others = [f"-pno:{name}" for name in ("cacheprovider", "postgresql", "hypothesispytest")]
    fixed = ["-ra", *others, f"--junit-xml={report}"]
    command = [sys.executable, "-m", "pytest", *fixed, *options]
    process = start(command, whole.root, environment)
    out, err = process.communicate(timeout=120)
    items = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}".removesuffix("@topchef-sqlite")
        items[name] = next((each.tag for each in case if each.tag in ENDS), "passed")
    return Done(process.returncode, out + err, items)


ENDS = ("failure", "error", "skipped")
EXPECTED = {
    "alembic.ini.sqlite::aa10 books: they have a title": "passed",
    "alembic.ini.sqlite::bb20 an @index:stays [kept]": "failure",
    "alembic.ini.sqlite::cc30 a revision": "failure",
    "alembic.ini.sqlite::dd40 a revision": "skipped",
    "alembic.ini.sqlite::project": "passed",
    "test_it::test_no_round_trip": "passed",
}


def test_a_test_for_each_revision(project: MakeProject) -> None:
    whole = project(versions=VERSIONS)
    whole.write("test_it.py", TESTS)
    done = run(whole, "--topchef-roundtrip", "--topchef-on", "sqlite")
    assert done.items == EXPECTED, done.output
    assert done.code == 1
    assert "error · downgrade-leaves-trace · bb20 · sqlite" in done.output
    assert "index books.kept" in done.output
    assert "it stands on one that fails" in done.output
    assert "Traceback" not in done.output


@pytest.mark.sampled
@pytest.mark.parametrize("dist", ["load", "loadgroup", "loadscope", "worksteal"])
def test_many_processes_prove_once(project: MakeProject, dist: str) -> None:
    whole = project(versions={"aa10.py": VERSIONS["aa10.py"]})
    whole.write("test_it.py", TESTS)
    done = run(whole, "--topchef-roundtrip", "-n", "2", "--dist", dist)
    passed = [name for name, outcome in EXPECTED.items() if outcome == "passed"]
    assert done.items == dict.fromkeys(passed, "passed"), done.output
    # Up, down and up, in whichever process it was, and up once more to where the models are.
    assert (whole.root / "runs.log").read_text().split() == ["up", "up", "up"]


def test_one_revision_alone(project: MakeProject) -> None:
    whole = project(versions=VERSIONS)
    done = run(whole, "--topchef-roundtrip", "-k", "aa10", "-m", "topchef_roundtrip")
    assert done.items == {next(iter(EXPECTED)): "passed"}, done.output
    assert done.code == 0


def test_what_cannot_be_reached_is_said_once(project: MakeProject) -> None:
    whole = project(versions=VERSIONS)
    nowhere = "postgresql://me:secret@127.0.0.1:1/"
    done = run(whole, "--topchef-roundtrip", "--topchef-on", nowhere)
    assert list(done.items.values()) == ["failure", *["skipped"] * 4], done.output
    # what comes after is a summary, which pytest does not cut where it sees a CI server
    assert done.output.partition("short test summary")[0].count("help: ") == 1
    assert "secret" not in done.output


def test_a_project_that_cannot_be_read(project: MakeProject) -> None:
    whole = project(versions={"aa10.py": "revision = ("})
    done = run(whole, "--topchef-roundtrip")
    assert done.items == {"topchef.project::unreadable": "failure"}, done.output
    assert "aa10.py" in done.output
    assert "INTERNALERROR" not in done.output


def test_databases_for_tests(project: MakeProject) -> None:
    pages = 'op.add_column("books", sa.Column("pages", sa.Integer))'
    drop = 'op.drop_column("books", "pages")'
    whole = project(
        versions={
            "aa10.py": VERSIONS["aa10.py"],
            "bb20.py": revision("bb20", pages, drop, down="aa10"),
        }
    )
    whole.write("test_it.py", FIXTURES)
    done = run(whole)
    assert len(done.items) == 5, done.output
    failed = {name for name, outcome in done.items.items() if outcome != "passed"}
    assert failed == {"test_it::test_unknown_revision[sqlite]"}, done.output
    assert "Can't locate revision identified by 'nowhere'" in done.output
    assert "Traceback" not in done.output
    # Once for each revision that was asked for, not for each database.
    assert (whole.root / "runs.log").read_text().split() == ["up", "up"]


def test_the_plugin_is_light() -> None:
    program = "import sys, topchef_schema.testing; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    heavy = {"sqlalchemy", "alembic", "click", "mako"}
    assert not heavy & {each.partition(".")[0] for each in done.stdout.split()}
