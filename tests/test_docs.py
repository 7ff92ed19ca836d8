"""The documentation says what is there, all of it, and nothing else; what it shows is run."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from compat.description import all_projects
from tests import console, reference
from tests.servers import BACKENDS, Servers, variable
from topchef_schema import cli, errors
from topchef_schema.backends import all_backends
from topchef_schema.discover import discover
from topchef_schema.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PLUGIN = ROOT / "topchef_schema" / "testing.py"
PAGES = {path.name: path for path in sorted((ROOT / "docs").glob("*.md"))}
SHOWN = [README, ROOT / "CONTRIBUTING.md", *PAGES.values()]
COMMANDS = reference.commands()
GENERATED = {
    "commands.md": reference.of_commands,
    "python-api.md": reference.of_functions,
    "roundtrip.md": reference.of_leaks,
}
RULE = re.compile(r"irreversible|[a-z]+(-[a-z]+)+")
ALEMBIC_AND_CLIENTS = {
    "--autogenerate",
    "--batch",
    "--comments",
    "--database",
    "--file",
    "--inserts",
    "--schema-only",
}
OURS_ELSEWHERE = {"--exhaustive", "--extras", "--gate", "--help", "--only", "--update", "--write"}
OF_PYTEST = {"--dist", "--lf", "--test-alembic"}


def text_of(name: str) -> str:
    return PAGES[name].read_text()


def prose(text: str) -> str:
    """Return *text* without its blocks and comments."""
    return re.sub(r"(?ms)^```.*?^```|<!--.*?-->", "", text)


def rows(text: str, heading: str | None = None) -> dict[str, str]:
    """Return the rows of the tables (below *heading*): each name of the first cell → its row."""
    if heading is not None:
        text = re.split(r"^## ", text.partition(f"## {heading}\n")[2], flags=re.MULTILINE)[0]
    found = {}
    for table in re.findall(r"(?m)(?:^\|.*\n)+", text):
        for line in table.splitlines()[2:]:
            cell = line.split("|")[1].strip()
            for name in re.findall(r"`([^`]+)`", cell) or [cell]:
                found[name] = line
    assert found, heading
    return found


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("name", GENERATED)
def test_reference_is_fresh(name: str, request: pytest.FixtureRequest) -> None:
    written, marker, _ = text_of(name).partition(reference.BEGIN)
    assert marker, f"the line {reference.BEGIN.strip()} is missing"
    fresh = written + GENERATED[name]()
    if request.config.option.update:
        PAGES[name].write_text(fresh)
    assert text_of(name) == fresh, "help: pytest tests/test_docs.py --update"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_explains_the_command_and_every_option(name: str) -> None:
    command = COMMANDS[name]
    assert not command.get_short_help_str(limit=63).endswith("..."), "too long for the list"
    assert f"topchef-db {name}" in (command.epilog or ""), "it has no example"
    unexplained = [
        each.name for each in command.params if isinstance(each, click.Option) and not each.help
    ]
    assert not unexplained


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_of_the_help_can_be_typed(name: str) -> None:
    examples = re.findall(r"topchef-db .*", COMMANDS[name].epilog or "")
    for call in examples:
        read_by_click(call)


@pytest.mark.parametrize("path", SHOWN, ids=named)
def test_calls_that_are_shown_can_be_typed(path: Path) -> None:
    for call in calls(path.read_text()):
        read_by_click(call)


@pytest.mark.parametrize("call", ["topchef-db lint", "topchef-db status --chek"])
def test_call_that_cannot_be_typed_is_noticed(call: str) -> None:
    for text in (f"```sh\n{call}\n```\n", f"Do `{call}`."):
        (found,) = calls(text)
        with pytest.raises(click.UsageError):
            read_by_click(found)


def calls(text: str) -> Iterator[str]:
    """Yield the calls of topchef-db in sentences and examples; those of console blocks are run."""
    yield from re.findall(r"`(topchef-db [^`]+)`", prose(text))
    for fence in console.fences(text):
        if fence.language == "sh":
            for line in "\n".join(fence.lines).replace("\\\n", " ").splitlines():
                yield from re.findall(r"topchef-db [^|>&;#]*", line)


def read_by_click(call: str) -> None:
    """Let click read the words of *call*, and do nothing; raises `click.UsageError`."""
    words = [each for each in shlex.split(call)[1:] if each != "[-c"]
    with click.Context(cli.program, info_name="topchef-db") as context:
        context.obj = {}
        rest = cli.program.make_parser(context).parse_args(words)[1]
        if not rest or rest[0] == "COMMAND":
            return
        name, command, arguments = cli.program.resolve_command(context, rest)
        assert command is not None
        if arguments or command.name not in ("downgrade", "show", "stamp", "init"):
            needs_message = name == "revision" and not arguments
            if not needs_message:
                command.make_context(name, arguments, parent=context)


def test_every_option_and_fixture_of_the_plugin_is_explained() -> None:
    offered = set(re.findall(r'"(--topchef-[a-z-]+)"', PLUGIN.read_text()))
    offered |= set(re.findall(r"(?m)^def (topchef_\w+)", PLUGIN.read_text()))
    assert len(offered) > 4
    missing = {each for each in offered if f"| `{each}" not in text_of("pytest.md")}
    assert not missing


@pytest.mark.parametrize("path", [README, *PAGES.values()], ids=named)
def test_no_page_knows_an_option_that_is_not_there(path: Path) -> None:
    params = [each for command in COMMANDS.values() for each in command.params]
    known = {name for each in params for name in (*each.opts, *each.secondary_opts)}
    known |= {*ALEMBIC_AND_CLIENTS, *OURS_ELSEWHERE, *OF_PYTEST}
    known |= set(re.findall(r'"(--topchef-[a-z-]+)"', PLUGIN.read_text()))
    found = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", prose(path.read_text())))
    assert found <= known


def test_settings() -> None:
    keys = {*Settings._fields} - {"commands", "allow"}
    assert set(rows(text_of("settings.md"), "Keys")) == keys


def test_environment_variables() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "topchef_schema").rglob("*.py"))
    read = set(re.findall(r"TOPCHEF_[A-Z]+_[A-Z]+", sources))
    read |= {variable(name) for name in BACKENDS if name != "sqlite"}
    assert set(rows(text_of("settings.md"), "Environment variables")) == read


def test_exit_codes() -> None:
    kinds = failures(errors.TopchefError)
    table = rows(text_of("exit-codes.md"))
    assert {int(code) for code in table} == {0, 1, 10, *(kind.exit_code for kind in kinds)}
    for kind in kinds:
        assert f"| `{kind.__name__}` |" in table[str(kind.exit_code)]
    names = set(re.findall(r"\w+Error\b", text_of("exit-codes.md")))
    assert names == {kind.__name__ for kind in kinds}
    for code in table:
        assert re.search(rf"(?m)^\|[\d, ]*\b{code}\b", README.read_text()), code


def failures(kind: type[errors.TopchefError]) -> list[type[errors.TopchefError]]:
    """Return all classes below *kind*."""
    return [each for child in kind.__subclasses__() for each in (child, *failures(child))]


def test_formats() -> None:
    formats = discover("topchef_schema.formats", "FORMAT")
    table = rows(text_of("formats.md"))
    assert set(table) == set(formats)
    for name in formats:
        cell = table[name].split("|")[3]
        said = set(re.findall(r"`(\S+)`", cell))
        takers = {command for command in COMMANDS if name in choices(command)}
        assert takers == (set(COMMANDS) - said if cell.startswith(" all") else said)


def choices(command: str) -> tuple[str, ...]:
    option = next(each for each in COMMANDS[command].params if each.name == "format_")
    assert isinstance(option.type, click.Choice)
    return tuple(option.type.choices)


def test_backends() -> None:
    table = rows(text_of("backends.md").partition("## ")[0])
    assert set(table) == set(all_backends())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name in project["optional-dependencies"].keys() & all_backends().keys():
        assert f"| `{name}` (" in table[name]


def test_findings() -> None:
    text = text_of("roundtrip.md")
    mentioned = set(re.findall(r"`([a-z]+-[a-z-]+)`", text)) | set(rows(text, "Findings"))
    rules = set(rules_in_code())
    assert set(rows(text, "Findings")) <= rules
    assert rules <= mentioned


def rules_in_code() -> Iterator[str]:
    """Yield the words that are given to whatever makes a finding."""
    makers = {"Finding", "finding", "_finding", "_note", "_fails", "_same", "_step"}
    for room in ("stages", "commands"):
        for path in (ROOT / "topchef_schema" / room).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in makers:
                    given = [*node.args, *(each.value for each in node.keywords)]
                    texts = [str(each.value) for each in given if isinstance(each, ast.Constant)]
                    yield from (each for each in texts if RULE.fullmatch(each))


def test_every_command_has_an_example_of_its_json() -> None:
    text = text_of("json.md")
    shown = re.findall(r"^\$ topchef-db (\S+) .*--format json", text, re.MULTILINE)
    assert sorted(shown) == sorted(re.findall(r"^## (\S+)$", text, re.MULTILINE))
    assert sorted(shown) == sorted(COMMANDS)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what a reader's shell has: our programs, and nothing that this session says."""
    programs = [str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]
    return {
        "PATH": os.pathsep.join(programs),
        "HOME": str(tmp_path_factory.mktemp("home")),
        "LOGNAME": "deploy",
        "LC_ALL": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def compared(
    path: Path, folder: Path, environment: dict[str, str], request: pytest.FixtureRequest
) -> None:
    """Run the console blocks of a page in *folder*; correct the page, or fail, if they differ."""
    text = path.read_text()
    servers: Servers = request.getfixturevalue("servers")
    for name in sorted(needed(text, folder)):
        url = servers[name].url.render_as_string(hide_password=False)
        environment = environment | {variable(name): url}
    fresh = console.corrected(text, console.run(text, folder, environment))
    if request.config.option.update:
        path.write_text(fresh)
    assert path.read_text() == fresh, "help: pytest tests/test_docs.py --update, and read the diff"


def needed(text: str, folder: Path) -> set[str]:
    """Return the backends on whose servers the commands of a page make scratch databases."""
    found: set[str] = set()
    for step in console.steps(text):
        made = re.search(r" (roundtrip ?|revision ?|--bundle )", getattr(step, "text", ""))
        if isinstance(step, console.Command) and made:
            settings = "" if " --on " in step.text else (folder / "alembic.ini").read_text()
            found |= set(re.findall(r"postgresql|mariadb|mysql", step.text + settings))
    return found


ELSEWHERE = {each.guide for each in all_projects()}
"""Pages whose commands need a project that is not here: compat/run.py types them."""

RUN = [
    path
    for name, path in PAGES.items()
    if "```console" in path.read_text() and name not in ELSEWHERE
]


@pytest.mark.whole_run
@pytest.mark.parametrize("path", RUN, ids=named)
def test_console_blocks(
    path: Path, tmp_path: Path, environment: dict[str, str], request: pytest.FixtureRequest
) -> None:
    project = copied("tests/projects/bookshop", tmp_path / "bookshop")
    compared(path, project, environment, request)


@pytest.mark.whole_run
def test_console_blocks_of_the_readme(
    tmp_path: Path, environment: dict[str, str], request: pytest.FixtureRequest
) -> None:
    copied("alembic", tmp_path / "alembic")
    shutil.copy(ROOT / "alembic.ini", tmp_path)
    compared(README, tmp_path, environment, request)


@pytest.mark.whole_run
def test_first_command_of_the_readme(tmp_path: Path, environment: dict[str, str]) -> None:
    """The second one runs this test; what they fetch from the network is there already."""
    commands = [fence.content for fence in console.fences(README.read_text())]
    (first,) = [each for each in commands if "python3 bootstrap.py" in each]
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("bootstrap.py", "pyproject.toml", "README.md", "LICENSE", "alembic.ini"):
        shutil.copy(ROOT / name, checkout)
    for name in ("alembic", "topchef_schema"):
        copied(name, checkout / name)
    share_packages(checkout / ".venv")
    offline = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}  # pip's own way to say yes
    done = subprocess.run(
        ["bash", "-ec", first],
        cwd=checkout,
        env=environment | offline,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"\b\d+ revisions done; now at \w+", done.stdout), done.stdout
    assert re.search(r"^\d+ clean$", done.stdout, re.MULTILINE), done.stdout
    assert (checkout / "topchef.db").exists()


def copied(name: str, to: Path) -> Path:
    shutil.copytree(ROOT / name, to, ignore=shutil.ignore_patterns("__pycache__"))
    return to


def share_packages(folder: Path) -> None:
    """Make an environment that has the packages of this one, but for the project itself."""
    venv.create(folder, with_pip=False, symlinks=True)
    ours = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    (site_packages,) = folder.glob("lib/python3*/site-packages")
    (site_packages / "dependencies.pth").write_text("\n".join(dict.fromkeys(ours)) + "\n")
