"""A database without version rows is adopted only at what it proves equal to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.documents_of_reports import checked
from tests.whole_projects import MakeProject, Whole, execute, query, revision, tables, text
from topchef_schema import baseline, status, upgrade
from topchef_schema.errors import HistoryError, UsageError

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase


def unmarked(shop: Whole, database: ScratchDatabase, at: str) -> None:
    """Bring *database* to a revision, and forget that it is there."""
    upgrade(shop.on(database), at)
    execute(database, "DROP TABLE alembic_version", "DROP TABLE topchef_history")


def test_the_newest_equal_one(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear")
    unmarked(shop, scratch, "bb20")
    shown = baseline(shop.on(scratch), dry_run=True)
    assert (shown.findings, shown.data["equal"]) == ((), ["bb20"])
    assert "alembic_version" not in tables(scratch)
    report = baseline(shop.on(scratch), reason="was made by hand")
    assert (report.findings, report.data["before"], report.data["current"]) == ((), [], ["bb20"])
    rows = query(scratch, "SELECT revision, direction, status, reason FROM topchef_history")
    assert rows == [("bb20", "up", "baselined", "was made by hand")]
    assert status(shop.on(scratch)).data["pending"] == ["cc30"]
    upgrade(shop.on(scratch))
    with pytest.raises(HistoryError, match="has version rows already: it is at cc30"):
        baseline(shop.on(scratch))


def test_none_is_equal(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear")
    unmarked(shop, scratch, "bb20")
    execute(scratch, "ALTER TABLE authors ADD COLUMN stranger INTEGER")
    done = shop.call("baseline", "--format", "json", "--url", text(scratch))
    document = checked(done.stdout)
    assert done.returncode == 10
    assert document["data"]["nearest"] == "bb20"
    (only,) = document["findings"]
    assert (only["rule"], only["revision"], only["object"], only["before"]) == (
        "schema-differs",
        "bb20",
        "column authors.stranger" if "public" not in only["object"] else only["object"],
        None,
    )
    assert "alembic_version" not in tables(scratch)
    plain = shop.call("baseline", "--url", text(scratch))
    assert "bb20 is the nearest, with 1 difference" in plain.stdout


def test_a_named_one(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear")
    unmarked(shop, scratch, "bb20")
    other = baseline(shop.on(scratch), "aa10")
    assert other.exit_code() == 10
    assert {each.revision for each in other.findings} == {"aa10"}
    assert "alembic_version" not in tables(scratch)
    assert baseline(shop.on(scratch), "bb20").data["current"] == ["bb20"]


def test_revisions_that_only_move_rows(project: MakeProject, scratch: ScratchDatabase) -> None:
    versions = {
        "a.py": revision("a1a1", "op.create_table('t', sa.Column('id', sa.Integer))"),
        "b.py": revision("b2b2", "op.execute('INSERT INTO t VALUES (1)')", down="a1a1"),
        "c.py": revision("c3c3", "op.add_column('t', sa.Column('x', sa.Integer))", down="b2b2"),
    }
    shop = project(versions=versions)
    unmarked(shop, scratch, "b2b2")
    shown = baseline(shop.on(scratch), dry_run=True)
    assert shown.data["equal"] == ["b2b2", "a1a1"]
    assert [(each.rule, str(each.severity)) for each in shown.findings] == [
        ("not-the-only-one", "warning")
    ]
    assert "the schema is also that of a1a1" in shown.findings[0].message
    named = baseline(shop.on(scratch), "a1a1")
    assert (named.findings, named.data["current"]) == ((), ["a1a1"])


GRANTS = """\
op.execute("CREATE TABLE t (id INTEGER)")
op.execute("GRANT SELECT ON t TO PUBLIC")
op.execute("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC")"""


@pytest.mark.backends("postgresql")
def test_what_is_granted_beyond_the_revisions(
    project: MakeProject, scratch: ScratchDatabase
) -> None:
    shop = project(versions={"a.py": revision("a1a1", GRANTS)})
    unmarked(shop, scratch, "a1a1")
    further = ("GRANT INSERT ON t TO pg_monitor", "GRANT USAGE ON SCHEMA public TO pg_monitor")
    execute(scratch, *further, "ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO pg_monitor")
    assert baseline(shop.on(scratch), dry_run=True).findings == ()
    execute(scratch, "REVOKE SELECT ON t FROM PUBLIC")
    (lacks,) = baseline(shop.on(scratch)).findings
    assert lacks.object == "grants table public.t"
    assert (lacks.before, lacks.after) == ("grant SELECT to PUBLIC", "grant INSERT to pg_monitor")


def test_branches(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("branched")
    unmarked(shop, scratch, "heads")
    assert baseline(shop.on(scratch)).data["current"] == ["b2b2", "c1c1"]


def test_a_revision_that_cannot_be_built(project: MakeProject, scratch: ScratchDatabase) -> None:
    """What was built before it is compared all the same."""
    shop = project("linear")
    unmarked(shop, scratch, "bb20")
    shop.write("alembic/versions/dd40.py", revision("dd40", "op.drop_table('none')", down="cc30"))
    assert baseline(shop.on(scratch), dry_run=True).data["equal"] == ["bb20"]
    assert shop.call("baseline", "dd40", "--url", text(scratch)).returncode == 5


def test_it_moves_meanwhile(
    project: MakeProject, scratch: ScratchDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    from topchef_schema.stages import adopt

    shop = project("linear")
    unmarked(shop, scratch, "bb20")
    found = adopt.search(shop.on(scratch), None, None)
    state = adopt.agreed(found)
    assert state is not None
    execute(scratch, "ALTER TABLE authors ADD COLUMN stranger INTEGER")
    with pytest.raises(HistoryError, match="has moved since"):
        adopt.adopt(shop.on(scratch), found, state, reason=None, history=True)
    rows = (
        query(scratch, "SELECT * FROM alembic_version")
        if ("alembic_version" in tables(scratch))
        else []
    )
    assert rows == []


def test_nothing_to_adopt(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear")
    with pytest.raises(HistoryError, match="is empty"):
        baseline(shop.on(scratch))
    assert tables(scratch) == set()


def test_another_kind_of_server(project: MakeProject) -> None:
    shop = project("linear")
    upgrade(shop.here())
    execute(shop.url, "DROP TABLE alembic_version")
    with pytest.raises(UsageError, match="schemas of two kinds do not compare"):
        baseline(shop.here(), on="postgresql")
