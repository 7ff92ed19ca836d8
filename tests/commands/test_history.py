"""Who moved this database, when, from where; and what moved it without us."""

from __future__ import annotations

import getpass
import platform
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

import topchef_schema
from tests.documents_of_reports import checked
from tests.whole_projects import MakeProject, Whole, execute, query, revision, tables, text
from topchef_schema import downgrade, history, stamp, status, upgrade
from topchef_schema.errors import HistoryError, MigrationError
from topchef_schema.model import JOURNAL_TABLE
from topchef_schema.model.file_fingerprint import fingerprint

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend, ScratchDatabase

COLUMNS = (
    "run_id, revision, direction, status, started_at, finished_at, milliseconds, database_user, "
    "os_user, host, tool_version, git_commit, file_sha256, reason, error"
)


def statuses(report: topchef_schema.Report) -> dict[str, str]:
    return {row["revision"]: row["status"] for row in report.data["revisions"]}


def test_rows(project: MakeProject, scratch: ScratchDatabase, backend: Backend) -> None:
    shop = project("linear")
    before = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    upgrade(shop.on(scratch), "bb20")
    downgrade(shop.on(scratch), "-1")
    after = datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=1)

    rows = query(scratch, f"SELECT {COLUMNS} FROM topchef_history ORDER BY id")
    assert [(row.revision, row.direction, row.status) for row in rows] == [
        ("aa10", "up", "applied"),
        ("bb20", "up", "applied"),
        ("bb20", "down", "reverted"),
    ]
    assert rows[0].run_id == rows[1].run_id != rows[2].run_id
    for row in rows:
        started, finished = (
            datetime.fromisoformat(each) if isinstance(each, str) else each
            for each in (row.started_at, row.finished_at)
        )
        assert before - timedelta(seconds=1) <= started <= finished <= after
        assert 0 <= row.milliseconds < 60_000
        assert (row.os_user, row.host) == (getpass.getuser(), platform.node())
        assert row.tool_version == topchef_schema.__version__
        assert row.git_commit == "0123456789abcdef"
        assert (row.reason, row.error) == (None, None)
        (file,) = shop.versions.glob(f"{row.revision}*.py")
        assert row.file_sha256 == fingerprint(file.read_bytes())
        assert (row.database_user is None) is (backend.name == "sqlite")
        assert (row.database_user or "").partition("@")[0] == (scratch.url.username or "")

    # The same for a reader, and in the order of the project, newest first.
    report = history(shop.on(scratch))
    assert statuses(report) == {"cc30": "pending", "bb20": "pending", "aa10": "applied"}
    applied = report.data["revisions"][-1]
    assert list(applied) == [
        "revision",
        "down_revisions",
        "message",
        "status",
        "applied_at",
        "milliseconds",
        "by",
        "git_commit",
        "tool_version",
    ]
    assert applied["applied_at"].endswith("Z")
    assert applied["by"].startswith(f"{getpass.getuser()}@{platform.node()}")
    assert (applied["git_commit"], applied["tool_version"]) == (
        "0123456789abcdef",
        topchef_schema.__version__,
    )
    assert len(report.data["events"]) == 3
    for event in report.data["events"]:
        assert (event["os_user"], event["host"]) == (getpass.getuser(), platform.node())
    shown = shop.call("history", "--url", text(scratch)).stdout.splitlines()
    assert f"{topchef_schema.__version__} at 0123456789  authors and books" in shown[-1]
    assert f"{getpass.getuser()}@{platform.node()}" in shown[-1]
    assert f"{applied['milliseconds']} ms" in shown[-1]


def test_line_ends_do_not_change_the_hash(project: MakeProject) -> None:
    found = []
    for end in ("\n", "\r\n"):
        shop = project(versions={})
        (shop.versions / "a.py").write_bytes(revision("a1", "pass").replace("\n", end).encode())
        upgrade(shop.here())
        found += query(shop.url, "SELECT file_sha256 FROM topchef_history")
    assert found[0] == found[1]


def test_failed_row_names_the_error(project: MakeProject, scratch: ScratchDatabase) -> None:
    bad = revision("a1", "op.execute(\"INSERT INTO nowhere VALUES ('secret value')\")")
    shop = project(env="step_by_step", versions={"a.py": bad})
    with pytest.raises(MigrationError):
        upgrade(shop.on(scratch))
    (row,) = query(scratch, "SELECT error, finished_at FROM topchef_history")
    assert "nowhere" in row.error
    assert "\n" not in row.error
    assert "secret value" not in row.error
    assert row.finished_at is not None
    assert statuses(history(shop.on(scratch))) == {"a1": "pending"}


def test_without_history(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear")
    upgrade(shop.on(scratch), history=False)
    downgrade(shop.on(scratch), "-1", history=False)
    stamp(shop.on(scratch), "aa10", history=False)
    assert "topchef_history" not in tables(scratch)
    assert statuses(history(shop.on(scratch))) == {
        "cc30": "pending",
        "bb20": "pending",
        "aa10": "applied by alembic",
    }


def test_drop_keeps_the_rows_in_the_report(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear")
    upgrade(shop.on(scratch))
    done = shop.call(
        "history", "--drop", "--url", text(scratch), "--format", "json", "-o", "h.json"
    )
    assert done.returncode == 0, done.stderr
    kept = checked((shop.root / "h.json").read_text())["data"]
    assert [row["revision"] for row in kept["events"]] == ["aa10", "bb20", "cc30"]
    assert tables(scratch) == {"alembic_version", "authors", "books"}
    assert query(scratch, "SELECT version_num FROM alembic_version") == [("cc30",)]
    # Again, and it is no error; a later move begins a new history.
    assert shop.call("history", "--drop", "--url", text(scratch)).returncode == 0
    downgrade(shop.on(scratch), "-1")
    assert len(history(shop.on(scratch)).data["events"]) == 1


def test_drop_keeps_the_rows_in_a_text_as_well(project: MakeProject) -> None:
    shop = project("linear")
    upgrade(shop.here())
    downgrade(shop.here(), "base", accept_data_loss=True)
    done = shop.call("history", "--drop", "--url", shop.url)
    assert [done.stdout.count(each) for each in ("applied", "reverted")] == [3, 3]


def test_drop_makes_no_database(project: MakeProject) -> None:
    shop = project("linear")
    assert shop.call("history", "--drop", "--url", shop.url).returncode == 0
    assert not shop.file.exists()


def test_listing_without_a_database(project: MakeProject) -> None:
    shop = project("linear")
    report = history(shop.load())
    assert report.target is None
    assert statuses(report) == {"cc30": None, "bb20": None, "aa10": None}
    assert [row["revision"] for row in history(shop.load(), "aa10:bb20").data["revisions"]] == [
        "bb20"
    ]
    assert [row["revision"] for row in history(shop.load(), "head-1").data["revisions"]] == ["bb20"]


def test_stamp(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear")
    report = stamp(shop.on(scratch), "bb20", reason="restored from a dump")
    assert report.data == {"before": [], "current": ["bb20"]}
    assert tables(scratch) - {JOURNAL_TABLE} == {"alembic_version", "topchef_history"}
    rows = history(shop.on(scratch))
    assert statuses(rows) == {"cc30": "pending", "bb20": "stamped", "aa10": "stamped"}
    assert [(row["revision"], row["direction"], row["reason"]) for row in rows.data["events"]] == [
        ("bb20", "up", "restored from a dump")
    ]
    assert status(shop.on(scratch)).data["pending"] == ["cc30"]

    assert stamp(shop.on(scratch), "head").data["current"] == ["cc30"]
    assert stamp(shop.on(scratch), "-1").data["current"] == ["bb20"]
    assert stamp(shop.on(scratch), "base").data["current"] == []
    assert set(statuses(history(shop.on(scratch))).values()) == {"pending"}
    assert query(scratch, "SELECT version_num FROM alembic_version") == []
    # What plain alembic does now is not put down to an old stamp.
    execute(scratch, "INSERT INTO alembic_version VALUES ('bb20')")
    assert statuses(history(shop.on(scratch)))["bb20"] == "applied by alembic"


def test_stamp_of_branches(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("branched")
    assert stamp(shop.on(scratch), "heads").data["current"] == ["b2b2", "c1c1"]
    assert stamp(shop.on(scratch), "base").data["current"] == []
    assert stamp(shop.on(scratch), ["billing@head", "shipping@head"]).data["current"] == [
        "b2b2",
        "c1c1",
    ]


def test_purge_forgets_what_nobody_knows(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear")
    upgrade(shop.on(scratch))
    execute(scratch, "UPDATE alembic_version SET version_num = 'lost'")
    assert stamp(shop.on(scratch), "cc30", purge=True).data["current"] == ["cc30"]
    assert query(scratch, "SELECT version_num FROM alembic_version") == [("cc30",)]


def test_status(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("branched")
    assert status(shop.on(scratch)).data == {
        "current": [],
        "heads": ["b2b2", "c1c1"],
        "pending": ["a0a0", "b1b1", "c1c1", "b2b2"],
    }
    report = status(shop.on(scratch), check=True)
    (finding,) = report.findings
    assert (finding.rule, str(finding.severity), report.exit_code()) == (
        "pending-revisions",
        "error",
        10,
    )
    upgrade(shop.on(scratch), "shipping@head")
    assert status(shop.on(scratch)).data == {
        "current": ["c1c1"],
        "heads": ["b2b2", "c1c1"],
        "pending": ["b2b2"],
    }
    upgrade(shop.on(scratch))
    assert status(shop.on(scratch), check=True).exit_code() == 0


def test_stamp_settles_what_an_older_one_took_away(project: MakeProject) -> None:
    shop = project("linear")
    for place in ("bb20", "base", "cc30"):
        stamp(shop.here(), place)
    found = statuses(history(shop.here()))
    assert found == {"cc30": "stamped", "bb20": "stamped", "aa10": "stamped"}


def test_events_for_a_reader(project: MakeProject) -> None:
    shop = project("linear")
    upgrade(shop.here(), "aa10")
    stamp(shop.here(), "bb20", reason="restored from a dump")
    done = shop.call("history", "--events", "--url", shop.url)
    header, first, second = done.stdout.splitlines()
    assert header.split() == ["at", "revision", "status", "took", "by", "with", "why"]
    assert first.split()[2:5] == ["aa10", "up", "applied"]
    assert second.split()[2:5] == ["bb20", "up", "stamped"]
    assert second.endswith("restored from a dump")


def test_moves_of_plain_alembic(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear", ini=f"sqlalchemy.url = {text(scratch).replace('%', '%%')}")
    assert shop.alembic("upgrade", "aa10").returncode == 0
    # No history at all: nothing to hold the version table against.
    assert status(shop.on(scratch)).findings == ()
    done = shop.call("upgrade", "bb20", "--url", text(scratch))
    assert "without a row" not in done.stderr
    assert moves(shop, scratch) == "without a row in topchef_history: aa10 applied"
    assert shop.alembic("upgrade", "cc30").returncode == 0
    assert moves(shop, scratch) == "without a row in topchef_history: aa10, cc30 applied"
    assert shop.alembic("downgrade", "aa10").returncode == 0
    assert moves(shop, scratch) == (
        "without a row in topchef_history: aa10 applied and bb20 reverted"
    )
    assert statuses(history(shop.on(scratch))) == {
        "cc30": "pending",
        "bb20": "reverted by alembic",
        "aa10": "applied by alembic",
    }
    done = shop.call("upgrade", "--url", text(scratch))
    assert ": moved without a row in topchef_history: aa10 applied and bb20 reverted" in done.stderr
    assert moves(shop, scratch) == "without a row in topchef_history: aa10 applied"


def moves(shop: Whole, scratch: ScratchDatabase) -> str:
    (finding,) = status(shop.on(scratch)).findings
    assert (finding.rule, str(finding.severity)) == ("moved-without-history", "info")
    return str(finding.message).partition(": ")[2]


def test_moves_of_plain_alembic_after_a_stamp(project: MakeProject) -> None:
    shop = project("branched")
    stamp(shop.here(), "heads")
    assert status(shop.here()).findings == ()
    # One branch down by a stamp: what both stand on stays.
    stamp(shop.here(), "billing@base")
    assert status(shop.here()).findings == ()
    stamp(shop.here(), "b1b1")
    stamp(shop.here(), "a0a0")
    found = status(shop.here())
    assert (found.data["current"], found.findings) == (["a0a0"], ())


@pytest.mark.parametrize("command", ["upgrade", "upgrade --dry-run", "status", "downgrade base"])
def test_revision_of_another_release(
    project: MakeProject, scratch: ScratchDatabase, command: str
) -> None:
    shop = project("linear")
    upgrade(shop.on(scratch))
    (newest,) = shop.versions.glob("cc30*.py")
    newest.unlink()
    before = query(scratch, "SELECT * FROM topchef_history")
    done = shop.call(*command.split(), "--url", text(scratch))
    assert done.returncode == 8
    assert re.search(
        r"error: revision cc30, applied on \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ from git commit "
        r"0123456789abcdef, is not in this project\n",
        done.stderr,
    )
    assert "help: deploy that release, or downgrade from there" in done.stderr
    assert query(scratch, "SELECT * FROM topchef_history") == before
    assert query(scratch, "SELECT version_num FROM alembic_version") == [("cc30",)]
    # `history` shows it, with all that is known of it.
    row = history(shop.on(scratch)).data["revisions"][0]
    assert (row["revision"], row["status"]) == ("cc30", "applied, not in this project")
    assert row["git_commit"] == "0123456789abcdef"


def test_unknown_revision_without_a_history(project: MakeProject) -> None:
    shop = project("linear")
    upgrade(shop.here(), history=False)
    execute(shop.url, "UPDATE alembic_version SET version_num = 'lost'")
    for call in (upgrade, status, lambda on: stamp(on, "head")):
        with pytest.raises(HistoryError, match="at revision lost, which this project does not"):
            call(shop.here())
    rows = statuses(history(shop.here()))
    assert rows["lost"] == "applied by alembic, not in this project"
