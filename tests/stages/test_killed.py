"""A process that is killed at any statement leaves a database that the next run finishes."""

from __future__ import annotations

import random
import signal
from typing import TYPE_CHECKING

import pytest

from tests.killing import WAYS, Runner, database_of, moments, sweep
from tests.whole_projects import MakeProject, revision, tables, text

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend, ScratchDatabase, Server

# They take long, and what they try depends on the servers more than on versions.
pytestmark = [pytest.mark.whole_run, pytest.mark.sampled]

SAMPLE = 5

MADE_UP = revision(
    "d4",
    "import uuid\n"
    'tokens = op.create_table("tokens", sa.Column("id", sa.Integer), '
    'sa.Column("token", sa.String(36)))\n'
    'op.bulk_insert(tokens, [{"id": n, "token": str(uuid.uuid4())} for n in range(2)])\n'
    'op.create_index("ix_tokens", "tokens", ["token"])\n'
    'op.create_table("last", sa.Column("id", sa.Integer))',
    'op.drop_table("last")\nop.drop_table("tokens")',
)
UNDO = "DROP TABLE IF EXISTS last; DROP TABLE IF EXISTS tokens"


@pytest.mark.timeout(3600)  # of all of them
@pytest.mark.fact(2)
@pytest.mark.parametrize("each", ["0", "1"])
@pytest.mark.parametrize("way", sorted(WAYS))
def test_killed_at_a_statement(
    project: MakeProject,
    server: Server,
    backend: Backend,
    way: str,
    each: str,
    rng: random.Random,
    *,
    exhaustive: bool,
) -> None:
    runner = Runner(project("interrupted", env="dies"), {"EACH": each})
    size = None if exhaustive else SAMPLE

    def some(all_: list[str]) -> list[str]:
        if size is None:
            return all_
        # Two of them with finished revisions behind: something may be left of those, too.
        return rng.sample(all_, size - 2) + rng.sample(all_[-len(all_) // 4 :], 2)

    tally = sweep(runner, server, way, some)
    print(f"{backend.name} {way}, one transaction each: {each}: {tally}")
    assert tally.kills > (size or 50) - 3
    assert tally.by_a_person == 0


@pytest.mark.timeout(3600)
@pytest.mark.fact(21)
def test_values_that_are_made_up_in_each_run(
    project: MakeProject,
    server: Server,
    backend: Backend,
    rng: random.Random,
    *,
    exhaustive: bool,
) -> None:
    """Where such a row stays, only a person can say whether later statements depend on it."""
    shop = project(env="dies", versions={"d4.py": MADE_UP})
    shop.write("undo_d4.sql", UNDO)
    runner = Runner(shop, {"EACH": "1"})
    tally = sweep(
        runner, server, "up", lambda all_: all_ if exhaustive else rng.sample(all_, SAMPLE)
    )
    print(f"{backend.name} up, made-up values: {tally}")
    assert tally.kills
    assert tally.in_ddl == 0
    assert tally.by_a_person == 0 or not backend.transactional_ddl
    assert all("with other values" in each for each in tally.reasons)


BEFORE = revision(
    "a1",
    'op.create_table("kind", sa.Column("id", sa.Integer, primary_key=True))\n'
    'op.create_table("thing", sa.Column("id", sa.Integer, primary_key=True), '
    'sa.Column("kind", sa.Integer), '
    'sa.ForeignKeyConstraint(["kind"], ["kind.id"], name="fk_old"))',
)
REPLACES = revision(
    "b2",
    'keys = sa.inspect(op.get_bind()).get_foreign_keys("thing")\n'
    'op.add_column("kind", sa.Column("one", sa.Integer))\n'
    'for key in keys:\n    op.drop_constraint(key["name"], "thing", type_="foreignkey")\n'
    'op.add_column("thing", sa.Column("two", sa.Integer))\n'
    'op.create_foreign_key("fk_new", "thing", "kind", ["kind"], ["id"])\n'
    'op.add_column("kind", sa.Column("three", sa.Integer))',
    down="a1",
)


@pytest.mark.timeout(3600)
@pytest.mark.backends("mariadb", "mysql", "postgresql")
def test_keys_that_are_found_and_replaced(
    project: MakeProject,
    server: Server,
    backend: Backend,
    rng: random.Random,
    *,
    exhaustive: bool,
) -> None:
    """The next run finds the new key, and must not take it for the old one."""
    shop = project(env="dies", versions={"a1.py": BEFORE, "b2.py": REPLACES})
    runner = Runner(shop, {"EACH": "1"})
    with database_of(server) as whole:
        runner.succeed(whole, *WAYS["up"])
        expected = runner.end(whole)
    all_ = moments(runner, server, "up")
    asked = 0
    for dies in all_ if exhaustive else rng.sample(all_, SAMPLE):
        with database_of(server) as database:
            runner.run(database, *WAYS["up"], DIES=dies)
            left = runner.end(database) if tables(database) > {"alembic_version"} else None
            again = runner.run(database, *WAYS["up"])
            asked += again.code == 7
            if again.code == 7:
                assert "it now drops what it had made itself" in again.said
                assert left is not None
                assert runner.end(database).schema == left.schema
            else:
                assert again.code == 0, f"{dies}: {again.said}"
                assert (dies, runner.end(database)) == (dies, expected)
    print(f"{backend.name}: {asked} of {len(all_)} asked a person")
    assert not asked or not backend.transactional_ddl
    assert asked or backend.transactional_ddl or not exhaustive


KILLED = 'import os, signal\nif "KILL" in os.environ:\n    os.kill(os.getpid(), signal.SIGKILL)\n'
INDEX = 'op.create_index("ix %", "t", ["id"])\n'
CONCURRENTLY = (
    "with op.get_context().autocommit_block():\n"
    '    op.create_index("ix %", "t", ["id"], postgresql_concurrently=True)\n'
)


@pytest.mark.backends("mariadb", "mysql", "postgresql")
def test_killed_behind_a_name_with_a_percent_sign(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    made = 'op.create_table("t", sa.Column("id", sa.Integer))\n'
    index = CONCURRENTLY if backend.name == "postgresql" else INDEX
    last = 'op.create_table("u", sa.Column("id", sa.Integer))'
    shop = project(versions={"a1.py": revision("a1", made + index + KILLED + last)})
    killed = shop.program("upgrade", "--url", text(scratch), KILL="yes")
    assert killed.returncode == -signal.SIGKILL
    done = shop.call("upgrade", "--url", text(scratch))
    assert (done.returncode, "ix %%" in done.stderr) == (0, False), done.stderr
    assert {"t", "u"} <= tables(scratch)
