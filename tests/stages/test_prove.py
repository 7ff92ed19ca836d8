"""The round trip finds what is seeded, each thing once, and nothing in the twin without it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import make_url

from tests.servers import variable
from tests.whole_projects import MakeProject, Whole, query, revision, tables, text
from topchef_schema import roundtrip, upgrade

if TYPE_CHECKING:
    from topchef_schema.backends.base import Server
    from topchef_schema.model import Report

TRACE = "downgrade-leaves-trace"
NOT_AGAIN = "upgrade-not-repeatable"

LEAKS: list[tuple[str, str, str | None, tuple[bool, bool]]] = [
    ("02table", TRACE, "table kept", (False, True)),
    ("03index", TRACE, "index items.ix_items_price", (False, True)),
    ("04column", TRACE, "column shops.city", (False, True)),
    ("06changed", TRACE, "column shops.name", (True, True)),
    ("07again", NOT_AGAIN, None, (False, False)),
    ("08other", NOT_AGAIN, "column counted.run_0", (True, False)),
    ("08other", NOT_AGAIN, "column counted.run_1", (False, True)),
    ("09rows", "data-lost", "table items", (True, True)),
    ("10values", "data-lost", "column items.price", (True, True)),
    ("11filled", "fails-on-rows", "table items", (False, False)),
    ("12down", "downgrade-fails", None, (False, False)),
]
"""Revision, rule, object, and whether it was there before, and after."""

LINES = {
    "07again": "op.bulk_insert",
    "11filled": "uq_items_kind",
    "12down": "op.drop_table",
}
"""Where something failed, the finding names the line; everywhere else that of the downgrade."""


def proven(whole: Whole, server: Server, *arguments: str, **options: Any) -> Report:
    report: Report = roundtrip(whole.load(), *arguments, on=[text(server)], **options)
    return report


def outcomes(report: Report) -> dict[str, str]:
    return {check.revision: str(check.outcome) for check in report.checks if check.revision}


@pytest.mark.fact(8)
def test_each_leak_is_found_once(project: MakeProject, server: Server, backend_name: str) -> None:
    shop = project("leaky")
    report = proven(shop, server)

    expected = list(LEAKS)
    if backend_name == "postgresql":
        expected.insert(3, ("05enum", TRACE, "enum parrot_mood", (False, True)))
    found = [
        (
            each.revision,
            each.rule,
            each.object and each.object.replace("public.", ""),
            (each.before is not None, each.after is not None),
        )
        for each in report.findings
        # A primary key has another name, or none, on each of them.
        if not (each.object or "").startswith(("constraint", "primary-key"))
    ]
    assert found == expected
    for finding in report.findings:
        assert finding.revision is not None
        line = shop.line(finding.revision, LINES.get(finding.revision, "def downgrade"))
        assert (finding.path, finding.line) == (
            f"alembic/versions/{finding.revision}.py",
            line,
        )
        assert finding.backend == backend_name
        assert str(finding.severity) == ("warning" if finding.rule == "fails-on-rows" else "error")
    changed = next(each for each in report.findings if each.revision == "06changed")
    assert ("40" in str(changed.before), "60" in str(changed.after)) == (True, True)

    bad = {each for each, rule, *_ in expected if rule != "fails-on-rows"}
    assert outcomes(report) == {
        each.id: "failed" if each.id in bad else "passed" for each in shop.load().revisions.all
    }
    assert report.exit_code() == 10


def test_the_twin_without_leaks_is_clean(project: MakeProject, server: Server) -> None:
    report = proven(project("leaky", repaired=True), server)
    assert report.findings == ()
    assert set(outcomes(report).values()) == {"passed"}
    assert len(outcomes(report)) == 13
    assert report.exit_code() == 0


def test_refusals_and_empty_downgrades_are_no_errors(project: MakeProject, server: Server) -> None:
    shop = project("irreversible")
    report = proven(shop, server)
    assert [
        (each.revision, each.rule, str(each.severity), each.line) for each in report.findings
    ] == [
        ("b2b2", "irreversible", "info", shop.line("b2b2", "raise")),
        ("c3c3", "irreversible", "info", None),
        ("d4d4", "empty-downgrade", "info", shop.line("d4d4", "def downgrade")),
    ]
    assert set(outcomes(report).values()) == {"passed"}
    assert report.exit_code() == 0


def test_an_empty_downgrade_of_rows_is_told(project: MakeProject, server: Server) -> None:
    """And is no end: what comes after is proven, and so is the whole way down."""
    words = 'sa.Column("id", sa.Integer, primary_key=True), sa.Column("word", sa.String(20))'
    bodies = {
        "b2": "op.execute(\"UPDATE words SET word = 'same' WHERE id > 1\")",
        "c3": "op.execute(\"INSERT INTO words (word) VALUES ('seed')\")",
        "d4": "op.execute(\"UPDATE words SET word = 'x' WHERE word = 'not there'\")",
        "e5": 'op.get_bind().execute(sa.text("SELECT word FROM words"))',
        "f6": "pass",
    }
    parents = ("a1", *bodies)
    versions = {
        f"{id}.py": revision(id, body, '"""It may stay."""', down=down)
        for (id, body), down in zip(bodies.items(), parents, strict=False)
    }
    versions["a1.py"] = revision(
        "a1", f'op.create_table("words", {words})', 'op.drop_table("words")'
    )
    shop = project(versions=versions)
    report = proven(shop, server)
    empty = [each for each in report.findings if each.rule == "empty-downgrade"]
    assert [(each.revision, each.severity) for each in empty] == [("b2", "info"), ("c3", "info")]
    assert {str(each.object).replace("public.", "") for each in empty} == {"table words"}
    assert {str(each.outcome) for each in report.checks} == {"passed", "skipped"}
    (down,) = (each for each in report.checks if each.name == "the whole way down to base")
    assert down.outcome == "passed"

    strict = proven(shop, server, strict=True)
    assert [each.revision for each in strict.findings if each.severity == "error"] == ["b2", "c3"]


@pytest.mark.backends("sqlite")
def test_strict_makes_them_errors(project: MakeProject, server: Server) -> None:
    strict = proven(project("irreversible"), server, "b2b2:d4d4", strict=True)
    assert [each.rule for each in strict.findings] == ["irreversible", "empty-downgrade"]
    assert strict.exit_code() == 10


def test_branches_and_merges_once_each(project: MakeProject, server: Server) -> None:
    merged = revision("dddd", "pass", down=("b2b2", "c1c1"), message="merge")
    after = revision(
        "eeee",
        'op.create_table("late", sa.Column("id", sa.Integer, primary_key=True))',
        'op.drop_table("late")',
        down="dddd",
    )
    shop = project("branched", versions={"d.py": merged, "e.py": after})
    report = proven(shop, server)
    assert report.findings == ()
    assert sorted(check.revision for check in report.checks if check.revision) == [
        "a0a0",
        "b1b1",
        "b2b2",
        "c1c1",
        "dddd",
        "eeee",
    ]


@pytest.mark.backends("sqlite", "mariadb")
def test_what_stands_on_a_failed_upgrade_is_pending(project: MakeProject, server: Server) -> None:
    fails = revision("b2b2", 'op.execute("INSERT INTO nowhere VALUES (1)")', down="a0a0")
    on_it = revision("c3c3", "pass", down="b2b2")
    beside = revision(
        "d4d4",
        'op.create_table("beside", sa.Column("id", sa.Integer, primary_key=True))',
        'op.drop_table("beside")',
        down="a0a0",
    )
    base = revision(
        "a0a0",
        'op.create_table("base", sa.Column("id", sa.Integer, primary_key=True))',
        'op.drop_table("base")',
    )
    shop = project(versions={"a.py": base, "b.py": fails, "c.py": on_it, "d.py": beside})
    report = proven(shop, server)
    assert outcomes(report) == {
        "a0a0": "passed",
        "b2b2": "failed",
        "c3c3": "pending",
        "d4d4": "passed",
    }
    (finding,) = report.findings
    assert (finding.rule, finding.revision) == ("upgrade-fails", "b2b2")
    assert "nowhere" in str(finding.sql)


@pytest.mark.backends("sqlite")
@pytest.mark.backends("postgresql")
def test_what_failed_is_said_in_the_same_words_each_time(
    project: MakeProject, server: Server
) -> None:
    up = 'op.create_table("t", sa.Column("id", sa.Integer))'
    nameless = 'op.drop_constraint(None, "t", type_="foreignkey")'
    (finding,) = proven(project(versions={"a.py": revision("a1", up, nameless)}), server).findings
    assert finding.message.startswith("the downgrade fails: Can't emit DROP CONSTRAINT")
    assert " object>" in finding.message
    assert "0x" not in finding.message


def test_range_proves_that_range_alone(project: MakeProject, server: Server) -> None:
    report = proven(project("leaky"), server, "11filled:13last")
    assert outcomes(report) == {"12down": "failed", "13last": "passed"}
    assert [each.rule for each in report.findings] == ["downgrade-fails"]
    assert report.data["revisions"] == ["12down", "13last"]


@pytest.mark.backends("sqlite")
def test_revision_that_needs_rows(project: MakeProject, server: Server) -> None:
    """What is proven on filled tables must not end as a bug when the way to others has none."""
    base = revision(
        "a1",
        'op.create_table("base", sa.Column("id", sa.Integer, primary_key=True))',
        'op.drop_table("base")',
    )
    needs = revision(
        "b2",
        'op.get_bind().execute(sa.text("SELECT id FROM base")).first() or 1 / 0',
        'op.execute("UPDATE base SET id = id")',
        down="a1",
    )
    leaks = revision(
        "c3",
        'op.create_table("c", sa.Column("id", sa.Integer, primary_key=True))\n'
        'op.create_table("d", sa.Column("id", sa.Integer, primary_key=True))',
        'op.drop_table("c")',
        down="b2",
    )
    last = revision("d4", "pass", down="c3")
    versions = {"a.py": base, "b.py": needs, "c.py": leaks, "d.py": last}
    report = proven(project(versions=versions), server)
    assert [(each.rule, each.revision) for each in report.findings] == [
        (TRACE, "c3"),
        ("upgrade-fails", "b2"),
    ]
    assert "division by zero" in report.findings[1].message
    assert outcomes(report)["d4"] == "passed"


NOTES_WHERE = """\
with open("where", "a") as file:
    file.write(op.get_bind().engine.url.database + chr(10))"""


@pytest.mark.parametrize("fails", [False, True])
def test_scratch_databases_are_gone(
    project: MakeProject, server: Server, backend_name: str, *, fails: bool
) -> None:
    body = NOTES_WHERE + ("\n1 / 0" if fails else "")
    shop = project(versions={"a.py": revision("a1", body)})
    assert outcomes(proven(shop, server)) == {"a1": "failed" if fails else "passed"}
    names = set((shop.root / "where").read_text().split())
    assert all("topchef_scratch_" in name for name in names)
    if backend_name == "sqlite":
        assert not any(Path(name).parent.exists() for name in names)
        return
    question = "SHOW DATABASES"
    if backend_name == "postgresql":
        question = "SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles"
    assert not names & {row[0] for row in query(text(server), question)}


@pytest.mark.backends("sqlite")
def test_nothing_is_done_to_the_projects_own_database(project: MakeProject, server: Server) -> None:
    shop = project("linear")
    upgrade(shop.here(), "aa10")
    before = shop.file.read_bytes()
    report = roundtrip(shop.here(), on=[text(server)])
    assert outcomes(report) == dict.fromkeys(("aa10", "bb20", "cc30"), "passed")
    assert shop.file.read_bytes() == before


@pytest.mark.backends("sqlite", "postgresql")
def test_fail_fast(project: MakeProject, server: Server) -> None:
    report = proven(project("leaky"), server, fail_fast=True)
    found = list(outcomes(report).values())
    assert found == ["passed", "failed", *["pending"] * 11]
    assert {each.revision for each in report.findings} == {"02table"}
    assert report.exit_code() == 10


@pytest.mark.parametrize("fast", [False, True])
def test_kept_database_is_as_the_first_unclean_revision_left_it(
    project: MakeProject, server: Server, backend_name: str, *, fast: bool
) -> None:
    report = proven(project("leaky"), server, ":03index", keep=True, fail_fast=fast)
    (kept,) = report.data["kept"]
    place = make_url(kept["url"]).set(password=server.url.password, query=server.url.query)
    try:
        assert (kept["backend"], kept["revision"]) == (backend_name, "02table")
        assert str(server.url.password) not in kept["url"]
        found = tables(place.render_as_string(hide_password=False))
        assert {"shops", "items", "kept"} <= found
        # The next one had a database of its own.
        assert {each.revision for each in report.findings} == {"02table"} | (
            set() if fast else {"03index"}
        )
    finally:
        if backend_name == "sqlite":
            shutil.rmtree(Path(str(place.database)).parent)
        else:
            server.remove(str(place.database))


@pytest.mark.backends("postgresql")
def test_nothing_is_kept_of_a_throwaway_server(
    project: MakeProject,
    backend_name: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(variable(backend_name), raising=False)
    with caplog.at_level("INFO", "topchef_schema"):
        report = roundtrip(project("leaky").load(), ":02table", on=[backend_name], keep=True)
    assert report.data["kept"] == []
    assert "TOPCHEF_POSTGRESQL_SERVER" in caplog.text


THINGS = revision(
    "a1",
    """\
op.create_table(
    "things",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(20), nullable=False),
    sa.Column("price", sa.Integer),
    sa.Column("note", sa.String(9)),
)""",
    'op.drop_table("things")',
)


def told(report: Report) -> list[tuple[str, str, str]]:
    return [
        (each.rule, str(each.severity), str(each.object).replace("public.", ""))
        for each in report.findings
    ]


@pytest.mark.backends("sqlite", "postgresql", "mariadb")
def test_rows_that_change_places(project: MakeProject, server: Server) -> None:
    """And what the upgrade itself does, and what it renames, is no loss."""
    swaps = revision(
        "b2",
        """\
op.execute("UPDATE things SET note = 'new'")
op.execute("ALTER TABLE things RENAME COLUMN price TO cents")""",
        """\
op.execute("ALTER TABLE things RENAME COLUMN cents TO price")
found = op.get_bind().execute(sa.text("SELECT id, name FROM things WHERE id < 3 ORDER BY id"))
rows = found.all()
for (id, _), (_, name) in zip(rows, rows[::-1]):
    update = sa.text("UPDATE things SET name = :name WHERE id = :id")
    op.execute(update.bindparams(name=name, id=id))""",
        down="a1",
    )
    report = proven(project(versions={"a.py": THINGS, "b.py": swaps}), server)
    assert told(report) == [
        ("data-changed", "info", "column things.note"),
        ("data-lost", "error", "column things.name"),
    ]
    lost = report.findings[1]
    assert (lost.before, lost.after, lost.line) == ("2 values", "0 values", 15)
    assert "for example 'é0'" in lost.message


def test_rows_that_the_upgrade_adds_to_others(project: MakeProject, server: Server) -> None:
    """They are added again with another number, and at another time."""
    made = """\
op.create_table(
    "seeded",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(20)),
    sa.Column("made", sa.DateTime, server_default=sa.func.now()),
)"""
    adds = """\
import time, uuid
time.sleep(1.1)
names = sa.table("seeded", sa.column("name"))
op.bulk_insert(names, [{"name": f"seed {uuid.uuid4().hex[:8]}"} for _ in range(2)])"""
    versions = {
        "a.py": revision("a1", made, 'op.drop_table("seeded")'),
        "b.py": revision(
            "b2", adds, "op.execute(\"DELETE FROM seeded WHERE name LIKE 'seed %'\")", down="a1"
        ),
        "c.py": revision("c3", adds, 'op.execute("DELETE FROM seeded WHERE id > 1")', down="b2"),
    }
    report = proven(project(versions=versions), server)
    errors = [each for each in report.findings if str(each.severity) == "error"]
    assert [(each.rule, each.revision) for each in errors] == [("data-lost", "c3")]


@pytest.mark.backends("sqlite")
def test_declared_findings(project: MakeProject, server: Server) -> None:
    loses = revision(
        "b2b2",
        "pass",
        """op.execute("UPDATE things SET name = '', price = 0")""",
        down="a1",
    )
    settings = """\
[topchef.roundtrip]
allow =
    data-lost b2 column things.name : names are nothing
    downgrade-fails a1 : was so once
    downgrade-fails zz : no such revision
    downgrade-fails c3 : not proven
"""
    refuses = revision("c3", "pass", "raise ValueError('no')", down="b2b2")
    versions = {"a.py": THINGS, "b.py": loses, "c.py": refuses}
    shop = project(versions=versions, settings=settings)
    report = proven(shop, server, ":b2b2")
    assert told(report) == [
        ("data-lost", "info", "column things.name"),
        ("data-lost", "error", "column things.price"),
        ("stale-exemption", "warning", "None"),
        ("stale-exemption", "warning", "None"),
    ]
    assert report.findings[0].message.endswith("(declared: names are nothing)")
    assert outcomes(report)["b2b2"] == "failed"

    allowed = 'topchef_allow = ["data-lost column things.price: it is in b2b2"]\n'
    shop.write("alembic/versions/b.py", loses + allowed)
    report = proven(shop, server, strict=True)
    assert outcomes(report)["b2b2"] == "passed"
    assert ("irreversible", "error", "None") in told(report)
    assert report.exit_code() == 10

    shop.write("alembic/versions/b.py", loses + 'topchef_allow = "data-lost"\n')
    done = shop.call("roundtrip")
    assert done.returncode == 2
    assert "RULE: reason" in done.stderr


@pytest.mark.backends("sqlite", "postgresql", "mariadb")
def test_what_fails_on_some_rows_is_proven_on_others(project: MakeProject, server: Server) -> None:
    """A new UNIQUE fails on duplicates; on rows without them its downgrade is seen to lose some."""
    unique = revision(
        "b2",
        'op.create_index("uq", "things", ["name"], unique=True)',
        """\
op.drop_index("uq", "things")
op.execute("UPDATE things SET price = 0")""",
        down="a1",
    )
    after = revision("c3", "pass", """op.execute("UPDATE things SET note = 'x'")""", down="b2")
    report = proven(project(versions={"a.py": THINGS, "b.py": unique, "c.py": after}), server)
    assert told(report) == [
        ("fails-on-rows", "warning", "table things"),
        ("data-lost", "error", "column things.price"),
        ("data-lost", "error", "column things.note"),
    ]
    warning, lost, later = report.findings
    assert warning.message.endswith("(plainer ones go through)")
    shown = re.findall(r"\((\w+ = \S+),", str(warning.help))
    assert len(shown) > 1
    assert set(shown) <= {"name = 'é0'", "name = ''"}, "others are there once"
    assert lost.before == "3 values"
    # The next revision has them all again.
    assert later.before is not None
    assert int(later.before.split()[0]) > 3


def test_the_rows_that_are_shown_are_those_that_fail(project: MakeProject, server: Server) -> None:
    filled = revision(
        "b2",
        'with op.batch_alter_table("things") as batch:\n'
        '    batch.alter_column("note", existing_type=sa.String(9), nullable=False)',
        'with op.batch_alter_table("things") as batch:\n'
        '    batch.alter_column("note", existing_type=sa.String(9), nullable=True)',
        down="a1",
    )
    report = proven(project(versions={"a.py": THINGS, "b.py": filled}), server)
    (warning,) = report.findings
    assert warning.rule == "fails-on-rows"
    shown = re.findall(r"\((\w+ = \S+),", str(warning.help))
    assert set(shown) == {"note = None"}, warning


@pytest.mark.backends("sqlite", "postgresql", "mariadb")
def test_a_downgrade_that_fails_on_rows_alone(project: MakeProject, server: Server) -> None:
    """The upgrade changes no schema: nothing but the version row tells that it was taken."""
    back = revision("b2", "pass", """op.execute("UPDATE things SET name = NULL")""", down="a1")
    after = revision("c3", "pass", down="b2")
    report = proven(project(versions={"a.py": THINGS, "b.py": back, "c.py": after}), server)
    assert told(report)[0] == ("fails-on-rows", "warning", "table things")
    assert {each.rule for each in report.findings} == {"fails-on-rows"}
    assert set(outcomes(report).values()) == {"passed"}
