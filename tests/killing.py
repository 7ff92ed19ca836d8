"""Kills real processes at chosen statements, and looks at what the next run makes of it.

Each process is forked from one that has imported everything: a sweep is some thousand processes.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.whole_projects import Whole, execute, query, tables, text
from topchef_schema import cli, history, repair, snapshot
from topchef_schema.model import HISTORY_TABLE, JOURNAL_TABLE

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase, Server

WARM = ["sqlalchemy.dialects.postgresql", "alembic.command", "psycopg", "pymysql", "tests.killing"]
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([*WARM, "topchef_schema.stages.apply"])

WAYS = {"up": ("upgrade", "heads"), "down": ("downgrade", "base", "--yes", "--accept-data-loss")}
MADE_UP = "token"
"""A column whose values are other ones in every run: only that they are there is compared."""


@dataclass(frozen=True)
class End:
    """What a run leaves: schema, version rows, data, journal, and what the history settled."""

    schema: dict[str, str]
    versions: list[str]
    data: dict[str, list[tuple[object, ...]]]
    journal: int
    settled: list[tuple[str, str]]


@dataclass
class Tally:
    """How many runs were killed, and how many of those a person had to settle."""

    kills: int = 0
    by_a_person: int = 0
    in_ddl: int = 0
    reasons: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.kills} kills, {self.by_a_person} needed a person ({self.in_ddl} for DDL)"


def _command(arguments: Sequence[str], folder: str, output: str, given: dict[str, str]) -> None:
    os.chdir(folder)
    os.environ.update(given)
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    if limit := int(given.get("FILE_LIMIT", "0")):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    cli.main(arguments)


@dataclass(frozen=True)
class Runner:
    """Runs ``topchef-db`` on one project, in a process of its own each time."""

    shop: Whole
    environment: Mapping[str, str] = field(default_factory=dict)

    def start(self, database: ScratchDatabase, *arguments: str, **more: str) -> Running:
        """Start a command on *database*, without waiting for it."""
        output = self.shop.root / f"said-{random.randrange(2**64):x}"
        given = {**self.environment, **more, "SHOP": text(database), "TOPCHEF_GIT_COMMIT": "0" * 40}
        command = [arguments[0], *arguments[1:], "--url-env", "SHOP"]
        process = PROCESSES.Process(
            target=_command, args=(command, str(self.shop.root), str(output), given)
        )
        process.start()
        return Running(process, output)

    def run(self, database: ScratchDatabase, *arguments: str, **more: str) -> Running:
        """Run a command on *database* to its end."""
        return self.start(database, *arguments, **more).ended()

    def succeed(self, database: ScratchDatabase, *arguments: str) -> None:
        """Run a command that must end well."""
        done = self.run(database, *arguments)
        assert done.code == 0, done.said

    def end(self, database: ScratchDatabase) -> End:
        """Look at what is there now."""
        project = self.shop.on(database)
        there = tables(database)
        names = sorted(there - {"alembic_version", HISTORY_TABLE, JOURNAL_TABLE})
        events = history(project).data["events"]
        settled = [(each["revision"], each["status"]) for each in events]
        return End(
            dict(snapshot(project).data["objects"]),
            [row[0] for row in query(database, "SELECT version_num FROM alembic_version")],
            {name: _rows(database, name) for name in names},
            len(query(database, f"SELECT * FROM {JOURNAL_TABLE}")) if JOURNAL_TABLE in there else 0,
            [each for each in settled if each[1] in {"applied", "reverted"}],
        )


@dataclass(frozen=True)
class Running:
    """A process of ours; *code* is negative where a signal ended it."""

    process: multiprocessing.context.ForkServerProcess
    output: Path

    def ended(self, seconds: float = 120) -> Running:
        """Wait for it."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, self.said
        return self

    def kill(self) -> None:
        """End it as the kernel does."""
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.join()

    @property
    def code(self) -> int:
        """Its exit code."""
        assert self.process.exitcode is not None
        return self.process.exitcode

    @property
    def said(self) -> str:
        """What it has printed so far."""
        return self.output.read_text(encoding="utf-8") if self.output.exists() else ""


def _rows(database: ScratchDatabase, table: str) -> list[tuple[object, ...]]:
    found = query(database, f"SELECT * FROM {table}")
    rows = [
        tuple(
            value is not None if name == MADE_UP else value for name, value in row._mapping.items()
        )
        for row in found
    ]
    return sorted(rows, key=repr)


@contextmanager
def database_of(server: Server) -> Iterator[ScratchDatabase]:
    """Make a scratch database, dropped afterwards."""
    database = server.create()
    try:
        yield database
    finally:
        server.drop(database)


def sweep(
    runner: Runner,
    server: Server,
    way: str,
    choose: Callable[[list[str]], list[str]] = lambda moments: moments,
) -> Tally:
    """Kill a run before and after each statement it sends, or those that *choose* chooses.

    The next run has to end as one that was not killed; where it says that only a person can know,
    the person undoes the revision by hand, as the project's ``undone`` says.
    """
    with database_of(server) as whole:
        _prepare(runner, whole, way)
        runner.succeed(whole, *WAYS[way])
        expected = runner.end(whole)
    tally = Tally()
    for dies in choose(moments(runner, server, way)):
        with database_of(server) as database:
            _prepare(runner, database, way)
            killed = runner.run(database, *WAYS[way], DIES=dies)
            # A run may ask for its lock once more, or once less, than the one that counted.
            assert killed.code in (0, -signal.SIGKILL), killed.said
            tally.kills += killed.code == -signal.SIGKILL
            again = runner.run(database, *WAYS[way])
            if again.code == 7:
                _by_hand(runner, database, tally, again.said)
                again = runner.run(database, *WAYS[way])
            assert again.code == 0, f"{dies}: {again.said}"
            assert (dies, runner.end(database)) == (dies, expected)
    return tally


def _prepare(runner: Runner, database: ScratchDatabase, way: str) -> None:
    if way == "down":
        runner.succeed(database, *WAYS["up"])


def _by_hand(runner: Runner, database: ScratchDatabase, tally: Tally, said: str) -> None:
    (left,) = repair(runner.shop.on(database)).data["interrupted"]
    tally.by_a_person += 1
    tally.in_ddl += left["undecided"]
    tally.reasons.append(said)
    undone = (runner.shop.root / f"undo_{left['revision']}.sql").read_text(encoding="utf-8")
    execute(database, *filter(None, map(str.strip, undone.split(";"))))
    repair(runner.shop.on(database), mark_reverted=True, reason="undone by hand")


def moments(runner: Runner, server: Server, way: str) -> list[str]:
    """Return the moments before and after every statement of a whole run, ours included."""
    counted = runner.shop.root / "counted"
    with database_of(server) as database:
        _prepare(runner, database, way)
        done = runner.run(database, *WAYS[way], DIES="before 0", COUNTED=str(counted))
        assert done.code == 0, done.said
    sent = int(counted.read_text())
    return [f"{moment} {at}" for at in range(1, sent + 1) for moment in ("before", "after")]
