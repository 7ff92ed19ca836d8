"""A process that is killed at any statement leaves a database that the next run finishes."""

from __future__ import annotations

import os
import random
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.whole_projects import MakeProject, Whole, query, tables, text
from topchef_schema import history, snapshot
from topchef_schema.model import JOURNAL_TABLE

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase, Server

SAMPLE = 5


@dataclass(frozen=True)
class End:
    """What a run leaves: schema, version rows, data, and which revisions the history has."""

    schema: dict[str, str]
    versions: list[tuple[object, ...]]
    data: dict[str, list[tuple[object, ...]]]
    journal: int
    settled: list[tuple[str, str]]


def end(shop: Whole, database: ScratchDatabase) -> End:
    project = shop.on(database)
    there = tables(database)
    names = sorted(there - {"alembic_version", "topchef_history", JOURNAL_TABLE})
    events = history(project).data["events"]
    return End(
        snapshot(project).data["objects"],
        [tuple(row) for row in query(database, "SELECT version_num FROM alembic_version")],
        {
            name: sorted(tuple(row) for row in query(database, f"SELECT * FROM {name}"))
            for name in names
        },
        len(query(database, f"SELECT * FROM {JOURNAL_TABLE}")) if JOURNAL_TABLE in there else 0,
        [(each["revision"], each["status"]) for each in events],
    )


def run(shop: Whole, database: ScratchDatabase, *arguments: str, **environment: str) -> int:
    done = shop.program(*arguments, "--url-env", "SHOP", SHOP=text(database), **environment)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def moments(shop: Whole, server: Server, way: str, each: str) -> int:
    """Count the statements of a whole run."""
    database = server.create()
    try:
        if way == "down":
            run(shop, database, "upgrade")
        counted = shop.root / "counted"
        run(shop, database, *WAYS[way], DIES="before 0", COUNTED=str(counted), EACH=each)
        return int(counted.read_text())
    finally:
        server.drop(database)


WAYS = {"up": ("upgrade",), "down": ("downgrade", "base", "--yes")}


@pytest.mark.parametrize("each", ["0", "1"])
@pytest.mark.parametrize("way", sorted(WAYS))
def test_killed_at_a_statement(
    project: MakeProject,
    server: Server,
    way: str,
    each: str,
    rng: random.Random,
    *,
    exhaustive: bool,
) -> None:
    shop = project("interrupted", env="dies")
    os.environ["EACH"] = each
    try:
        whole = server.create()
        try:
            run(shop, whole, "upgrade")
            if way == "down":
                run(shop, whole, *WAYS[way])
            expected = end(shop, whole)
        finally:
            server.drop(whole)
        count = moments(shop, server, way, each)
        every = [f"{moment} {at}" for moment in ("before", "after") for at in range(1, count + 1)]
        kills = 0
        chosen = every if exhaustive else rng.sample(every, SAMPLE)
        for dies in chosen:
            database = server.create()
            try:
                if way == "down":
                    run(shop, database, "upgrade")
                # A run may ask for its lock once more, or once less, than the one that counted.
                kills += run(shop, database, *WAYS[way], DIES=dies) == -signal.SIGKILL
                run(shop, database, *WAYS[way])
                assert (dies, end(shop, database)) == (dies, expected)
            finally:
                server.drop(database)
        assert kills > len(chosen) - 3
    finally:
        del os.environ["EACH"]
