"""The walls of the house: who may import whom, and what nobody below the program may do."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "topchef_schema"

FLOORS = {
    **dict.fromkeys(("collecting", "errors", "discover", "model", "stopping", "types"), 1),
    **dict.fromkeys(("bridge", "backends", "rules", "formats", "database"), 2),
    **dict.fromkeys(("project", "settings"), 3),
    **dict.fromkeys(("stages", "shortcut"), 4),
    "commands": 5,
    **dict.fromkeys(("", "__main__", "cli", "testing"), 6),
}
"""Room → its floor; the empty name is the package's own front door."""

SIDE_ROOMS = {room for room, floor in FLOORS.items() if floor == 2}
LIGHT = {*sys.stdlib_module_names, "click", PACKAGE}
DATABASES = {"sqlite", "postgresql", "mysql", "mariadb", "mssql", "oracle", "cockroachdb"}


@dataclass(frozen=True)
class Import:
    """One import: of what, in which line, and whether it happens when the module is imported."""

    target: str
    line: int
    at_start: bool

    @property
    def top(self) -> str:
        return self.target.partition(".")[0]


@dataclass(frozen=True)
class Module:
    """One file of the package, parsed."""

    path: str
    source: str = field(repr=False)

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @property
    def parts(self) -> tuple[str, ...]:
        """The dotted name below the package, in parts; empty for the package itself."""
        names = Path(self.path).with_suffix("").parts[1:]
        return names[:-1] if names[-1:] == ("__init__",) else names

    @property
    def room(self) -> str:
        return self.parts[0] if self.parts else ""

    @cached_property
    def imports(self) -> list[Import]:
        return list(_imports(self.tree, at_start=True))

    @property
    def inner_imports(self) -> Iterator[tuple[str, Import]]:
        """Yield the imports from this package, each with the room it is of."""
        for each in self.imports:
            if each.top == PACKAGE and each.target != f"{PACKAGE}.__version__":
                room = [*each.target.split("."), ""][1]
                yield (room if room in FLOORS else ""), each

    @property
    def below_the_guard(self) -> Iterator[ast.AST]:
        """Yield every node but those of ``if __name__ == "__main__":``, a program of its own."""
        for statement in self.tree.body:
            if not (isinstance(statement, ast.If) and "__main__" in ast.unparse(statement.test)):
                yield from ast.walk(statement)

    @property
    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


def _imports(node: ast.AST, *, at_start: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, at_start)
        elif isinstance(child, ast.ImportFrom):
            origin = "." * child.level + (child.module or "")
            for alias in child.names:
                yield Import(f"{origin}.{alias.name}", child.lineno, at_start)
        else:
            later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            typing = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            yield from _imports(child, at_start=at_start and not later and not typing)


Wall = Callable[[Module], Iterator[str]]
WALLS: dict[str, tuple[Wall, Module]] = {}


def wall(path: str, bad: str) -> Callable[[Wall], Wall]:
    """Register a wall together with a module that breaks it."""

    def register(check: Wall) -> Wall:
        WALLS[check.__name__] = (check, Module(f"{PACKAGE}/{path}", bad))
        return check

    return register


@wall("model/report.py", "from topchef_schema.stages import apply")
def imports_go_down(module: Module) -> Iterator[str]:
    floor = FLOORS.get(module.room)
    if floor is None:
        yield f"the room {module.room} has no floor: give it one in DESIGN and here"
        return
    for room, each in module.inner_imports:
        if FLOORS[room] > floor:
            yield f"{each.line}: imports {each.target}, which is a floor above"


@wall("rules/drop_table.py", "from topchef_schema.bridge import listening")
def side_rooms_have_no_doors_between_them(module: Module) -> Iterator[str]:
    if module.room in SIDE_ROOMS:
        for room, each in module.inner_imports:
            if room in SIDE_ROOMS - {module.room}:
                yield f"{each.line}: imports {each.target}, a room beside it"


@wall("commands/upgrade.py", "from topchef_schema.database.models.job import Job")
def the_toolkit_does_not_know_topchefs_schema(module: Module) -> Iterator[str]:
    for room, each in module.inner_imports:
        if room == "database" and module.room != "database":
            yield f"{each.line}: imports {each.target}"


@wall("stages/apply.py", "from . import plan")
def imports_are_absolute(module: Module) -> Iterator[str]:
    for each in module.imports:
        if each.target.startswith("."):
            yield f"{each.line}: imports {each.target}"


@wall("stages/apply.py", "def up():\n    from alembic import command")
def alembic_is_only_in_bridge(module: Module) -> Iterator[str]:
    for each in module.imports:
        if each.top == "alembic" and module.room != "bridge":
            yield f"{each.line}: imports {each.target}"


@wall("formats/text.py", "import click")
def click_is_only_in_the_program(module: Module) -> Iterator[str]:
    for each in module.imports:
        if each.top == "click" and module.room not in {"commands", "cli"}:
            yield f"{each.line}: imports {each.target}"


@wall("stages/plan.py", "from sqlalchemy import text")
def heavy_imports_stand_inside_functions(module: Module) -> Iterator[str]:
    if module.room in {"bridge", "database", "types", "testing"}:
        return
    for each in module.imports:
        if each.at_start and each.top not in LIGHT and not each.target.startswith("."):
            yield f"{each.line}: imports {each.target} when it is itself imported"


@wall("commands/upgrade.py", "import sys\ndef end():\n    print('done')\n    sys.exit(1)")
def only_the_program_prints_and_exits(module: Module) -> Iterator[str]:
    if module.room in {"cli", "__main__"}:
        return
    forbidden = {"print", "click.echo", "click.secho", "sys.exit", "exit", "quit", "os._exit"}
    forbidden |= {"SystemExit", "sys.stdout.write", "sys.stderr.write"}
    if module.path.endswith("shortcut/halves.py"):
        forbidden.remove("os._exit")  # a fork is not to clean up behind its parent
    for node in module.below_the_guard:
        if isinstance(node, ast.Call) and ast.unparse(node.func) in forbidden:
            yield f"{node.lineno}: calls {ast.unparse(node.func)}"


@wall("stages/apply.py", "def f(dialect):\n    return dialect.name in ('mysql', 'mariadb')")
def only_backends_ask_which_database_it_is(module: Module) -> Iterator[str]:
    if module.room == "backends":
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Compare | ast.MatchValue):
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and part.value in DATABASES:
                    yield f"{node.lineno}: {ast.unparse(node)}"
        if isinstance(node, ast.Attribute) and node.attr == "is_mariadb":
            yield f"{node.lineno}: {ast.unparse(node)}"


@wall("stages/utils.py", "")
def names_say_what_is_inside(module: Module) -> Iterator[str]:
    for part in module.parts:
        if part.rstrip("s") in {"util", "utilitie", "helper", "manager", "common", "misc"}:
            yield f"a module called {part}"


@wall("stages/plan.py", "x = 1")
def every_module_says_why_it_exists(module: Module) -> Iterator[str]:
    if not ast.get_docstring(module.tree):
        yield "no docstring"


@wall("stages/plan.py", "def f():\n" + "    x = 1\n" * 401)
def nothing_grows_large(module: Module) -> Iterator[str]:
    length = len(module.source.splitlines())
    if length > 400:
        yield f"{length} lines; at most 400"
    for function in module.functions:
        first = function.body[1:2] if ast.get_docstring(function) else function.body[:1]
        start = first[0].lineno if first else function.lineno
        lines = (function.end_lineno or start) - start + 1
        if lines > 60:
            yield f"{function.lineno}: {function.name} has {lines} lines; at most 60"


MODULES = [
    Module(path.relative_to(ROOT).as_posix(), path.read_text())
    for path in sorted((ROOT / PACKAGE).rglob("*.py"))
]


@pytest.mark.parametrize("name", WALLS)
def test_wall_holds(name: str) -> None:
    check, _ = WALLS[name]
    broken = [f"{module.path}:{said}" for module in MODULES for said in check(module)]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("name", WALLS)
def test_wall_would_notice(name: str) -> None:
    check, bad = WALLS[name]
    assert list(check(bad))


def test_backends_do_not_inherit_from_each_other() -> None:
    backends = {
        f"{PACKAGE}.backends.{module.parts[-1]}": module
        for module in MODULES
        if module.room == "backends" and "\nBACKEND" in module.source
    }
    for own, module in backends.items():
        strangers = {
            each.target.rpartition(".")[2]
            for each in module.imports
            if each.target.rpartition(".")[0] in set(backends) - {own}
        }
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                assert not strangers & {ast.unparse(base) for base in node.bases}, module.path


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["upgrade", "--help"]])
def test_start_up_is_light(arguments: list[str]) -> None:
    command = [sys.executable, "-X", "importtime", "-m", PACKAGE, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    imported = {
        line.rpartition("|")[2].strip().partition(".")[0]
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }
    assert done.returncode == 0, done.stderr
    assert "click" in imported
    assert not imported & {"sqlalchemy", "alembic", "mako", "psycopg", "pymysql", "jsonschema"}
