"""Every way of writing an env.py: all commands work, and leave what plain Alembic leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.plain_alembic import Rival
from tests.whole_projects import FOLDER, LOGGING, MakeProject, Whole, text
from topchef_schema import history, roundtrip, sql, status

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase, Server

TAKE_APART = '''"""Takes the URL apart for an application that wants it in pieces."""

import os

from sqlalchemy import make_url


def prepare(config):
    url = make_url(config.get_main_option("sqlalchemy.url"))
    names = ("USER", "PASSWORD", "HOST", "PORT")
    values = (url.username, url.password, url.host, url.port)
    os.environ |= {f"SHOP_{name}": str(value or "") for name, value in zip(names, values)}
    os.environ |= {"SHOP_DRIVER": url.drivername, "SHOP_NAME": url.database}
'''

ALL = ("sqlite", "postgresql", "mariadb", "mysql")


@dataclass(frozen=True)
class Way:
    """An environment of ``tests/projects/environments``, and the settings that reach it.

    *backends* are those on which it says something; scratch work is done on the first.
    """

    backends: tuple[str, ...] = ALL
    settings: str = ""
    table: str = "alembic_version"


WAYS = {
    "application": Way(("sqlite", "mysql"), "url_env = SHOP_DATABASE"),
    "asks_back": Way(("sqlite",)),
    "asynchronous": Way(("sqlite",), "drivers = sqlite = aiosqlite"),
    "asynchronous_begin": Way(("postgresql",), "drivers = postgresql = asyncpg"),
    "attributes_first": Way(("sqlite", "mariadb")),
    "autocommit": Way(),
    "connectable": Way(("sqlite", "postgresql")),
    "every_option": Way(table="shop_versions"),
    "explicit_commit": Way(),
    "from_attributes": Way(),
    "from_option": Way(("sqlite",), "url_option = shop_url"),
    "from_pieces": Way(("sqlite",), "prepare = take_apart:prepare"),
    "from_variable": Way(("sqlite", "mysql"), "url_env = SHOP_DATABASE"),
    "from_x": Way(("sqlite", "postgresql"), "url_x = database"),
    "inner_transaction": Way(("postgresql",)),
    "noisy": Way(("sqlite",), LOGGING),
    "one_connection": Way(),
    "outer_transaction": Way(),
    "own_session": Way(),
    "own_version_table": Way(table="shop_versions"),
    "search_path": Way(("postgresql",), table="corner.alembic_version"),
    "set_local": Way(("postgresql",)),
    "set_local_first": Way(("postgresql",)),
    "set_role": Way(("postgresql",)),
    "settings_class": Way(("sqlite", "postgresql"), "url_env = SHOP_DSN"),
    "several_metadata": Way(("sqlite",)),
    "step_by_step": Way(),
    "transactional_sqlite": Way(("sqlite",)),
    "two_transactions": Way(("postgresql", "mysql")),
    "usual": Way(),
}

ELSEWHERE = {
    "another_database",
    "dies",
    "handed_or_asynchronous",
    "own_mind",
    "tenant_schemas",
    "tenants",
}
"""Refused ones (``test_environment.py``), and several databases or schemas in one run."""


def laid_out(project: MakeProject, env: str) -> Whole:
    shop = project("linear", env=env, settings=WAYS[env].settings)
    shop.write("take_apart.py", TAKE_APART)
    return shop


@pytest.fixture
def way(env: str, backend_name: str) -> Way:
    """Return the way whose turn it is, unless this database shows nothing of it."""
    found = WAYS[env]
    if backend_name not in found.backends:
        pytest.skip(f"{env} has nothing to do with {backend_name}")
    return found


@pytest.fixture
def first_or_all(way: Way, backend_name: str, exhaustive: bool) -> None:
    """Let the first backend of each way stand for the others."""
    if backend_name != way.backends[0] and not exhaustive:
        pytest.skip(f"done on {way.backends[0]}")


def test_no_way_is_left_out() -> None:
    there = {path.stem for path in (FOLDER / "environments").glob("*.py")}
    assert there == set(WAYS) | ELSEWHERE


@pytest.mark.parametrize("env", sorted(WAYS))
def test_up_and_down_as_plain_alembic(
    project: MakeProject, scratch: ScratchDatabase, env: str, way: Way
) -> None:
    table = way.table
    if env == "own_version_table" and scratch.url.get_backend_name() == "postgresql":
        table = f"shop_meta.{table}"
    rival = Rival(laid_out(project, env), scratch, table)
    above, below = rival.agree()
    assert above.versions == ["cc30"]
    assert any("books" in key for key in above.objects)
    assert (below.versions, [key for key in below.objects if "books" in key]) == ([], [])
    assert status(rival.ours).data == {
        "current": [],
        "heads": ["cc30"],
        "pending": ["aa10", "bb20", "cc30"],
    }
    events = [(each["revision"], each["status"]) for each in history(rival.ours).data["events"]]
    ids = ["aa10", "bb20", "cc30"]
    assert events == [(each, "applied") for each in ids] + [
        (each, "reverted") for each in reversed(ids)
    ]


@pytest.mark.usefixtures("first_or_all")
@pytest.mark.parametrize("env", sorted(WAYS))
def test_scratch_work(project: MakeProject, server: Server, env: str) -> None:
    shop = laid_out(project, env)
    report = roundtrip(shop.load(), on=[text(server)])
    assert {each.rule for each in report.findings} <= {"models-differ"}  # they are of no table
    assert sum(each.revision is not None for each in report.checks) == 3
    assert report.exit_code() == 0
    script = sql(shop.load(), on=[text(server)]).script
    assert script is not None
    assert "CREATE TABLE " in script
    assert not shop.file.exists()
