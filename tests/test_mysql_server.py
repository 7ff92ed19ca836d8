"""What is fetched as MySQL is the newest there is, and really MySQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import mysql_server


@pytest.mark.parametrize(
    ("names", "newest"),
    [
        (["mysql-server-core-8.0", "mysql-server-core"], "mysql-server-core"),
        (["mysql-server-core-8.4", "mysql-server-core-8.0"], "mysql-server-core-8.4"),
        (["mysql-server-core-9.9", "mysql-server-core-10.1"], "mysql-server-core-10.1"),
        (["mysql-server-core-8.0-dbgsym", "default-mysql-server-core"], None),
    ],
)
def test_newest_package_is_chosen(names: list[str], newest: str | None) -> None:
    assert mysql_server.newest(names) == newest


@pytest.mark.parametrize(
    ("script", "is_mysql"),
    [
        ("echo 'mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))'", True),
        ("echo 'mysqld  Ver 10.11.11-MariaDB-0 for debian-linux-gnu on x86_64'", False),
        ("echo 'mysqld  Ver 9.7.4-2'; exit 1", False),
    ],
)
def test_program_is_asked_what_it_is(script: str, is_mysql: bool, tmp_path: Path) -> None:
    program = tmp_path / "mysqld"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    assert mysql_server.is_mysql(program) is is_mysql


def test_program_that_is_not_there_is_not_mysql(tmp_path: Path) -> None:
    assert not mysql_server.is_mysql(tmp_path / "mysqld")
