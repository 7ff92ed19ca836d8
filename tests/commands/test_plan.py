"""What would run here and now, and an upgrade that does just that or nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text as sql_text

from tests.documents_of_reports import checked
from tests.whole_projects import MakeProject, Whole, execute, query, revision, tables, text
from topchef_schema import plan, upgrade

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend, ScratchDatabase

MANY = 40


def steps(shop: Whole, database: ScratchDatabase, word: str = "heads") -> dict[str, Any]:
    """Return the steps of the plan, by their revisions."""
    (only,) = plan(shop.on(database), word).data["plans"]
    return {each["revision"]: each for each in only["steps"]}


def committed(step: dict[str, Any]) -> list[str]:
    return [each["committed_by"] for each in step["statements"]]


def fill(database: ScratchDatabase, *analyze: str) -> None:
    rows = ", ".join(f"({number}, 'author {number}')" for number in range(1, MANY + 1))
    execute(database, f"INSERT INTO authors (id, name) VALUES {rows}", *analyze)


ANALYZE = {"sqlite": "ANALYZE", "postgresql": "ANALYZE authors"}


def test_steps(project: MakeProject, scratch: ScratchDatabase, backend: Backend) -> None:
    shop = project("linear")
    upgrade(shop.on(scratch), "aa10")
    fill(scratch, ANALYZE.get(backend.name, "ANALYZE TABLE authors"))
    report = plan(shop.on(scratch), "+1")
    (only,) = report.data["plans"]
    assert (only["backend"], only["current"], only["pending"]) == (backend.name, ["aa10"], ["bb20"])
    assert report.data["pending"] == ["bb20"]
    (step,) = only["steps"]
    said = [each["sql"] for each in step["statements"]]
    assert said[0].startswith("ALTER TABLE authors ADD COLUMN sort_name")
    assert said[1].startswith("UPDATE authors")
    assert step["tables"] == [{"table": "authors", "rows": MANY, "estimate": True}]
    assert [each["line"] for each in step["statements"]] == [
        shop.line("bb20", "op.add_column"),
        shop.line("bb20", "op.execute"),
    ]
    unit = "run" if backend.name == "postgresql" else "revision"
    assert only["transaction"] == unit
    assert committed(step) == [unit if backend.transactional_ddl else "itself", unit]
    assert {"sort_name"}.isdisjoint(tables(scratch))
    assert report.checks[0].outcome == "pending"


def test_rows_that_nobody_has_counted(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    """They are counted, as far as they are few; InnoDB always has a guess."""
    shop = project("linear")
    upgrade(shop.on(scratch), "aa10")
    fill(scratch)
    (table,) = steps(shop, scratch, "bb20")["bb20"]["tables"]
    guessed = backend.name in ("mariadb", "mysql")
    assert table == {
        "table": "authors",
        "rows": table["rows"] if guessed else MANY,
        "estimate": guessed,
    }


@pytest.mark.backends("postgresql")
def test_boundaries(project: MakeProject, scratch: ScratchDatabase) -> None:
    block = (
        "op.execute('CREATE TABLE t (id INT)')\n"
        "with op.get_context().autocommit_block():\n"
        "    op.execute('CREATE INDEX CONCURRENTLY i ON t (id)')\n"
        "op.execute('INSERT INTO t VALUES (1)')"
    )
    versions = {"a.py": revision("a1a1", block)}
    for env, unit in (("usual", "run"), ("step_by_step", "revision")):
        shop = project(env=env, versions=versions)
        (only,) = plan(shop.on(scratch)).data["plans"]
        assert only["transaction"] == unit
        assert committed(only["steps"][0]) == [unit, "itself", unit]
    read = block.replace(
        "op.execute('INSERT", "op.get_bind().execute(sa.text('SELECT 1')).all()\nop.execute('INSERT"
    )
    shop = project(env="step_by_step", versions={"a.py": revision("a1a1", read)})
    assert committed(steps(shop, scratch)["a1a1"]) == ["revision", "itself", "revision"]


def test_statements_that_cannot_be_known(
    project: MakeProject, scratch: ScratchDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan says so, and shows the rest."""
    versions = {
        "a.py": revision("a1a1", "op.execute('CREATE TABLE t (id INT)')"),
        "b.py": revision("b2b2", "raise RuntimeError('not here')", down="a1a1"),
        "c.py": revision("c3c3", "op.get_bind().execute(sa.text('SELECT 1')).all()", down="b2b2"),
    }
    shop = project(versions=versions)
    found = steps(shop, scratch)
    assert found["a1a1"]["note"] is None
    assert len(found["a1a1"]["statements"]) == 1
    assert "not here" in found["b2b2"]["note"]
    assert "a revision before it fails" in found["c3c3"]["note"]
    done = shop.call("plan", "--url", text(scratch))
    assert done.returncode == 0
    assert "not here" in done.stdout


@pytest.fixture
def planned(project: MakeProject, scratch: ScratchDatabase) -> Whole:
    """Return a project whose plan, from aa10 on, lies in plan.json."""
    shop = project("linear")
    upgrade(shop.on(scratch), "aa10")
    url = text(scratch)
    done = shop.call("plan", "--format", "json", "-o", "plan.json", "--url", url)
    assert done.returncode == 0
    assert checked((shop.root / "plan.json").read_text())["command"] == "plan"
    return shop


def upgraded(shop: Whole, database: ScratchDatabase, *more: str) -> tuple[int, list[Any]]:
    """Return the exit code of ``upgrade --plan``, and what moved."""
    arguments = ("upgrade", "--plan", "plan.json", "--format", "json", "--url", text(database))
    done = shop.call(*arguments, *more)
    document = checked(done.stdout)
    assert {each["rule"] for each in document["findings"]} <= {"plan-moved"}
    return done.returncode, document["findings"]


def at(database: ScratchDatabase) -> str:
    return str(query(database, "SELECT version_num FROM alembic_version")[0][0])


def test_a_plan_that_holds(planned: Whole, scratch: ScratchDatabase) -> None:
    fill(scratch)  # rows come and go
    assert upgraded(planned, scratch, "--dry-run") == (0, [])
    assert at(scratch) == "aa10"
    assert upgraded(planned, scratch) == (0, [])
    assert at(scratch) == "cc30"


def test_another_migrator_was_here(planned: Whole, scratch: ScratchDatabase) -> None:
    upgrade(planned.on(scratch), "bb20")
    code, moved = upgraded(planned, scratch)
    assert (code, at(scratch)) == (10, "bb20")
    assert [(each["before"], each["after"]) for each in moved] == [
        ("aa10", "bb20"),
        ("bb20, cc30", "cc30"),
    ]


def test_another_statement(planned: Whole, scratch: ScratchDatabase) -> None:
    (path,) = planned.versions.glob("bb20*")
    path.write_text(path.read_text().replace("upper(name)", "lower(name)"))
    code, moved = upgraded(planned, scratch)
    assert (code, at(scratch)) == (10, "aa10")
    (only,) = moved
    assert (only["revision"], "upper" in only["before"], "lower" in only["after"]) == (
        "bb20",
        True,
        True,
    )


def test_a_further_revision(planned: Whole, scratch: ScratchDatabase) -> None:
    planned.write("alembic/versions/dd40.py", revision("dd40", "pass", down="cc30"))
    code, moved = upgraded(planned, scratch)
    assert (code, at(scratch)) == (10, "aa10")
    assert [each["after"] for each in moved] == ["bb20, cc30, dd40"]


def test_a_statement_fewer(planned: Whole, scratch: ScratchDatabase) -> None:
    (path,) = planned.versions.glob("bb20*")
    lines = [line for line in path.read_text().splitlines() if "UPDATE" not in line]
    path.write_text("\n".join(lines))
    assert upgraded(planned, scratch)[0] == 10


def test_sql_of_the_file_is_never_run(planned: Whole, scratch: ScratchDatabase) -> None:
    document = json.loads(Path("plan.json").read_text())
    for step in document["data"]["plans"][0]["steps"]:
        step["statements"][0]["sql"] = "CREATE TABLE stranger (id INT)"
    Path("plan.json").write_text(json.dumps(document))
    assert upgraded(planned, scratch)[0] == 10
    assert "stranger" not in tables(scratch)


def test_values_that_are_new_each_time(project: MakeProject, scratch: ScratchDatabase) -> None:
    """Not those of the revision itself: they are compared."""
    body = (
        "import uuid\nop.execute('CREATE TABLE t (a VARCHAR(40), b INT)')\n"
        "op.execute(f\"INSERT INTO t VALUES ('{uuid.uuid4()}', 1)\")\n"
        "op.execute('INSERT INTO t VALUES (NULL, 2)')"
    )
    shop = project(versions={"a.py": revision("a1a1", body)})
    shop.call("plan", "--format", "json", "-o", "plan.json", "--url", text(scratch))
    shop.write("alembic/versions/a.py", revision("a1a1", body.replace("(NULL, 2)", "(NULL, 3)")))
    assert upgraded(shop, scratch)[0] == 10
    shop.write("alembic/versions/a.py", revision("a1a1", body))
    assert upgraded(shop, scratch) == (0, [])
    assert len(query(scratch, str(sql_text("SELECT a FROM t")))) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        ("up we go", "not JSON"),
        ("[]", "no report of topchef-db plan"),
        ('{"schema": 2, "command": "plan", "data": {}}', "another version"),
        ('{"schema": 1, "command": "status", "data": {}}', "no report of topchef-db plan"),
        ('{"schema": 1, "command": "plan", "data": {"plans": [{}]}}', "holds no plan"),
        ('{"schema": 1, "command": "plan", "data": null}', "holds no plan"),
    ],
)
def test_a_file_that_is_no_plan(project: MakeProject, content: str | None, words: str) -> None:
    shop = project("linear")
    if content is not None:
        shop.write("plan.json", content)
    done = shop.call("upgrade", "--plan", "plan.json", "--url", shop.url)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "where: --plan plan.json" in done.stderr
    assert not shop.file.exists()


def test_a_plan_to_another_revision(planned: Whole, scratch: ScratchDatabase) -> None:
    done = planned.call("upgrade", "bb20", "--plan", "plan.json", "--url", text(scratch))
    assert done.returncode == 2
    assert 'the plan is one to "heads", not to "bb20"' in done.stderr
