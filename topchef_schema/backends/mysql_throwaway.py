"""Starts a throwaway MySQL or MariaDB server from the programs that are installed."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from topchef_schema.backends import pristine_copy
from topchef_schema.backends.mysql_protocol import run, session
from topchef_schema.backends.mysql_scratch import ScratchServer
from topchef_schema.backends.process import ServerProcess, free_port, listens, unprivileged
from topchef_schema.backends.programs import programs
from topchef_schema.errors import UnreachableError

if TYPE_CHECKING:
    from sqlalchemy import URL

SOCKET_PATH = 107
"""Bytes that the path of a unix socket may have (unix(7))."""

OPTIONS = (
    "--skip-name-resolve",
    "--character-set-server=utf8mb4",
    "--event-scheduler=OFF",
    "--performance-schema=OFF",
    "--innodb-buffer-pool-size=64M",
    # Nothing here outlives a crash of this machine, so nothing waits for its disk.
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--skip-log-bin",
)

NO_KEYS = (
    "--loose-auto-generate-certs=OFF",
    "--loose-caching-sha2-password-auto-generate-rsa-keys=OFF",
    "--loose-sha256-password-auto-generate-rsa-keys=OFF",
)
"""A unix socket needs no encryption; the keys cost a second."""


@dataclass(frozen=True, slots=True)
class Makers:
    """What is peculiar to the programs of one of the two."""

    name: str
    title: str
    names: Sequence[str]
    """What the server program is called."""
    places: Sequence[str]
    """Where it lies beside PATH (globs)."""
    recognises: Callable[[str], bool]
    """Whether what ``--version`` prints is theirs: Debian's ``mysqld`` is MariaDB's."""
    initialise: Callable[[Path, Sequence[str]], Sequence[str | Path]]
    """Returns the command that fills a data directory: from the program and its first options."""
    check: Sequence[str]
    """Options with which the program only checks its options."""
    options: Sequence[str]
    hint: str
    """What to install."""


@dataclass(frozen=True, slots=True)
class Program:
    """A server program that was asked what it is."""

    path: Path
    version: str
    leading: tuple[str, ...]
    """The options that must come first."""
    as_root: bool
    """It lies where only root gets, so it has to run as root too."""


def start(makers: Makers, with_driver: Callable[[URL], URL]) -> ScratchServer:
    """Start a server for scratch databases, to be reached with a driver that is installed.

    Raises `UnreachableError` that says what to install where there is no program.
    """
    program = find(makers)
    # An orderly shutdown takes a second, for data that nobody will read.
    process = ServerProcess(makers.name, stop_signal=signal.SIGKILL)
    if program.as_root:
        process.user = None
    try:
        return _started(makers, program, process, with_driver)
    except BaseException:
        process.stop()
        raise


def find(makers: Makers) -> Program:
    """Return the first program that is really theirs."""
    asked = []
    for path in programs(makers.names, makers.places):
        said, as_root = _version(path)
        if makers.recognises(said):
            found = re.search(r"\bVer (\S+)", said)
            version = found[1] if found else "unknown"
            return Program(path, version, _leading(path, makers, as_root=as_root), as_root)
        asked.append(f"{path} is not {makers.title}")
    raise UnreachableError(
        f"no {makers.title} server is installed here" + (f" ({'; '.join(asked)})" if asked else ""),
        where=f"looked for {' and '.join(makers.names)} on PATH and in the usual places",
        hint=f"{makers.hint}, or name a server with --on URL or "
        f"TOPCHEF_{makers.name.upper()}_SERVER",
    )


def _version(path: Path) -> tuple[str, bool]:
    """Return what the program says of itself, and whether only root can run it."""
    user = unprivileged()
    if user is not None:
        said = _said([str(path), "--version"], user.pw_uid, user.pw_gid)
        if said:
            return said, False
    return _said([str(path), "--version"]), user is not None


def _said(command: Sequence[str], uid: int | None = None, gid: int | None = None) -> str:
    """Return what a program prints on success, else nothing."""
    import subprocess

    groups: list[int] | None = None if uid is None else []
    try:
        done = subprocess.run(
            command,
            check=False,
            cwd=os.sep,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            user=uid,
            group=gid,
            extra_groups=groups,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    if done.returncode:
        return ""
    return done.stdout.decode(errors="replace") or "nothing"


def _leading(path: Path, makers: Makers, *, as_root: bool) -> tuple[str, ...]:
    """Return ``--no-defaults`` unless *path* is a script that says it already.

    The real program takes it only once, as its first option.
    """
    user = None if as_root else unprivileged()
    ids = (user.pw_uid, user.pw_gid) if user is not None else (None, None)
    root = ("--user=root",) if as_root else ()
    accepted = _said([str(path), "--no-defaults", *makers.check, *root], *ids)
    return ("--no-defaults",) if accepted else ()


def _started(
    makers: Makers, program: Program, process: ServerProcess, with_driver: Callable[[URL], URL]
) -> ScratchServer:
    import secrets

    data = process.directory / "data"
    first = [*program.leading, f"--datadir={data}"]
    if program.as_root:
        first.append("--user=root")
    command = [str(each) for each in makers.initialise(program.path, first)]
    settings = [each for each in command if str(data) not in each]
    copy = pristine_copy.place(f"{makers.name}-{program.version}", settings)
    if not pristine_copy.restore(copy, data):
        process.run(command)
        pristine_copy.keep(copy, data)
    for path in (data, *data.rglob("*")):
        process.give(path)
    password = secrets.token_urlsafe(24)
    accounts = process.write("accounts.sql", _accounts(password))
    where, place = _address(process.directory)
    url = with_driver(place.set(drivername=makers.name, username="root", password=password))
    options = [*OPTIONS, *makers.options, *where, f"--tmpdir={process.directory}"]
    options += [f"--pid-file={process.directory / 'pid'}", f"--init-file={accounts}"]
    try:
        process.start([program.path, *first, *options])
        process.wait_until(lambda: answers(url))
    except UnreachableError:
        pristine_copy.forget(copy)
        raise
    with session(url) as connection:
        version = str(run(connection, "SELECT version()").scalar_one())
    return ScratchServer(url, version, process)


def _address(directory: Path) -> tuple[list[str], URL]:
    """Return how the server is told to listen, and where it is reached."""
    from sqlalchemy import URL

    socket = directory / "socket"
    if len(os.fsencode(socket)) <= SOCKET_PATH:
        url = URL.create("mysql", host="localhost", query={"unix_socket": str(socket)})
        return ["--skip-networking", f"--socket={socket}", *NO_KEYS], url
    port = free_port()
    url = URL.create("mysql", host="127.0.0.1", port=port)
    # A path that is not absolute is one in the data directory, and so a short one.
    return ["--bind-address=127.0.0.1", f"--port={port}", "--socket=socket"], url


def _accounts(password: str) -> str:
    """Return the statements that the server runs before it lets anybody in, a line each."""
    lines = []
    for host in ("localhost", "127.0.0.1"):
        lines += [
            f"CREATE USER IF NOT EXISTS root@'{host}';",
            f"ALTER USER root@'{host}' IDENTIFIED BY '{password}';",
            f"GRANT ALL PRIVILEGES ON *.* TO root@'{host}' WITH GRANT OPTION;",
        ]
    return "\n".join(lines) + "\n"


def answers(url: URL) -> bool:
    """Say whether the server that starts at *url* lets somebody in by now."""
    socket = url.query.get("unix_socket")
    # Between bind() and listen() it refuses; PyMySQL (1.2) leaves its socket open then.
    if isinstance(socket, str) and not listens(socket):
        return False
    try:
        with session(url):
            return True
    except UnreachableError:
        return False
