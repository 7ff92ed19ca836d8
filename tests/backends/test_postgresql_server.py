"""PostgreSQL servers for scratch work: whose users they take, and how a throwaway one ends."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.backends.connections import in_event_loop, send
from topchef_schema.backends.postgresql import BACKEND
from topchef_schema.backends.postgresql_server import PostgreSQLServer
from topchef_schema.errors import UnreachableError

if TYPE_CHECKING:
    from tests.backends.conftest import Connect
    from topchef_schema.backends.base import Server

pytestmark = pytest.mark.backends("postgresql")


def test_a_server_named_with_asyncpg_makes_databases_for_asyncpg(
    backend_name: str, server: Server
) -> None:
    opened = BACKEND.server(server.url.set(drivername="postgresql+asyncpg"))
    try:
        database = opened.create()
        assert database.url.drivername == "postgresql+asyncpg"
        question = sa.text("SELECT current_user")
        user = in_event_loop(database.url, lambda there: there.execute(question).scalar_one())
        assert user == database.name
    finally:
        opened.close()


@contextmanager
def role(connection: sa.Connection, options: str) -> Iterator[tuple[str, str]]:
    """Make a role for the length of a ``with``; give its name and password."""
    name, password = f"topchef_test_{secrets.token_hex(4)}", secrets.token_hex(8)
    send(connection, f"CREATE ROLE {name} LOGIN {options} PASSWORD '{password}'")
    try:
        yield name, password
    finally:
        send(connection, f"DROP ROLE {name}")


def test_a_user_who_may_create_roles_is_enough_for_confined_work(
    backend_name: str, server: Server, connect: Connect, as_superuser: sa.Connection
) -> None:
    with role(as_superuser, "CREATEDB CREATEROLE") as (name, password):
        opened = PostgreSQLServer(server.url.set(username=name, password=password))
        database = opened.create()
        assert opened.confined
        with connect(database.url) as connection:
            send(connection, "CREATE TABLE t (id int)")
            opened.recreate(database)
            connection.invalidate()
        with connect(database.url) as connection:
            assert BACKEND.snapshot(connection).objects == {}
        opened.drop(database)
        found = as_superuser.exec_driver_sql(
            f"SELECT 1 FROM pg_roles WHERE rolname = '{database.name}'"
        )
        assert found.all() == []
        as_superuser.commit()
        opened.close()


def test_without_rights_to_make_roles_the_work_is_not_confined(
    backend_name: str, server: Server, as_superuser: sa.Connection
) -> None:
    with role(as_superuser, "CREATEDB") as (name, password):
        opened = PostgreSQLServer(server.url.set(username=name, password=password))
        assert opened.create().url.username == name
        assert not opened.confined
        opened.close()
    with role(as_superuser, "") as (name, password), pytest.raises(UnreachableError) as caught:
        PostgreSQLServer(server.url.set(username=name, password=password))
    assert "may not create databases" in caught.value.message
    assert password not in str(caught.value)


def test_a_throwaway_server_is_private(backend_name: str) -> None:
    server = BACKEND.server()
    try:
        directory = Path(str(server.url.query["host"]))
        assert directory.stat().st_mode & 0o077 == 0
        assert server.throwaway
        assert server.url.password
        assert BACKEND.exists(server.url)
        with pytest.raises(UnreachableError):
            BACKEND.exists(server.url.set(password="wrong"))
        address = sa.text("SELECT current_setting('listen_addresses')")
        with sa.create_engine(server.url, poolclass=sa.NullPool).connect() as connection:
            assert connection.execute(address).scalar_one() == ""
    finally:
        server.close()
    assert not directory.exists()
    server.close()


def test_a_path_too_long_for_a_socket_is_answered_with_loopback(
    backend_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("topchef_schema.backends.postgresql_throwaway.LONGEST_SOCKET", 10)
    server = BACKEND.server()
    try:
        assert server.url.host == "127.0.0.1"
        with pytest.raises(UnreachableError):
            BACKEND.exists(server.url.set(password="wrong"))
        assert BACKEND.exists(server.create().url)
    finally:
        server.close()


def test_where_there_are_no_programs_the_message_says_what_to_install(
    backend_name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("topchef_schema.backends.postgresql_throwaway.PLACES", ())
    monkeypatch.setattr("topchef_schema.backends.postgresql_throwaway.WHEEL", ("no_wheel", ""))
    with pytest.raises(UnreachableError) as caught:
        BACKEND.server()
    assert "apt install postgresql" in caught.value.hint


def test_a_killed_process_takes_its_server_along(backend_name: str) -> None:
    program = (
        "import sys\n"
        "from topchef_schema.backends.postgresql import BACKEND\n"
        "server = BACKEND.server()\n"
        "print(server.url.query['host'], flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        directory = Path(process.stdout.readline().strip())
        pid = int((directory / "data" / "postmaster.pid").read_text().splitlines()[0])
        process.kill()
    deadline = time.monotonic() + 20
    while directory.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    status = Path(f"/proc/{pid}/status")
    if sys.platform == "linux" and status.exists():
        assert re.search(r"State:\s+Z", status.read_text()), "the server lives on"
    elif sys.platform != "linux":
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
