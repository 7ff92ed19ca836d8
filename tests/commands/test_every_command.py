"""What holds for every command: help, a function, its document, and how it fails."""

from __future__ import annotations

import inspect
from xml.etree import ElementTree

import click
import pytest

import topchef_schema
from tests.commands import undocumented
from tests.documents_of_reports import checked
from tests.whole_projects import MakeProject, call
from topchef_schema.discover import discover

COMMANDS: dict[str, click.Command] = discover("topchef_schema.commands", "COMMAND")

CALLS: dict[str, tuple[str, ...]] = {
    "baseline": ("--on", "sqlite"),
    "branches": (),
    "check": ("--on", "sqlite"),
    "current": (),
    "documents": ("--store", "sqlite:///app.db", "--settings", str(undocumented.SETTINGS)),
    "downgrade": ("aa10",),
    "heads": (),
    "history": (),
    "init": ("elsewhere",),
    "merge": (),
    "plan": (),
    "repair": (),
    "revision": ("-m", "words", "--empty"),
    "roundtrip": ("--on", "sqlite", "aa10"),
    "scratch": ("--on", "sqlite"),
    "show": ("head",),
    "snapshot": (),
    "sql": ("--on", "sqlite"),
    "stamp": ("aa10",),
    "status": (),
    "upgrade": (),
}
"""A call of each command that needs no more than a linear project and its database."""

CODES = {"baseline": 8, "merge": 8}
"""The exit codes of those calls that are not 0: nothing to adopt, and nothing to merge."""


def formats(name: str) -> list[str]:
    option = next(each for each in COMMANDS[name].params if each.name == "format_")
    assert isinstance(option.type, click.Choice)
    return list(option.type.choices)


def test_no_command_is_left_out() -> None:
    assert set(CALLS) == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help(name: str) -> None:
    shown = call(name, "--help")
    assert shown.returncode == 0
    assert shown.stderr == ""
    assert f"Usage: topchef-db {name}" in shown.stdout
    examples = shown.stdout.partition("Examples:\n")[2].splitlines()
    assert examples
    assert all(line.strip().startswith(f"topchef-db {name}") for line in examples)
    assert max(len(line) for line in shown.stdout.splitlines()) <= 100
    listed = call("--help").stdout
    assert f"  {name} " in listed


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_function(name: str) -> None:
    function = getattr(topchef_schema, name.replace("-", "_"))
    assert inspect.isfunction(function)
    assert inspect.getdoc(function)
    assert inspect.signature(function).return_annotation == "Report"
    positional = [
        each
        for each in inspect.signature(function).parameters.values()
        if each.kind is each.POSITIONAL_OR_KEYWORD
    ]
    assert len(positional) <= 2
    with pytest.raises(AttributeError):
        getattr(topchef_schema, name + "_that_is_none")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_document(project: MakeProject, name: str) -> None:
    shop = project("linear", ini="sqlalchemy.url = sqlite:///app.db")
    shop.call("upgrade", "bb20", "-q")
    done = shop.call(name, *CALLS[name], "--format", "json")
    assert done.returncode == CODES.get(name, 0), done.stderr
    document = checked(done.stdout)
    assert (document["command"], document["exit_code"]) == (name, done.returncode)
    assert document["seconds"] > 0
    text = shop.call(name, *CALLS[name])
    assert not text.stdout.startswith("{")


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"init"}))
def test_document_of_a_failure(project: MakeProject, name: str) -> None:
    """A revision that cannot be read is the same failure for every command."""
    shop = project("linear", ini="sqlalchemy.url = sqlite:///app.db", versions={"d.py": "def ("})
    shop.file.touch()
    done = shop.call(name, *CALLS[name], "--format=json")
    if name == "scratch":
        assert checked(done.stdout)["exit_code"] == 0  # it has nothing to do with revisions
        return
    document = checked(done.stdout)
    assert (done.returncode, document["exit_code"]) == (2, 2)
    assert document["error"]["kind"] == "UsageError"
    assert document["error"]["where"] == "alembic/versions/d.py:1"
    assert document["command"] == name
    plain = shop.call(name, *CALLS[name])
    assert plain.returncode == 2
    assert plain.stdout == ""
    assert "error: " in plain.stderr
    assert "where: alembic/versions/d.py:1" in plain.stderr
    assert "help: " in plain.stderr
    assert "Traceback" not in plain.stderr


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_document_of_a_wrong_call(project: MakeProject, name: str) -> None:
    shop = project("linear")
    for arguments in (
        (name, "--no-such-option", "--format", "json"),
        ("--format", "json", name),
        (name, "--format", "json", "--format"),
    ):
        done = shop.call(*arguments)
        document = checked(done.stdout)
        assert (done.returncode, document["error"]["kind"]) == (2, "UsageError")
        assert document["command"] == name
    assert shop.call(name, "--format", "klingon").returncode == 2


@pytest.mark.parametrize("name", sorted(name for name in COMMANDS if "junit" in formats(name)))
def test_junit(project: MakeProject, name: str) -> None:
    shop = project("linear", ini="sqlalchemy.url = sqlite:///app.db")
    shop.call("upgrade", "bb20", "-q")
    for arguments, errors in ((CALLS[name], "0"), ((*CALLS[name], "zz"), "1")):
        done = shop.call(name, *arguments, "--format", "junit")
        suite = ElementTree.fromstring(done.stdout)
        assert suite.tag == "testsuite"
        assert suite.get("name") == f"topchef-db {name}"
        assert suite.get("errors") == errors
        cases = suite.findall("testcase")
        assert suite.get("tests") == str(len(cases))
        assert all(case.get("name") and case.get("classname") is not None for case in cases)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_report_into_a_file(project: MakeProject, name: str) -> None:
    shop = project("linear", ini="sqlalchemy.url = sqlite:///app.db")
    shop.call("upgrade", "bb20", "-q")
    done = shop.call(name, *CALLS[name], "--format", "json", "-o", "report.json")
    assert done.stdout == ""
    assert checked((shop.root / "report.json").read_text())["exit_code"] == done.returncode


@pytest.mark.parametrize("place", ["no/such/folder/report.json", "."])
def test_report_that_has_no_place(project: MakeProject, place: str) -> None:
    """Known before anything is done: an upgrade, or our tables gone without their rows."""
    shop = project("linear", ini="sqlalchemy.url = sqlite:///app.db")
    for arguments in (("upgrade",), ("upgrade", "--format", "json"), ("status", "--no-such")):
        done = shop.call(*arguments, "-o", place)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert done.stderr or done.stdout
    assert not shop.file.exists()


def test_unknown_command_names_the_nearest() -> None:
    done = call("upgrad")
    assert done.returncode == 2
    assert 'Did you mean "upgrade"?' in done.stderr
    document = checked(call("upgrad", "--format", "json").stdout)
    assert 'Did you mean "upgrade"?' in document["error"]["message"]


def test_no_command_shows_help() -> None:
    done = call()
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: topchef-db" in done.stderr


def test_version() -> None:
    assert call("--version").stdout == f"topchef-db {topchef_schema.__version__}\n"
