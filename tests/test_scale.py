"""Thousands of revisions and tables: nothing is recursive, nothing quadratic.

What is counted does not depend on the machine: calls of Python functions, with projects of once,
twice and three times a size. Where they grow with the size alone, each step adds as many as the
one before; where they grow with its square, five where it was three.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from tests import synthetic
from tests.whole_projects import MakeProject, Whole, text
from topchef_schema import backends
from topchef_schema.bridge.autogenerate import Operation
from topchef_schema.model import Snapshot, diff
from topchef_schema.stages import fingerprints
from topchef_schema.stages.entry import connected
from topchef_schema.stages.function_body import merged
from topchef_schema.stages.one_by_one import Task, work

if TYPE_CHECKING:
    from topchef_schema.backends.base import Server

GROWTH = 1.1
"""How much more the second step may add than the first; with the square it would be 1.67."""

DEPTH = 180
"""How deep calls may be, fewer than there are revisions: commands take some 100 frames."""


@dataclass
class Calls:
    """How many Python functions were called, in *package* alone where it is given."""

    package: str = ""
    count: int = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        before = sys.getprofile()
        sys.setprofile(self._called)
        try:
            yield
        finally:
            sys.setprofile(before)

    def _called(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and self.package in frame.f_code.co_filename:
            self.count += 1


def linear(counts: list[int]) -> bool:
    """Whether the numbers for once, twice and three times a size grow with the size alone."""
    once, twice, thrice = counts
    return thrice - twice <= (twice - once) * GROWTH


@contextmanager
def shallow(depth: int) -> Iterator[None]:
    """Let calls go no deeper than *depth* from here."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + depth)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(scope="session")
def unit(exhaustive: bool) -> int:
    """A third of the revisions of the largest project."""
    return 5000 // 3 if exhaustive else 70


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be done by a second process: how far that is depends on the machine."""
    monkeypatch.setattr(fingerprints, "_processors", lambda: 1)


MOVES = (
    "heads",
    "branches",
    "show heads",
    "history",
    "history {quarter}:heads",
    "status",
    "upgrade {quarter}",
    "upgrade",
    "upgrade",
    "current",
    "status",
    "history",
    "downgrade base",
    "stamp heads",
    "stamp base",
    "history",
    "sql base:heads --on postgresql",
    "sql base:heads --on postgresql --down",
    "sql {quarter}:heads --on postgresql --down",
)
"""What is done to one database, in order; {quarter} is the id of a revision."""

ON_A_LINE = (
    "upgrade",
    "downgrade -1",
    "downgrade {quarter}",
    "revision -m more --empty --rev-id more",
    "revision -m side --empty --rev-id side --head {quarter} --splice",
    "merge -m all",
)


def done(
    whole: Whole, quarter: str, moves: tuple[str, ...] = MOVES, *, package: str = ""
) -> dict[str, int]:
    """Make all *moves*; return the calls that each took."""
    found = {}
    for position, move in enumerate(moves):
        words = move.format(quarter=quarter).split()
        if words[0] not in ("heads", "branches", "show", "sql", "revision", "merge"):
            words += ["--url", whole.url]
        calls = Calls(package)
        with calls.counted():
            result = whole.call(*words)
        assert result.returncode == 0, (move, result.stderr)
        found[f"{position} {move}"] = calls.count
    return found


def grown(one: Callable[[int], dict[str, int]], unit: int) -> dict[str, list[int]]:
    """Return the counts of *one* for three sizes, none of which may recurse.

    A small one comes first: it imports all there is, which takes calls, and deep ones.
    """
    one(8)
    with shallow(DEPTH):
        sizes = [one(size * unit) for size in (1, 2, 3)]
    counts = {key: [each[key] for each in sizes] for key in sizes[0]}
    assert any(once < twice < thrice for once, twice, thrice in counts.values()), "nothing counted"
    return counts


@pytest.mark.whole_run
def test_every_command_on_a_long_line(project: MakeProject, unit: int) -> None:
    def one(count: int) -> dict[str, int]:
        whole = project(versions=synthetic.linear(count))
        return done(whole, f"r{count // 4:05}", (*MOVES, *ON_A_LINE))

    counts = grown(one, unit)
    assert [move for move, each in counts.items() if not linear(each)] == []


@pytest.mark.whole_run
def test_every_command_on_many_merges(project: MakeProject, unit: int) -> None:
    """Of our own calls alone: Alembic itself walks down to the base at each merge."""

    def one(count: int) -> dict[str, int]:
        whole = project(versions=synthetic.joined(count))
        return done(whole, f"m{count // 20:05}", package="topchef_schema")

    counts = grown(one, unit)
    assert [move for move, each in counts.items() if not linear(each)] == []


@pytest.mark.fact(8)
def test_last_revision_is_proven_on_top_of_many(
    project: MakeProject, servers: dict[str, Server], unit: int
) -> None:
    def one(count: int) -> dict[str, int]:
        whole = project(versions=synthetic.linear(count))
        return {"all": proven(whole, servers["sqlite"], f"r{count - 1:05}")}

    assert linear(grown(one, unit)["all"])


def proven(whole: Whole, server: Server, revision: str) -> int:
    """Prove *revision* on a scratch database, within this process; return the calls it took."""
    database = server.create()
    calls = Calls()
    try:
        loaded = whole.on(database)
        with calls.counted():
            outcome = work(loaded, Task(frozenset({revision}), None), "sqlite")
    finally:
        server.drop(database)
    assert [str(each.outcome) for each in outcome.checks] == ["passed"], outcome.findings
    return calls.count


def test_revision_is_proven_beside_many_tables(
    project: MakeProject, servers: dict[str, Server], exhaustive: bool
) -> None:
    def one(tables: int) -> dict[str, int]:
        whole = project(versions=synthetic.wide(tables))
        return {"all": proven(whole, servers["sqlite"], "r00001")}

    assert linear(grown(one, 1000 if exhaustive else 20)["all"])


def test_snapshot_of_many_tables(
    project: MakeProject, server: Server, backend_name: str, exhaustive: bool
) -> None:
    """As many queries as for few; SQLite alone is asked about each table."""
    queries = []
    for tables in (5, 3000 if exhaustive else 40):
        database = server.create()
        try:
            whole = project(versions=synthetic.wide(tables))
            result = whole.call("upgrade", "--url", text(database))
            assert result.returncode == 0, result.stderr
            queries.append(asked(backend_name, text(database), tables))
        finally:
            server.drop(database)
    few, many = queries
    assert few == many


def asked(backend_name: str, url: str, tables: int) -> int:
    """Take a snapshot; return how many statements that sent."""
    from sqlalchemy import event, make_url

    sent = []
    with connected(make_url(url)) as connection:
        event.listen(connection, "before_cursor_execute", lambda *words: sent.append(words[2]))
        snapshot = backends.named(backend_name).snapshot(connection, ())
    assert sum(key.startswith("table ") for key in snapshot.objects) >= tables
    return len(sent)


def test_causes_of_many_changes(unit: int) -> None:
    def one(count: int) -> dict[str, int]:
        objects = {}
        for number in range(count):
            objects[f"table s.t{number}"] = "table"
            objects |= {f"column s.t{number}.c{each}": "integer" for each in range(3)}
            objects[f"sequence s.q{number}"] = f"sequence, owned by s.t{number}.c0"
        calls = Calls()
        with calls.counted():
            causes = diff(Snapshot({}), Snapshot(objects)).causes
        assert len(causes) == count
        return {"all": calls.count}

    assert linear(grown(one, unit)["all"])


def test_generated_function_of_many_operations(unit: int) -> None:
    def one(count: int) -> dict[str, int]:
        plain = [Operation(f'op.drop_table("t{number}")') for number in range(count)]
        inside = [Operation(f'batch_op.drop_column("c{each}")', "with b:") for each in (1, 2)]
        calls = Calls()
        with calls.counted():
            body = merged({"sqlite": tuple(plain), "mysql": (*inside, *reversed(plain))})
        assert body.count("drop_table") == 2 * count - 1  # one that both may share, of two orders
        return {"all": calls.count}

    assert linear(grown(one, unit)["all"])
