"""How long `upgrade` takes that has work to do, beside plain `alembic upgrade head`.

All of 1,000 revisions (1,800 DDL statements) on an empty database, and the last of them alone. The
floor is the database's own client, fed with the script that `alembic upgrade head --sql` writes.

Run it with the Python of an environment that has both: ``.venv/bin/python benchmarks/upgrade.py``.
Backends, or fewer rounds, are arguments: ``benchmarks/upgrade.py sqlite mariadb --rounds 1``. A
server is the one in ``TOPCHEF_<NAME>_SERVER``, else a throwaway one. Files and those lie in memory
where the system has a place for that, and wait for no disk, which leaves the programs the largest
share; with ``--durable`` they wait as servers do that were just installed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests import synthetic  # noqa: E402
from tests.servers import BACKENDS, find_fetched_mysql, variable  # noqa: E402
from tests.whole_projects import FOLDER, INI, MAKO, Whole  # noqa: E402

if TYPE_CHECKING:
    from sqlalchemy import URL

    from topchef_schema.backends.base import ScratchDatabase, Server

MEMORY = Path("/dev/shm")
REVISIONS = 1000
LAST_BUT_ONE = f"r{REVISIONS - 2:05}"
OURS, STOCK, FLOOR = "topchef-db", "alembic", "client"
UPGRADE = {OURS: ("topchef_schema", "upgrade"), STOCK: ("alembic", "upgrade", "head")}
STAMP = {OURS: ("topchef_schema", "stamp"), STOCK: ("alembic", "stamp")}
COUNTED = ("modules", "files", "statements", "commits")
# Both find what Python compiled of all that they import.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
COUNTING = {**ENVIRONMENT, "COUNT_PSYCOPG": "yes", "COUNT_PYMYSQL": "yes"}

Seconds = dict[str, list[float]]


def main() -> None:
    """Measure all programs in turns, so that the machine's moods hit all, and print one table."""
    options = arguments()
    if options.durable:
        wait_for_the_disk()
    elif MEMORY.is_dir():
        tempfile.tempdir = str(MEMORY)
    print(
        f"{'':11} {'pending':>7}  {'program':11} {'median':>9} {'least':>9} {'/alembic':>8} "
        f"{'/client':>8}" + "".join(f" {each:>10}" for each in COUNTED)
    )
    with tempfile.TemporaryDirectory() as folder:
        for name in options.backends:
            with server(name) as opened:
                whole = project(Path(folder, name))
                all_pending(whole, name, opened, options.rounds)
                one_pending(whole, name, opened, options.rounds)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("backends", nargs="*", default=BACKENDS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--durable", action="store_true")
    return parser.parse_args()


def wait_for_the_disk() -> None:
    """Start throwaway servers with the durability that each has by default."""
    from topchef_schema.backends import mariadb, mysql, mysql_throwaway, postgresql_throwaway

    for each in ("fsync", "synchronous_commit", "full_page_writes"):
        postgresql_throwaway.SETTINGS[each] = "on"
    lax = ("--innodb-flush", "--innodb-doublewrite", "--loose-debug-no-sync")

    def strict(options: Sequence[str]) -> list[str]:
        return [each for each in options if not each.startswith(lax)]

    vars(mysql_throwaway)["OPTIONS"] = strict(mysql_throwaway.OPTIONS)
    mariadb.MAKERS = replace(mariadb.MAKERS, options=strict(mariadb.MAKERS.options))
    mysql.MAKERS = replace(mysql.MAKERS, options=strict(mysql.MAKERS.options))


@contextlib.contextmanager
def server(name: str) -> Iterator[Server]:
    """Open the server of one backend."""
    from sqlalchemy import make_url

    from topchef_schema.backends import named

    find_fetched_mysql()
    given = os.environ.get(variable(name))
    opened = named(name).server(make_url(given) if given else None)
    with contextlib.closing(opened):
        yield opened


def project(root: Path) -> Whole:
    """Write a project of a thousand revisions."""
    whole = Whole(root)
    whole.write("alembic/env.py", (FOLDER / "environments" / "usual.py").read_text())
    shutil.copy(MAKO, root / "alembic")
    for name, content in synthetic.growing(REVISIONS).items():
        whole.write(f"alembic/versions/{name}", content)
    return whole


def all_pending(whole: Whole, name: str, opened: Server, rounds: int) -> None:
    """Measure what brings an empty database to the head."""
    with emptied(whole, opened):
        script = Path(whole.root, "script.sql")
        script.write_text(call(whole, ("alembic", "upgrade", "head", "--sql")).stdout)
    seconds: Seconds = defaultdict(list)
    for warm in (True, *[False] * rounds):
        for program in (FLOOR, STOCK, OURS):
            with emptied(whole, opened) as database:
                started = time.perf_counter()
                if program == FLOOR:
                    feed(name, database.url, script)
                else:
                    call(whole, UPGRADE[program])
                taken = time.perf_counter() - started
            if not warm:
                seconds[program].append(taken)
    counts = {}
    for program, words in UPGRADE.items():
        with emptied(whole, opened):
            counts[program] = counted(whole, words)
    show(name, REVISIONS, seconds, counts)


def one_pending(whole: Whole, name: str, opened: Server, rounds: int) -> None:
    """Measure what takes the last step alone."""
    seconds: Seconds = defaultdict(list)
    counts: dict[str, Counter[str]] = {}
    for warm in (True, *[False] * rounds * 2):
        for program, words in UPGRADE.items():
            with emptied(whole, opened):
                call(whole, (*STAMP[program], LAST_BUT_ONE))
                if warm:
                    counts[program] = counted(whole, words)
                    continue
                started = time.perf_counter()
                call(whole, words)
                seconds[program].append(time.perf_counter() - started)
    show(name, 1, seconds, counts)


def show(name: str, pending: int, seconds: Seconds, counts: dict[str, Counter[str]]) -> None:
    """Print one line for each program; a ratio is how many times as long it takes."""
    middle = {program: statistics.median(taken) for program, taken in seconds.items()}
    for program, taken in seconds.items():
        floor = f"{middle[program] / middle[FLOOR]:8.2f}" if FLOOR in middle else f"{'':8}"
        did = counts.get(program)
        print(
            f"{name:11} {pending:7,}  {program:11} {middle[program] * 1000:6,.0f} ms "
            f"{min(taken) * 1000:6,.0f} ms {middle[program] / middle[STOCK]:8.2f} {floor}"
            + ("".join(f" {did[each]:10,}" for each in COUNTED) if did else ""),
            flush=True,
        )


@contextlib.contextmanager
def emptied(whole: Whole, opened: Server) -> Iterator[ScratchDatabase]:
    """Yield a new database, to which the project's ini file leads."""
    database = opened.create()
    try:
        address = database.url.render_as_string(hide_password=False)
        whole.write("alembic.ini", f"{INI}sqlalchemy.url = {address.replace('%', '%%')}\n")
        yield database
    finally:
        opened.drop(database)


def call(
    whole: Whole, words: Sequence[str], *before: str, environment: dict[str, str] = ENVIRONMENT
) -> subprocess.CompletedProcess[str]:
    """Run one program; raises where it fails."""
    done = subprocess.run(
        [sys.executable, *(before or ("-m",)), *words],
        check=False,
        capture_output=True,
        cwd=whole.root,
        env=environment,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return done


def counted(whole: Whole, words: Sequence[str]) -> Counter[str]:
    """Return what a program does that does not depend on the machine."""
    script = str(ROOT / "benchmarks" / "counting.py")
    *_, line = call(whole, words, script, environment=COUNTING).stderr.splitlines()
    return Counter(json.loads(line))


def feed(name: str, url: URL, script: Path) -> None:
    """Let the database's own client run the script."""
    command, secret = client(name, url)
    with script.open("rb") as read:
        subprocess.run(
            command, check=True, capture_output=True, stdin=read, env={**ENVIRONMENT, **secret}
        )


def client(name: str, url: URL) -> tuple[list[str], dict[str, str]]:
    """Return the command of the client, and its password."""
    database, password = url.database or "", url.password or ""
    if name == "sqlite":
        return ["sqlite3", "-bail", database], {}
    if name == "postgresql":
        host, port = url.query.get("host", url.host), str(url.port or 5432)
        words = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", str(host), "-p", port]
        return [*words, "-U", url.username or "", database], {"PGPASSWORD": password}
    # The client of either speaks to both; Debian has one under both names.
    program = shutil.which(name) or "mariadb"
    words = [program, "--no-defaults", "--batch", f"--user={url.username}"]
    if socket := url.query.get("unix_socket"):
        words.append(f"--socket={socket}")
    else:
        words += [f"--host={url.host}", f"--port={url.port or 3306}"]
    return [*words, database], {"MYSQL_PWD": password}


if __name__ == "__main__":
    main()
