"""The plain calls that are answered before the program is loaded, as the program answers them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.shortcut.conftest import said
from tests.whole_projects import MakeProject, Whole, execute, revision
from topchef_schema import upgrade
from topchef_schema.commands import quick

HEAVY = {"sqlalchemy", "alembic", "mako", "click", "logging"}


@pytest.fixture
def shop(project: MakeProject) -> Whole:
    """A project whose database is at head; its ini file says where that is."""
    whole = project("linear", ini="sqlalchemy.url = sqlite:///app.db\n")
    upgrade(whole.here())
    whole.write("url.txt", "sqlite:///app.db\n")
    return whole


def answered(*arguments: str) -> str | None:
    words = quick.understood(["upgrade", *arguments])
    return None if words is None else quick.answer(words)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("heads",),
        ("head",),
        ("-q",),
        ("--fast",),
        ("--format", "json"),
        ("--format", "text", "head"),
        ("-c", "alembic.ini"),
        ("--config", "alembic.ini", "--quiet"),
        ("--url", "sqlite:///app.db"),
        ("--url-env", "SHOP_URL", "--format", "json"),
        ("--url-file", "url.txt"),
    ],
    ids=" ".join,
)
def test_answered_as_the_program_does(
    shop: Whole, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("SHOP_URL", "sqlite:///app.db")
    answer = answered(*arguments)
    assert answer is not None
    done = shop.call("upgrade", *arguments, "--no-fast")
    assert (said(answer), 0) == (said(done.stdout), done.returncode)


@pytest.mark.parametrize(
    "arguments",
    [
        ("cc30",),
        ("head", "heads"),
        ("-h",),
        ("--help",),
        ("-v",),
        ("--no-fast",),
        ("--dry-run",),
        ("-x", "a=b"),
        ("-n", "alembic"),
        ("--settings", "alembic.ini"),
        ("-o", "report.txt"),
        ("--format", "junit"),
        ("--format",),
        ("--format", "json", "--format", "text"),
        ("--format=json",),
        ("--url", ""),
        ("--url", "-q"),
        ("-calembic.ini",),
        ("--lock-timeout", "3"),
        ("--",),
    ],
    ids=" ".join,
)
def test_left_to_the_program(shop: Whole, arguments: tuple[str, ...]) -> None:
    assert quick.understood(["upgrade", *arguments]) is None


@pytest.mark.parametrize("given", [[], ["-q", "upgrade"], ["status"], ["downgrade", "head"]])
def test_other_calls_are_left_to_the_program(given: list[str]) -> None:
    assert quick.understood(given) is None


def test_completion_is_left_to_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TOPCHEF_DB_COMPLETE", "bash_source")
    assert quick.understood(["upgrade"]) is None


def test_what_is_wrong_is_left_to_the_program(shop: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answered("-c", "nowhere.ini") is None
    assert answered("--url", "sqlite:///app.db", "--url-env", "HOME") is None
    assert answered("--url", "sqlite:///other.db") is None
    ini = (shop.root / "alembic.ini").read_text()
    shop.write("alembic.ini", f"{ini}\n[topchef.upgrade]\nformat = json\n")
    assert answered() is None
    (shop.root / "empty").mkdir()
    monkeypatch.chdir(shop.root / "empty")
    assert answered("--url", f"sqlite:///{shop.file}") is None, "the packaged project is announced"


def test_as_a_process(shop: Whole) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "topchef_schema", "upgrade"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == "nothing to do: the database is at cc30\n"
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not {each.partition(".")[0] for each in imported} & HEAVY
    assert "topchef_schema.cli" not in imported


def test_in_doubt_the_program_goes_on(shop: Whole) -> None:
    shop.write("alembic/versions/dd40.py", revision("dd40", "pass", down="cc30"))
    done = shop.program("upgrade", "--format", "json")
    assert done.returncode == 0
    assert '"dd40"' in done.stdout
    execute(shop.url, "UPDATE alembic_version SET version_num = 'zz99'")
    assert shop.program("upgrade").returncode == 8


def test_a_reader_that_has_gone(shop: Whole) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "topchef_schema", "upgrade"]
    with os.fdopen(write, "w") as pipe:
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, check=False, text=True)
    assert (done.returncode, done.stderr) == (0, "")
