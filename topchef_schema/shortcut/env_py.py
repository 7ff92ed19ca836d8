"""Whether an ``env.py`` is one of Alembic's own templates, or TopChef's, in all that it does.

Statements are compared in the words in which `ast.unparse` writes them, so that layout, quotes and
comments do not matter, and everything else does.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

from topchef_schema.shortcut import compiled
from topchef_schema.shortcut.doubt import Doubt

if TYPE_CHECKING:
    from topchef_schema.project import Project

DEFAULT_TABLE = "alembic_version"

TOPCHEFS = "from topchef_schema.bridge.standard import run\nrun()"
TOPCHEFS_METADATA = "topchef_schema.database.schemas.database_schema:metadata"

IMPORTS = {
    "alembic": {"context"},
    "logging.config": {"fileConfig"},
    "sqlalchemy": {"engine_from_config", "pool"},
}
CONFIG = "config = context.config"
LOGGING = frozenset(
    {
        "if config.config_file_name is not None:\n    fileConfig(config.config_file_name)",
        "fileConfig(config.config_file_name)",
    }
)
METADATA = "target_metadata = None"
OFFLINE, ONLINE = "run_migrations_offline", "run_migrations_online"

SECTIONS = (
    "config.get_section(config.config_ini_section, {})",
    "config.get_section(config.config_ini_section)",
)
ENGINE = "connectable = engine_from_config({0}, prefix='sqlalchemy.', poolclass=pool.NullPool)"
WORK = """
with connectable.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()"""
ONLINE_BODIES = frozenset(
    body
    for section in SECTIONS
    for body in (
        ENGINE.format(section) + WORK,
        *(
            f"{name} = {section}\n{ENGINE.format(name)}{WORK}"
            for name in ("section", "configuration")
        ),
    )
)

SWITCHES = frozenset(
    {
        "compare_type",
        "compare_server_default",
        "include_schemas",
        "render_as_batch",
        "transaction_per_migration",
        "version_table_pk",
    }
)
"""Keywords of ``context.configure`` that mean nothing where nothing is to do."""

_TABLE = re.compile(r"[a-z_][a-z0-9_]*").fullmatch


def version_table(path: Path, project: Project) -> str:
    """Return the version table that the env.py at *path* asks for; raises `Doubt`."""
    compiled.require_source(path)
    tree = ast.parse(path.read_bytes())
    compile(tree, str(path), "exec")
    body = _without_docstring(tree.body)
    if _text(body) == TOPCHEFS and project.settings.metadata in (None, TOPCHEFS_METADATA):
        return DEFAULT_TABLE
    if project.settings.metadata is not None:
        raise Doubt("the setting metadata imports a module")
    return _Reader(project).read(body)


class _Reader:
    """Reads the statements one by one, in the order in which they run."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.names: set[str] = set()
        self.functions: dict[str, list[ast.stmt]] = {}

    def read(self, body: list[ast.stmt]) -> str:
        if not body:
            raise Doubt("env.py is empty")
        for statement in body[:-1]:
            self._take(statement)
        return self._run(body[-1])

    def _take(self, statement: ast.stmt) -> None:
        match statement:
            case ast.ImportFrom(module=module, names=names, level=0):
                for each in names:
                    if each.asname or each.name not in IMPORTS.get(module or "", ()):
                        raise _unknown(statement)
                    self.names.add(each.name)
            case ast.FunctionDef(name=name) if name in (OFFLINE, ONLINE):
                if not _is_plain(statement) or name in self.functions:
                    raise _unknown(statement)
                self.functions[name] = _without_docstring(statement.body)
            case _:
                self._take_text(statement, ast.unparse(statement))

    def _take_text(self, statement: ast.stmt, text: str) -> None:
        if text == CONFIG and "context" in self.names:
            self.names.add("config")
        elif text == METADATA:
            self.names.add("target_metadata")
        elif text in LOGGING and {"config", "fileConfig"} <= self.names:
            from topchef_schema.shortcut import logging_sections

            assert self.project.environment.ini is not None
            logging_sections.require_plain(Path(self.project.environment.ini))
        else:
            raise _unknown(statement)

    def _run(self, statement: ast.stmt) -> str:
        """Follow the last statement, which asks for the mode, into its online half."""
        if not isinstance(statement, ast.If) or not statement.orelse:
            raise _unknown(statement)
        if ast.unparse(statement.test) != "context.is_offline_mode()":
            raise _unknown(statement)
        online = statement.orelse
        if _text(online) == f"{ONLINE}()":
            online = self.functions.get(ONLINE, [])
        if not {"context", "config", "engine_from_config", "pool"} <= self.names:
            raise Doubt("env.py does not import what it uses")
        return self._online(online)

    def _online(self, body: list[ast.stmt]) -> str:
        calls = [
            node
            for node in ast.walk(ast.Module(body, []))
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "context.configure"
        ]
        if len(calls) != 1:
            raise Doubt("env.py does not configure once")
        (call,) = calls
        others = call.keywords[1:]
        del call.keywords[1:]
        if _text(body) not in ONLINE_BODIES:
            raise Doubt("the online half of env.py is not that of a template")
        return self._table(others)

    def _table(self, keywords: list[ast.keyword]) -> str:
        """Return the version table that the *keywords* of configure name."""
        table = DEFAULT_TABLE
        for each in keywords:
            match each.value:
                case ast.Constant(value=bool()) if each.arg in SWITCHES:
                    pass
                case ast.Constant(value=str() as name) if each.arg == "version_table":
                    table = name
                case ast.Name(id="target_metadata") if each.arg == "target_metadata":
                    if "target_metadata" not in self.names:
                        raise Doubt("env.py does not say its target_metadata")
                case _:
                    raise Doubt(f"env.py configures {each.arg}")
        if not _TABLE(table):
            raise Doubt(f"the version table is called {table}")
        return table


def _is_plain(function: ast.FunctionDef) -> bool:
    returns = function.returns is None or ast.unparse(function.returns) == "None"
    return returns and not function.decorator_list and not ast.unparse(function.args)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        return body[1:]
    return body


def _text(body: list[ast.stmt]) -> str:
    return "\n".join(map(ast.unparse, body))


def _unknown(statement: ast.stmt) -> Doubt:
    return Doubt(f"line {statement.lineno} of env.py is not understood")
