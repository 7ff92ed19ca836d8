"""The databases' own clients, which a DBA feeds a script to."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sqlalchemy import URL

_PROGRAMS = {
    "sqlite": ("sqlite3",),
    "postgresql": ("psql",),
    "mariadb": ("mariadb", "mysql"),
    "mysql": ("mysql", "mariadb"),
}


def feed(backend: str, url: URL, script: str) -> None:
    """Run *script* with the client of *backend*; an error in it fails the test."""
    program = next(filter(None, map(shutil.which, _PROGRAMS[backend])), None)
    if program is None:
        if backend != "sqlite":
            pytest.skip(f"no client here: {' or '.join(_PROGRAMS[backend])}")
        with closing(sqlite3.connect(str(url.database))) as connection:
            connection.executescript(script)
        return
    command, environment = _command(backend, url)
    done = subprocess.run(
        [program, *command],
        input=script,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr.strip(), done.stderr


def _command(backend: str, url: URL) -> tuple[list[str], dict[str, str]]:
    password = str(url.password or "")
    if backend == "sqlite":
        return ["-bail", str(url.database)], {}
    if backend == "postgresql":
        given = {
            "PGHOST": url.host or url.query.get("host"),
            "PGPORT": url.port or url.query.get("port"),
            "PGUSER": url.username,
            "PGPASSWORD": password,
            "PGDATABASE": url.database,
        }
        return ["-X", "-q", "-f", "-"], {name: str(value) for name, value in given.items() if value}
    given = {
        "--host": url.host,
        "--port": url.port,
        "--socket": url.query.get("unix_socket"),
        "--user": url.username,
        "--database": url.database,
    }
    options = [f"{name}={value}" for name, value in given.items() if value]
    return ["--no-defaults", "--default-character-set=utf8mb4", *options], {"MYSQL_PWD": password}
