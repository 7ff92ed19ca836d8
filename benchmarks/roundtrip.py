"""How long `roundtrip` takes, beside pytest-alembic and the bare up, down, up of Alembic.

`roundtrip` compares whole schemas and rows. pytest-alembic's ``up_down_consistency`` takes each
revision up and down, and compares nothing; its ``downgrade_leaves_no_trace`` (an experiment that
fails on MySQL and MariaDB) compares what autogenerate sees. The bare way runs env.py three times
for each revision, in one process. All on the same server, which is open before.

Run it with the Python of an environment that has pytest-alembic, too:
``pip install pytest-alembic "pytest<9"``. Arguments are backends, ``--revisions N`` (repeatable,
default 80 and 500) and ``--rounds N``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import upgrade  # noqa: E402
from tests import synthetic  # noqa: E402
from tests.servers import BACKENDS, variable  # noqa: E402
from tests.whole_projects import FOLDER, INI, Whole  # noqa: E402

if TYPE_CHECKING:
    from topchef_schema.backends.base import Server

LIMIT = 100
"""More revisions are not taken the slow ways, which run env.py three times for each, or compare
all tables.
"""

CONFTEST = """\
import os
import pytest
import sqlalchemy as sa

@pytest.fixture
def alembic_config():
    return {"file": "alembic.ini"}

@pytest.fixture
def alembic_engine():
    return sa.create_engine(os.environ["BENCH_URL"])
"""

BARE = """\
import sys
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

config = Config("alembic.ini")
order = [each.revision for each in ScriptDirectory.from_config(config).walk_revisions()][::-1]
for revision in order:
    command.upgrade(config, revision)
    command.downgrade(config, "-1")
    command.upgrade(config, revision)
"""


def main() -> None:
    """Measure and print one line for each way, size and backend."""
    parser = argparse.ArgumentParser()
    parser.add_argument("backends", nargs="*", default=BACKENDS)
    parser.add_argument("--revisions", type=int, action="append")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    if upgrade.MEMORY.is_dir():
        tempfile.tempdir = str(upgrade.MEMORY)
    print(f"{'':11} {'revisions':>9}  {'way':15} {'least':>9} {'/roundtrip':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.backends:
            with upgrade.server(name) as opened:
                for count in options.revisions or (80, 500):
                    whole = project(Path(folder, f"{name}-{count}"), count)
                    measure(whole, name, opened, count, options.rounds)


def project(root: Path, count: int) -> Whole:
    """Write a project of *count* revisions that all three ways can run."""
    whole = Whole(root)
    env = (FOLDER / "environments" / "connectable.py").read_text()
    whole.write("alembic/env.py", env)
    whole.write("alembic/script.py.mako", "")
    whole.write("tests/conftest.py", CONFTEST)
    whole.write("bare.py", BARE)
    for name, content in synthetic.growing(count).items():
        whole.write(f"alembic/versions/{name}", content)
    return whole


def measure(whole: Whole, name: str, opened: Server, count: int, rounds: int) -> None:
    """Take turns, and print the least time of each way."""
    ways = {
        "roundtrip": ["-m", "topchef_schema", "roundtrip", "--on", name, "-q"],
        "pytest-alembic": ["-m", "pytest", "-q", "--test-alembic", "-k", "up_down_consistency"],
    }
    if count <= LIMIT:
        ways["bare"] = ["bare.py"]
    if count <= LIMIT and name in ("sqlite", "postgresql"):
        option = "pytest_alembic_include_experimental=downgrade_leaves_no_trace"
        ways["no trace"] = ["-m", "pytest", "-q", "--test-alembic", "-k", "no_trace", "-o", option]
    seconds: dict[str, float] = {}
    for _ in range(rounds):
        for way, words in ways.items():
            taken = once(whole, name, opened, words)
            seconds[way] = min(taken, seconds.get(way, taken))
    for way, taken in seconds.items():
        ratio = taken / seconds["roundtrip"]
        print(f"{name:11} {count:9,}  {way:15} {taken:7.1f} s {ratio:10.2f}", flush=True)


def once(whole: Whole, name: str, opened: Server, words: list[str]) -> float:
    """Run one way on a new database; return the seconds it took."""
    database = opened.create()
    try:
        address = database.url.render_as_string(hide_password=False)
        whole.write("alembic.ini", f"{INI}sqlalchemy.url = {address.replace('%', '%%')}\n")
        environment = {**upgrade.ENVIRONMENT, "BENCH_URL": address}
        given = getattr(opened, "url", None)
        if given is not None and name != "sqlite":
            environment[variable(name)] = given.render_as_string(hide_password=False)
        started = time.perf_counter()
        upgrade.call(whole, (), *words, environment=environment)
        return time.perf_counter() - started
    finally:
        opened.drop(database)


if __name__ == "__main__":
    main()
