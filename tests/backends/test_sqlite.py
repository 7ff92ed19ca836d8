"""What is peculiar to SQLite: its text, which may be spelled in many ways, its files, its lock."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.backends.connections import connected, in_event_loop, send
from tests.backends.other_process import KEY, other_process
from tests.backends.sqlite_spellings import ONE_MEANING, TWO_MEANINGS
from topchef_schema.backends import file_lock
from topchef_schema.backends.base import Failure
from topchef_schema.backends.sqlite import BACKEND
from topchef_schema.backends.sqlite_schema import definitions
from topchef_schema.backends.sqlite_tokens import Kind, tokenise
from topchef_schema.errors import LockedError, UnreachableError
from topchef_schema.model import Snapshot, diff

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase

pytestmark = pytest.mark.backends("sqlite")

WHOLE = """CREATE TABLE t (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  "name" VARCHAR(30) DEFAULT 'It''s' NOT NULL COLLATE NOCASE,
  price DECIMAL(10, 2) CHECK (price >= 0 AND price <> -1),
  parent INT CONSTRAINT fk_parent REFERENCES t(id) ON DELETE SET NULL ON UPDATE CASCADE,
  twice INT GENERATED ALWAYS AS (price * 2) STORED,
  made TEXT DEFAULT (datetime('now')),
  state TEXT CONSTRAINT ck_state CHECK (state IN ('New', "Old")),
  CONSTRAINT uq_name UNIQUE (name, price) ON CONFLICT REPLACE,
  FOREIGN KEY (price) REFERENCES other (price) DEFERRABLE INITIALLY DEFERRED
)"""


def read(connection: sa.Connection, *statements: str) -> Snapshot:
    """Execute *statements* in an emptied database and return what is there then."""
    for kind, name in connection.exec_driver_sql(
        "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND type = 'table'"
    ).all():
        connection.exec_driver_sql(f'DROP {kind} "{name}"')
    for statement in statements:
        send(connection, statement)
    return BACKEND.snapshot(connection)


@pytest.mark.parametrize("name", ONE_MEANING)
def test_spelling_makes_no_difference(
    name: str, backend_name: str, connection: sa.Connection
) -> None:
    one, other = (read(connection, sql) for sql in ONE_MEANING[name])
    assert not diff(one, other)
    assert len(one.objects) == len(other.objects) >= 3


@pytest.mark.parametrize("name", TWO_MEANINGS)
def test_meaning_makes_a_difference(
    name: str, backend_name: str, connection: sa.Connection
) -> None:
    one, other = (read(connection, f"CREATE TABLE t ({body})") for body in TWO_MEANINGS[name])
    assert diff(one, other)


def test_everything_in_a_table_has_its_key(backend_name: str, connection: sa.Connection) -> None:
    assert read(connection, WHOLE).objects == {
        "table t": "table",
        "column t.id": "integer",
        "column t.name": "varchar(30) collate nocase default 'It''s' not null",
        "column t.price": "decimal(10, 2)",
        "column t.parent": "int",
        "column t.twice": "int as (price * 2) stored",
        "column t.made": "text default datetime('now')",
        "column t.state": "text",
        "column-order t": "id, name, price, parent, twice, made, state",
        "constraint t.primary key": "primary key (id) autoincrement",
        "constraint t.check (price >= 0 and price <> - 1)": "check (price >= 0 and price <> - 1)",
        "constraint t.fk_parent": (
            "foreign key (parent) references t (id) on delete set null on update cascade"
        ),
        "constraint t.ck_state": "check (state in ('New', 'Old'))",
        "constraint t.uq_name": "unique (name, price) on conflict replace",
        "constraint t.foreign key (price) references other": (
            "foreign key (price) references other (price) deferrable initially deferred"
        ),
    }


def respelled(sql: str, rng: random.Random) -> str:
    """Return *sql* with other white space, comments, letter case and quotes."""
    written = []
    names = {"t", "id", "name", "price", "parent", "twice", "made", "state", "other"}
    for token in tokenise(sql):
        if token.kind is Kind.WORD and token.text in names:
            written.append(rng.choice(["{}", '"{}"', "[{}]", "`{}`"]).format(token.raw))
        elif token.kind is Kind.WORD:
            written.append(rng.choice([str.upper, str.lower, str.title])(token.raw))
        elif token.kind is Kind.STRING:
            written.append(token.text)
        elif token.kind is Kind.NAME:
            written.append(f'"{token.raw}"')
        else:
            written.append(token.text)
    return "".join(each + rng.choice([" ", "\n", " /* x */ ", " -- ' \n"]) for each in written)


def test_random_spellings_of_one_table_are_one_schema(
    backend_name: str, connection: sa.Connection, rng: random.Random, exhaustive: bool
) -> None:
    expected = read(connection, WHOLE)
    for _ in range(500 if exhaustive else 25):
        sql = respelled(WHOLE, rng)
        assert not diff(expected, read(connection, sql)), sql


def test_renaming_there_and_back_and_adding_and_dropping_leave_no_trace(
    backend_name: str, connection: sa.Connection
) -> None:
    before = read(connection, WHOLE)
    for statement in (
        "ALTER TABLE t RENAME TO u",
        "ALTER TABLE u ADD COLUMN more INT",
        "ALTER TABLE u DROP COLUMN more",
        "ALTER TABLE u RENAME COLUMN made TO built",
        "ALTER TABLE u RENAME COLUMN built TO made",
        "ALTER TABLE u RENAME TO t",
    ):
        send(connection, statement)
    assert not diff(before, BACKEND.snapshot(connection))


def test_indexes_views_and_triggers(backend_name: str, connection: sa.Connection) -> None:
    snapshot = read(
        connection,
        "CREATE TABLE Jobs (id INTEGER PRIMARY KEY, name TEXT)",
        "CREATE UNIQUE INDEX IF NOT EXISTS ix ON jobs (lower(name) ASC, id DESC) WHERE id > 3",
        "CREATE VIEW main.v (a) AS SELECT id FROM jobs",
        "CREATE TRIGGER tr AFTER INSERT ON jobs BEGIN DELETE FROM jobs WHERE id = new.id; END",
        "CREATE VIRTUAL TABLE search USING fts5(name)",
    )
    assert snapshot.objects["index Jobs.ix"] == "unique (lower(name), id desc) where id > 3"
    assert snapshot.objects["view v"] == "(a) as select id from jobs"
    assert snapshot.objects["virtual-table search"] == "using fts5(name)"
    assert "delete from jobs where id = new.id" in snapshot.objects["trigger Jobs.tr"]
    assert (
        BACKEND.snapshot(connection, exclude=("JOBS",))
        .objects.keys()
        .isdisjoint(key for key in snapshot.objects if "Jobs" in key)
    )


def test_a_number_that_a_revision_leaves_in_the_header_is_seen(
    backend_name: str, connection: sa.Connection
) -> None:
    before = BACKEND.snapshot(connection)
    send(connection, "PRAGMA user_version = 7")
    assert [change.key for change in diff(before, BACKEND.snapshot(connection)).changes] == [
        "header user_version"
    ]


def test_counters_and_statistics_are_left_out(backend_name: str, connection: sa.Connection) -> None:
    before = read(connection, "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, n INT)")
    send(connection, "CREATE INDEX i ON t (n)")
    before = BACKEND.snapshot(connection)
    send(connection, "INSERT INTO t (n) VALUES (1)")
    send(connection, "ANALYZE")
    assert BACKEND.snapshot(connection) == before


def test_text_that_is_not_understood_is_taken_as_a_whole() -> None:
    one, other = "CREATE TABLE t (a INT, SOMETHING (new) ~)", "CREATE  TABLE t (b INT, ~ ("
    assert definitions("table", "t", "t", other) == {"table t": "create table t(b int, ~ ("}
    assert definitions("sequence", "s", "s", one)["sequence s"].startswith("create table t(a int")


def test_aiosqlite_reads_the_same_schema_and_holds_the_same_lock(
    backend_name: str, scratch: ScratchDatabase, connection: sa.Connection
) -> None:
    expected = read(connection, WHOLE)
    assert scratch.url.database is not None

    def work(there: sa.Connection) -> tuple[Snapshot, str]:
        with BACKEND.lock(there, KEY, timeout=0):
            with pytest.raises(LockedError), BACKEND.lock(connection, KEY, timeout=0):
                pytest.fail("two hold the lock")
            with pytest.raises(sa.exc.DBAPIError) as caught:
                there.exec_driver_sql("CREATE TABLE t (id int)")
            assert BACKEND.failure(caught.value) is Failure.ALREADY_EXISTS
            there.rollback()
            return BACKEND.snapshot(there), BACKEND.identity(there)

    url = scratch.url.set(drivername="sqlite+aiosqlite")
    assert in_event_loop(url, work) == (expected, BACKEND.identity(connection))


@pytest.mark.fact(5, 27)
def test_the_holder_is_named_and_the_lock_file_stays(
    backend_name: str, scratch: ScratchDatabase, connection: sa.Connection
) -> None:
    file = Path(f"{scratch.url.database}.topchef-lock")
    with other_process("hold", "sqlite", scratch.url) as (process, _):
        with pytest.raises(LockedError) as caught, BACKEND.lock(connection, KEY, timeout=0):
            pytest.fail("two hold the lock")
        assert re.search(rf"pid {process.pid} on \S+ since \d{{4}}-", caught.value.message)
        inode = file.stat().st_ino
    with BACKEND.lock(connection, KEY, timeout=10):
        assert file.stat().st_ino == inode
    assert file.stat().st_ino == inode
    assert file.read_text() == ""


@pytest.mark.fact(27)
def test_the_lock_leaves_the_locks_of_sqlite_alone(
    backend_name: str, scratch: ScratchDatabase, connection: sa.Connection
) -> None:
    """A process loses all its POSIX locks on a file with the first descriptor it closes."""
    send(connection, "CREATE TABLE t (id int)")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    with BACKEND.lock(connection, KEY, timeout=0):
        pass
    with connected(scratch.url.update_query_dict({"timeout": "0"})) as other:
        with pytest.raises(sa.exc.DBAPIError) as caught:
            other.exec_driver_sql("BEGIN IMMEDIATE")
        assert BACKEND.failure(caught.value) is Failure.LOCK_TIMEOUT
    connection.rollback()


def test_a_folder_that_may_not_be_written_to_is_a_clear_error(
    backend_name: str, scratch: ScratchDatabase, connection: sa.Connection
) -> None:
    Path(f"{scratch.url.database}.topchef-lock").mkdir()
    with pytest.raises(UnreachableError) as caught, BACKEND.lock(connection, KEY, timeout=0):
        pytest.fail("there is nothing to lock")
    assert caught.value.where.endswith(".topchef-lock")
    Path(f"{scratch.url.database}.topchef-lock").rmdir()


@pytest.mark.fact(24)
def test_existence_is_asked_without_making_a_file(
    backend_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.db").touch()
    for text, expected in {
        "sqlite://": True,
        "sqlite:///:memory:": True,
        "sqlite:///there.db": True,
        "sqlite:///missing.db": False,
        f"sqlite:///{tmp_path}/there.db": True,
        "sqlite:///file:there.db?uri=true": True,
        "sqlite:///file:missing.db?mode=rwc&uri=true": False,
        "sqlite:///file:any?mode=memory&cache=shared&uri=true": True,
        f"sqlite:///file://{tmp_path}/there.db?uri=true": True,
        "sqlite+aiosqlite:///missing.db": False,
    }.items():
        assert BACKEND.exists(sa.make_url(text)) is expected, text
    assert [each.name for each in tmp_path.iterdir()] == ["there.db"]


def test_identity_sees_through_links_and_relative_paths(
    backend_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("real.db").touch()
    Path("link.db").symlink_to("real.db")
    seen = set()
    for text in ("sqlite:///real.db", "sqlite:///link.db", f"sqlite:///{tmp_path}/real.db"):
        with connected(sa.make_url(text)) as connection:
            seen.add(BACKEND.identity(connection))
    assert seen == {str((tmp_path / "real.db").resolve())}
    with connected(sa.make_url("sqlite://")) as one, connected(sa.make_url("sqlite://")) as other:
        assert BACKEND.identity(one) == BACKEND.identity(one)
        assert BACKEND.identity(one) != BACKEND.identity(other)
        with BACKEND.lock(one, KEY, timeout=0), BACKEND.lock(other, KEY, timeout=0):
            pass
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link.db", "real.db"]


def test_failures_of_files_are_told_apart(backend_name: str, tmp_path: Path) -> None:
    with (
        pytest.raises(sa.exc.DBAPIError) as caught,
        connected(sa.make_url(f"sqlite:///{tmp_path}/no/folder.db")),
    ):
        pytest.fail("there is no such folder")
    assert BACKEND.failure(caught.value) is Failure.UNREACHABLE
    (tmp_path / "a.db").touch()
    url = sa.make_url(f"sqlite:///file:{tmp_path}/a.db?mode=ro&uri=true")
    with connected(url) as connection, pytest.raises(sa.exc.DBAPIError) as caught:
        send(connection, "CREATE TABLE t (id int)")
    assert BACKEND.failure(caught.value) is Failure.READ_ONLY


def test_scratch_files_lie_in_a_folder_of_their_own(backend_name: str, tmp_path: Path) -> None:
    for text in (f"sqlite:///{tmp_path}", f"sqlite:///{tmp_path}/any.db"):
        server = BACKEND.server(sa.make_url(text))
        database = server.create()
        path = Path(str(database.url.database))
        assert path.parent.parent == tmp_path
        assert path.parent.stat().st_mode & 0o077 == 0
        with connected(database.url) as connection, BACKEND.lock(connection, KEY, timeout=0):
            pass
        server.drop(database)
        assert [each.name for each in path.parent.iterdir()] == ["owner"]
        server.close()
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(UnreachableError):
        BACKEND.server(sa.make_url(f"sqlite:///{tmp_path}/no/folder.db"))


def test_a_folder_in_use_is_no_leftover(backend_name: str, tmp_path: Path) -> None:
    url = sa.make_url(f"sqlite:///{tmp_path}")
    one, other = BACKEND.server(url), BACKEND.server(url)
    assert one.leftovers() == []
    stale = tmp_path / "topchef_scratch_sqlite_stale"
    stale.mkdir()
    (stale / "owner").touch()
    assert one.leftovers() == [stale.name]
    with file_lock.held(stale / "owner", KEY, timeout=0):
        assert one.leftovers() == []
    one.remove(stale.name)
    assert not stale.exists()
    one.close()
    other.close()


def settings(connection: sa.Connection) -> tuple[object, ...]:
    return tuple(
        connection.exec_driver_sql(f"PRAGMA {each}").scalar_one()
        for each in ("synchronous", "journal_mode")
    )


def test_what_is_disposable_waits_for_no_disk(scratch: ScratchDatabase, backend_name: str) -> None:
    with connected(scratch.url) as connection:
        assert settings(connection) == (2, "delete")
        BACKEND.disposable(connection)
        assert settings(connection) == (0, "memory")
    with connected(scratch.url) as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        BACKEND.disposable(connection)
        assert settings(connection) == (0, "wal")
    with connected(scratch.url) as connection:
        connection.exec_driver_sql("BEGIN")
        BACKEND.disposable(connection)
        assert settings(connection) == (2, "wal")
