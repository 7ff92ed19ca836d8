"""What starts before its database waits for it, and for nothing that does not come by waiting."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.backends.connections import as_administrator
from tests.whole_projects import MakeProject, tables
from topchef_schema.backends.base import runtime_directory, scratch_name

if TYPE_CHECKING:
    from sqlalchemy import URL

    from topchef_schema.backends.base import ScratchDatabase, Server

pytestmark = pytest.mark.backends("postgresql", "mariadb", "mysql")


def text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def address(url: URL) -> str | tuple[str, int]:
    """Return where the server of *url* listens."""
    if "unix_socket" in url.query:
        return str(url.query["unix_socket"])
    if "host" in url.query:
        return f"{url.query['host']}/.s.PGSQL.{url.query.get('port', 5432)}"
    assert url.host is not None
    assert url.port is not None
    return url.host, url.port


def to_server(target: str | tuple[str, int]) -> socket.socket:
    family = socket.AF_UNIX if isinstance(target, str) else socket.AF_INET
    connection = socket.socket(family)
    connection.connect(target)
    return connection


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while content := source.recv(65536):
            target.sendall(content)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


class Door:
    """A way to the server of *url*, at `url`, that is shut until `open` is set."""

    def __init__(self, url: URL) -> None:
        self.folder = runtime_directory("door")
        self.path = self.folder / ".s.PGSQL.5432"
        self.server = address(url)
        self.url = url.set(host=None, port=None, query={"host": str(self.folder)})
        if "unix_socket" in url.query:
            self.url = url.update_query_dict({"unix_socket": str(self.path)})
        self.open = threading.Event()
        self.listener = socket.socket(socket.AF_UNIX)
        self.sockets = [self.listener]
        self.threads: list[threading.Thread] = []

    def __enter__(self) -> Door:
        self._run(self._serve)
        return self

    def __exit__(self, *_: object) -> None:
        self.open.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(10)
        for each in self.sockets:
            each.close()
        self.path.unlink(missing_ok=True)
        self.folder.rmdir()

    def _run(self, function: Callable[..., None], *arguments: socket.socket) -> None:
        self.threads.append(threading.Thread(target=function, args=arguments))
        self.threads[-1].start()

    def _serve(self) -> None:
        self.open.wait()
        with contextlib.suppress(OSError):  # it was shut down
            self.listener.bind(str(self.path))
            self.listener.listen()
            while True:
                client, _ = self.listener.accept()
                server = to_server(self.server)
                self.sockets += [client, server]
                self._run(pump, client, server)
                self._run(pump, server, client)


@pytest.mark.parametrize("env", ["usual", "from_attributes"])
def test_a_server_that_comes_late(project: MakeProject, scratch: ScratchDatabase, env: str) -> None:
    shop = project("linear", env=env)
    with Door(scratch.url) as door:
        url = door.url
        # In processes: PyMySQL leaves a socket open that finds no server.
        assert shop.program("upgrade", "--url", text(url)).returncode == 3
        process = shop.start("upgrade", "--url", text(url), "--wait", "60")
        assert process.stderr is not None
        said = process.stderr.readline()
        while said and "waiting for the database" not in said.splitlines()[-1]:
            said += process.stderr.readline()
        door.open.set()
        said += process.communicate(timeout=120)[1]
        assert process.returncode == 0, said
        assert "waiting for the database" in said
        assert str(url.password) not in said
    assert "books" in tables(scratch)


def test_a_database_that_is_made_late(project: MakeProject, server: Server) -> None:
    import sqlalchemy as sa

    name = scratch_name()
    url = as_administrator(server, server.url.set(database=name))
    admin = sa.create_engine(server.url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    shop = project("linear")

    def make() -> None:
        time.sleep(1.5)
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")

    maker = threading.Thread(target=make)
    maker.start()
    try:
        done = shop.call("upgrade", "--url", text(url), "--wait", "30")
        assert done.returncode == 0, done.stderr
        assert "does not exist" in done.stderr
    finally:
        maker.join()
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name}")


@pytest.mark.parametrize("command", ["upgrade", "status", "repair"])
def test_a_wrong_password_is_not_waited_for(
    project: MakeProject, scratch: ScratchDatabase, command: str
) -> None:
    shop = project("linear")
    shop.call("heads")  # what this process has not imported yet takes longer than the answer
    began = time.monotonic()
    url = scratch.url.set(password="not-it")
    done = shop.call(command, "--url", text(url), "--wait", "30")
    assert time.monotonic() - began < 2
    assert done.returncode == 3
    assert "refuses this user or password" in done.stderr
    assert "waiting" not in done.stderr


def test_the_wait_ends(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear")
    began = time.monotonic()
    with Door(scratch.url) as door:
        done = shop.program("status", "--url", text(door.url), "--wait", "0.5")
        assert done.returncode == 3
        assert 0.5 <= time.monotonic() - began < 20
        assert "cannot be reached" in done.stderr
