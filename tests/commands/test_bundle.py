"""Bundles for a reviewer: what is in them, whether they are fresh, an upgrade that holds to one."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.documents_of_reports import checked
from tests.formats import look_at_review
from tests.formats.test_formats import Page
from tests.servers import variable
from tests.whole_projects import MakeProject, Whole, revision, tables, text
from topchef_schema import sql, upgrade
from topchef_schema.errors import UsageError

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend, ScratchDatabase, Server

HERE = Path("out")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rules(whole: Whole, *arguments: str) -> list[str]:
    done = whole.call(*arguments, "--format", "json")
    document = checked(done.stdout)
    found = [each["rule"] for each in document["findings"] if each["severity"] == "error"]
    assert done.returncode == (10 if found else 0), done.stderr
    return found


def plan_of(folder: str = "out/sqlite") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(folder, "plan.json").read_text())
    return found


def test_files(project: MakeProject, backend: Backend, server: Server) -> None:
    shop = project("linear")
    sql(shop.load(), "aa10:", on=[text(server)], bundle=HERE)
    found = contents(HERE)
    folder = backend.name
    names = "down.sql plan.json review.html review.md schema-after.txt schema-before.txt up.sql"
    assert list(found) == ["SHA256SUMS", *(f"{folder}/{each}" for each in names.split())]
    up = sql(shop.load(), "aa10:", on=[backend.name]).script or ""
    assert found[f"{folder}/up.sql"].decode() == up
    assert ": down bb20" in found[f"{folder}/down.sql"].decode()
    before, after = (
        Path(HERE, folder, f"schema-{each}.txt").read_text() for each in ("before", "after")
    )
    assert "sort_name" not in before
    assert "sort_name" in after
    assert list(found) == sorted(found)
    for line in found["SHA256SUMS"].decode().splitlines():
        expected, name = line.split("  ")
        assert hashlib.sha256(found[name]).hexdigest() == expected


@pytest.mark.backends("sqlite")
def test_plan(project: MakeProject, backend: Backend) -> None:
    shop = project("linear")
    sql(shop.load(), "aa10:bb20", on=["sqlite"], bundle=HERE)
    plan = plan_of()
    assert (plan["schema"], plan["backend"], plan["range"]) == (1, "sqlite", "aa10:bb20")
    assert (plan["start"], plan["end"]) == (["aa10"], ["bb20"])
    (step,) = plan["up"]["revisions"]
    assert step["id"] == "bb20"
    assert step["path"] == "alembic/versions/bb20_sort_names.py"
    assert step["fingerprint"].startswith("ast1:")
    assert step["destroys"] == ["changes rows of authors"]
    assert [each["transaction"] for each in step["statements"]] == [True, True]
    assert step["statements"][0]["line"] == shop.line("bb20", "op.add_column")
    text_of = Path("out/sqlite/plan.json").read_text()
    assert text_of == json.dumps(plan, indent=2, sort_keys=True) + "\n"


@pytest.mark.backends("sqlite")
def test_the_same_wherever_one_stands(
    project: MakeProject, backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = project("linear")
    sql(shop.load(), on=["sqlite"], bundle=tmp_path / "one")
    elsewhere = tmp_path / "copied" / "deep"
    shutil.copytree(shop.root, elsewhere / "shop")
    monkeypatch.chdir(tmp_path)
    done = Whole(tmp_path).program(
        "-c", "copied/deep/shop/alembic.ini", "sql", "--on", "sqlite", "--bundle", "two",
        PYTHONHASHSEED="7", TZ="Asia/Tokyo",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir("/")
    done = shop.call("-c", str(elsewhere / "shop/alembic.ini"), "sql", "--on", "sqlite",
                     "--bundle", str(tmp_path / "three"))  # fmt: skip
    assert done.returncode == 0, done.stderr
    one = contents(tmp_path / "one")
    assert contents(tmp_path / "two") == one
    assert contents(tmp_path / "three") == one
    for name, content in one.items():
        assert str(tmp_path).encode() not in content, name


@pytest.mark.backends("sqlite")
def test_checksums_are_those_of_the_usual_tool(project: MakeProject, backend: Backend) -> None:
    shop = project("linear")
    shop.call("sql", "--on", "sqlite", "--on", "mssql", "--bundle", "out")
    checksums = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    subprocess.run(checksums, cwd=HERE, check=True, capture_output=True)
    names = sorted(each.name for each in Path("out/mssql").iterdir())
    assert names == ["down.sql", "plan.json", "review.html", "review.md", "up.sql"]
    assert "no server" in Path("out/mssql/review.md").read_text()


@pytest.mark.backends("sqlite")
def test_verify(project: MakeProject, backend: Backend) -> None:
    shop = project("linear")
    shop.call("sql", "aa10:heads", "--on", "sqlite", "--on", "oracle", "--bundle", "out", "-q")
    assert rules(shop, "sql", "--verify", "out") == []
    script = Path("out/sqlite/up.sql")
    whole = script.read_text()
    script.write_text(whole.replace("sort_name", "sort_names", 1))
    assert rules(shop, "sql", "--verify", "out") == ["bundle-damaged"]
    script.unlink()
    assert rules(shop, "sql", "--verify", "out") == ["bundle-damaged"]
    assert rules(shop, "sql", "--verify", "out", "--on", "oracle") == []
    script.write_text(whole)
    Path("out/sqlite/review.md").write_text("")
    assert rules(shop, "sql", "--verify", "out") == ["bundle-damaged"]


@pytest.mark.backends("sqlite")
def test_verify_after_the_revisions_have_moved_on(project: MakeProject, backend: Backend) -> None:
    shop = project("linear")
    shop.call("sql", "aa10:heads", "--on", "sqlite", "--bundle", "out", "-q")
    shop.call("sql", "aa10:bb20", "--on", "sqlite", "--bundle", "named", "-q")
    shop.write("alembic/versions/dd40.py", revision("dd40", 'op.execute("SELECT 1")', down="cc30"))
    assert set(rules(shop, "sql", "--verify", "out")) == {"bundle-stale"}
    assert rules(shop, "sql", "--verify", "named") == []
    path = next(shop.versions.glob("bb20*"))
    path.write_text(path.read_text().replace("sort_name", "sorted_as"))
    done = shop.call("sql", "--verify", "named", "--format", "json")
    assert done.returncode == 10
    (found, *_) = [
        each for each in checked(done.stdout)["findings"] if each["path"] == "named/sqlite/up.sql"
    ]
    lines = Path("named/sqlite/up.sql").read_text().splitlines()
    assert lines[found["line"] - 1] == found["before"]
    assert "sort_name" in found["before"] or "authors" in found["before"]
    told = shop.call("sql", "--verify", "named")
    assert f"named/sqlite/up.sql:{found['line']}" in told.stdout
    assert "topchef-db sql aa10:bb20 --on sqlite --bundle named" in told.stdout
    assert told.stderr == ""


@pytest.mark.backends("sqlite")
def test_verify_after_a_revision_has_gone(project: MakeProject, backend: Backend) -> None:
    shop = project("linear")
    shop.call("sql", "bb20:cc30", "--on", "sqlite", "--bundle", "out", "-q")
    next(shop.versions.glob("cc30*")).unlink()
    assert rules(shop, "sql", "--verify", "out") == ["bundle-stale"]


@pytest.mark.backends("sqlite")
def test_verify_of_what_is_no_bundle(project: MakeProject, backend: Backend) -> None:
    shop = project("linear")
    assert shop.call("sql", "--verify", "alembic").returncode == 2
    shop.call("sql", "--on", "sqlite", "--bundle", "out", "-q")
    for arguments in (("--verify", "out", "aa10"), ("--verify", "out", "--bundle", "out")):
        assert shop.call("sql", *arguments).returncode == 2
    assert shop.call("sql", "--verify", "out", "--on", "oracle").returncode == 2
    sums = Path("out/SHA256SUMS")
    sums.write_text(sums.read_text() + f"{'0' * 64}  ../alembic.ini\n")
    done = shop.call("sql", "--verify", "out")
    assert (done.returncode, "no bundle" in done.stderr) == (2, True)


@pytest.mark.backends("sqlite")
def test_bundle_of_another_project(project: MakeProject, backend: Backend) -> None:
    """What it names is told, and is a word of no command."""
    shop = project("linear")
    shop.call("sql", "--on", "sqlite", "--bundle", "out", "--no-history", "-q")
    path = Path("out/sqlite/plan.json")
    plan = path.read_text()
    for old, new in (
        ('"base:heads"', '"zz:$(touch pwned)"'),
        ('"database": null', '"database": "other"'),
    ):
        path.write_text(plan.replace(old, new))
        found = shop.call("sql", "--verify", "out")
        assert found.returncode == 10
        assert "it cannot be made again" in found.stdout
        assert "--no-history" in found.stdout
    path.write_text(plan.replace('"base:heads"', '"zz:$(touch pwned)"'))
    assert "sql 'zz:$(touch pwned)' --on" in shop.call("sql", "--verify", "out").stdout


@pytest.mark.backends("sqlite")
def test_plan_of_another_version(project: MakeProject, backend: Backend) -> None:
    shop = project("linear")
    shop.call("sql", "--on", "sqlite", "--bundle", "out", "-q")
    path, sums = Path("out/sqlite/plan.json"), Path("out/SHA256SUMS")
    for old, new in (
        ('"schema": 1', '"schema": 2'),
        ('"history": true', '"history": "no"'),
        ('"database": null', '"database": [1]'),
        ('"database": null', '"database": ' + "[" * 100_000),
    ):
        before, checksums = path.read_text(), sums.read_text()
        path.write_text(before.replace(old, new))
        was, now = (
            hashlib.sha256(each.encode()).hexdigest() for each in (before, path.read_text())
        )
        sums.write_text(checksums.replace(was, now))
        done = shop.call("sql", "--verify", "out")
        assert (done.returncode, "this version" in done.stderr) == (2, True)
        path.write_text(before)
        sums.write_text(checksums)


def test_no_server_is_needed_to_verify(
    project: MakeProject, backend: Backend, server: Server
) -> None:
    """The programs of servers are nowhere to be found, and none is named."""
    shop = project("linear")
    # On SQLite a batch operation has to be run to be written down.
    sql(shop.load(), "aa10:bb20", on=[text(server)], bundle=HERE)
    nowhere = {"PATH": "/nowhere", "HOME": "/nowhere", variable(backend.name): ""}
    done = shop.program("sql", "--verify", "out", **nowhere)
    assert done.returncode == 0, done.stderr


@pytest.mark.backends("sqlite")
def test_another_folder_is_not_touched(project: MakeProject, backend: Backend) -> None:
    shop = project("linear")
    before = contents(shop.root)
    for folder in (".", "alembic", "alembic.ini", "alembic/versions"):
        with pytest.raises(UsageError, match="cannot be written there"):
            sql(shop.load(), on=["sqlite"], bundle=folder)
    assert {k: v for k, v in contents(shop.root).items() if "__pycache__" not in k} == before
    sql(shop.load(), on=["sqlite"], bundle=HERE)
    note = shop.write("out/sqlite/notes.txt", "approved")
    with pytest.raises(UsageError, match=r"sqlite/notes\.txt"):
        sql(shop.load(), on=["mssql"], bundle=HERE)
    assert note.read_text() == "approved"
    note.unlink()
    os.symlink(shop.root, HERE / "link")
    with pytest.raises(UsageError, match="link"):
        sql(shop.load(), on=["mssql"], bundle=HERE)


@pytest.mark.backends("sqlite")
def test_bundle_is_replaced(project: MakeProject, backend: Backend) -> None:
    shop = project("linear")
    sql(shop.load(), on=["sqlite", "mssql"], bundle=HERE)
    shop.write("out/sqlite/up.sql.new", "half a")
    sql(shop.load(), "aa10", on=["mssql"], bundle=HERE)
    assert {each.partition("/")[0] for each in contents(HERE)} == {"SHA256SUMS", "mssql"}
    assert not (HERE / "sqlite").exists()
    with pytest.raises(UsageError, match="twice"):
        sql(shop.load(), "aa10", on=["mssql", "mssql"], bundle=HERE)


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize(
    ("range_", "said"), [("b2b2", "units cannot be taken away"), ("c3c3", "no downgrade")]
)
def test_no_way_back(project: MakeProject, backend: Backend, range_: str, said: str) -> None:
    shop = project("irreversible")
    sql(shop.load(), range_, on=["sqlite", "postgresql"][:1], bundle=HERE)
    down = Path("out/sqlite/down.sql").read_text()
    assert said in down
    assert all(line.startswith("--") for line in down.splitlines() if said in line)
    assert said in plan_of()["down"]["why_not"]
    assert rules(shop, "sql", "--verify", "out") == []
    done = subprocess.run(
        ["sqlite3", "x.db"], input=down, text=True, capture_output=True, check=False
    )
    assert done.returncode == 1
    assert "there_is_no_way_back" in done.stderr


def test_upgrade(
    project: MakeProject, backend: Backend, server: Server, scratch: ScratchDatabase
) -> None:
    shop = project("linear")
    sql(shop.load(), "aa10:bb20", on=[text(server)], bundle=HERE)
    report = upgrade(shop.on(scratch), bundle=HERE)
    assert [each.rule for each in report.findings] == ["bundle-elsewhere"]
    assert tables(scratch) == set()
    upgrade(shop.on(scratch), "aa10")
    before = tables(scratch)
    script = HERE / backend.name / "up.sql"
    right = script.read_text()
    script.write_text("DROP TABLE authors;\n")
    report = upgrade(shop.on(scratch), bundle=HERE)
    assert [each.rule for each in report.findings] == ["bundle-damaged"]
    # Whoever can write the script can write its checksum.
    sums = HERE / "SHA256SUMS"
    was, now = (hashlib.sha256(each.encode()).hexdigest() for each in (right, script.read_text()))
    sums.write_text(sums.read_text().replace(was, now))
    report = upgrade(shop.on(scratch), bundle=HERE)
    assert [each.rule for each in report.findings] == ["bundle-stale"]
    assert report.data["current"] == ["aa10"]
    assert tables(scratch) == before
    sql(shop.load(), "aa10:bb20", on=[text(server)], bundle=HERE)
    assert upgrade(shop.on(scratch), bundle=HERE, dry_run=True).checks[0].outcome == "pending"
    report = upgrade(shop.on(scratch), bundle=HERE)
    assert [each.revision for each in report.checks] == ["bb20"]
    assert report.data["current"] == ["bb20"]
    again = upgrade(shop.on(scratch), bundle=HERE)
    assert (again.findings, again.checks, again.exit_code()) == ((), (), 0)
    assert "nothing to do: the database is at bb20" in (again.summary or "")
    upgrade(shop.on(scratch))
    (beyond,) = upgrade(shop.on(scratch), bundle=HERE).findings
    assert beyond.rule == "bundle-elsewhere"


@pytest.mark.backends("sqlite")
def test_upgrade_refuses(project: MakeProject, backend: Backend) -> None:
    shop = project("linear")
    sql(shop.load(), on=["mssql"], bundle=HERE)
    for options in ({}, {"revision": "aa10"}, {"plan": "plan.json"}):
        with pytest.raises(UsageError):
            upgrade(shop.here(), bundle=HERE, **options)
    assert not shop.file.exists()


WILD = "w\"`';DROP TABLE a;--<script>\n\\! touch pwned\n|\x1b[2J"
"""Of everything that could mean something to somebody: a name, a message, a comment."""

WILD_REVISION = f'''"""wild `rm -rf`, <img src=x onerror=alert(1)> "quotes" 'too'

# a heading
DROP TABLE a;
\\\\! touch pwned
```
<script>alert(2)</script>
"""

from alembic import op
import sqlalchemy as sa

revision = "wild1"
down_revision = "aa10"


def upgrade():
    op.create_table({WILD!r}, sa.Column({WILD!r}, sa.Integer, comment={WILD!r}))
    op.create_index("ix", {WILD!r}, [{WILD!r}])


def downgrade():
    op.drop_table({WILD!r})
'''


def test_hostile_text(
    project: MakeProject, backend: Backend, server: Server, scratch: ScratchDatabase
) -> None:
    """It runs as what it is, and means nothing in a page, a comment or a terminal."""
    name = "`x`;<b>'\"$(touch pwned).py"
    shop = project("linear", versions={name: WILD_REVISION})
    report = sql(shop.load(), "aa10:wild1", on=[text(server)], bundle=HERE, prove=True)
    assert not report.findings
    assert not list(shop.root.rglob("pwned"))
    folder = HERE / backend.name
    page = Page((folder / "review.html").read_text())
    assert {each for each, _ in page.elements} <= set(look_at_review.OURS.split())
    assert WILD.partition("\n")[0] in page.text
    for path in folder.iterdir():
        content = path.read_text()
        steering = {"\x1b"} if path.suffix == ".sql" else {"\x1b", "\r", "\x00"}
        assert path.suffix == ".sql" or not steering & set(content), path
    for line in (folder / "up.sql").read_text().splitlines():
        assert not line.startswith(("<script>", "# a heading", "DROP TABLE a"))
    assert rules(shop, "sql", "--verify", "out", "--on", text(server)) == []
    upgrade(shop.on(scratch), "aa10")
    assert not upgrade(shop.on(scratch), bundle=HERE).findings
    assert "authors" in tables(scratch)


@pytest.mark.backends("sqlite")
def test_check_verifies_what_the_settings_name(project: MakeProject, backend: Backend) -> None:
    shop = project("linear", settings="bundles = sql/* kept", ini="sqlalchemy.url = sqlite://")
    done = shop.call("check", "--on", "sqlite")
    assert (done.returncode, "no bundle" in done.stderr) == (2, True)
    shop.call("sql", "aa10:bb20", "--on", "sqlite", "--bundle", "kept", "-q")
    assert rules(shop, "check", "--on", "sqlite") == []
    shop.call("sql", "aa10:heads", "--on", "sqlite", "--bundle", "sql/all", "-q")
    shop.write("alembic/versions/dd40.py", revision("dd40", 'op.execute("SELECT 1")', down="cc30"))
    assert set(rules(shop, "check", "--on", "sqlite")) == {"bundle-stale"}
    assert "failed: bundle sql/all/sqlite" in shop.call("check", "--on", "sqlite").stdout


@pytest.mark.backends("sqlite")
def test_since(project: MakeProject, backend: Backend) -> None:
    """A commit is no name that stays: the range is written down."""
    shop = project("branched")
    names = sorted(shop.versions.glob("*.py"))
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-C", str(shop.root)]
    for arguments in (["init", "-q"], ["add", str(names[0])], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *arguments], check=True, capture_output=True)
    with pytest.raises(UsageError, match="not one range"):
        sql(shop.load(), since="HEAD", on=["sqlite"], bundle=HERE)
    names[-1].unlink()
    sql(shop.load(), since="HEAD", on=["sqlite"], bundle=HERE)
    assert plan_of()["range"] == "a0a0:b2b2"
    for arguments in (["add", "."], ["commit", "-q", "-m", "second"]):
        subprocess.run([*git, *arguments], check=True, capture_output=True)
    with pytest.raises(UsageError, match="no revision"):
        sql(shop.load(), since="HEAD", on=["sqlite"], bundle=HERE)
    with pytest.raises(UsageError, match="no revision"):
        sql(shop.load(), "b2b2:b2b2", on=["sqlite"], bundle=HERE)
    assert rules(shop, "sql", "--verify", "out") == []


@pytest.mark.backends("sqlite")
def test_without_history_none_is_compared(project: MakeProject) -> None:
    shop = project("linear")
    report = sql(shop.load(), "aa10:bb20", on=["sqlite"], bundle=HERE, prove=True, history=False)
    assert [each.rule for each in report.findings if str(each.severity) == "error"] == []
