"""Tries topchef-db on real projects that were not written for it: ``python3 compat/run.py``.

Each project of this folder is installed into an environment of its own, in the user's cache, with
topchef_schema beside it. Every command runs there as a process, and plain Alembic after it; both
have to leave the same. ``--write`` puts what came of it into ``docs/compatibility.md``; else it has
to be there already.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

if TYPE_CHECKING:
    from compat.description import Description
    from compat.trial import Result
    from tests.servers import Servers

STAMP = "compat.json"


def main() -> int:
    """Run what the command line asks for; return the exit code."""
    in_environment(__file__)
    import bootstrap
    from tests.provide import MissingServerError

    options = parsed()
    try:
        return tried(options)
    except (MissingServerError, bootstrap.BootstrapError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def in_environment(program: str) -> None:
    """Go on with the Python of this checkout's environment, which is made first if need be."""
    import bootstrap

    bootstrap.with_new_enough_python()
    python = bootstrap.environment(ROOT / ".venv", extras={"test", "docs"})
    if Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():
        os.execv(python, [str(python), program, *sys.argv[1:]])


@dataclass(frozen=True)
class Site:
    """Where one project is tried: its programs, and the servers that its processes know of."""

    project: Description
    servers: Servers
    programs: Path
    environment: Mapping[str, str]


@contextmanager
def on_site(name: str, backends: Sequence[str]) -> Iterator[Site]:
    """Open servers for the project *name*, for all its backends where none are given."""
    from compat import description
    from tests.servers import Servers

    (project,) = description.chosen([name])
    servers = Servers(backends or project.backends)
    try:
        environment = opened(servers)
        yield Site(project, servers, installed(project), environment)
    finally:
        servers.close()


def opened(servers: Servers) -> dict[str, str]:
    """Open all *servers*; return the environment of processes that are to find them."""
    from tests.run import addresses, open_one

    for name in servers:
        open_one(servers, name)
    return environment_for(addresses(servers))


def parsed() -> argparse.Namespace:
    """Read the command line."""
    from compat.description import all_projects
    from tests.servers import BACKENDS

    names = [each.name for each in all_projects()]
    parser = argparse.ArgumentParser(description="Try topchef-db on real projects.")
    parser.add_argument(
        "--only", action="append", default=[], choices=names, help="this project alone (repeatable)"
    )
    parser.add_argument(
        "--on",
        action="append",
        default=[],
        choices=BACKENDS,
        help="this backend alone (repeatable)",
    )
    parser.add_argument("--gate", action="store_true", help="only what every change is tried on")
    parser.add_argument("--write", action="store_true", help="write the page, and the guide")
    return parser.parse_args()


def tried(options: argparse.Namespace) -> int:
    """Try every project on every backend that was chosen; return the exit code."""
    from compat import description, guide, page
    from tests.servers import BACKENDS, Servers

    wanted = {
        project.name: [
            name
            for name in (project.gate if options.gate else project.backends)
            if not options.on or name in options.on
        ]
        for project in description.chosen(options.only)
    }
    needed = [name for name in BACKENDS if any(name in names for names in wanted.values())]
    servers = Servers(needed)
    wrong: list[str] = []
    results: list[Result] = []
    versions: dict[str, Mapping[str, str]] = {}
    try:
        environment = opened(servers)
        for project in description.chosen(options.only):
            if wanted[project.name]:
                programs = installed(project)
                versions[project.name] = versions_in(programs, environment)
                results += on_each(project, wanted[project.name], servers, programs, environment)
                if project.guide is not None:
                    wrong += guide.checked(project, programs, environment, write=options.write)
    finally:
        servers.close()
    wrong += [
        f"{each.project.name} on {each.backend}: {what}" for each in results for what in each.wrong
    ]
    if options.write:
        page.write(results, versions, servers.versions)
    else:
        wrong += page.stale(results)
    for each in wrong:
        print(f"WRONG  {each}")
    print(
        f"{len(results)} trials, {len(wrong)} wrong"
        if wrong
        else f"{len(results)} trials, all as expected"
    )
    return 1 if wrong else 0


def environment_for(addresses: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of all processes, without what this user has set for them."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("TOPCHEF_", "PYTHON"))
    }
    return {**kept, **addresses, "LC_ALL": "C.UTF-8"}


def on_each(
    project: Description,
    names: list[str],
    servers: Servers,
    programs: Path,
    environment: Mapping[str, str],
) -> list[Result]:
    """Try *project* on the backends called *names*, as many at a time as there are processors."""
    from compat.trial import tried
    from topchef_schema.backends import named

    def one(name: str) -> Result:
        result = tried(project, named(name), servers[name], programs, environment)
        times = ", ".join(f"{what} {seconds:.1f}" for what, seconds in result.seconds.items())
        print(f"{project.name} on {name}: {times}", flush=True)
        return result

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(one, names))


def installed(project: Description) -> Path:
    """Install *project* and this checkout, unless they are there; return where the programs are.

    The environment lies in the user's cache, one for each checkout.
    """
    import bootstrap

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    checkout = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
    directory = cache / "topchef-schema" / "compat" / f"{project.name}-{checkout}"
    directory.parent.mkdir(parents=True, exist_ok=True)
    python = bootstrap.environment(directory)
    stamp = directory / STAMP
    mark = json.dumps([*project.requirements, bootstrap.fingerprint(None)])
    if not stamp.exists() or stamp.read_text() != mark:
        print(f"installing {' '.join(project.requirements)} into {directory}", flush=True)
        command = [*bootstrap.installer_into(directory, python), *project.requirements]
        if subprocess.run(command, check=False).returncode:
            raise bootstrap.BootstrapError(f"this failed: {' '.join(command)}")
        stamp.write_text(mark)
    return python.parent


def versions_in(programs: Path, environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return the version of each distribution that is installed for a project, and of Python."""
    from compat.trial import plain

    with TemporaryDirectory(prefix="topchef_compat_") as folder:
        answer = Path(folder, "answer.json")
        plain(programs, "versions", answer, environment)
        found: dict[str, str] = json.loads(answer.read_text())
    return found


if __name__ == "__main__":
    sys.exit(main())
