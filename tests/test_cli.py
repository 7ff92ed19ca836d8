"""The program as a process: signals, terminals, pipes, and several of them at once."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.documents_of_reports import checked
from tests.whole_projects import MakeProject, Whole, query, revision, tables, text
from topchef_schema import history
from topchef_schema.stages import script

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend, ScratchDatabase, Server

WAITS = """\
import pathlib, time
with open("started", "a") as file:
    file.write(op.get_bind().engine.url.render_as_string(hide_password=False) + chr(10))
while not pathlib.Path("go").exists():
    time.sleep(0.02)
op.create_table("late", sa.Column("id", sa.Integer, primary_key=True))
"""


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait until *condition* holds; fail where *process* ends before, or after a minute."""
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.fixture
def waiting(project: MakeProject) -> Whole:
    """A project whose only revision waits for a file called ``go``."""
    return project(versions={"a1.py": revision("a1", WAITS, 'op.drop_table("late")')})


@pytest.mark.fact(6)
def test_the_lock_of_another_process(waiting: Whole, scratch: ScratchDatabase) -> None:
    first = waiting.start("upgrade", "--url-env", "SHOP", SHOP=text(scratch))
    wait_for((waiting.root / "started").exists, first)

    done = waiting.call("upgrade", "--url", text(scratch), "--lock-timeout", "0.3")
    assert (done.returncode, done.stdout) == (4, "")
    assert "another migrator holds the lock" in done.stderr
    # Looking needs no lock.
    assert waiting.call("status", "--url", text(scratch)).returncode == 0

    (waiting.root / "go").touch()
    code, _, err = finished(first)
    assert code == 0, err
    assert waiting.call("upgrade", "--url", text(scratch)).returncode == 0


def interrupted(waiting: Whole, database: ScratchDatabase, number: int) -> None:
    process = waiting.start("upgrade", "--url-env", "SHOP", SHOP=text(database))
    wait_for((waiting.root / "started").exists, process)
    os.kill(process.pid, number)
    code, out, err = finished(process)
    assert (code, out) == (130, "")
    assert "interrupted" in err
    assert "Traceback" not in err
    assert "late" not in tables(database)

    (waiting.root / "go").touch()
    again = waiting.call("upgrade", "--url", text(database))
    assert again.returncode == 0, again.stderr
    assert "late" in tables(database)


def test_interrupted_upgrade(waiting: Whole, scratch: ScratchDatabase) -> None:
    interrupted(waiting, scratch, signal.SIGINT)


@pytest.mark.backends("sqlite")
def test_terminated_upgrade(waiting: Whole, scratch: ScratchDatabase) -> None:
    interrupted(waiting, scratch, signal.SIGTERM)


@pytest.mark.parametrize("to_all", [True, False], ids=["as the terminal does", "the parent alone"])
def test_interrupted_round_trip_leaves_nothing(
    waiting: Whole, server: Server, backend: Backend, *, to_all: bool
) -> None:
    process = waiting.start(
        "roundtrip", "--on", text(server) if backend.name != "sqlite" else "sqlite"
    )
    started = waiting.root / "started"
    wait_for(lambda: started.exists() and started.read_text(), process)
    url = started.read_text().strip()
    if to_all:
        os.killpg(process.pid, signal.SIGINT)
    else:
        os.kill(process.pid, signal.SIGINT)
    code, out, err = finished(process)
    assert (code, out) == (130, ""), err
    assert "Traceback" not in err
    assert "topchef_scratch_" in url
    if backend.name == "sqlite":
        assert not Path(url.removeprefix("sqlite:///")).parent.exists()
    else:
        name = url.rpartition("/")[2].partition("?")[0]
        assert name not in databases(server, backend)


def databases(server: Server, backend: Backend) -> list[str]:
    question = "SHOW DATABASES"
    if backend.name == "postgresql":
        question = "SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles"
    return [row[0] for row in query(text(server), question)]


def test_killed_upgrade_releases_the_lock(waiting: Whole, scratch: ScratchDatabase) -> None:
    process = waiting.start("upgrade", "--url-env", "SHOP", SHOP=text(scratch))
    wait_for((waiting.root / "started").exists, process)
    process.kill()
    process.communicate()
    (waiting.root / "go").touch()
    again = waiting.call("upgrade", "--url", text(scratch), "--lock-timeout", "20")
    assert again.returncode == 0, again.stderr


def on_terminal(shop: Whole, answer: str, *arguments: str) -> tuple[int, str]:
    """Run the program on a terminal, type *answer*; return its code and what was shown."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "topchef_schema", *arguments],
        cwd=shop.root,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    typed = False
    try:
        while select.select([ours], [], [], 60)[0]:
            try:
                shown += os.read(ours, 4096)
            except OSError:  # how Linux says that the other side is closed
                break
            if b"[y/N]" in shown and not typed:
                os.write(ours, answer.encode() + b"\n")
                typed = True
    finally:
        os.close(ours)
    return process.wait(timeout=60), shown.decode()


def test_a_bar_on_a_terminal(project: MakeProject) -> None:
    """It is on stderr, with what is done, and none where only errors are wanted."""
    shop = project("linear", ini="sqlalchemy.url = sqlite:///app.db")
    ended, shown = on_terminal(shop, "", "roundtrip", "--on", "sqlite")
    assert ended == 0, shown
    assert "100%" in shown
    assert "100%" not in shop.call("roundtrip", "--on", "sqlite").stderr
    ended, shown = on_terminal(shop, "", "-q", "roundtrip", "--on", "sqlite")
    assert "100%" not in shown


@pytest.mark.parametrize(("answer", "code", "left"), [("n", 2, "cc30"), ("y", 0, "bb20")])
def test_downgrade_asks_on_a_terminal(
    project: MakeProject, answer: str, code: int, left: str
) -> None:
    shop = project("linear", ini="sqlalchemy.url = sqlite:///app.db")
    shop.call("upgrade", "-q")
    ended, shown = on_terminal(shop, answer, "downgrade", "-1")
    assert ended == code, shown
    assert "down cc30" in shown
    assert "[y/N]" in shown
    assert query(shop.url, "SELECT version_num FROM alembic_version") == [(left,)]


def test_downgrade_does_not_ask_where_it_is_told_not_to(project: MakeProject) -> None:
    shop = project("linear", ini="sqlalchemy.url = sqlite:///app.db")
    shop.call("upgrade", "-q")
    ended, shown = on_terminal(shop, "", "downgrade", "-1", "--yes")
    assert (ended, "[y/N]" in shown) == (0, False)
    # Nor where nobody could answer.
    assert shop.program("downgrade", "-1").returncode == 0
    assert query(shop.url, "SELECT version_num FROM alembic_version") == [("aa10",)]


def test_report_and_progress_go_separate_ways(project: MakeProject) -> None:
    shop = project("linear")
    done = shop.program("upgrade", "--url-env", "SHOP", "--format", "json", SHOP=shop.url)
    assert done.returncode == 0
    assert checked(done.stdout)["target"] == shop.url
    assert done.stderr.splitlines() == [
        f"database: {shop.url} (from --url-env SHOP)",
        "1/3 up aa10 authors and books",
        "2/3 up bb20 sort names",
        "3/3 up cc30 longer titles, and editors",
    ]
    quiet = shop.program("downgrade", "base", "--url", shop.url, "-q", "-o", "report.txt")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    assert "now at base" in (shop.root / "report.txt").read_text()


def test_reader_that_goes_away(project: MakeProject) -> None:
    shop = project("linear")
    many = "topchef-db sql --on sqlite"
    program = f"{sys.executable} -m topchef_schema {many.partition(' ')[2]}"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {program} | head -c 1"],
        cwd=shop.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_bug_is_a_traceback_and_1(project: MakeProject) -> None:
    """An error that nobody foresaw is not dressed up as one that somebody did."""
    shop = project("linear")
    code = (
        "import sys; from topchef_schema import cli; from topchef_schema.project import Project\n"
        "def load(*_, **__): raise RuntimeError('unforeseen')\n"
        "Project.load = load\n"
        "cli.main(['heads'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=shop.root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "RuntimeError: unforeseen" in done.stderr
    assert done.stdout == ""


def test_output_does_not_depend_on_the_terminals_character_set(project: MakeProject) -> None:
    body = "op.execute(\"INSERT INTO cafés VALUES ('naïve')\")"
    shop = project(versions={"a.py": revision("a1", body, message="naïve")})
    command = [sys.executable, "-m", "topchef_schema", "sql", "--on", "postgresql"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(command, cwd=shop.root, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "INSERT INTO cafés VALUES ('naïve');" in done.stdout.decode("utf-8")


def test_escapes_in_a_value_are_part_of_a_script(project: MakeProject) -> None:
    """What a terminal would take for colours is data, and a pipe is no terminal."""
    value = "\x1b[31mred"
    insertion = f"INSERT INTO dishes VALUES ('{value}')"
    body = f"op.execute({insertion!r})"
    shop = project(versions={"a.py": revision("a1", body)})
    done = shop.program("sql", "--on", "postgresql")
    assert (done.returncode, done.stderr) == (0, "")
    written = shop.program("sql", "--on", "postgresql", "-o", "up.sql")
    assert written.returncode == 0
    assert done.stdout == (shop.root / "up.sql").read_text(encoding="utf-8")
    assert insertion in done.stdout


def test_a_script_that_cannot_be_finished_leaves_the_old_file(
    project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = project("linear")
    shop.write("up.sql", "-- of the last release")

    def fails(writer: script._Writer) -> Iterator[str]:
        yield "-- the beginning"
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(script._Writer, "write", fails)
    with pytest.raises(RuntimeError):
        shop.call("sql", "--on", "sqlite", "-o", "up.sql")
    assert (shop.root / "up.sql").read_text() == "-- of the last release"


def test_a_file_is_written_where_no_other_can_be_made(
    project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_folder(*_: object, **__: object) -> None:
        raise FileNotFoundError("no usable temporary directory")

    shop = project("linear")
    assert shop.call("sql", "--on", "sqlite", "-o", "usual.sql").returncode == 0
    monkeypatch.setattr(tempfile, "TemporaryFile", no_folder)
    assert shop.call("sql", "--on", "sqlite", "-o", "up.sql").returncode == 0
    assert (shop.root / "up.sql").read_bytes() == (shop.root / "usual.sql").read_bytes()


GLOBAL = [
    (("-c", "alembic.ini"), ()),
    ((), ("-c", "alembic.ini")),
    (("--config", "alembic.ini", "-n", "alembic"), ("-x", "a=b")),
    ((), ("--config=alembic.ini", "--name=alembic", "-xa=b", "-v")),
    (("--url", "sqlite:///elsewhere.db"), ("--url", "sqlite:///app.db")),
    (("-v",), ("--url-file", "url.txt")),
    (("-calembic.ini",), ("-q",)),
]


@pytest.mark.parametrize(("before", "after"), GLOBAL)
def test_global_options_before_and_after(
    project: MakeProject, before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    shop = project("linear", ini="sqlalchemy.url = sqlite:///app.db")
    shop.write("url.txt", "sqlite:///app.db")
    assert shop.call(*before, "upgrade", *after).returncode == 0
    assert shop.file.exists()
    assert not (shop.root / "elsewhere.db").exists()
    done = shop.call(*before, "downgrade", "-1", *after)
    assert done.returncode == 0, done.stderr
    assert query(shop.url, "SELECT version_num FROM alembic_version") == [("bb20",)]


@pytest.mark.parametrize(
    "arguments",
    [
        ("downgrade", "-1"),
        ("downgrade", "--yes", "-1"),
        ("downgrade", "-1", "--yes"),
        ("downgrade", "--", "-1"),
        ("downgrade", "head-1"),
        ("downgrade", "bb20"),
        ("downgrade", "cc30@-1"),
    ],
    ids=" ".join,
)
def test_one_down(project: MakeProject, arguments: tuple[str, ...]) -> None:
    shop = project("linear", ini="sqlalchemy.url = sqlite:///app.db")
    shop.call("upgrade", "-q")
    done = shop.call(*arguments)
    assert done.returncode == 0, done.stderr
    assert query(shop.url, "SELECT version_num FROM alembic_version") == [("bb20",)]


def test_words_that_look_like_options_stay_words(project: MakeProject) -> None:
    shop = project("linear", ini="sqlalchemy.url = sqlite:///app.db")
    shop.call("upgrade", "-q")
    document = checked(shop.call("revision", "--empty", "-m", "-1", "--format", "json").stdout)
    assert document["data"]["revisions"][0]["message"] == "-1"
    shop.call("stamp", "-1", "--reason", "-2")
    events = history(shop.here()).data["events"]
    assert (events[-1]["revision"], events[-1]["reason"]) == ("cc30", "-2")
    wrong = shop.call("upgrade", "--lock-timeout", "-1")
    assert wrong.returncode == 2
    assert wrong.stderr.isascii()
