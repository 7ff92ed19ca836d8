"""How long a snapshot of 1,000 tables takes beside ``MetaData.reflect``, and what both send.

Run it with the Python of the project's environment: ``.venv/bin/python benchmarks/snapshot.py``.
Backends, and another number of tables, are arguments: ``benchmarks/snapshot.py 100 mariadb``.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.servers import BACKENDS, find_fetched_mysql  # noqa: E402
from topchef_schema.backends import named, show_create, sqlite_schema, sqlite_tokens  # noqa: E402

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, MetaData

TABLES = 1000
ROUNDS = 5


def main() -> None:
    """Ask both in turns on each backend, and print one table."""
    words = sys.argv[1:]
    size = next((int(each) for each in words if each.isdecimal()), TABLES)
    chosen = [each for each in words if not each.isdecimal()] or BACKENDS
    find_fetched_mysql()
    print(f"{'':11} {'':6} {'reflect':^19}  {'snapshot':^39}  {'after a change':^17}")
    print(f"{'':11} {'tables':>6} {'':10} {'trips':>8}  {'':10} {'ratio':>6} {'trips':>8}", end=" ")
    print(f"{'statements':>12}  {'':10} {'ratio':>6}")
    for name in chosen:
        print(f"{name:11} {size:6,} {measured(name, size)}", flush=True)


def measured(name: str, size: int) -> str:
    """Return what all took on *size* tables: reflecting, a snapshot, and following one change."""
    import sqlalchemy as sa

    backend = named(name)
    server = backend.server(None)
    try:
        engine = sa.create_engine(server.create().url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            tables(size).create_all(connection)
            connection.commit()
        took: dict[str, list[Read]] = {"reflect": [], "snapshot": [], "again": []}
        for number in range(ROUNDS):
            with fresh(engine) as (_, reading):
                took["reflect"].append(reading.of(sa.MetaData().reflect))
            with fresh(engine) as (_, reading):
                took["snapshot"].append(reading.of(backend.snapshot))
            with fresh(engine) as (connection, reading):
                follow = backend.following().schema
                follow(connection)
                connection.exec_driver_sql(f"ALTER TABLE t0007 ADD COLUMN more{number} INTEGER")
                connection.commit()
                took["again"].append(reading.of(follow))
        engine.dispose()
    finally:
        server.close()
    theirs, ours, again = (statistics.median(r.seconds for r in each) for each in took.values())
    first = took["snapshot"][0]
    return (
        f"{theirs * 1000:7.0f} ms {took['reflect'][0].trips:8,}  "
        f"{ours * 1000:7.0f} ms {theirs / ours:6.1f} {first.trips:8,} {first.statements:12,}  "
        f"{again * 1000:7.0f} ms {theirs / again:6.1f}"
    )


@contextmanager
def fresh(engine: Engine) -> Iterator[tuple[Connection, Reading]]:
    """Open a session that knows nothing yet, in a process that keeps nothing of an earlier one."""
    for module in (sqlite_schema, sqlite_tokens, show_create):
        for each in vars(module).values():
            if hasattr(each, "cache_clear"):
                each.cache_clear()
    with engine.connect() as connection:
        reading = Reading(connection)
        gc.collect()
        yield connection, reading


class Read(NamedTuple):
    """What reading a catalog took: seconds, round trips, and statements that the server heard."""

    seconds: float
    trips: int
    statements: int


class Reading:
    """Times what reads a catalog, and counts its round trips and what the server is asked."""

    def __init__(self, connection: Connection) -> None:
        from sqlalchemy import event

        self._connection = connection
        self._trips = 0
        event.listen(connection, "before_cursor_execute", self._heard)

    def _heard(self, *_: object) -> None:
        self._trips += 1

    def of(self, read: Callable[[Connection], object]) -> Read:
        """Return what *read* took."""
        asked = self._asked()
        self._trips = 0
        started = time.perf_counter()
        read(self._connection)
        seconds = time.perf_counter() - started
        trips = self._trips
        return Read(seconds, trips, self._asked() - asked - 1 if asked else trips)

    def _asked(self) -> int:
        """Return how many statements the server has heard in this session; 0 if it does not say."""
        if self._connection.dialect.name not in ("mysql", "mariadb"):
            return 0
        row = self._connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Questions'").one()
        return int(row[1])


def tables(size: int) -> MetaData:
    """Return tables of ten columns, each with a foreign key and two indexes."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    for number in range(size):
        columns = [sa.Column(f"c{each}", sa.String(40), server_default="x") for each in range(7)]
        sa.Table(
            f"t{number:04}",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("parent_id", sa.ForeignKey(f"t{number // 2:04}.id"), index=True),
            sa.Column("amount", sa.Numeric(10, 2), nullable=False, index=True),
            *columns,
        )
    return metadata


if __name__ == "__main__":
    main()
