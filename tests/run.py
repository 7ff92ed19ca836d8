"""The test command: ``python3 tests/run.py`` makes its environment, gets the servers, checks all.

Only the standard library is needed to start it. What it starts it stops; servers named by
``TOPCHEF_<NAME>_SERVER`` are used as they are, and missing ones are installed or fetched.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

VERSIONS = ("oldest", "sqlalchemy-2.0")

if TYPE_CHECKING:
    from tests.servers import Servers


@dataclass(frozen=True)
class Result:
    """How one step ended: *line* is the last thing it said."""

    name: str
    passed: bool
    seconds: float
    line: str


def main() -> int:
    """Run what the command line asks for; return the exit code."""
    import bootstrap

    bootstrap.with_new_enough_python()
    from tests.provide import MissingServerError

    options = parsed()
    name, extras, pins = ".venv", {"test", "docs"}, None
    if options.versions:
        name, extras = f".venv-{options.versions}", {"test"}
        pins = ROOT / "tests" / f"{options.versions}.txt"
    try:
        python = bootstrap.environment(ROOT / name, extras=extras, pins=pins)
    except bootstrap.BootstrapError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if Path(sys.prefix).resolve() != (ROOT / name).resolve():
        os.execv(python, [str(python), __file__, *sys.argv[1:]])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    try:
        return checked(options)
    except MissingServerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def parsed() -> argparse.Namespace:
    """Read the command line; what follows ``--`` is for pytest."""
    from tests.servers import BACKENDS

    parser = argparse.ArgumentParser(
        description="Run all checks of this project.",
        epilog="What follows -- is given to pytest: python3 tests/run.py -- -k snapshot",
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        choices=BACKENDS,
        help="test on this database alone (repeatable); --only sqlite is the quick run",
    )
    parser.add_argument("--exhaustive", action="store_true", help="whole sweeps, no samples")
    parser.add_argument("--seed", type=int, help="the seed of the samples (default: by commit)")
    parser.add_argument(
        "--versions",
        choices=VERSIONS,
        help="run the tests alone, with the versions that tests/<name>.txt pins",
    )
    parser.add_argument(
        "--mysql-may-be-missing",
        action="store_true",
        help="go on without MySQL where its packages cannot be fetched",
    )
    parser.add_argument("pytest", nargs="*", help=argparse.SUPPRESS)
    return parser.parse_args()


def interrupted(*_: object) -> NoReturn:
    """Treat SIGTERM like Ctrl-C, so that servers are stopped; SIGINT even where it was ignored."""
    raise KeyboardInterrupt


def checked(options: argparse.Namespace) -> int:
    """Run every step, in order, whatever the others say; return the exit code."""
    from tests.servers import BACKENDS, Servers

    selected = [name for name in BACKENDS if not options.only or name in options.only]
    servers = Servers(selected)
    try:
        open_all(servers, options)
        steps = {"pytest": pytest_command(options, list(servers.versions))}
        if not options.versions:
            steps = static_steps() | steps | docs_step()
            steps |= compat_step(options, list(servers.versions))
        environment = os.environ | addresses(servers) | {"PYTHONUNBUFFERED": "1"}
        results = [run(name, command, environment) for name, command in steps.items()]
    finally:
        servers.close()
    print_summary(results, servers)
    return 0 if all(result.passed for result in results) else 1


def open_all(servers: Servers, options: argparse.Namespace) -> None:
    """Open every server, so that one that is missing is known before anything else is done."""
    from tests.provide import MissingServerError

    for name in servers:
        try:
            open_one(servers, name)
        except MissingServerError as error:
            if name != "mysql" or not options.mysql_may_be_missing:
                raise MissingServerError(f"no server for {name}: {error}") from error
            print(f"no server for {name}: {error}", flush=True)
        else:
            print(f"server: {name}: {servers.versions[name]}", flush=True)


def addresses(servers: Servers) -> dict[str, str]:
    """Return the environment in which all processes of the steps use these servers."""
    from tests.servers import variable

    return {
        variable(name): servers[name].url.render_as_string(hide_password=False)
        for name in servers.versions
        if name != "sqlite"
    }


def open_one(servers: Servers, name: str) -> None:
    """Open the server of backend *name*, provided first where there is none."""
    from tests.provide import MissingServerError, provide
    from tests.servers import variable
    from topchef_schema.errors import UnreachableError

    try:
        servers[name]
    except UnreachableError as error:
        if variable(name) in os.environ:
            raise MissingServerError(f"{error}; {variable(name)} names it") from error
        print(f"no server for {name} yet: {error}", flush=True)
        provide(name)
        try:
            servers.retry(name)
        except UnreachableError as again:
            raise MissingServerError(str(again)) from again
    require_client(name)


def require_client(name: str) -> None:
    """See that scripts for backend *name* can be run as a person would run them."""
    from sqlalchemy import make_url

    from tests.provide import MissingServerError, provide_client
    from topchef_schema.backends import named
    from topchef_schema.errors import UnreachableError

    backend = named(name)
    url = make_url(backend.offline_url)
    try:
        backend.scripting.client(url)
    except UnreachableError:
        provide_client(name)
        try:
            backend.scripting.client(url)
        except UnreachableError as again:
            raise MissingServerError(str(again)) from again


def static_steps() -> dict[str, list[str]]:
    """Return the checks that run nothing."""
    return {
        "ruff check": [sys.executable, "-m", "ruff", "check", "."],
        "ruff format": [sys.executable, "-m", "ruff", "format", "--check", "."],
        "mypy": [sys.executable, "-m", "mypy"],
    }


def docs_step() -> dict[str, list[str]]:
    """Return the build of the documentation, in which a warning is an error."""
    if not (ROOT / "docs" / "conf.py").exists():
        return {}
    build = ["-W", "--keep-going", "-q", "-b", "html", "docs", "docs/_build/html"]
    return {"docs": [sys.executable, "-m", "sphinx", *build]}


def compat_step(options: argparse.Namespace, names: list[str]) -> dict[str, list[str]]:
    """Return the trial of real projects, which --only leaves out."""
    if options.only:
        return {}
    on = [word for name in names for word in ("--on", name)]
    return {"compat": [sys.executable, "compat/run.py", "--gate", *on]}


def pytest_command(options: argparse.Namespace, names: list[str]) -> list[str]:
    """Return how pytest is called for the backends *names*."""
    from tests.machine import slowness
    from tests.servers import BACKENDS

    command = [sys.executable, "-m", "pytest", "-n", str(min(os.cpu_count() or 1, 8))]
    command += ["--dist", "loadgroup"]
    if len(names) < len(BACKENDS):
        command += [word for name in names for word in ("--only", name)]
    if options.exhaustive:
        command.append("--exhaustive")
    elif (slow := slowness()) > 1:
        command += ["--sparser", str(slow)]
    if options.seed is not None:
        command += ["--seed", str(options.seed)]
    if sys.stdout.isatty():
        command.append("--color=yes")
    return command + list(options.pytest)


def run(name: str, command: list[str], environment: dict[str, str]) -> Result:
    """Run one step, showing what it prints while it does."""
    print(f"\n== {name}: {' '.join(command)}", flush=True)
    started = time.monotonic()
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,
    ) as process:
        try:
            tail = passed_on(process)
        except KeyboardInterrupt:
            # once, to the whole group, as a terminal does: pytest then drops what it made
            os.killpg(process.pid, signal.SIGINT)
            passed_on(process)
            raise
    code = process.returncode
    lines = tail.decode(errors="replace").strip().splitlines()
    seconds = time.monotonic() - started
    return Result(name, code == 0, seconds, lines[-1] if lines else "")


def passed_on(process: subprocess.Popen[bytes]) -> bytes:
    """Show what *process* prints until it ends; return the end of it.

    A server that it left behind may hold the pipe open: that is no reason to wait.
    """
    assert process.stdout is not None
    tail = b""
    while True:
        ready, _, _ = select.select([process.stdout], [], [], 1.0)
        chunk = os.read(process.stdout.fileno(), 65536) if ready else b""
        if not chunk and (ready or process.poll() is not None):
            return tail
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        tail = (tail + chunk)[-4096:]


def print_summary(results: list[Result], servers: Servers) -> None:
    """Say how it went, on which servers, and what pytest's own last line was."""
    print("\n== summary")
    for result in results:
        word = "passed" if result.passed else "FAILED"
        print(f"{word}  {result.name:12} {result.seconds:6.1f} s")
    for name in servers:
        if name in servers.versions:
            print(f"server  {name:12} {servers.versions[name]}")
        else:
            print(f"!!! NOT TESTED ON {name.upper()}: no server could be had (see above) !!!")
    failed = [result.name for result in results if not result.passed]
    print(f"failed: {', '.join(failed)}" if failed else "all passed")
    print(next(result.line for result in results if result.name == "pytest"), flush=True)


if __name__ == "__main__":
    sys.exit(main())
