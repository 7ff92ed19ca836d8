"""The documentation says what is there, all of it, and nothing else; what it shows is run."""

from __future__ import annotations

import ast
import dataclasses
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests import console, reference
from tests.servers import BACKENDS, Servers, variable
from topchef_schema import cli, errors
from topchef_schema.backends import all_backends
from topchef_schema.commands import options
from topchef_schema.discover import discover
from topchef_schema.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = sorted(DOCS.glob("*.md"))
SHOWN = [README, *PAGES, ROOT / "CONTRIBUTING.md"]
COMMANDS = reference.commands()
LONG_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def page(name: str) -> str:
    return (DOCS / name).read_text()


def rows(text: str, heading: str = "") -> dict[str, str]:
    """Return the rows of the tables below *heading*: the names in their first cell → the row."""
    below = text[text.index(heading) + len(heading) :] if heading else text
    section = re.split(r"^## ", below, flags=re.MULTILINE)[0] if heading else below
    found = {}
    for line in section.splitlines():
        cells = line.split("|")
        if len(cells) > 3 and not set(cells[1]) <= set(" -"):
            for name in re.findall(r"`([^`]+)`", cells[1]) or [cells[1].strip()]:
                found[name] = line
    return found


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# --- what is there is documented, and what is documented is there ---


def test_reference_is_fresh(request: pytest.FixtureRequest) -> None:
    path = DOCS / "commands.md"
    written, marker, _ = path.read_text().partition(reference.BEGIN)
    assert marker, f"the line {reference.BEGIN.strip()} is missing"
    fresh = written + reference.of_commands()
    if request.config.option.update:
        path.write_text(fresh)
    assert path.read_text() == fresh, "help: pytest tests/test_docs.py --update"


@pytest.mark.parametrize("name", COMMANDS)
def test_command_explains_itself_and_every_option(name: str) -> None:
    command = COMMANDS[name]
    context = click.Context(command, info_name=name)
    short = command.get_short_help_str(limit=63)
    assert short
    assert not short.endswith("..."), "the list of commands has no room for it"
    for each in command.params:
        if isinstance(each, click.Option):
            assert each.help, each.name
    text = command.get_help(context)
    assert f"topchef-db {name}" in text, "it has no examples"
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize("path", SHOWN, ids=named)
def test_calls_that_are_shown_can_be_made(path: Path) -> None:
    for call in calls(path.read_text()):
        parsed(call)


@pytest.mark.parametrize("call", ["topchef-db plan", "topchef-db status --chek"])
def test_wrong_call_would_be_noticed(call: str) -> None:
    page_with_it = f"# Page\n\n```sh\n{call}\n```\n"
    with pytest.raises(click.UsageError):
        parsed(*calls(page_with_it))


def calls(text: str) -> Iterator[str]:
    """Yield the calls of topchef-db in the examples of a page, and in its sentences."""
    for fence in console.fences(text):
        if fence.language in ("console", "sh"):
            joined = "\n".join(fence.lines).replace("\\\n", " ")
            for line in joined.splitlines():
                if fence.language == "sh" or line.startswith("$ "):
                    yield from re.findall(r"topchef-db [^|>&;]*", line)
    for code in re.findall(r"`(topchef-db [^`]+)`", re.sub(r"(?ms)^```.*?^```", "", text)):
        yield code


def parsed(call: str) -> None:
    """Let click read the words of *call*; what stands for a value is one."""
    words = shlex.split(call)[1:]
    if "COMMAND" in words:
        return
    with click.Context(cli.program, info_name="topchef-db") as context:
        cli.program.parse_args(context, words)
        name, command, rest = cli.program.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        assert command is not None
        if not rest and re.fullmatch(r"topchef-db [a-z]+", call):
            return  # a sentence that names the command
        marked = [options._MARK + each if re.match(r"-\d", each) else each for each in rest]
        with click.Context(command, info_name=name, parent=context) as inner:
            click.Command.parse_args(command, inner, marked)


def test_no_page_knows_an_option_that_is_not_there() -> None:
    known = {name for command in COMMANDS.values() for each in command.params for name in each.opts}
    known |= {
        name for command in COMMANDS.values() for p in command.params for name in p.secondary_opts
    }
    known |= {name for each in cli.program.params for name in each.opts} | {"--help"}
    known |= {"--batch", "--database", "--file", "--autogenerate"}  # of others, who are named there
    for path in (README, *PAGES):
        text = re.sub(r"(?ms)^```.*?^```", "", path.read_text())
        unknown = set(LONG_OPTION.findall(text)) - known
        if path == README:
            unknown -= {"--only"}
        assert not unknown, named(path)


def test_settings() -> None:
    keys = {each.name for each in dataclasses.fields(Settings)} - {"commands"}
    assert set(rows(page("settings.md"), "## Keys\n")) - {"key"} == keys | {"module:attribute"} - {
        "module:attribute"
    }


def test_environment_variables() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "topchef_schema").rglob("*.py"))
    read = set(re.findall(r"TOPCHEF_[A-Z]+_[A-Z]+", sources))
    read |= {variable(name) for name in BACKENDS if name != "sqlite"}
    documented = rows(page("settings.md"), "## Environment variables\n")
    assert set(documented) - {"variable"} == read


def test_exit_codes() -> None:
    table = rows(page("exit-codes.md"))
    codes = {int(code) for code in table if code.isdigit()}
    assert codes == {0, 1, 10, *(kind.exit_code for kind in failures())}
    for kind in failures():
        assert f"| `{kind.__name__}` |" in table[str(kind.exit_code)]
    names = set(re.findall(r"`(\w+Error)`", page("exit-codes.md")))
    assert names == {kind.__name__ for kind in failures()}


def failures() -> list[type[errors.TopchefError]]:
    found = [
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.TopchefError)
    ]
    found.remove(errors.TopchefError)
    return found


def test_formats() -> None:
    table = rows(page("formats.md"))
    formats = discover("topchef_schema.formats", "FORMAT")
    assert set(table) - {"format"} == set(formats)
    for name in formats:
        takers = {
            command
            for command, each in COMMANDS.items()
            if name in next(p.type.choices for p in each.params if p.name == "format_")  # type: ignore[attr-defined]
        }
        cell = table[name].split("|")[3].strip()
        said = set(re.findall(r"`(\S+)`", cell))
        if cell.startswith("all"):
            said = set(COMMANDS) - said
        assert said == takers, name


def test_backends() -> None:
    table = rows(page("backends.md").partition("## ")[0])
    assert set(table) - {"backend"} == set(all_backends())
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for name in set(extras) & set(all_backends()):
        assert f"| `{name}` (" in table[name]


def test_findings() -> None:
    text = page("roundtrip.md")
    documented = set(rows(text, "## Findings\n")) - {"finding"}
    assert documented | {"pending-revisions", "depends-on-data"} == rules_in_code()
    assert {"`pending-revisions`", "`depends-on-data`"} <= set(re.findall(r"`[a-z-]+`", text))


def rules_in_code() -> set[str]:
    """Return the words that are put into findings, wherever they stand."""
    words = set()
    for room in ("stages", "commands"):
        for path in (ROOT / "topchef_schema" / room).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    words |= set(
                        re.fullmatch(r"[a-z]+(-[a-z]+)+", node.value) and [node.value] or []
                    )
    return words - {"column-order", "rev-parse"}


def test_every_command_has_an_example_of_its_json() -> None:
    shown = re.findall(r"^\$ topchef-db (\S+) .*--format json", page("json.md"), re.MULTILINE)
    headings = re.findall(r"^## (\S+)$", page("json.md"), re.MULTILINE)
    assert sorted(shown) == sorted(headings) == sorted(COMMANDS)


def test_every_command_is_a_function_that_is_documented() -> None:
    text = page("python-api.md")
    for name in COMMANDS:
        assert f"## {name}\n" in text


# --- what is shown is run ---


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what a reader's shell has: our programs, and nothing that this session says."""
    programs = [str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]
    return {
        "PATH": os.pathsep.join(programs),
        "HOME": str(tmp_path_factory.mktemp("home")),
        "LOGNAME": "deploy",
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "80",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def compared(
    path: Path, folder: Path, environment: dict[str, str], request: pytest.FixtureRequest
) -> None:
    """Run the console blocks of a page in *folder*; fail, or correct it, where they differ."""
    text = path.read_text()
    servers: Servers = request.getfixturevalue("servers")
    for name in re.findall(r"postgresql|mariadb|mysql", "\n".join(shown_commands(text, folder))):
        url = servers[name].url.render_as_string(hide_password=False)
        environment = environment | {variable(name): url}
    fresh = console.corrected(text, console.run(text, folder, environment))
    if request.config.option.update:
        path.write_text(fresh)
    assert path.read_text() == fresh, "help: pytest tests/test_docs.py --update, and read the diff"


def shown_commands(text: str, folder: Path) -> list[str]:
    """Return what a page tells to type, and the settings it works with."""
    typed = [each.text for each in console.steps(text) if isinstance(each, console.Command)]
    runs_default = any(re.search(r"roundtrip|revision -m", each) for each in typed)
    return [*typed, *([(folder / "alembic.ini").read_text()] if runs_default else [])]


RUN = [path for path in PAGES if "```console" in path.read_text()]


@pytest.mark.parametrize("path", RUN, ids=named)
def test_console_blocks_of_the_docs(
    path: Path, tmp_path: Path, environment: dict[str, str], request: pytest.FixtureRequest
) -> None:
    project = tmp_path / "bookshop"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "tests" / "projects" / "bookshop", project, ignore=ignored)
    compared(path, project, environment, request)
