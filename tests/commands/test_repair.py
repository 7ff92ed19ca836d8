"""What an interrupted run left is shown as it is, and settled as a person says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.plain_alembic import Rival
from tests.whole_projects import MakeProject, Whole, execute, query, revision, tables, text
from topchef_schema import downgrade, history, plan, repair, stamp, status, upgrade
from topchef_schema.errors import InDoubtError, PartialError, UsageError
from topchef_schema.model import JOURNAL_TABLE
from topchef_schema.project import Project

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend, ScratchDatabase, Server

FIRST = revision("a1", 'op.create_table("first", sa.Column("id", sa.Integer))', down=None)
HALF = revision(
    "b2",
    'op.create_table("half", sa.Column("id", sa.Integer))\n'
    'op.execute("INSERT INTO wanted VALUES (1)")\n'
    'op.create_table("whole", sa.Column("id", sa.Integer))',
    'op.drop_table("whole")\nop.drop_table("half")',
    down="a1",
)


def half_done(project: MakeProject, scratch: ScratchDatabase) -> Whole:
    """Leave revision b2 half applied: its table wanted is missing."""
    shop = project(versions={"a1.py": FIRST, "b2.py": HALF})
    with pytest.raises(PartialError, match="CREATE TABLE half") as failed:
        upgrade(shop.on(scratch))
    assert "repair --mark-applied" in failed.value.hint
    return shop


def repaired(shop: Whole, scratch: ScratchDatabase) -> list[tuple[str, str, str, str]]:
    events = history(shop.on(scratch)).data["events"]
    return [
        (each["revision"], each["direction"], each["status"], each["reason"])
        for each in events
        if each["status"] == "repaired"
    ]


def journal(scratch: ScratchDatabase) -> int:
    return len(query(scratch, f"SELECT * FROM {JOURNAL_TABLE}"))


def needs_autocommitting_ddl(backend: Backend) -> None:
    if backend.transactional_ddl:
        pytest.skip("a failed revision is undone as a whole there")


def test_it_shows_what_was_done_and_what_not(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    needs_autocommitting_ddl(backend)
    shop = half_done(project, scratch)
    report = repair(shop.on(scratch))
    (left,) = report.data["interrupted"]
    assert (left["revision"], left["direction"]) == ("b2", "up")
    assert [sql.split()[:3] for sql in left["done"]] == [["CREATE", "TABLE", "half"]]
    assert left["in_flight"] is None
    assert [sql.split()[0] for sql in left["not_done"]] == ["INSERT", "CREATE"]
    assert [each.rule for each in report.findings] == ["interrupted-revision"]
    assert report.exit_code() == 0
    assert [each.rule for each in status(shop.on(scratch)).findings] == ["interrupted-revision"]
    assert journal(scratch) == 1


def test_the_next_upgrade_does_not_send_again_what_was_done(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    needs_autocommitting_ddl(backend)
    shop = half_done(project, scratch)
    execute(scratch, "CREATE TABLE wanted (id INTEGER)")
    sent = [each.sql.split()[:3] for each in upgrade(shop.on(scratch)).statements]
    assert sent == [["INSERT", "INTO", "wanted"], ["CREATE", "TABLE", "whole"]]
    assert journal(scratch) == 0
    assert {"half", "whole"} <= tables(scratch)
    assert repair(shop.on(scratch)).data == {"interrupted": []}


def test_resume_finishes_that_revision_alone(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    needs_autocommitting_ddl(backend)
    shop = half_done(project, scratch)
    shop.write("alembic/versions/c3.py", revision("c3", "pass", down="b2"))
    execute(scratch, "CREATE TABLE wanted (id INTEGER)")
    report = repair(shop.on(scratch), resume=True, reason="the table is there now")
    assert [each.revision for each in report.checks] == ["b2"]
    assert query(scratch, "SELECT version_num FROM alembic_version") == [("b2",)]
    assert repaired(shop, scratch) == [("b2", "up", "repaired", "the table is there now")]


@pytest.mark.parametrize(("mark", "place"), [("applied", "b2"), ("reverted", "a1")])
def test_a_mark_takes_a_persons_word_for_it(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend, mark: str, place: str
) -> None:
    needs_autocommitting_ddl(backend)
    shop = half_done(project, scratch)
    done = shop.call("repair", f"--mark-{mark}", "--reason", "by hand", "--url", text(scratch))
    assert (done.returncode, done.stdout.split()[-1]) == (0, place)
    assert query(scratch, "SELECT version_num FROM alembic_version") == [(place,)]
    direction = "up" if mark == "applied" else "down"
    assert repaired(shop, scratch) == [("b2", direction, "repaired", "by hand")]
    assert journal(scratch) == 0
    assert tables(scratch) >= {"half"}
    assert list(status(shop.on(scratch)).data["current"]) == [place]


@pytest.mark.fact(21)
def test_a_revision_that_goes_on_otherwise_is_not_sent(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    needs_autocommitting_ddl(backend)
    shop = half_done(project, scratch)
    path = shop.versions / "b2.py"
    path.write_text(path.read_text().replace('"half"', '"other"'))
    with pytest.raises(InDoubtError, match="CREATE TABLE other") as doubt:
        upgrade(shop.on(scratch))
    assert "repair --mark-applied" in doubt.value.hint
    assert "other" not in tables(scratch)
    with pytest.raises(InDoubtError):
        repair(shop.on(scratch), resume=True)
    assert journal(scratch) == 1


def test_going_the_other_way_waits_for_the_interrupted_one(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    needs_autocommitting_ddl(backend)
    shop = half_done(project, scratch)
    done = shop.call("downgrade", "base", "--yes", "--url", text(scratch))
    assert (done.returncode, "in the middle of revision b2" in done.stderr) == (7, True)
    assert tables(scratch) >= {"first", "half"}


def test_it_shows_how_far_a_downgrade_came(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    needs_autocommitting_ddl(backend)
    whole = 'op.create_table("half", sa.Column("id", sa.Integer))'
    back = 'op.drop_table("half")\nop.execute("DROP TABLE gone")\nop.drop_table("first")'
    shop = project(versions={"a1.py": FIRST, "b2.py": revision("b2", whole, back, down="a1")})
    upgrade(shop.on(scratch))
    with pytest.raises(PartialError):
        downgrade(shop.on(scratch), "a1", accept_data_loss=True)
    report = repair(shop.on(scratch))
    (left,) = report.data["interrupted"]
    assert (left["revision"], left["direction"]) == ("b2", "down")
    assert [sql.split()[-1] for sql in left["done"]] == ["half"]
    assert [sql.split()[-1] for sql in left["not_done"]] == ["gone;", "first;"]


@pytest.mark.backends("postgresql")
def test_it_shows_no_statement_as_done_and_as_not_done(
    project: MakeProject, scratch: ScratchDatabase
) -> None:
    alone = (
        'op.create_table("half", sa.Column("id", sa.Integer))\n'
        "with op.get_context().autocommit_block():\n"
        '    op.execute("CREATE INDEX CONCURRENTLY i ON half (id)")\n'
        'op.execute("INSERT INTO wanted VALUES (1)")\n'
    )
    shop = project(versions={"a1.py": FIRST, "b2.py": revision("b2", alone, down="a1")})
    with pytest.raises(PartialError):
        upgrade(shop.on(scratch))
    (left,) = repair(shop.on(scratch)).data["interrupted"]
    assert [sql.split()[1] for sql in left["done"]] == ["TABLE", "INDEX"]
    assert [sql.split()[1] for sql in left["not_done"]] == ["INTO"]


@pytest.mark.parametrize("moved", ["stamp", "alembic"])
def test_an_interrupted_revision_is_not_taken_from_elsewhere(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend, moved: str
) -> None:
    """Plain alembic moves the version rows below it: what it stands on is not there any more."""
    needs_autocommitting_ddl(backend)
    shop = half_done(project, scratch)
    execute(scratch, "CREATE TABLE wanted (id INTEGER)")
    if moved == "stamp":
        stamp(shop.on(scratch), "base")
    else:
        Rival(shop, scratch).alembic("downgrade", "base")
    before = tables(scratch)
    url = ("--url", text(scratch))
    for command in (("upgrade",), ("repair", "--resume"), ("repair", "--mark-applied")):
        done = shop.call(*command, *url)
        assert done.returncode == 7, done.stderr
        assert "a1 is not applied any more" in done.stderr
        assert "topchef-db stamp a1" in done.stderr
    (finding,) = repair(shop.on(scratch)).findings
    assert (str(finding.severity), "a1 is not applied any more" in finding.message) == (
        "error",
        True,
    )
    assert (tables(scratch), query(scratch, "SELECT version_num FROM alembic_version")) == (
        before,
        [],
    )
    if moved == "stamp":
        stamp(shop.on(scratch), "a1")
    else:
        execute(scratch, "DROP TABLE half", "DROP TABLE first")
        repair(shop.on(scratch), mark_reverted=True)
    upgrade(shop.on(scratch))
    assert tables(scratch) >= {"first", "half", "whole"}
    assert query(scratch, "SELECT version_num FROM alembic_version") == [("b2",)]


def test_an_interrupted_downgrade_is_not_taken_from_elsewhere(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    needs_autocommitting_ddl(backend)
    back = 'op.execute("DROP TABLE gone")'
    versions = {
        "a1.py": FIRST,
        "b2.py": revision("b2", "pass", f'op.drop_table("first")\n{back}', down="a1"),
        "c3.py": revision("c3", "pass", down="b2"),
    }
    shop = project(versions=versions)
    upgrade(shop.on(scratch))
    with pytest.raises(PartialError):
        downgrade(shop.on(scratch), "a1", accept_data_loss=True)
    stamp(shop.on(scratch), "c3")
    with pytest.raises(InDoubtError, match="c3 stands on it") as refused:
        downgrade(shop.on(scratch), "base", accept_data_loss=True)
    assert "topchef-db stamp b2" in refused.value.hint
    assert query(scratch, "SELECT version_num FROM alembic_version") == [("c3",)]


def test_who_only_looks_or_stamps_is_told_of_it(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    needs_autocommitting_ddl(backend)
    shop = half_done(project, scratch)
    dry = upgrade(shop.on(scratch), dry_run=True)
    for report in (plan(shop.on(scratch)), dry, status(shop.on(scratch))):
        assert [each.rule for each in report.findings] == ["interrupted-revision"]
    done = shop.call("history", "--drop", "--url", text(scratch))
    assert done.returncode == 7, done.stderr
    assert "b2 was interrupted on the way up, and only the journal tells how far" in done.stderr
    (said,) = stamp(shop.on(scratch), "b2").findings
    assert (said.rule, said.revision) == ("interrupted-revision", "b2")
    assert status(shop.on(scratch)).findings == repair(shop.on(scratch)).findings == ()
    upgrade(shop.on(scratch))
    assert journal(scratch) == 0
    assert history(shop.on(scratch), drop=True).data["events"]


def test_an_interrupted_branch_is_gone_on_with_first(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    needs_autocommitting_ddl(backend)
    shop = half_done(project, scratch)
    shop.write("alembic/versions/a0.py", revision("a0", "pass", down=None))
    shop.write("alembic/versions/c0.py", revision("c0", "pass", down="a0"))
    execute(scratch, "CREATE TABLE wanted (id INTEGER)")
    taken = [each.revision for each in upgrade(shop.on(scratch)).checks]
    assert (taken[0], sorted(taken)) == ("b2", ["a0", "b2", "c0"])


def test_what_no_catalog_tells_a_person_says(
    project: MakeProject, server: Server, scratch: ScratchDatabase, backend: Backend
) -> None:
    if backend.transactional_ddl:
        pytest.skip("all that can be interrupted there is in a catalog, or is undone")
    user = f"{scratch.url.database}_u"[-30:]
    shop = project(
        versions={
            "a1.py": revision(
                "a1",
                f"import os, signal\nop.execute(\"CREATE USER '{user}'@'localhost'\")\n"
                'if os.environ.get("DIES"):\n    os.kill(os.getpid(), signal.SIGKILL)',
            )
        }
    )
    # The user of a scratch database may not make users.
    url = server.url.set(database=scratch.url.database).render_as_string(hide_password=False)
    here = Project.load(shop.root / "alembic.ini", url=url)
    try:
        shop.program("upgrade", "--url-env", "SHOP", SHOP=url, DIES="1")
        with pytest.raises(InDoubtError, match="CREATE USER") as doubt:
            upgrade(here)
        assert "repair --resume --statement done" in doubt.value.hint
        report = repair(here)
        assert report.exit_code() == 10
        assert report.data["interrupted"][0]["undecided"] is True
        repair(here, resume=True, statement="done", reason="it is in mysql.user")
        assert query(scratch, "SELECT version_num FROM alembic_version") == [("a1",)]
        assert repaired(shop, scratch) == [("a1", "up", "repaired", "it is in mysql.user")]
    finally:
        execute(url, f"DROP USER '{user}'@'localhost'")


def test_a_copy_that_was_not_finished_is_shown(project: MakeProject) -> None:
    shop = project("linear")
    upgrade(shop.here())
    execute(shop.url, "CREATE TABLE _alembic_tmp_books (id INTEGER)")
    execute(shop.url, "CREATE TABLE _alembic_tmp_gone (id INTEGER)")
    found = {each.object: each.help for each in repair(shop.here()).findings}
    assert found == {
        "_alembic_tmp_books": 'DROP TABLE "_alembic_tmp_books"',
        "_alembic_tmp_gone": 'ALTER TABLE "_alembic_tmp_gone" RENAME TO "gone"',
    }


@pytest.mark.fact(16)
def test_an_invalid_index_is_shown(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    if backend.name != "postgresql":
        pytest.skip("only PostgreSQL has them")
    shop = project("linear")
    upgrade(shop.on(scratch))
    import sqlalchemy as sa

    execute(scratch, "CREATE TABLE twice (id INTEGER)", "INSERT INTO twice VALUES (1), (1)")
    engine = sa.create_engine(scratch.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection, pytest.raises(sa.exc.IntegrityError):
        connection.exec_driver_sql("CREATE UNIQUE INDEX CONCURRENTLY once ON twice (id)")
    engine.dispose()
    (finding,) = repair(shop.on(scratch)).findings
    assert (finding.rule, finding.help) == (
        "invalid-index",
        "DROP INDEX CONCURRENTLY public.once",
    )


def test_nothing_to_repair(project: MakeProject) -> None:
    shop = project("linear")
    upgrade(shop.here())
    for arguments in ([], ["--resume"], ["--mark-applied"], ["--mark-reverted"]):
        done = shop.call("repair", *arguments, "--url", shop.url, "--format", "json")
        document = json.loads(done.stdout)
        assert (done.returncode, document["data"]) == (0, {"interrupted": []})
    assert query(shop.url, "SELECT version_num FROM alembic_version") == [("cc30",)]


def test_options_that_contradict_each_other(project: MakeProject) -> None:
    shop = project("linear")
    with pytest.raises(UsageError, match="do not go together"):
        repair(shop.here(), resume=True, mark_applied=True)
    with pytest.raises(UsageError, match="do not go together"):
        repair(shop.here(), mark_applied=True, statement="done")


LOOKS = revision(
    "b2",
    'columns = [each["name"] for each in sa.inspect(op.get_bind()).get_columns("first")]\n'
    'assert "gone" in columns, columns\n'
    'op.drop_column("first", "gone")\n'
    'op.execute("INSERT INTO wanted VALUES (1)")',
    down="a1",
)


def test_a_revision_that_cannot_be_run_again_is_left_to_a_person(
    project: MakeProject, scratch: ScratchDatabase, backend: Backend
) -> None:
    """It reads what it has changed itself: no replay brings back what it saw."""
    needs_autocommitting_ddl(backend)
    first = FIRST.replace("sa.Integer)", 'sa.Integer), sa.Column("gone", sa.Integer)')
    shop = project(versions={"a1.py": first, "b2.py": LOOKS})
    with pytest.raises(PartialError):
        upgrade(shop.on(scratch))
    execute(scratch, "CREATE TABLE wanted (id INTEGER)")
    with pytest.raises(InDoubtError, match="before it comes to where it stopped"):
        upgrade(shop.on(scratch))
    (left,) = repair(shop.on(scratch)).data["interrupted"]
    assert [sql.split()[:2] for sql in left["done"]] == [["ALTER", "TABLE"]]
    repair(shop.on(scratch), mark_applied=True, reason="the row is there")
    assert query(scratch, "SELECT version_num FROM alembic_version") == [("b2",)]
