"""One project on one backend: every command of topchef-db, and plain Alembic beside it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from compat.description import COMMANDS, Description, Expected

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from topchef_schema.backends.base import Backend, ScratchDatabase, Server

PLAIN = Path(__file__).with_name("plain.py")
VERSION_TABLE = "alembic_version"
LIMIT = 1200
"""Seconds after which a process hangs."""


@dataclass(frozen=True)
class State:
    """Where a database stands: its version rows, and the fingerprint of its schema."""

    heads: tuple[str, ...]
    fingerprint: str


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    exit_code: int
    report: Mapping[str, Any]
    seconds: float
    stderr: str

    @property
    def message(self) -> str:
        """What the command says is wrong, or that of a process that gave no report."""
        error = self.report.get("error")
        return str(error["message"]) if error else "" if self.report else self.stderr[-2000:]

    @property
    def errors(self) -> tuple[str, ...]:
        """The findings that are errors: which rule on which revision, each once."""
        found = [
            f"{each['rule']} {each['revision']}"
            for each in self.report.get("findings", ())
            if each["severity"] == "error"
        ]
        return tuple(dict.fromkeys(found))


@dataclass
class Result:
    """What came of a trial. *wrong* is what was not expected; it is empty where all is well."""

    project: Description
    backend: str
    ended: dict[str, Ended] = field(default_factory=dict)
    same: dict[str, bool] = field(default_factory=dict)
    alembic: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


@dataclass
class Trial:
    """The commands on one scratch database, which is made empty again for each of the programs."""

    project: Description
    backend: Backend
    server: Server
    programs: Path
    environment: Mapping[str, str]
    work: Path
    database: ScratchDatabase
    result: Result

    def run(self) -> None:
        """Run everything, and compare."""
        pending = self._topchef("status").report.get("data", {}).get("pending", [])
        self._topchef("upgrade")
        if self._call("status", "--check").exit_code != 0:
            self._wrong("status --check finds something after upgrade")
        upgraded = self._state()
        shown = self._topchef("snapshot").report.get("data", {}).get("fingerprint")
        if shown != upgraded.fingerprint:
            self._wrong(f"snapshot: its fingerprint is {shown}, that of the schema {upgraded}")
        known = self._topchef("history").report.get("data", {}).get("revisions", [])
        done = {"applied"} if self.project.start is None else {"applied", "applied by alembic"}
        missing = set(pending) - {each["revision"] for each in known if each["status"] in done}
        if missing:
            self._wrong(f"the history lacks {', '.join(sorted(missing))}")
        down = self._topchef("downgrade", "base", "--yes", "--accept-data-loss")
        downgraded = self._state()

        self._empty()
        self._alembic("upgrade")
        self._compare("upgrade", upgraded)
        failed = self._alembic("downgrade")
        self._compare("downgrade", downgraded)
        if failed["error"] is not None and not _fails_alike(down, failed):
            self._wrong(
                f"downgrade: alembic fails in {failed['revision']} ({failed['error']}), "
                f"topchef-db says: {down.message or 'nothing'}"
            )

        self._script(upgraded)
        proof = ["--prove"] if down.exit_code == 0 else []
        self._topchef("sql --down", *self._range(), *proof, "--on", self.backend.name)
        self._topchef("roundtrip", "--no-models", "--on", self.backend.name)

    def _range(self) -> list[str]:
        return [] if self.project.start is None else [f"{self.project.start}:heads"]

    def _script(self, upgraded: State) -> None:
        """Write the script of the way up, run it, and compare what it makes."""
        ended = self._topchef("sql", *self._range(), "--on", self.backend.name)
        if ended.exit_code not in (0, 10):
            return
        self._empty()
        text = ended.report["data"]["scripts"][0]["sql"]
        said = fed(self.backend, self.database, text)
        if said:
            self._wrong(f"the script of sql fails: {said}")
        self._compare("sql", upgraded)

    def _topchef(self, command: str, *arguments: str) -> Ended:
        """Run a command that is on the page, and compare how it ends with what is expected."""
        words = command.split()
        ended = self._call(words[0], *arguments, *words[1:])
        self.result.ended[command] = ended
        self.result.seconds[command] = ended.seconds
        expected = self.project.expected(command, self.backend.name)
        for problem in unexpected(ended, expected):
            self._wrong(f"{command}: {problem}")
        return ended

    def _call(self, command: str, *arguments: str) -> Ended:
        program = [str(self.programs / "topchef-db"), "-c", str(self.project.settings)]
        started = time.perf_counter()
        done = subprocess.run(
            [*program, command, *arguments, "--format", "json"],
            cwd=self.work,
            env={**self.environment, "TOPCHEF_DATABASE_URL": self._url},
            capture_output=True,
            text=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            timeout=LIMIT,
            check=False,
        )
        seconds = time.perf_counter() - started
        try:
            report = json.loads(done.stdout)
        except ValueError:
            report = {}
        return Ended(done.returncode, report, seconds, done.stderr)

    def _alembic(self, action: str) -> Mapping[str, Any]:
        answer = self.work / "answer.json"
        config = ["--config", str(self.project.settings), "--url", self._url]
        started = time.perf_counter()
        plain(self.programs, action, answer, self.environment, *config)
        self.result.seconds[f"alembic {action}"] = time.perf_counter() - started
        said: Mapping[str, Any] = json.loads(answer.read_text())
        self.result.alembic[action] = said
        return said

    def _empty(self) -> None:
        """Make the database as it is before the first revision."""
        self.server.recreate(self.database)
        if "baseline" in self.project.settings.read_text():
            said = self._alembic("baseline")
            if said["error"] is not None:
                self._wrong(f"the baseline fails: {said['error']}")

    def _state(self) -> State:
        """Look at the database, without either of the programs."""
        from sqlalchemy import NullPool, create_engine

        from topchef_schema.model import OWN_TABLES

        url = self.backend.synchronous(self.database.url)
        with create_engine(url, poolclass=NullPool).connect() as connection:
            snapshot = self.backend.snapshot(connection, {VERSION_TABLE, *OWN_TABLES})
            return State(version_rows(connection), snapshot.fingerprint)

    def _compare(self, what: str, expected: State) -> None:
        found = self._state()
        self.result.same[what] = found == expected
        if found != expected:
            self._wrong(f"{what}: topchef-db leaves {expected}, alembic {found}")

    def _wrong(self, words: str) -> None:
        self.result.wrong.append(words)

    @property
    def _url(self) -> str:
        return self.database.url.render_as_string(hide_password=False)


def tried(
    project: Description,
    backend: Backend,
    server: Server,
    programs: Path,
    environment: Mapping[str, str],
) -> Result:
    """Try *project* on *backend*; *programs* is the folder of what is installed for it."""
    result = Result(project, backend.name)
    with TemporaryDirectory(prefix="topchef_compat_") as folder, made(server) as database:
        given = {key: value.replace("{work}", folder) for key, value in project.environment.items()}
        trial = Trial(
            project,
            backend,
            server,
            programs,
            {**environment, **given},
            Path(folder),
            database,
            result,
        )
        trial.run()
    assert set(result.ended) == set(COMMANDS) or result.wrong
    return result


@contextmanager
def made(server: Server) -> Iterator[ScratchDatabase]:
    """Make a scratch database, and drop it afterwards."""
    database = server.create()
    try:
        yield database
    finally:
        server.drop(database)


def plain(
    programs: Path, action: str, answer: Path, environment: Mapping[str, str], *arguments: str
) -> None:
    """Let the Python of a project write its *answer* to *action* without topchef-db."""
    answer.unlink(missing_ok=True)
    done = subprocess.run(
        [str(programs / "python"), str(PLAIN), action, "--answer", str(answer), *arguments],
        cwd=answer.parent,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    if not answer.exists():
        raise RuntimeError(f"plain alembic gave no answer to {action}: {done.stderr[-2000:]}")


def _fails_alike(down: Ended, failed: Mapping[str, Any]) -> bool:
    """Whether both programs fail in the same revision."""
    return down.exit_code in (5, 6) and str(failed["revision"]) in down.message


def unexpected(ended: Ended, expected: Expected) -> Iterator[str]:
    """Yield what is otherwise than expected."""
    if ended.exit_code != expected.exit_code:
        yield f"exit code {ended.exit_code}, expected {expected.exit_code}: {ended.message}"
    elif expected.says not in ended.message:
        yield f'"{expected.says}" is not in: {ended.message}'
    if sorted(ended.errors) != sorted(expected.findings):
        more = sorted(set(ended.errors) - set(expected.findings))
        less = sorted(set(expected.findings) - set(ended.errors))
        yield f"findings that are not expected: {more}; expected and not found: {less}"


def version_rows(connection: Connection) -> tuple[str, ...]:
    """Read Alembic's version table."""
    from sqlalchemy import inspect

    if not inspect(connection).has_table(VERSION_TABLE):
        return ()
    rows = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}")
    return tuple(sorted(str(row[0]) for row in rows))


def fed(backend: Backend, database: ScratchDatabase, script: str) -> str:
    """Run *script* with the client of the database; return what was wrong with it."""
    done = backend.scripting.client(database.url).run(script)
    return (done.stdout + done.stderr).strip() if done.returncode else ""
