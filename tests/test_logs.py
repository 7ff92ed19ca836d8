"""What is said on stderr: sentences, or one JSON object a line, and never a secret."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.whole_projects import LOGGING, MakeProject, execute, query, revision, start, text
from topchef_schema.backends.driver_message import driver_message

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase

JSON = ("--log-format", "json")


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """Return what was logged: every line is an object, and has what each must have."""
    found = [json.loads(line) for line in done.stderr.splitlines()]
    for each in found:
        assert list(each)[:4] == ["time", "level", "logger", "message"]
        moment = datetime.fromisoformat(each["time"])
        assert abs((datetime.now(moment.tzinfo) - moment).total_seconds()) < 600
    return found


def test_steps(project: MakeProject) -> None:
    shop = project("linear")
    done = shop.program("upgrade", "bb20", "--url", shop.url, *JSON)
    assert done.returncode == 0, done.stderr
    first, *steps = lines(done)
    assert (first["level"], first["message"].partition(" ")[0]) == ("info", "database:")
    assert [(each["revision"], each["direction"], each["backend"]) for each in steps] == [
        ("aa10", "up", "sqlite"),
        ("bb20", "up", "sqlite"),
    ]
    assert steps[0]["logger"] == "topchef_schema.stages.run"
    assert "1/2 up aa10 authors and books" in steps[0]["message"]
    # The report is a report still.
    assert "2 revisions done; now at bb20" in done.stdout


def test_before_the_command_too(project: MakeProject) -> None:
    shop = project("linear")
    assert lines(shop.program("--log-format=json", "upgrade", "--url", shop.url))
    assert lines(shop.program("-q", *JSON, "downgrade", "base", "--url", shop.url)) == []


def test_errors(project: MakeProject) -> None:
    shop = project("linear")
    done = shop.program("upgrade", "nowhere", "--url", shop.url, *JSON)
    (*_, error) = lines(done)
    assert (done.returncode, error["exit_code"], error["level"]) == (2, 2, "error")
    assert error["kind"] == "UsageError"
    assert "nowhere" in error["message"]
    assert error["where"]
    assert error["hint"]
    # Also of a call that is wrong, and in the report where that is JSON.
    (*_, error) = lines(shop.program("upgrade", "--nonsense", *JSON))
    assert "--nonsense" in error["message"]
    done = shop.program("upgrade", "nowhere", "--url", shop.url, "--format", "json", *JSON)
    assert lines(done) == []
    assert json.loads(done.stdout)["error"]["kind"] == "UsageError"


def test_what_others_print(project: MakeProject) -> None:
    """env.py prints, and sets up loggers; a revision prints, starts programs, and warns."""
    shop = project(
        "linear",
        env="noisy",
        ini=LOGGING,
        versions={
            "d.py": revision(
                "dd40",
                "import os, sys, warnings\nprint('one\\ntwo')\nprint('no end', end='')\n"
                "warnings.warn('be warned')\nsys.stderr.write('said\\n')",
                down="cc30",
            )
        },
    )
    done = shop.program("upgrade", "--url", shop.url, *JSON)
    assert done.returncode == 0, done.stderr
    said = [(each["logger"], each["message"]) for each in lines(done)]
    assert {("stderr", "env.py says hello on stdout"), ("stderr", "one"), ("stderr", "two")} <= set(
        said
    )
    assert any("be warned" in message for _, message in said)
    assert "hello" not in done.stdout


def test_programs_that_are_started_print_past_the_report(project: MakeProject) -> None:
    shop = project(
        versions={"a.py": revision("aa10", "import os\nos.system('echo from a program')")}
    )
    done = shop.program("upgrade", "--url", shop.url, "--format", "json", *JSON)
    assert json.loads(done.stdout)["data"]["current"] == ["aa10"]
    assert "\nfrom a program\n" in done.stderr


def test_workers(project: MakeProject) -> None:
    shop = project("linear", versions={"d.py": revision("dd40", "print('hello')", down="cc30")})
    done = shop.program("roundtrip", "--on", "sqlite", "-v", *JSON)
    messages = [each["message"] for each in lines(done)]
    assert "hello" in messages
    assert any(message.startswith("sqlite 1/4") for message in messages)


def test_a_bug_is_told_of_in_lines(project: MakeProject) -> None:
    shop = project("linear")
    broken = "import topchef_schema.stages.observe as o; o.databases = None; "
    shop.write("broken.py", broken + "from topchef_schema.cli import main; main()")
    process = start([sys.executable, "broken.py", "status", *JSON], shop.root, {})
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    found = lines(subprocess.CompletedProcess([], 1, out, err))
    assert found[0]["message"].startswith("Traceback")
    assert "TypeError" in found[-1]["message"]


def test_sentences_steer_no_terminal(project: MakeProject) -> None:
    evil = revision("aa10", "pass", message="clear \x1b[2J it")
    shop = project(versions={"a.py": evil})
    done = shop.program("upgrade", "--url", shop.url)
    assert "clear \\x1b[2J it" in done.stderr
    assert "\x1b" not in done.stderr


def test_no_defaults_in_the_settings(project: MakeProject) -> None:
    shop = project("linear", settings="[topchef.upgrade]\nlog_format = json\n")
    done = shop.call("upgrade", "--url", shop.url)
    assert done.returncode == 2
    assert "log_format" in done.stderr


SECRET = "correct-horse-battery"
SHORT = "zq7"
NUMBER = 918273645

FAILING = """\
bind = op.get_bind()
t = sa.table("people", sa.column("id"), sa.column("name"), sa.column("code"))
rows = [
    {"id": NUMBER, "name": "SECRET", "code": "SHORT"},
    {"id": NUMBER, "name": "SECRET", "code": "SHORT"},
]
bind.execute(t.insert(), rows[0])
STATEMENT
"""
STATEMENTS = {
    "unique": 'bind.execute(t.insert(), {"id": NUMBER, "name": "SECRET", "code": "SHORT"})',
    "many": "bind.execute(t.insert(), rows)",
    "check": 'bind.execute(t.insert(), {"id": 1, "name": "SECRET" * 9, "code": "SHORT"})',
    "text": 'bind.execute(sa.text("INSERT INTO people VALUES (:a, :b, :c)"), '
    '{"a": NUMBER, "b": "SECRET", "c": "SHORT"})',
    "no table": 'bind.execute(sa.text("UPDATE nowhere SET a = :a"), {"a": "SECRET"})',
    "cast": 'bind.execute(sa.text("UPDATE people SET id = CAST(:a AS INTEGER), name = NULL"), '
    '{"a": "SECRET"})',
}


def failing(statement: str) -> str:
    """Return a revision that fails at *statement*, with secrets in its values."""
    body = FAILING.replace("STATEMENT", statement)
    for name, value in {"SECRET": SECRET, "SHORT": SHORT, "NUMBER": NUMBER}.items():
        body = body.replace(name, str(value))
    return revision("aa10", body)


def make_people(scratch: ScratchDatabase) -> None:
    execute(
        scratch,
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(150) NOT NULL, "
        "code VARCHAR(9), CHECK (id > 1))",
    )


def assert_no_secret(done: subprocess.CompletedProcess[str], scratch: ScratchDatabase) -> None:
    history = query(scratch, "SELECT * FROM topchef_history")
    assert history
    written = done.stdout + done.stderr + repr(history)
    assert "aa10" in written
    password = scratch.url.password
    for secret in (SECRET, SHORT, str(NUMBER), "[parameters:", *([password] if password else [])):
        assert secret not in written


@pytest.mark.parametrize("how", STATEMENTS)
def test_no_value_in_what_a_driver_says(
    project: MakeProject, scratch: ScratchDatabase, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = project(env="step_by_step", versions={"a.py": failing(STATEMENTS[how])})
    make_people(scratch)
    monkeypatch.setenv("TOPCHEF_DATABASE_URL", text(scratch))
    for options in (("-v", *JSON), ("-v", "--format", "json"), ("-v", "--format", "github")):
        done = shop.call("upgrade", *options)
        assert done.returncode in (5, 6), done.stderr
        assert_no_secret(done, scratch)
    assert "failed: " in done.stdout


@pytest.mark.parametrize("options", [("-v",), ("-v", *JSON)], ids=["text", "json"])
def test_no_secret_in_a_process(
    project: MakeProject, scratch: ScratchDatabase, options: tuple[str, ...]
) -> None:
    """An engine of env.py that logs every statement, and a revision that shows an error."""
    shown = """import logging
logging.getLogger("sqlalchemy.engine").setLevel(logging.INFO)
try:
    op.execute(sa.text("UPDATE nowhere SET a = :a").bindparams(a="SECRET"))
except Exception as error:
    print("what it says:", error)
    raise
"""
    shop = project(env="step_by_step", ini=LOGGING, versions={"a.py": failing(shown)})
    make_people(scratch)
    url = text(scratch)
    done = shop.program("upgrade", *options, APP_URL=url, TOPCHEF_DATABASE_URL=url)
    assert done.returncode in (5, 6), done.stderr
    assert "UPDATE nowhere" in done.stderr
    assert "what it says:" in done.stderr
    assert_no_secret(done, scratch)


@pytest.mark.fact(7)
@pytest.mark.parametrize("scheme", ["postgresql+psycopg", "mariadb+pymysql", "sqlite"])
def test_no_password_of_a_server_that_is_not_there(project: MakeProject, scheme: str) -> None:
    url = f"{scheme}://cook:sta%40ple-horse@127.0.0.1:1/kitchen?password=sta%40ple-horse"
    shop = project("linear")
    for command in ("upgrade", "status", "history"):
        done = shop.call(command, "-v", *JSON, "--url", url)
        assert command != "upgrade" or done.returncode in (2, 3)
        assert command != "upgrade" or lines(done)[-1]["level"] == "error"
        assert "ple-horse" not in done.stdout + done.stderr


def test_further_lines_only_with_verbose(
    project: MakeProject, scratch: ScratchDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOPCHEF_DATABASE_URL", text(scratch))
    shop = project(versions={"a.py": revision("aa10", "raise ValueError('one\\ntwo')")})
    short, long = shop.call("upgrade"), shop.call("upgrade", "-v")
    assert "ValueError" not in short.stderr
    assert "failed: one;" in short.stderr
    assert "\ntwo\n" not in short.stderr
    assert "the driver said: one\ntwo\n" in long.stderr


MESSAGES: list[tuple[str, object, str]] = [
    ("Duplicate entry 'abcdef...' for key", ["abcdefgh"], "Duplicate entry '***' for key"),
    ("near ''abcd', 1)' at line 1", {"a": "abcd"}, "near ''***', 1)' at line 1"),
    ("near ''it\\'s me', 1)' at line 1", {"a": "it's me"}, "near ''***', 1)' at line 1"),
    ('invalid input: "x"', [("x",)], "invalid input: '***'"),
    ('no column "x"', [("y", None, True)], 'no column "x"'),
    ("bytes 6d65616e here", {"a": b"mean"}, "bytes *** here"),
    ("no\nFailing row contains (1, me (x)).", None, "no\nFailing row contains (***)."),
    ("no\nKey (a, b)=(1, me) exists.", None, "no\nKey (a, b)=(***) exists."),
    ("no\nLINE 1: VALUES ('me', 1)\n     ^\nHINT:  cast it", None, "no\nHINT:  cast it"),
    ("no\nparameters: $1 = 'me'", None, "no\nparameters: $1 = ***"),
    ('no\nCOPY t, line 1, column a: "me"', None, "no\nCOPY t, line 1, column a: ***"),
    ("", None, "Said"),
]
"""What drivers say, the values that were bound, and what is shown."""


@pytest.mark.parametrize(("said", "values", "shown"), MESSAGES)
def test_messages_of_drivers(said: str, values: object, shown: str) -> None:
    class Said(Exception):
        params = values

    assert driver_message(Said(said)) == shown


def test_a_key_that_is_missing_is_said_to_be_one() -> None:
    assert driver_message(KeyError("price")) == "KeyError: 'price'"
