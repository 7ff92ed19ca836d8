"""What a run leaves behind when it ends well, when it fails, and when revisions commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.whole_projects import MakeProject, Whole, execute, query, revision, tables
from topchef_schema import downgrade, history, upgrade
from topchef_schema.errors import MigrationError, PartialError
from topchef_schema.model import JOURNAL_TABLE

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend, ScratchDatabase

GOOD = revision("a1", 'op.create_table("good", sa.Column("id", sa.Integer))', down=None)
FIRST = 'op.create_table("half", sa.Column("id", sa.Integer))\n'
FAILS = 'op.execute("INSERT INTO nowhere VALUES (1)")'
HALF = revision("b2", FIRST + FAILS, 'op.drop_table("half")', down="a1")
AT_ONCE = revision("b2", FAILS, down="a1")


def version_rows(database: ScratchDatabase) -> list[str]:
    return [row[0] for row in query(database, "SELECT version_num FROM alembic_version")]


def events(whole: Whole, database: ScratchDatabase) -> list[tuple[str, str]]:
    """Return (revision, status) of every row of the history, oldest first."""
    rows = history(whole.on(database)).data["events"]
    return [(row["revision"], row["status"]) for row in rows]


def test_up_and_down(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear")
    up = upgrade(shop.on(scratch))
    assert up.exit_code() == 0
    assert up.data == {"before": [], "current": ["cc30"]}
    assert [(check.revision, check.direction) for check in up.checks] == [
        ("aa10", "up"),
        ("bb20", "up"),
        ("cc30", "up"),
    ]
    assert version_rows(scratch) == ["cc30"]
    assert tables(scratch) - {JOURNAL_TABLE} == {
        "alembic_version",
        "authors",
        "books",
        "topchef_history",
    }

    assert downgrade(shop.on(scratch), "-1").data["current"] == ["bb20"]
    assert upgrade(shop.on(scratch), "+1").data["current"] == ["cc30"]
    assert downgrade(shop.on(scratch), "aa10").data["current"] == ["aa10"]
    assert downgrade(shop.on(scratch), "base").data["current"] == []
    assert version_rows(scratch) == []
    assert tables(scratch) - {JOURNAL_TABLE} == {"alembic_version", "topchef_history"}
    assert events(shop, scratch) == [
        *[(each, "applied") for each in ("aa10", "bb20", "cc30")],
        ("cc30", "reverted"),
        ("cc30", "applied"),
        *[(each, "reverted") for each in ("cc30", "bb20", "aa10")],
    ]


def test_statements_have_their_line(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear")
    said = upgrade(shop.on(scratch), "aa10").statements
    path = "alembic/versions/aa10_authors_and_books.py"
    assert [(each.path, each.line) for each in said] == [
        (path, shop.line("aa10", "op.create_table(")),
        (path, shop.line("aa10", '"books"') - 1),
        (path, shop.line("aa10", "op.create_index")),
    ]
    assert all(each.seconds is not None and each.seconds > 0 for each in said)
    assert {(each.revision, each.direction) for each in said} == {("aa10", "up")}


def test_nothing_to_do_writes_nothing(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear")
    upgrade(shop.on(scratch), history=False)
    assert "topchef_history" not in tables(scratch)
    report = upgrade(shop.on(scratch))
    assert (report.checks, report.statements) == ((), ())
    assert "topchef_history" not in tables(scratch)


@pytest.mark.fact(6)
def test_failed_step_of_its_own_transaction(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    shop = project(env="step_by_step", versions={"a1.py": GOOD, "b2.py": HALF})
    kind = MigrationError if backend.transactional_ddl else PartialError
    with pytest.raises(MigrationError) as caught:
        upgrade(shop.on(scratch))

    error = caught.value
    assert type(error) is kind
    assert error.exit_code == (5 if backend.transactional_ddl else 6)
    assert "b2" in error.message
    assert "stay done: a1" in error.message
    assert error.where == f"alembic/versions/b2.py:{shop.line('b2', 'nowhere')}"
    assert "INSERT INTO nowhere" in error.hint
    assert ("CREATE TABLE half" in error.message) is not backend.transactional_ddl
    assert ("topchef-db repair --mark-applied" in error.hint) is not backend.transactional_ddl
    assert version_rows(scratch) == ["a1"]
    assert ("half" in tables(scratch)) is not backend.transactional_ddl
    assert events(shop, scratch) == [("a1", "applied"), ("b2", "failed")]


def test_failed_first_statement_leaves_nothing(
    project: MakeProject, scratch: ScratchDatabase
) -> None:
    shop = project(env="step_by_step", versions={"a1.py": GOOD, "b2.py": AT_ONCE})
    with pytest.raises(MigrationError) as caught:
        upgrade(shop.on(scratch))
    assert type(caught.value) is MigrationError
    assert version_rows(scratch) == ["a1"]
    assert tables(scratch) - {JOURNAL_TABLE} == {"alembic_version", "good", "topchef_history"}


@pytest.mark.fact(12)
@pytest.mark.parametrize("env", ["usual", "outer_transaction"])
@pytest.mark.backends("postgresql")
def test_one_transaction_for_the_run_is_all_or_nothing(
    project: MakeProject, scratch: ScratchDatabase, env: str
) -> None:
    shop = project(env=env, versions={"a1.py": GOOD, "b2.py": HALF})
    with pytest.raises(MigrationError) as caught:
        upgrade(shop.on(scratch))
    assert caught.value.exit_code == 5
    assert "nothing else of this run stays" in caught.value.message
    assert tables(scratch) == set()

    (shop.versions / "b2.py").unlink()
    upgrade(shop.on(scratch))
    assert tables(scratch) - {JOURNAL_TABLE} == {"alembic_version", "good", "topchef_history"}
    assert events(shop, scratch) == [("a1", "applied")]


@pytest.mark.backends("sqlite")
def test_one_transaction_for_the_run_on_sqlite(
    project: MakeProject, scratch: ScratchDatabase
) -> None:
    """Stock Alembic leaves the tables there, without their version row."""
    shop = project(env="outer_transaction", versions={"a1.py": GOOD, "b2.py": HALF})
    with pytest.raises(MigrationError, match="nothing else of this run stays") as caught:
        upgrade(shop.on(scratch))
    assert caught.value.exit_code == 5
    assert tables(scratch) == {"alembic_version", "topchef_history"}


@pytest.mark.backends("mariadb", "mysql")
def test_one_transaction_that_the_database_does_not_undo(
    project: MakeProject, scratch: ScratchDatabase
) -> None:
    shop = project(env="outer_transaction", versions={"a1.py": GOOD, "b2.py": AT_ONCE})
    with pytest.raises(PartialError) as caught:
        upgrade(shop.on(scratch))
    assert "a1 went before it in the transaction of env.py" in caught.value.message
    assert f"the database is now at {', '.join(version_rows(scratch)) or 'base'};" in (
        caught.value.hint
    )
    assert "good" in tables(scratch)


def test_failure_shows_no_values(project: MakeProject, scratch: ScratchDatabase) -> None:
    secret = "a value that stays in the database"
    body = f'op.get_bind().execute(sa.text("INSERT INTO nowhere VALUES (:v)"), {{"v": "{secret}"}})'
    shop = project(versions={"a1.py": revision("a1", body)})
    with pytest.raises(MigrationError) as caught:
        upgrade(shop.on(scratch))
    assert secret not in str(caught.value)
    assert "nowhere" in caught.value.message


@pytest.mark.backends("mariadb", "mysql")
def test_texts_that_the_database_has_no_characters_for(
    project: MakeProject, scratch: ScratchDatabase
) -> None:
    execute(scratch, f"ALTER DATABASE {scratch.name} CHARACTER SET latin1")
    made = 'op.execute("CREATE TABLE t (a INT) DEFAULT CHARSET=utf8mb4")\n'
    comment = "op.execute(\"ALTER TABLE t ADD COLUMN b INT COMMENT '\u65e5'\")\n"
    failing = comment.replace("COLUMN b", "COLUMN c") + 'raise RuntimeError("\u672c")'
    shop = project(
        versions={
            "a1.py": revision("a1", made + comment),
            "b2.py": revision("b2", failing, down="a1"),
        }
    )
    with pytest.raises(PartialError, match="\u672c"):
        upgrade(shop.on(scratch))
    assert str(query(scratch, "SHOW CREATE TABLE t")[0]).count("'\u65e5'") == 2
    rows = history(shop.on(scratch)).data["events"]
    assert [(each["revision"], each["status"]) for each in rows] == [
        ("a1", "applied"),
        ("b2", "failed"),
    ]
    assert rows[1]["error"].endswith("\\u672c")
    (journalled,) = query(scratch, f"SELECT `sql` FROM {JOURNAL_TABLE} WHERE revision = 'b2'")
    assert journalled[0].endswith("COMMENT '\\u65e5'")


@pytest.mark.parametrize("env", ["usual", "step_by_step"])
def test_revision_that_commits_keeps_its_version_row(
    project: MakeProject, scratch: ScratchDatabase, env: str
) -> None:
    body = FIRST + "op.get_bind().commit()"
    shop = project(env=env, versions={"a1.py": revision("a1", body, 'op.drop_table("half")')})
    upgrade(shop.on(scratch))
    assert version_rows(scratch) == ["a1"]
    assert events(shop, scratch) == [("a1", "applied")]


@pytest.mark.parametrize(
    "commit",
    [
        "op.get_bind().commit()",
        "with op.get_context().autocommit_block():\n    op.execute('SELECT 1')",
        'op.execute("COMMIT")',
    ],
    ids=["commit", "block", "SQL"],
)
@pytest.mark.backends("postgresql")
def test_what_is_committed_in_the_middle_of_the_run_is_in_the_history(
    project: MakeProject, scratch: ScratchDatabase, commit: str
) -> None:
    """Rows that wait for the end of the run's transaction are written before it ends."""
    body = FIRST + commit + '\nop.execute("INSERT INTO nowhere VALUES (1)")'
    shop = project(versions={"a1.py": GOOD, "b2.py": revision("b2", body, down="a1")})
    with pytest.raises(PartialError):
        upgrade(shop.on(scratch))
    assert version_rows(scratch) == ["a1"]
    assert events(shop, scratch) == [("a1", "applied")]

    execute(scratch, "CREATE TABLE nowhere (id INTEGER)")
    upgrade(shop.on(scratch))
    assert version_rows(scratch) == ["b2"]
    assert events(shop, scratch) == [("a1", "applied"), ("b2", "applied")]


@pytest.mark.parametrize("env", ["usual", "step_by_step"])
@pytest.mark.backends("postgresql")
def test_autocommit_block(project: MakeProject, scratch: ScratchDatabase, env: str) -> None:
    block = (
        FIRST + "with op.get_context().autocommit_block():\n"
        '    op.create_index("ix_half", "half", ["id"], postgresql_concurrently=True)'
    )
    shop = project(env=env, versions={"a1.py": revision("a1", block, 'op.drop_table("half")')})
    upgrade(shop.on(scratch))
    assert version_rows(scratch) == ["a1"]
    assert events(shop, scratch) == [("a1", "applied")]
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_half'::regclass"
    assert query(scratch, valid) == [(True,)]


@pytest.mark.fact(11)
@pytest.mark.parametrize("env", ["usual", "step_by_step"])
@pytest.mark.backends("postgresql")
def test_what_came_before_an_autocommit_block_is_partly_applied(
    project: MakeProject, scratch: ScratchDatabase, env: str
) -> None:
    block = FIRST + "with op.get_context().autocommit_block():\n    " + FAILS
    shop = project(env=env, versions={"a1.py": revision("a1", block)})
    with pytest.raises(PartialError) as caught:
        upgrade(shop.on(scratch))
    assert "CREATE TABLE half" in caught.value.message
    assert "half" in tables(scratch)
    assert version_rows(scratch) == []


@pytest.mark.backends("postgresql")
def test_commit_within_a_whole_run_keeps_what_came_before(
    project: MakeProject, scratch: ScratchDatabase
) -> None:
    block = FIRST + "with op.get_context().autocommit_block():\n    pass\n" + FAILS
    shop = project(versions={"a1.py": GOOD, "b2.py": revision("b2", block, down="a1")})
    with pytest.raises(PartialError) as caught:
        upgrade(shop.on(scratch))
    assert version_rows(scratch) == ["a1"]
    assert tables(scratch) >= {"good", "half"}
    assert "stay done: a1" in caught.value.message
    assert events(shop, scratch)[:1] == [("a1", "applied")]


@pytest.mark.backends("postgresql")
def test_revision_that_committed_in_a_whole_run_is_kept_whole(
    project: MakeProject, scratch: ScratchDatabase
) -> None:
    block = FIRST + "with op.get_context().autocommit_block():\n    pass"
    versions = {
        "a1.py": GOOD,
        "b2.py": revision("b2", block, down="a1"),
        "c3.py": revision("c3", 'op.create_table("c", sa.Column("id", sa.Integer))', down="b2"),
        "d4.py": revision("d4", FAILS, down="c3"),
    }
    shop = project(versions=versions)
    with pytest.raises(MigrationError) as caught:
        upgrade(shop.on(scratch))
    assert type(caught.value) is MigrationError
    assert "stay done: a1, b2" in caught.value.message
    assert version_rows(scratch) == ["b2"]
    assert tables(scratch) - {JOURNAL_TABLE} == {
        "alembic_version",
        "good",
        "half",
        "topchef_history",
    }
    assert events(shop, scratch) == [("a1", "applied"), ("b2", "applied")]


def test_own_version_table(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear", env="own_version_table")
    assert upgrade(shop.on(scratch)).data["current"] == ["cc30"]
    schema = "shop_meta." if scratch.url.get_backend_name() == "postgresql" else ""
    assert query(scratch, f"SELECT version_num FROM {schema}shop_versions") == [("cc30",)]
    assert len(query(scratch, f"SELECT * FROM {schema}topchef_history")) == 3
    assert not {"alembic_version", "shop_versions" if schema else ""} & tables(scratch)
    assert downgrade(shop.on(scratch), "base").data["current"] == []
