"""Kills topchef-db on a real project until it has come to its end: ``python3 compat/killed.py``.

Each round takes an empty database up to the heads. Every run is killed after a random time, until
one is left alone; what it leaves has to be what a run leaves that nobody killed.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

if TYPE_CHECKING:
    from compat.description import Description
    from compat.run import Site
    from topchef_schema.backends.base import Backend, ScratchDatabase

RUNS = 8
"""How many runs of a round are killed at most."""


@dataclass
class Victim:
    """A project on one database. *environment* is what its processes are started with."""

    project: Description
    backend: Backend
    programs: Path
    environment: Mapping[str, str]
    work: Path
    database: ScratchDatabase

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start topchef-db."""
        program = [str(self.programs / "topchef-db"), "-c", str(self.project.settings)]
        url = self.database.url.render_as_string(hide_password=False)
        return subprocess.Popen(
            [*program, *arguments],
            cwd=self.work,
            env={**self.environment, "TOPCHEF_DATABASE_URL": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def finish(self, *arguments: str) -> tuple[int, str, str]:
        """Run topchef-db to its end; return the exit code, its report, and what it said beside."""
        process = self.start(*arguments)
        report, said = process.communicate()
        return process.returncode, report, said

    def left(self) -> dict[str, Any]:
        """Return the schema, where the database is, and how often each revision was applied."""
        schema = json.loads(self._answer("snapshot"))["data"]["fingerprint"]
        current = json.loads(self._answer("status"))["data"]["current"]
        events = json.loads(self._answer("history"))["data"]["events"]
        applied = sorted(each["revision"] for each in events if each["status"] == "applied")
        return {"schema": schema, "current": current, "applied": applied}

    def _answer(self, command: str) -> str:
        # What a project says itself, of what is deprecated in it, stands beside the report.
        code, report, said = self.finish("-q", command, "--format", "json")
        if code:
            raise RuntimeError(f"{command} ended with {code}: {said}")
        return report


def main() -> int:
    """Run what the command line asks for; return the exit code."""
    from compat.run import in_environment, on_site

    in_environment(__file__)
    from tests.servers import BACKENDS
    from topchef_schema.backends import named

    parser = argparse.ArgumentParser(description="Kill topchef-db on a real project.")
    parser.add_argument("--only", default="mlflow", help="the project")
    parser.add_argument("--on", action="append", choices=BACKENDS, help="repeatable; default: all")
    parser.add_argument("--rounds", type=int, default=3, help="databases taken up, per backend")
    parser.add_argument("--seed", type=int, default=time.time_ns())
    options = parser.parse_args()
    print(f"--seed {options.seed}")
    chance = random.Random(options.seed)
    wrong = 0
    with on_site(options.only, options.on) as site:
        for name in site.servers:
            wrong += storm(site, named(name), chance, options.rounds)
    return 1 if wrong else 0


def storm(site: Site, backend: Backend, chance: random.Random, rounds: int) -> int:
    """Kill the runs of some rounds on one backend; return how many rounds ended wrongly."""
    from compat.trial import made

    project, server = site.project, site.servers[backend.name]
    kills = persons = wrong = 0
    with TemporaryDirectory(prefix="topchef_killed_") as folder, made(server) as database:
        given = {key: value.replace("{work}", folder) for key, value in project.environment.items()}
        victim = Victim(
            project, backend, site.programs, {**site.environment, **given}, Path(folder), database
        )
        started = time.monotonic()
        code, _, said = victim.finish("upgrade")
        seconds = time.monotonic() - started
        if code:
            raise RuntimeError(f"upgrade ended with {code}: {said}")
        expected = victim.left()
        for _ in range(rounds):
            server.recreate(database)
            killed, code, said = killed_until_done(victim, chance, seconds)
            kills += killed
            persons += code == 7
            if code != 7 and (code or victim.left() != expected):
                wrong += 1
                print(f"WRONG  {project.name} on {backend.name}: exit code {code}: {said[-2000:]}")
    print(
        f"{project.name} on {backend.name}: {rounds} rounds, {kills} kills, {persons} needed a "
        f"person, {wrong} ended otherwise than without a kill",
        flush=True,
    )
    return wrong


def killed_until_done(
    victim: Victim, chance: random.Random, seconds: float
) -> tuple[int, int, str]:
    """Start and kill runs; return how many were killed, and how the last one ended."""
    kills = 0
    for _ in range(RUNS):
        process = victim.start("upgrade")
        try:
            _, said = process.communicate(timeout=chance.uniform(0.2, 1) * seconds / 2)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
        else:
            return kills, process.returncode, said
    code, _, said = victim.finish("upgrade")
    return kills, code, said


if __name__ == "__main__":
    sys.exit(main())
