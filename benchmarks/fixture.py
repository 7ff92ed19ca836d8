"""How long the fixture `topchef_engine` takes to hand out a database at head, beside migrating one.

TopChef's own project and one of 100 tables, on each backend; for PostgreSQL both of its ways to
copy. Run it with the Python of an environment that has the drivers:
``.venv/bin/python benchmarks/fixture.py``; backends are arguments. A server is the one in
``TOPCHEF_<NAME>_SERVER``, else a throwaway one.
"""

from __future__ import annotations

import contextlib
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests import synthetic  # noqa: E402
from tests.servers import BACKENDS, find_fetched_mysql  # noqa: E402
from tests.whole_projects import FOLDER, INI, MAKO, Whole  # noqa: E402
from topchef_schema.backends import postgresql_server  # noqa: E402
from topchef_schema.project import Project, packaged_config  # noqa: E402
from topchef_schema.stages import scratch  # noqa: E402
from topchef_schema.stages.template import Templates  # noqa: E402

if TYPE_CHECKING:
    from topchef_schema.stages.scratch import Place

ROUNDS = 9
TABLES = (100,)
WAYS = {"by pages": sys.maxsize, "by files": 0}
"""What PostgreSQL does where a template is large only above so many bytes."""


def main(backends: Sequence[str]) -> None:
    """Measure each backend, and print one line for each project."""
    find_fetched_mysql()
    print(f"{'':30} {'migrated':>9} {'median':>9} {'best':>9}")
    for name in backends:
        with scratch.place(name) as place, projects() as found:
            for title, project in found.items():
                ways = WAYS if name == "postgresql" else {"": 0}
                for way, large in ways.items():
                    with contextlib.ExitStack() as stack:
                        if large is not None:
                            stack.enter_context(
                                mock.patch.object(postgresql_server, "LARGE", large)
                            )
                        print(f"{name} {title} {way}".ljust(30), *measured(project, place))


@contextlib.contextmanager
def projects() -> Iterator[dict[str, Project]]:
    """Lay out the projects, for as long as they are needed."""
    with tempfile.TemporaryDirectory(prefix="topchef-benchmark-") as folder:
        found = {"TopChef": Project.load(packaged_config())}
        for tables in TABLES:
            whole = Whole(Path(folder, str(tables)))
            whole.write("alembic.ini", INI)
            whole.versions.mkdir(parents=True)
            shutil.copy(MAKO, whole.root / "alembic")
            shutil.copy(FOLDER / "environments" / "usual.py", whole.root / "alembic" / "env.py")
            for file, text in synthetic.wide(tables).items():
                whole.write(f"alembic/versions/{file}", text)
            found[f"{tables} tables"] = whole.load()
        yield found


def measured(project: Project, place: Place) -> tuple[str, ...]:
    """Return how long it took to make the template, and then to hand out databases."""
    with ExitStack() as stack:
        templates = Templates(project, place, stack, ROOT)
        started = time.perf_counter()
        with templates.engine() as engine, engine.connect():
            made = time.perf_counter() - started
        seconds = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            with templates.engine() as engine, engine.connect():
                seconds.append(time.perf_counter() - started)
    values = (made, statistics.median(seconds), min(seconds))
    return tuple(f"{1000 * each:6.0f} ms" for each in values)


if __name__ == "__main__":
    main(sys.argv[1:] or BACKENDS)
