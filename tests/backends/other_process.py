"""A second process for tests of locks and leftovers; waits after its one act until it is ended.

Reads ``ACT BACKEND URL`` from its standard input, because a URL holds a password, and prints one
line when it has done it: ``hold`` holds the migration lock, ``sleep`` lets PostgreSQL sleep for
three seconds meanwhile, ``make`` makes a scratch database and prints its name and URL.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import URL

KEY = "alembic_version"


@contextmanager
def other_process(act: str, backend: str, url: URL) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run *act* elsewhere; give the process and the line it printed. It is killed at the end."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=os.fspath(Path(__file__).parents[2]),
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            text = url.render_as_string(hide_password=False)
            process.stdin.write(f"{act} {backend} {text}\n")
            process.stdin.flush()
            line = process.stdout.readline().strip()
            assert line, f"the other process ended with {process.wait()}"
            yield process, line
        finally:
            process.kill()


def main() -> None:
    from sqlalchemy import NullPool, create_engine, make_url

    from topchef_schema.backends import named

    act, name, text = sys.stdin.readline().split()
    backend, url = named(name), make_url(text)
    if act in ("hold", "sleep"):
        with (
            create_engine(url, poolclass=NullPool).connect() as connection,
            backend.lock(connection, KEY, timeout=10),
        ):
            print("held", flush=True)
            if act == "sleep":
                connection.exec_driver_sql("SELECT pg_sleep(3)")
            sys.stdin.read()
    elif act == "make":
        server = backend.server(url)
        database = server.create()
        print(database.name, database.url.render_as_string(hide_password=False), flush=True)
        sys.stdin.read()
        server.close()


if __name__ == "__main__":
    main()
