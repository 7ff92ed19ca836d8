"""A revision that was applied and whose file has changed since: it is seen, and can be settled."""

from __future__ import annotations

import hashlib
import subprocess
from typing import TYPE_CHECKING

import pytest

import topchef_schema
from tests.whole_projects import MakeProject, Whole, execute, query, revision, text
from topchef_schema import downgrade, history, stamp, status, upgrade
from topchef_schema.errors import ChangedFileError, UsageError

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase


def change(whole: Whole, name: str = "aa10") -> None:
    """Let a revision do something else."""
    (file,) = whole.versions.glob(f"{name}*.py")
    old = file.read_text()
    file.write_text(old.replace("def upgrade():\n", "def upgrade():\n    changed = True\n"))
    assert file.read_text() != old


def reformat(whole: Whole, name: str = "aa10") -> None:
    """Change how the file of a revision is written, and not what it does."""
    (file,) = whole.versions.glob(f"{name}*.py")
    lines = file.read_text().splitlines()
    file.write_text('"""Another title."""\n' + "\n".join([*lines[1:], "# the end", ""]))


def rules(report: topchef_schema.Report) -> list[tuple[str, str, str | None]]:
    return [(each.rule, str(each.severity), each.revision) for each in report.findings]


CHANGED = [("changed-file", "warning", "aa10")]


def test_warning(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear")
    upgrade(shop.on(scratch), "aa10")
    change(shop)
    report = upgrade(shop.on(scratch), "bb20")
    assert rules(report) == CHANGED
    assert report.exit_code() == 0
    (finding,) = report.findings
    assert finding.path == "alembic/versions/aa10_authors_and_books.py"
    assert "has changed since it was applied on 20" in finding.message
    assert "from git commit 0123456789abcdef" in finding.message
    assert "--accept aa10" in (finding.help or "")
    assert rules(status(shop.on(scratch))) == CHANGED
    assert rules(upgrade(shop.on(scratch), dry_run=True)) == CHANGED
    assert rules(downgrade(shop.on(scratch), "-1")) == CHANGED
    # What was taken away is nobody's any more, and what is applied anew is as it is.
    assert rules(downgrade(shop.on(scratch), "base")) == CHANGED
    assert rules(upgrade(shop.on(scratch), "aa10")) == []
    assert rules(upgrade(shop.on(scratch))) == []


def test_nothing_is_read_where_nothing_is_to_do(project: MakeProject) -> None:
    shop = project("linear")
    upgrade(shop.here())
    change(shop)
    assert rules(upgrade(shop.here())) == []
    # Not even the table: what is in it then would be an error.
    execute(shop.url, "ALTER TABLE topchef_history RENAME TO kept")
    execute(shop.url, "CREATE TABLE topchef_history (other INTEGER)")
    assert rules(upgrade(shop.here())) == []


def test_layout_is_no_change(project: MakeProject) -> None:
    shop = project("linear")
    upgrade(shop.here(), "aa10")
    reformat(shop)
    assert rules(upgrade(shop.here())) == []
    assert rules(status(shop.here())) == []


def test_row_of_an_older_release(project: MakeProject) -> None:
    shop = project("linear")
    upgrade(shop.here(), "bb20")
    (file,) = shop.versions.glob("aa10*.py")
    plain = hashlib.sha256(file.read_bytes()).hexdigest()
    execute(shop.url, f"UPDATE topchef_history SET file_sha256 = '{plain}'")
    (finding,) = status(shop.here()).findings
    assert finding.revision == "bb20"
    execute(shop.url, "UPDATE topchef_history SET file_sha256 = NULL")
    assert rules(status(shop.here())) == []


def test_refused(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear", settings="changed_files = refuse")
    upgrade(shop.on(scratch), "bb20")
    change(shop)
    before = query(scratch, "SELECT * FROM topchef_history")
    for command, options in (
        (upgrade, {}),
        (upgrade, {"dry_run": True}),
        (downgrade, {"revision": "-1"}),
    ):
        with pytest.raises(ChangedFileError) as caught:
            command(shop.on(scratch), **options)
        assert "aa10" in caught.value.message
        assert "--accept aa10 --reason" in caught.value.hint
    assert query(scratch, "SELECT * FROM topchef_history") == before
    assert rules(status(shop.on(scratch))) == CHANGED
    done = shop.call("upgrade", "--url", text(scratch))
    assert done.returncode == 9
    assert done.stderr.startswith("alembic/versions/aa10_authors_and_books.py: its file has")
    # A database that has nothing of it is not concerned.
    assert upgrade(shop.here()).exit_code() == 0


def test_accepted(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear", settings="changed_files = refuse")
    upgrade(shop.on(scratch), "bb20")
    change(shop)
    done = shop.call(
        "upgrade", "--accept", "aa1", "--reason", "only a length", "--url", text(scratch)
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("alembic/versions/aa10_authors_and_books.py is accepted") == 1
    *_, accepted, applied = history(shop.on(scratch)).data["events"]
    assert (accepted["revision"], accepted["status"], accepted["reason"]) == (
        "aa10",
        "accepted",
        "only a length",
    )
    assert accepted["os_user"]
    assert (applied["revision"], applied["status"]) == ("cc30", "applied")
    # It is still what was applied by then, and the same call is harmless, on any database.
    (row,) = (each for each in history(shop.on(scratch)).data["revisions"][2:])
    assert row["status"] == "applied"
    rows = len(history(shop.on(scratch)).data["events"])
    assert rules(upgrade(shop.on(scratch), accept=["aa10"], reason="again")) == []
    assert len(history(shop.on(scratch)).data["events"]) == rows
    upgrade(shop.here(), accept=["aa10"], reason="it is not even there")
    # One more change is another one.
    change(shop, "bb20")
    with pytest.raises(ChangedFileError):
        downgrade(shop.on(scratch), "base")


def test_accepted_with_nothing_pending(project: MakeProject) -> None:
    shop = project("linear")
    upgrade(shop.here())
    change(shop)
    report = upgrade(shop.here(), accept=["aa10"], reason="only a length")
    assert (report.checks, report.findings) == ((), ())
    assert rules(status(shop.here())) == []


def test_stamp_settles(project: MakeProject, scratch: ScratchDatabase) -> None:
    shop = project("linear", settings="changed_files = refuse")
    upgrade(shop.on(scratch), "aa10")
    change(shop)
    stamp(shop.on(scratch), "aa10", reason="corrected by hand")
    assert rules(status(shop.on(scratch))) == []
    assert rules(upgrade(shop.on(scratch))) == []


@pytest.mark.parametrize(
    "options",
    [
        ["--accept", "aa10"],
        ["--reason", "why"],
        ["--accept", "aa10", "--reason", "why", "--dry-run"],
        ["--accept", "aa10", "--reason", "why", "--no-history"],
        ["--accept", "nowhere", "--reason", "why"],
    ],
)
def test_wrong_calls(project: MakeProject, options: list[str]) -> None:
    shop = project("linear")
    assert shop.call("upgrade", "--url", shop.url, *options).returncode == 2
    assert not shop.file.exists()


def test_reason_for_nothing(project: MakeProject) -> None:
    with pytest.raises(UsageError, match="belong together"):
        upgrade(project("linear").here(), reason="why")


def git(whole: Whole, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", "-C", str(whole.root), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def committed(project: MakeProject, monkeypatch: pytest.MonkeyPatch) -> Whole:
    """Return a project under git, two of whose revisions are applied."""
    from topchef_schema.stages.ledger import git_commit

    monkeypatch.delenv("TOPCHEF_GIT_COMMIT")
    git_commit.cache_clear()
    shop = project("linear")
    git(shop, "init", "--quiet")
    git(shop, "add", "alembic")
    git(shop, "commit", "--quiet", "-m", "first")
    upgrade(shop.here(), "bb20")
    return shop


def test_difference_to_what_git_has(committed: Whole) -> None:
    change(committed)
    done = committed.call("upgrade", "--url", committed.url, "--format", "json")
    assert done.returncode == 0, done.stderr
    commit = git(committed, "rev-parse", "HEAD")
    assert f"--- alembic/versions/aa10_authors_and_books.py ({commit[:12]})\n" in done.stderr
    assert "\n+    changed = True\n" in done.stderr
    (finding,) = status(committed.here()).findings
    assert (finding.before, finding.after) == (None, "    changed = True")
    assert finding.line == committed.line("aa10", "changed = True")


def test_commit_that_is_not_what_was_applied(committed: Whole) -> None:
    """The folder was being worked on, or the commit is another repository's."""
    change(committed)
    for commit in (None, "f" * 40, "--help", "HEAD"):
        value = "NULL" if commit is None else f"'{commit}'"
        execute(committed.url, f"UPDATE topchef_history SET git_commit = {value}")
        (finding,) = status(committed.here()).findings
        assert (finding.before, finding.after, finding.line) == (None, None, None)
    git(committed, "commit", "--quiet", "-am", "second")
    commit = git(committed, "rev-parse", "HEAD")
    execute(committed.url, f"UPDATE topchef_history SET git_commit = '{commit}'")
    (finding,) = status(committed.here()).findings
    assert finding.before is None


def test_long_difference_is_cut(committed: Whole) -> None:
    (file,) = committed.versions.glob("aa10*.py")
    file.write_text(file.read_text() + "".join(f"x{n} = {n}\n" for n in range(500)))
    done = committed.call("status", "--url", committed.url)
    assert "x150 = 150" in done.stderr
    assert "x400 = 400" not in done.stderr
    assert "more lines" in done.stderr


def test_annotation(committed: Whole) -> None:
    change(committed)
    done = committed.call("upgrade", "--url", committed.url, "--format", "github")
    line = committed.line("aa10", "changed = True")
    first = done.stdout.splitlines()[0]
    assert first.startswith(
        f"::warning file=alembic/versions/aa10_authors_and_books.py,line={line},"
        "title=changed-file · aa10 · sqlite::its file has changed since it was applied on "
    )


def test_tenants_with_one_history(project: MakeProject) -> None:
    """Two version tables and one history: what one tenant has says nothing of the other."""
    shop = project(
        env="tenants",
        versions={
            "a.py": revision("aa10", "pass").replace("def upgrade()", "def upgrade(tenant)"),
            "b.py": revision("bb20", "pass", down="aa10").replace(
                "def upgrade()", "def upgrade(tenant)"
            ),
        },
    )
    upgrade(shop.here())
    execute(shop.url, "UPDATE alembic_version_south SET version_num = 'aa10'")
    assert rules(status(shop.here())) == []
    rows = history(shop.here()).data["revisions"]
    assert [row["status"] for row in rows] == ["applied", "applied", "pending", "applied"]
    (file,) = shop.versions.glob("a.py")
    file.write_text(file.read_text().replace("pass", "tenant.upper()"))
    done = shop.call("status", "--url", shop.url)
    assert done.stderr.count("has changed since") == 1
    assert [each.revision for each in status(shop.here()).findings] == ["aa10", "aa10"]
    report = upgrade(shop.here(), accept=["aa10"], reason="why not")
    assert rules(report) == []
    accepted = query(shop.url, "SELECT revision FROM topchef_history WHERE status = 'accepted'")
    assert accepted == [("aa10",)]
