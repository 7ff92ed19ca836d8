"""Scratch databases on servers of MySQL and MariaDB, somebody's and our own."""

from __future__ import annotations

import gc
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from tests.backends.mysql_schema import PASSWORD, account, execute
from topchef_schema.backends import mariadb, mysql, mysql_throwaway, pristine_copy
from topchef_schema.errors import UnreachableError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tests.backends.conftest import Connect
    from tests.servers import Servers
    from topchef_schema.backends.base import Backend, Server
    from topchef_schema.backends.mysql_throwaway import Makers

pytestmark = pytest.mark.backends("mysql", "mariadb")


@pytest.fixture
def admin(server: Server, connect: Connect) -> Iterator[Connection]:
    with connect(server.url) as connection:
        yield connection


@pytest.fixture
def limited_user(admin: Connection) -> Iterator[str]:
    with account(admin) as name:
        yield name


def test_rights_on_a_scratch_database_are_not_rights_on_one_of_a_like_name(
    named_server: Server, admin: Connection, connect: Connect
) -> None:
    mine = named_server.create()
    alike = mine.name.replace("topchef_scratch_", "topchef_scratch-")
    execute(admin, f"CREATE DATABASE `{alike}`")
    try:
        with connect(mine.url) as connection:
            execute(connection, "CREATE TABLE t (a INT)")
            for database in (alike, "mysql"):
                with pytest.raises(DBAPIError, match="denied"):
                    connection.exec_driver_sql(f"CREATE TABLE `{database}`.topchef_t (a INT)")
                connection.rollback()
            visible = connection.exec_driver_sql("SHOW DATABASES").scalars().all()
            assert [name for name in visible if "scratch" in name] == [mine.name]
    finally:
        execute(admin, f"DROP DATABASE `{alike}`")


def test_closing_removes_databases_users_and_sessions(
    backend: Backend, server: Server, admin: Connection, connect: Connect
) -> None:
    named = backend.server(server.url)
    made = [named.create(), named.create()]
    with connect(made[0].url) as connection:
        execute(connection, "CREATE TABLE t (a INT)")
        connection.exec_driver_sql("SELECT * FROM t").all()  # a transaction that holds the table
        named.close()
        connection.invalidate()
    names = {database.name for database in made}
    assert not names & set(admin.exec_driver_sql("SHOW DATABASES").scalars())
    assert not names & set(admin.exec_driver_sql("SELECT user FROM mysql.user").scalars())


def test_where_no_user_can_be_made_the_given_one_works(
    backend: Backend, server: Server, admin: Connection, limited_user: str, connect: Connect
) -> None:
    execute(admin, f"GRANT ALL ON `topchef\\_scratch\\_%`.* TO '{limited_user}'@'%'")
    url = server.url.set(username=limited_user, password=PASSWORD)
    with closing(backend.server(url)) as limited, closing(backend.server(url)) as another:
        database = limited.create()
        assert database.url.username == limited_user
        assert database.name not in another.leftovers()
        with connect(database.url) as connection:
            execute(connection, "CREATE TABLE t (a INT)")
            connection.exec_driver_sql("SELECT * FROM t").all()
            limited.recreate(database)
            connection.invalidate()
        with connect(database.url) as connection:
            assert connection.exec_driver_sql("SHOW TABLES").all() == []


def test_a_user_who_may_do_nothing_is_told(
    backend: Backend, server: Server, limited_user: str
) -> None:
    url = server.url.set(username=limited_user, password=PASSWORD)
    with closing(backend.server(url)) as limited:
        with pytest.raises(UnreachableError, match=limited_user) as raised:
            limited.create()
        assert PASSWORD not in str(raised.value)
        assert "databases and users" in raised.value.hint


def test_a_lost_connection_of_the_administrator_is_made_again(
    backend: Backend, server: Server, named_server: Server, admin: Connection
) -> None:
    database = named_server.create()
    lost = admin.exec_driver_sql(f"SELECT IS_USED_LOCK('{database.name}')").scalar_one()
    execute(admin, f"KILL {lost}")
    with pytest.raises(UnreachableError):
        named_server.leftovers()
    assert database.name not in named_server.leftovers()
    with closing(backend.server(server.url)) as another:
        assert database.name not in another.leftovers()


def test_a_server_of_the_other_kind_is_refused(servers: Servers, backend: Backend) -> None:
    other = {"mysql": "mariadb", "mariadb": "mysql"}[backend.name]
    with pytest.raises(UnreachableError, match=f"not {backend.name}") as raised:
        backend.server(servers[other].url)
    assert f"--on {other}" in raised.value.hint
    assert str(servers[other].url.password) not in str(raised.value)


@pytest.fixture
def makers(backend_name: str) -> Makers:
    return {"mysql": mysql.MAKERS, "mariadb": mariadb.MAKERS}[backend_name]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "topchef-schema" / "pristine"


def directory_of(server: Server) -> Path:
    path = server.url.query["unix_socket"]
    assert isinstance(path, str)
    return Path(path).parent


def test_a_server_that_does_not_listen_yet_is_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as server:
        url = URL.create("mysql", host="localhost", query={"unix_socket": str(path)})
        assert not mysql_throwaway.answers(url)
        server.bind(str(path))
        assert not mysql_throwaway.answers(url)
    gc.collect()  # a socket that is left open is a warning, and that is a failure


def test_our_own_server_leaves_nothing_and_forgets_rights(
    backend: Backend, cache: Path, connect: Connect
) -> None:
    with closing(backend.server()) as ours:
        directory = directory_of(ours)
        assert directory.stat().st_mode & 0o777 == 0o700
        database = ours.create()
        with connect(database.url) as connection:
            execute(
                connection,
                "CREATE TABLE t (a INT)",
                "CREATE PROCEDURE p() SELECT 1",
                "CREATE USER cook",
                "GRANT SELECT, UPDATE (a) ON t TO cook",
                "GRANT EXECUTE ON PROCEDURE p TO cook",
                f"GRANT DELETE ON {database.name}.* TO cook",
            )
            assert len([k for k in backend.snapshot(connection).objects if "grant" in k]) == 4
            connection.detach()
            ours.recreate(database)
        with connect(database.url) as connection:
            assert set(backend.snapshot(connection).objects) == {"database"}
    assert not directory.exists()
    assert len(list(cache.iterdir())) == 1
    with closing(backend.server()) as again, connect(again.url) as connection:
        passwords = (ours.url.password, again.url.password)
        assert passwords[0] != passwords[1]
        hosts = connection.exec_driver_sql("SELECT user FROM mysql.user WHERE user = 'cook'")
        assert hosts.all() == []


def test_a_pristine_copy_that_does_not_start_is_thrown_away(
    backend: Backend, cache: Path, makers: Makers
) -> None:
    backend.server().close()
    (copy,) = cache.iterdir()
    (copy / "ibdata1").write_bytes(b"this is no data file")
    with pytest.raises(UnreachableError):
        backend.server()
    assert list(cache.iterdir()) == []


def test_where_a_socket_path_would_be_too_long_a_port_is_used(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory() as name:
        deep = Path(name, "d" * 60, "e" * 60)
        deep.mkdir(parents=True)
        for folder in (deep, *deep.parents[:2]):
            folder.chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", str(deep))
        with closing(backend.server()) as ours:
            assert ours.url.host == "127.0.0.1"
            assert ours.url.port
            assert backend.exists(ours.create().url)
            with closing(backend.server(ours.url)) as named:
                assert backend.exists(named.create().url)
            with pytest.raises(UnreachableError, match="refuses"):
                backend.exists(ours.url.set(password=""))


def test_where_nothing_is_installed_it_is_said_what_to_install(
    makers: Makers, backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in makers.names:
        other = tmp_path / name
        other.write_text("#!/bin/sh\necho something else entirely\n")
        other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnreachableError) as raised:
        mysql_throwaway.start(replace(makers, places=()), backend.with_driver)
    assert f"apt install {backend.name}-server" in raised.value.hint
    assert f"TOPCHEF_{backend.name.upper()}_SERVER" in raised.value.hint
    assert f"{tmp_path / makers.names[0]} is not {makers.title}" in raised.value.message


def test_a_wrapper_that_says_no_defaults_itself_is_not_told_so_again(
    makers: Makers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = mysql_throwaway.find(makers)
    lines = {"plain": '"$@"', "wrapping": '--no-defaults "$@"'}
    if not real.leading:
        lines.pop("wrapping")  # the one that was found says so already
    for kind, rest in lines.items():
        folder = tmp_path / kind
        folder.mkdir()
        program = folder / makers.names[-1]
        program.write_text(f'#!/bin/sh\nexec "{real.path}" {rest}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.defpath}")
        found = mysql_throwaway.find(replace(makers, places=()))
        assert found.path == program
        expected = () if kind == "wrapping" else real.leading
        assert found.leading == expected
        assert found.version == real.version


def test_a_copy_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "mysql").mkdir(parents=True)
    (data / "mysql" / "t.ibd").write_text("x")
    (data / "auto.cnf").write_text("uuid")
    (data / "private_key.pem").write_text("key")
    copy = tmp_path / "cache" / "copy"
    assert not pristine_copy.restore(copy, tmp_path / "none")
    pristine_copy.keep(copy, data)
    (data / "mysql" / "t.ibd").write_text("later")
    pristine_copy.keep(copy, data)  # another process was faster: its copy stays
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]
    assert pristine_copy.restore(copy, tmp_path / "new")
    files = {path.name for path in (tmp_path / "new").rglob("*") if path.is_file()}
    assert files == {"t.ibd"}
    assert (tmp_path / "new" / "mysql" / "t.ibd").read_text() == "x"
    pristine_copy.forget(copy)
    assert not pristine_copy.restore(copy, tmp_path / "newer")
    assert not (tmp_path / "newer").exists()
