"""Projects whose first revision takes tables to be there: from a function, from a script."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.whole_projects import MakeProject, Whole, execute, query, revision, tables, text
from topchef_schema import repair, roundtrip, sql, status, upgrade
from topchef_schema.errors import InDoubtError, MigrationError, UsageError

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase, Server
    from topchef_schema.model import Report

CUSTOMERS = "CREATE TABLE customers (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(40));"
SCRIPT = f"""\
-- what was there; before the first revision
{CUSTOMERS}
INSERT INTO customers VALUES (1, 'Smith; and ''Sons'' 100%'); -- one of them
/* two; lines
of comment */
INSERT INTO customers VALUES (2, 'é');
"""
FUNCTION = f"""
import sqlalchemy as sa


def lay(connection):
    connection.execute(sa.text({CUSTOMERS!r}))
"""
STAMPED = f"""{SCRIPT}
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
INSERT INTO alembic_version VALUES ('b2');
"""

VERSIONS = {
    "a1.py": revision("a1", 'op.drop_table("a_table_of_long_ago")'),
    "b2.py": revision("b2", 'op.drop_table("another")', down="a1"),
    "c3.py": revision(
        "c3",
        'op.add_column("customers", sa.Column("city", sa.String(40)))',
        'op.drop_column("customers", "city")',
        down="b2",
    ),
    "d4.py": revision(
        "d4",
        'op.create_table("cities", sa.Column("id", sa.Integer, primary_key=True))',
        'op.drop_table("cities")',
        down="c3",
    ),
}
LATE = {
    "c3.py": VERSIONS["c3.py"].replace("down_revision = 'b2'", "down_revision = None"),
    "d4.py": VERSIONS["d4.py"],
}


@pytest.fixture(params=["lay", "old.sql", "old.{backend}.sql"])
def shop(request: pytest.FixtureRequest, project: MakeProject, backend_name: str) -> Whole:
    """A project with a baseline, which is made in each of the ways there are."""
    reference = "before:lay" if request.param == "lay" else request.param
    whole = project(settings=f"baseline = {reference}", versions=LATE)
    whole.write("before.py", FUNCTION)
    whole.write(request.param.replace("{backend}", backend_name), SCRIPT)
    return whole


def proven(whole: Whole, server: Server, *arguments: str) -> Report:
    report: Report = roundtrip(whole.load(), *arguments, on=[text(server)])
    return report


def outcomes(report: Report) -> dict[str | None, str]:
    return {check.revision: str(check.outcome) for check in report.checks if check.revision}


def test_round_trip_stands_on_it(shop: Whole, server: Server) -> None:
    report = proven(shop, server)
    assert report.findings == ()
    assert outcomes(report) == {"c3": "passed", "d4": "passed"}


def test_upgrade_lays_it_into_an_empty_database(shop: Whole, scratch: ScratchDatabase) -> None:
    assert upgrade(shop.on(scratch)).data == {"before": [], "current": ["d4"]}
    assert {"customers", "cities"} < tables(scratch)


def test_upgrade_leaves_a_database_with_tables_alone(shop: Whole, scratch: ScratchDatabase) -> None:
    execute(scratch, "CREATE TABLE something (id INTEGER)")
    with pytest.raises(MigrationError, match="customers"):
        upgrade(shop.on(scratch))
    assert "customers" not in tables(scratch)


def test_looking_does_not_lay_it(shop: Whole, scratch: ScratchDatabase) -> None:
    assert status(shop.on(scratch)).data["pending"] == ["c3", "d4"]
    assert upgrade(shop.on(scratch), dry_run=True).data["pending"] == ["c3", "d4"]
    assert tables(scratch) == set()


def test_statements_are_told_apart_by_the_driver(
    project: MakeProject, scratch: ScratchDatabase
) -> None:
    whole = project(settings="baseline = old.sql", versions=LATE)
    whole.write("old.sql", SCRIPT)
    upgrade(whole.on(scratch))
    names = query(scratch, "SELECT name FROM customers ORDER BY id")
    assert [row[0] for row in names] == ["Smith; and 'Sons' 100%", "é"]


def test_revisions_that_it_holds_are_not_run(
    project: MakeProject, server: Server, scratch: ScratchDatabase, backend_name: str
) -> None:
    whole = project(settings="baseline = old.sql", versions=VERSIONS)
    whole.write("old.sql", STAMPED)
    report = proven(whole, server)
    assert report.findings == ()
    assert outcomes(report) == {"a1": "skipped", "b2": "skipped", "c3": "passed", "d4": "passed"}
    assert report.summary == "2 clean; 2 are in the baseline"
    assert outcomes(proven(whole, server, "d4")) == {"d4": "passed"}

    assert upgrade(whole.on(scratch)).data["current"] == ["d4"]
    assert "city" in query(scratch, "SELECT * FROM customers")[0]._fields

    script = sql(whole.load(), "b2:head", on=[text(server)]).script
    assert script is not None
    assert "ADD COLUMN city" in script


MISTAKES: dict[str, tuple[dict[str, str], str]] = {
    "nowhere.sql": ({}, "No such file"),
    "wrong.sql": ({"wrong.sql": "CREATE TABLE;"}, "the baseline fails"),
    "late.sql": ({"late.sql": f"{CUSTOMERS} INSERT INTO nowhere VALUES (1);"}, "nowhere"),
    "before:nothing": ({"before.py": FUNCTION}, "before:nothing"),
    "before:sa.__name__": ({"before.py": FUNCTION}, "is not a function"),
    "before:lay": ({"before.py": "def lay(connection):\n    1 / 0"}, "ZeroDivisionError"),
}


@pytest.mark.parametrize("reference", MISTAKES)
def test_mistakes(project: MakeProject, server: Server, reference: str) -> None:
    files, words = MISTAKES[reference]
    whole = project(settings=f"baseline = {reference}", versions=LATE)
    for name, content in files.items():
        whole.write(name, content)
    with pytest.raises(UsageError, match=words) as raised:
        proven(whole, server)
    assert "baseline" in raised.value.where
    assert _password(server) not in str(raised.value)


def _password(server: Server) -> Any:
    return server.url.password or "no password"


DYING = f"""
import os, signal
import sqlalchemy as sa


def die(at):
    if os.environ.get("DIES") == at:
        os.kill(os.getpid(), signal.SIGKILL)


def lay(connection):
    connection.execute(sa.text({CUSTOMERS!r}))
    die("1")
    connection.execute(sa.text("INSERT INTO customers VALUES (1, 'one')"))
    die("2")
    connection.execute(sa.text("CREATE TABLE orders (id INTEGER NOT NULL PRIMARY KEY)"))
    connection.execute(sa.text("INSERT INTO orders VALUES (1)"))
    die("3")
"""


@pytest.mark.parametrize("dies", ["1", "2", "3"])
def test_a_function_that_is_killed_is_finished(
    project: MakeProject, scratch: ScratchDatabase, dies: str
) -> None:
    whole = project(settings="baseline = before:lay", versions=LATE)
    whole.write("before.py", DYING)
    killed = whole.program("upgrade", "--url-env", "SHOP", SHOP=text(scratch), DIES=dies)
    assert killed.returncode == -signal.SIGKILL
    upgrade(whole.on(scratch))
    assert {"customers", "orders", "cities"} < tables(scratch)
    for table in ("customers", "orders"):
        assert len(query(scratch, f"SELECT * FROM {table}")) == 1
    assert repair(whole.on(scratch)).data == {"interrupted": []}


@pytest.mark.backends("mariadb", "mysql")
def test_a_script_that_is_killed_is_left_to_a_person(
    project: MakeProject, scratch: ScratchDatabase
) -> None:
    whole = project(settings="baseline = old.sql", versions=LATE)
    whole.write("old.sql", f"{CUSTOMERS}\nINSERT INTO customers SELECT SLEEP(30), 'x';\n")
    running = whole.start("upgrade", "--url-env", "SHOP", SHOP=text(scratch))
    while "customers" not in tables(scratch):
        time.sleep(0.05)
    running.kill()
    running.communicate()
    with pytest.raises(InDoubtError, match="in the middle of a script"):
        upgrade(whole.on(scratch))
    assert "cities" not in tables(scratch)
    repair(whole.on(scratch), mark_applied=True)
    upgrade(whole.on(scratch))
    assert "cities" in tables(scratch)
