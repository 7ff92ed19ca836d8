"""Offline is online: a script leaves what an upgrade leaves, one by one and as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.projects.leaks.corpus import FAMILIES, leaks
from tests.projects.leaks.leak import Leak
from tests.scripts import run, script_of
from tests.stages.test_leaks import history
from tests.whole_projects import MakeProject, Whole, query, revision, tables, text
from topchef_schema import downgrade, sql, upgrade
from topchef_schema.errors import MigrationError, TopchefError
from topchef_schema.model import Severity
from topchef_schema.stages import apply, script_proof
from topchef_schema.stages.plan import scripted

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase, Server

# They take long, and what they try depends on the servers more than on versions.
pytestmark = [pytest.mark.whole_run]

PROJECTS = ["linear", "branched", "calm", "habits", "interrupted", "irreversible", "leaky"]
PROJECTS += ["modelled"]


TOGETHER = [(name, env) for name in PROJECTS for env in ("usual", "step_by_step")]
TOGETHER += [
    (name, env)
    for name in PROJECTS
    for env in ("outer_transaction", "autocommit")
    if name not in ("habits", "interrupted")  # which commit, or look back, by themselves
]


@contextmanager
def two(server: Server) -> Iterator[tuple[ScratchDatabase, ScratchDatabase]]:
    """Make two databases: one for the scripts, one for the steps."""
    made = [server.create(), server.create()]
    try:
        yield made[0], made[1]
    finally:
        for each in made:
            server.drop(each)


def same(shop: Whole, by_hand: ScratchDatabase, by_us: ScratchDatabase, when: str) -> None:
    (ours,), (theirs,) = (script_proof.states(shop.on(each)) for each in (by_us, by_hand))
    found = [
        each
        for each in script_proof.differences("it", ours, theirs)
        if each.severity is Severity.ERROR
    ]
    assert [(each.message, each.object, each.before, each.after) for each in found] == [], when


def each_revision(shop: Whole, server: Server) -> None:
    """Take each revision by a script of its own, up and down, beside upgrade and downgrade."""
    revisions = [each.id for each in shop.load().revisions.all]
    ranges = []
    with two(server) as (by_hand, by_us):
        for id in revisions:
            there = heads(by_hand)
            # Said twice, one head is as several: it need not come before the revision.
            ranges.append(f"{','.join([*there, *there[:1]])}:{id}")
            run(script_of(shop, text(server), ranges[-1]), by_hand)
            upgrade(shop.on(by_us), id)
            same(shop, by_hand, by_us, f"up {ranges[-1]}")
        for range_ in reversed(ranges):
            try:
                script = script_of(shop, text(server), range_, down=True)
            except TopchefError:
                return  # there is no way back
            run(script, by_hand)
            steps = scripted(shop.load(), range_, None, down=True)
            apply.migrate(shop.on(by_us), lambda _, steps=steps: steps)  # type: ignore[misc]
            same(shop, by_hand, by_us, f"down {range_}")


def heads(database: ScratchDatabase) -> list[str]:
    if "alembic_version" not in tables(database):
        return []
    return sorted(row[0] for row in query(database, "SELECT version_num FROM alembic_version"))


def whole_range(shop: Whole, server: Server) -> None:
    with two(server) as (by_hand, by_us):
        run(script_of(shop, text(server)), by_hand)
        upgrade(shop.on(by_us))
        same(shop, by_hand, by_us, "up")
        try:
            script = script_of(shop, text(server), down=True)
        except TopchefError:
            return
        run(script, by_hand)
        downgrade(shop.on(by_us), "base", accept_data_loss=True)
        same(shop, by_hand, by_us, "down")


def clean(family: list[Leak]) -> dict[str, str]:
    """Return the revisions of a family whose way back leaves nothing that is in the way."""
    return {name: each for name, each in history(family).items() if name != "leaking.py"}


@pytest.mark.sampled
@pytest.mark.parametrize("name", PROJECTS)
def test_each_revision_of_a_project(project: MakeProject, server: Server, name: str) -> None:
    each_revision(project(name, repaired=True), server)


@pytest.mark.sampled
@pytest.mark.parametrize(("name", "env"), TOGETHER)
def test_a_whole_project(project: MakeProject, server: Server, name: str, env: str) -> None:
    whole_range(project(name, env=env, repaired=True), server)


@pytest.mark.sampled
@pytest.mark.parametrize("family", [each for each in FAMILIES if each != "administered"])
def test_every_kind_of_object(
    project: MakeProject, server: Server, backend_name: str, family: str
) -> None:
    each_revision(project(versions=clean(leaks(family, backend_name))), server)


@pytest.mark.sampled
@pytest.mark.backends("postgresql", "mariadb", "mysql")
def test_what_an_administrator_makes(
    project: MakeProject, private_server: Server, backend_name: str
) -> None:
    whole_range(project(versions=clean(leaks("administered", backend_name))), private_server)


def test_where_the_steps_fail_nothing_is_left_to_repair(
    project: MakeProject, server: Server
) -> None:
    """Also where DDL is not transactional: the database was a scratch one, and is gone."""
    up = 'op.create_table("half", sa.Column("id", sa.Integer))\nop.execute("DROP TABLE nowhere")'
    shop = project(versions={"a1.py": revision("a1", up, 'op.drop_table("half")')})
    with pytest.raises(MigrationError, match="the upgrade of revision a1 failed") as raised:
        sql(shop.load(), down=True, on=[text(server)], prove=True)
    failed = raised.value
    assert (failed.exit_code, "nothing of it stays" in failed.message) == (5, True)
    assert failed.hint.startswith("correct the revision or the data and run the same command again")
    assert "repair" not in failed.hint


def test_it_is_found_where_a_script_does_something_else(
    project: MakeProject, server: Server
) -> None:
    shop = project("linear")
    report = sql(shop.load(), on=[text(server)], prove=True)
    assert [each for each in report.findings if str(each.severity) == "error"] == []
    asks = (
        "if op.get_context().as_sql:\n"
        "    op.execute(\"INSERT INTO authors (id, name) VALUES (7, 'x')\")"
    )
    other = revision("dd40", asks, down="cc30")
    shop = project("linear", versions={"dd40.py": other})
    report = sql(shop.load(), on=[text(server)], prove=True)
    (found,) = (each for each in report.findings if each.rule == "script-differs")
    assert str(found.object).replace("public.", "") == "table authors"
    assert found.before is None
    assert str(found.after).startswith("(id = 7, name = 'x'")
    assert report.exit_code() == 10


MADE_BY_SERVER = {
    "sqlite": ("TEXT DEFAULT CURRENT_TIMESTAMP", "hex(randomblob(9))"),
    "postgresql": ("TIMESTAMP DEFAULT now()", "gen_random_uuid()"),
    "mariadb": ("DATETIME(6) DEFAULT now(6) ON UPDATE now(6)", "uuid()"),
    "mysql": ("DATETIME(6) DEFAULT now(6) ON UPDATE now(6)", "uuid()"),
}


def seeding(backend: str) -> dict[str, str]:
    """Return revisions whose rows hold what the server makes: by itself, and because it is told."""
    time, random = MADE_BY_SERVER[backend]
    made = f"CREATE TABLE seeds (name VARCHAR(40), at {time}, token VARCHAR(60) DEFAULT ({random}))"
    seeds = "INSERT INTO seeds (name) VALUES ('a'), ('b'), ('b')"
    changed = f"UPDATE seeds SET name = 'c', token = {random} WHERE name = 'b'"
    return {
        "a1.py": revision("a1", f'op.execute("{made}")', 'op.drop_table("seeds")'),
        "b2.py": revision("b2", f'op.execute("{seeds}")', down="a1"),
        "c3.py": revision("c3", f'op.execute("{changed}")', down="b2"),
    }


@pytest.mark.parametrize("range_", [None, "b2:c3"])
def test_what_the_server_makes_anew_each_time_is_no_difference(
    project: MakeProject, server: Server, backend_name: str, range_: str | None
) -> None:
    shop = project(versions=seeding(backend_name))
    report = sql(shop.load(), range_, on=[text(server)], prove=True)
    assert report.findings == ()


def test_what_else_differs_in_such_rows_is_named(
    project: MakeProject, server: Server, backend_name: str
) -> None:
    more = "op.execute(\"UPDATE seeds SET name = 'd' WHERE name = 'c'\")"
    asks = f"if op.get_context().as_sql:\n    {more}"
    shop = project(versions={**seeding(backend_name), "d4.py": revision("d4", asks, down="c3")})
    (found,) = sql(shop.load(), on=[text(server)], prove=True).findings
    assert str(found.object).replace("public.", "") == "column seeds.name"
    assert str(found.before).startswith("(name = 'c', at = ")
    assert str(found.after).startswith("(name = 'd', at = ")
