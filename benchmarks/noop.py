"""How long an `upgrade` takes that finds nothing to do, beside plain `alembic upgrade head`.

Run it with the Python of an environment that has both: ``.venv/bin/python benchmarks/noop.py``.
Other numbers of revisions are arguments: ``benchmarks/noop.py 10 1000``. PostgreSQL is measured on
the server in ``TOPCHEF_POSTGRESQL_SERVER``, else on a throwaway one where its programs are found.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests import synthetic  # noqa: E402
from tests.whole_projects import FOLDER, INI, MAKO, Whole  # noqa: E402

SIZES = (10, 1000, 5000)
ROUNDS = 7
PROGRAMS = {
    "topchef-db": ("topchef_schema", "upgrade"),
    "--no-fast": ("topchef_schema", "upgrade", "--no-fast"),
    "alembic": ("alembic", "upgrade", "head"),
}
COUNTED = ("modules", "files", "statements")
# Both find what Python compiled of all that they import.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True)
class Measured:
    """The median of the seconds that a program took, and what it did."""

    seconds: float
    counts: Counter[str]


def main() -> None:
    """Measure all programs in turns, so that the machine's moods hit all, and print one table."""
    sizes = [int(each) for each in sys.argv[1:]] or SIZES
    print(
        f"{'':11} {'revisions':>9}  {'program':11} {'median':>8} {'ratio':>6}"
        + "".join(f" {each:>10}" for each in COUNTED)
    )
    with tempfile.TemporaryDirectory() as folder, databases(Path(folder)) as urls:
        for name, url in urls.items():
            own: dict[int, float] = {}
            for size in sizes:
                whole = project(Path(folder, name, str(size)), size, url)
                found = measured(whole)
                own[size] = found["topchef-db"].seconds
                for program, each in found.items():
                    show(name, size, program, each, found["alembic"].seconds)
            growth = own[max(own)] / own[min(own)]
            print(f"{name}: {max(own):,} revisions take {growth:.2f} times as long as {min(own):,}")


def show(database: str, size: int, program: str, each: Measured, stock: float) -> None:
    """Print one line; the ratio is how many times faster than stock."""
    counts = "".join(f" {each.counts[name]:10,}" for name in COUNTED)
    print(
        f"{database:11} {size:9,}  {program:11} {each.seconds * 1000:5.0f} ms "
        f"{stock / each.seconds:6.1f}{counts}",
        flush=True,
    )


@contextlib.contextmanager
def databases(folder: Path) -> Iterator[dict[str, str]]:
    """Yield the URLs to measure on, by the name of the database."""
    from topchef_schema.backends import named
    from topchef_schema.errors import TopchefError

    urls = {"sqlite": f"sqlite:///{folder}/{{size}}.db"}
    with contextlib.ExitStack() as stack:
        try:
            server = named("postgresql").server()
            stack.callback(server.close)
            database = server.create()
            urls["postgresql"] = database.url.render_as_string(hide_password=False)
        except TopchefError as error:
            print(f"no PostgreSQL: {error.message}")
        yield urls


def project(root: Path, size: int, url: str) -> Whole:
    """Write a project, and stamp its database with its head and a history that led there."""
    whole = Whole(root)
    address = url.replace("{size}", str(size))
    whole.write("alembic.ini", f"{INI}sqlalchemy.url = {address.replace('%', '%%')}\n")
    whole.write("alembic/env.py", (FOLDER / "environments" / "usual.py").read_text())
    shutil.copy(MAKO, root / "alembic")
    for name, content in synthetic.linear(size).items():
        whole.write(f"alembic/versions/{name}", content)
    call(whole, ("topchef_schema", "stamp", "--purge", "head"))
    remember(address, [name.removesuffix(".py") for name in synthetic.linear(size)])
    return whole


def remember(address: str, revisions: Sequence[str]) -> None:
    """Write a row of the history for each of *revisions*, as upgrades leave them."""
    from sqlalchemy import create_engine

    from topchef_schema.stages.ledger import history_table

    now = datetime(2026, 1, 1)
    rows = [
        {"run_id": "benchmark", "revision": each, "status": "applied", "started_at": now}
        for each in revisions
    ]
    engine = create_engine(address)
    with engine.begin() as connection:
        connection.execute(history_table(None).delete())
        connection.execute(history_table(None).insert(), rows)
    engine.dispose()


def measured(whole: Whole) -> dict[str, Measured]:
    """Return what each program took and did, all at the same database."""
    seconds: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for words in PROGRAMS.values():
        call(whole, words)
    for _ in range(ROUNDS):
        for name, words in PROGRAMS.items():
            started = time.perf_counter()
            call(whole, words)
            seconds[name].append(time.perf_counter() - started)
    return {
        name: Measured(statistics.median(seconds[name]), counted(whole, words))
        for name, words in PROGRAMS.items()
    }


def call(whole: Whole, words: Sequence[str], *before: str) -> str:
    """Run one program and return what it wrote to stderr; raises where it fails."""
    command = [sys.executable, *(before or ("-m",)), *words]
    environment = ENVIRONMENT
    if before and "psycopg" in (whole.root / "alembic.ini").read_text():
        environment = {**environment, "COUNT_PSYCOPG": "yes"}
    done = subprocess.run(
        command, check=False, capture_output=True, cwd=whole.root, env=environment, text=True
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stderr


def counted(whole: Whole, words: Sequence[str]) -> Counter[str]:
    """Return what a program does that does not depend on the machine."""
    *_, line = call(whole, words, str(ROOT / "benchmarks" / "counting.py")).splitlines()
    return Counter(json.loads(line))


if __name__ == "__main__":
    main()
