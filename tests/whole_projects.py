"""Whole tiny Alembic projects: the revisions of ``tests/projects/<name>``, and an env.py.

Revisions and environments are put together freely: what differs is one file, the rest is written
here once.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pytest

from topchef_schema import cli
from topchef_schema.project import Project

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from topchef_schema.backends.base import ScratchDatabase, Server

T = TypeVar("T")

FOLDER = Path(__file__).with_name("projects")
ROOT = Path(__file__).resolve().parent.parent

INI = """\
[alembic]
script_location = %(here)s/alembic
prepend_sys_path = %(here)s
path_separator = os
file_template = %%(rev)s_%%(slug)s
"""

ALEMBIC = tuple(map(int, version("alembic").split(".")[:2]))


def needs_alembic(minor: int, reason: str) -> pytest.MarkDecorator:
    """Return a mark for what Alembic itself does only from 1.*minor* on."""
    return pytest.mark.skipif((1, minor) > ALEMBIC, reason=f"before Alembic 1.{minor} {reason}")


reads_toml = needs_alembic(16, "there is no [tool.alembic]")

LOGGING = """
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = plain
[logger_root]
level = WARNING
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stdout,)
level = NOTSET
formatter = plain
[formatter_plain]
format = %(message)s
"""
"""What `alembic init` writes about logging, but to stdout."""

MAKO = ROOT / "alembic" / "script.py.mako"


@dataclass(frozen=True)
class Whole:
    """A project that lies in a folder of its own, which is also the working directory."""

    root: Path

    @property
    def versions(self) -> Path:
        """The folder of its revisions."""
        return self.root / "alembic" / "versions"

    @property
    def file(self) -> Path:
        """The SQLite file that `here` works on."""
        return self.root / "app.db"

    @property
    def url(self) -> str:
        """The URL of that file."""
        return f"sqlite:///{self.file}"

    def here(self, **options: Any) -> Project:
        """Load it for a SQLite file that does not exist yet."""
        return Project.load(self.root / "alembic.ini", url=self.url, **options)

    def on(self, database: ScratchDatabase, **options: Any) -> Project:
        """Load it for *database*."""
        return Project.load(self.root / "alembic.ini", url=text(database), **options)

    def load(self, **options: Any) -> Project:
        """Load it without naming a database."""
        return Project.load(self.root / "alembic.ini", **options)

    def write(self, name: str, content: str) -> Path:
        """Write a file, the path relative to the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return path

    def line(self, revision: str, words: str) -> int:
        """Return the number of the line that holds *words* in the file of *revision*."""
        texts = [path.read_text(encoding="utf-8") for path in self.versions.glob("*.py")]
        (text,) = (each for each in texts if f'revision = "{revision}"\n' in each.splitlines(True))
        return next(number for number, line in enumerate(text.splitlines(), 1) if words in line)

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the program within this process, which is ten times faster."""
        return call(*arguments)

    def program(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run ``topchef-db`` as a user does, in a process, and wait for it."""
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start ``topchef-db`` and return its process; it is the head of a process group."""
        return start([sys.executable, "-m", "topchef_schema", *arguments], self.root, environment)

    def alembic(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run plain ``alembic``."""
        process = start([sys.executable, "-m", "alembic", *arguments], self.root, environment)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``topchef-db`` within this process; return its exit code and what it printed."""
    log = logging.getLogger("topchef_schema")
    before = log.handlers[:], log.propagate, log.level
    signals = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main(arguments)
    except SystemExit as end:
        code = end.code
    finally:
        log.handlers[:], log.propagate, level = before
        log.setLevel(level)
        with contextlib.suppress(ValueError):
            for number, handler in signals.items():
                signal.signal(number, handler)
    assert isinstance(code, int)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def start(
    command: list[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.Popen[str]:
    """Start *command* in *folder*, without the database of whoever runs the tests."""
    inherited = {k: v for k, v in os.environ.items() if k != "TOPCHEF_DATABASE_URL"}
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**inherited, "PYTHONWARNINGS": "default", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        process_group=0,
    )


def text(database: ScratchDatabase | Server) -> str:
    """Return the whole URL, password included."""
    return database.url.render_as_string(hide_password=False)


class MakeProject(Protocol):
    """What the fixture `project` gives."""

    def __call__(
        self,
        name: str | None = None,
        *,
        env: str = "usual",
        ini: str = "",
        settings: str = "",
        repaired: bool = False,
        versions: Mapping[str, str] | None = None,
    ) -> Whole:
        """Lay out the project *name* with the environment *env* (see ``tests/projects``).

        *ini* goes into ``[alembic]``, *settings* into ``[topchef]``. *versions* are further
        revision files. *repaired* mends what a revision marks as leaking: a line that ends with
        ``# leak`` goes, and what follows ``# repair:`` comes.
        """


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeProject]:
    """Return what lays out a project in a temporary folder, which becomes the current one."""
    monkeypatch.delenv("TOPCHEF_DATABASE_URL", raising=False)
    monkeypatch.setenv("TOPCHEF_GIT_COMMIT", "0123456789abcdef")
    path, modules = list(sys.path), set(sys.modules)

    def make(
        name: str | None = None,
        *,
        env: str = "usual",
        ini: str = "",
        settings: str = "",
        repaired: bool = False,
        versions: Mapping[str, str] | None = None,
    ) -> Whole:
        number = len(list(tmp_path.glob("project*")))
        whole = Whole(tmp_path / f"project{number or ''}")
        whole.write("alembic.ini", f"{INI}{ini}\n\n[topchef]\n{settings}\n")
        environment = (FOLDER / "environments" / f"{env}.py").read_text(encoding="utf-8")
        whole.versions.mkdir(parents=True)
        shutil.copy(MAKO, whole.root / "alembic")
        if name is not None:
            environment = _lay_out(whole, FOLDER / name, environment, repaired=repaired)
        whole.write("alembic/env.py", environment)
        for file, content in (versions or {}).items():
            whole.write(f"alembic/versions/{file}", content)
        monkeypatch.chdir(whole.root)
        return whole

    yield make
    sys.path[:] = path
    for each in set(sys.modules) - modules:
        origin = getattr(sys.modules[each], "__file__", None)
        if origin and Path(origin).is_relative_to(tmp_path):
            del sys.modules[each]


def _lay_out(whole: Whole, source: Path, environment: str, *, repaired: bool) -> str:
    """Copy the files of a project; return the env.py, with the models it has."""
    for path in source.glob("versions/*.py"):
        content = path.read_text(encoding="utf-8")
        whole.write(f"alembic/versions/{path.name}", _repaired(content) if repaired else content)
    for path in source.glob("*.py"):
        shutil.copy(path, whole.root)
        models = f"from {path.stem} import metadata as target_metadata"
        environment = environment.replace("target_metadata = None", models)
    return environment


def _repaired(content: str) -> str:
    lines = (line for line in content.splitlines() if not line.endswith("# leak"))
    return "\n".join(lines).replace("# repair: ", "") + "\n"


REVISION = '''"""{message}"""

from alembic import op
import sqlalchemy as sa

revision = "{id}"
down_revision = {down!r}


def upgrade():
    {up}


def downgrade():
    {down_body}
'''


def revision(
    id: str,
    up: str,
    down_body: str = "pass",
    *,
    down: str | tuple[str, ...] | None = None,
    message: str = "a revision",
) -> str:
    """Return the text of a revision file; several lines of a body are indented here."""
    return REVISION.format(
        id=id,
        message=message,
        down=down,
        up=up.replace("\n", "\n    "),
        down_body=down_body.replace("\n", "\n    "),
    )


def query(database: ScratchDatabase | str, sql: str) -> list[Row[Any]]:
    """Return the rows of *sql*, asked in a connection of its own."""
    return _connected(database, lambda connection: list(connection.exec_driver_sql(sql)))


def execute(database: ScratchDatabase | str, *statements: str) -> None:
    """Run *statements* in a connection of its own, and commit."""

    def run(connection: Connection) -> None:
        for each in statements:
            connection.exec_driver_sql(each)
        connection.commit()

    _connected(database, run)


def tables(database: ScratchDatabase | str) -> set[str]:
    """Return the names of the tables."""
    import sqlalchemy as sa

    return _connected(database, lambda connection: set(sa.inspect(connection).get_table_names()))


def _connected(database: ScratchDatabase | str, function: Callable[[Connection], T]) -> T:
    import sqlalchemy as sa

    url = database if isinstance(database, str) else database.url
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            return function(connection)
    finally:
        engine.dispose()
