"""Steps in any order within one run of env.py leave what plain Alembic leaves, one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.plain_alembic import Rival
from tests.whole_projects import MakeProject, Whole, needs_alembic, query, revision, tables
from topchef_schema.model import Direction, Step
from topchef_schema.stages.entry import Entry, Target

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase, Server
    from topchef_schema.bridge.session import Session

Graph = dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
"""Id to what it follows, and what it depends on."""

GRAPHS: dict[str, Graph] = {
    "linear": {"a": ((), ()), "b": (("a",), ()), "c": (("b",), ())},
    "merge": {
        "a": ((), ()),
        "b": (("a",), ()),
        "c": (("a",), ()),
        "d": (("b", "c"), ()),
        "e": (("d",), ()),
    },
    "criss-cross": {
        "a": ((), ()),
        "b": (("a",), ()),
        "c": (("a",), ()),
        "d": (("b", "c"), ()),
        "e": (("c", "b"), ()),
        "f": (("d", "e"), ()),
    },
    "base merge": {"a": ((), ()), "b": ((), ()), "c": (("a", "b"), ()), "d": (("c",), ())},
    "two bases": {"a": ((), ()), "b": ((), ()), "c": (("a",), ()), "d": (("b",), ())},
    "depends across branches": {
        "a": ((), ()),
        "b": (("a",), ()),
        "c": (("a",), ("b",)),
        "d": (("c",), ()),
    },
    "depends on an ancestor of its own head": {
        "a": ((), ()),
        "b": (("a",), ()),
        "c": (("b",), ("a",)),
    },
    "depends on another base": {"a": ((), ()), "b": ((), ("a",)), "c": (("b",), ())},
}


def rev(letter: str) -> str:
    return letter * 4


def laid_out(project: MakeProject, graph: Graph, env: str) -> Whole:
    """Write one revision with a table for each node."""
    versions = {}
    for each, (follows, depends) in graph.items():
        down = tuple(map(rev, follows)) if len(follows) > 1 else "".join(map(rev, follows)) or None
        made = f'op.create_table("t_{each}", sa.Column("id", sa.Integer))'
        text = revision(rev(each), made, f'op.drop_table("t_{each}")', down=down)
        if depends:
            text += f"\n\ndepends_on = {tuple(map(rev, depends))!r}\n"
        versions[f"{each}.py"] = text
    return project(env=env, versions=versions)


def step(whole: Whole, letter: str, direction: Direction) -> Step:
    return Step(whole.load().revisions.one(rev(letter)), direction)


def place(database: ScratchDatabase) -> tuple[list[str], set[str]]:
    """Return the version rows and the tables of the revisions."""
    rows = query(database, "SELECT version_num FROM alembic_version ORDER BY 1")
    return [row[0] for row in rows], {each for each in tables(database) if each.startswith("t_")}


REPAIRED = needs_alembic(19, "a way down adds the row of a revision that others stand on")
DEPENDS = ("depends across branches", "depends on an ancestor of its own head")


@pytest.mark.parametrize("env", ["usual", "outer_transaction"])
@pytest.mark.parametrize(
    "name",
    [pytest.param(each, marks=[REPAIRED] if each in DEPENDS else []) for each in sorted(GRAPHS)],
)
def test_up_down_up_next(
    project: MakeProject, server: Server, name: str, env: str, backend_name: str
) -> None:
    """After each step the version rows are those that plain Alembic has at that place."""
    if env == "outer_transaction" and backend_name in ("mariadb", "mysql"):
        pytest.skip("as with the usual one: nothing holds DDL")
    graph = GRAPHS[name]
    shop = laid_out(project, graph, env)
    ours, theirs = server.create(), server.create()
    rival = Rival(shop, theirs)
    seen: list[tuple[str, ...]] = []

    def body(session: Session, target: Target) -> None:
        for each in graph:
            for direction in (Direction.UP, Direction.DOWN, Direction.UP):
                session.step(step(shop, each, direction))
                seen.append(session.heads())
        for each in reversed(graph):
            session.step(step(shop, each, Direction.DOWN))
            seen.append(session.heads())

    try:
        Entry(shop.on(ours), isolate=True).run(body)
        expected = list(plain_places(rival, graph))
        assert seen == expected
        assert place(ours) == place(theirs) == ([], set())
    finally:
        server.drop(ours)
        server.drop(theirs)


def plain_places(rival: Rival, graph: Graph) -> list[tuple[str, ...]]:
    """Go the same way with plain Alembic; return the version rows after each step."""

    def rows() -> tuple[str, ...]:
        return tuple(place(rival.database)[0])

    places: list[tuple[str, ...]] = []
    before: tuple[str, ...] = ()
    for each in graph:
        rival.alembic("upgrade", rev(each))
        after = rows()
        places += [after, before, after]
        before = after
    for number in range(len(graph) - 1, -1, -1):
        places.append(places[3 * number - 1] if number else ())
    rival.alembic("downgrade", "base")
    return places


@dataclass(frozen=True)
class Failing:
    """A history whose middle revision fails in one of its three steps."""

    up: str
    down: str
    fails_at: int


FAILS = 'op.execute("INSERT INTO nowhere VALUES (1)")'
MADE = 'op.create_table("t_b", sa.Column("id", sa.Integer))'
GONE = 'op.drop_table("t_b")'

FAILING = {
    "up": Failing(f"{MADE}\n{FAILS}", GONE, 0),
    "down": Failing(MADE, f"{GONE}\n{FAILS}", 1),
    "up again": Failing(MADE, "pass", 2),
}


@pytest.mark.parametrize("case", sorted(FAILING))
def test_a_step_that_fails(project: MakeProject, scratch: ScratchDatabase, case: str) -> None:
    """The run goes on, from what the database has undone: all, or nothing of it."""
    from topchef_schema.bridge.session import StepFailed

    failing = FAILING[case]
    versions = {
        f"{each}.py": revision(rev(each), f'op.create_table("t_{each}", sa.Column("id"))', down=d)
        for each, d in (("a", None), ("c", "bbbb"))
    }
    column = 'sa.Column("id", sa.Integer)'
    versions = {name: text.replace('sa.Column("id")', column) for name, text in versions.items()}
    versions["b.py"] = revision(rev("b"), failing.up, failing.down, down="aaaa")
    shop = project(versions=versions)
    places = []
    undone = []

    def body(session: Session, target: Target) -> None:
        undone.append(session.transactional)

        def take(letter: str, direction: Direction) -> None:
            session.step(step(shop, letter, direction))
            places.append(session.heads())

        take("a", Direction.UP)
        ways = (Direction.UP, Direction.DOWN, Direction.UP)
        for direction in ways[: failing.fails_at]:
            take("b", direction)
        with pytest.raises(StepFailed) as caught:
            take("b", ways[failing.fails_at])
        assert caught.value.step.direction is ways[failing.fails_at]
        session.settle()
        assert session.heads() == places[-1]
        if places[-1] == ("aaaa",):
            session.mark(step(shop, "b", Direction.UP))
        take("c", Direction.UP)

    Entry(shop.on(scratch), isolate=True).run(body)
    there = {"up": not undone[0], "down": undone[0], "up again": True}[case]
    expected = {"t_a", "t_c"} | ({"t_b"} if there else set())
    assert place(scratch) == (["cccc"], expected)


@pytest.mark.fact(10)
def test_up_again_after_named_types(project: MakeProject, scratch: ScratchDatabase) -> None:
    """SQLAlchemy remembers a type that it made, and would not make it again in the same run."""
    up = 'op.create_table("t_a", sa.Column("mood", sa.Enum("ok", "sad", name="mood")))'
    down = 'op.drop_table("t_a")\nsa.Enum(name="mood").drop(op.get_bind(), checkfirst=True)'
    shop = project(versions={"a.py": revision("aaaa", up, down)})

    def body(session: Session, target: Target) -> None:
        for direction in (Direction.UP, Direction.DOWN, Direction.UP, Direction.DOWN, Direction.UP):
            session.step(step(shop, "a", direction))

    Entry(shop.on(scratch), isolate=True).run(body)
    assert place(scratch) == (["aaaa"], {"t_a"})
