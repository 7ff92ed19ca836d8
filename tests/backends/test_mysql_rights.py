"""What snapshots of MySQL and MariaDB say of rights, and what somebody without them sees."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.backends.mysql_schema import PASSWORD, SCHEMA, account, execute
from topchef_schema.errors import LockedError
from topchef_schema.model import diff

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tests.backends.conftest import Connect
    from topchef_schema.backends.base import Backend, ScratchDatabase

pytestmark = pytest.mark.backends("mysql", "mariadb")


@pytest.fixture
def reader(as_superuser: Connection) -> Iterator[str]:
    with account(as_superuser) as name:
        yield name


@pytest.fixture
def as_reader(
    scratch: ScratchDatabase, as_superuser: Connection, reader: str, connect: Connect
) -> Iterator[Connection]:
    """Connect as somebody who may read the tables, and no more."""
    execute(as_superuser, f"GRANT SELECT ON {scratch.name}.* TO '{reader}'@'%'")
    with connect(scratch.url.set(username=reader, password=PASSWORD)) as connection:
        yield connection


def test_grants_are_part_of_the_schema(
    backend: Backend, scratch: ScratchDatabase, as_superuser: Connection, reader: str
) -> None:
    who = f"'{reader}'@'%'"
    pattern = scratch.name.replace("_", "\\_")
    execute(as_superuser, *SCHEMA)
    before = backend.snapshot(as_superuser)
    execute(
        as_superuser,
        f"GRANT SELECT, INSERT ON `{pattern}`.* TO {who} WITH GRANT OPTION",
        f"GRANT UPDATE ON jobs TO {who}",
        f"GRANT SELECT (name), REFERENCES (name) ON sets TO {who}",
        f"GRANT EXECUTE ON PROCEDURE clear TO {who}",
        f"GRANT DELETE ON `topchef%`.* TO {who}",  # of the server, not of this database
    )
    after = backend.snapshot(as_superuser)
    changes = {change.key: change.after for change in diff(before, after).changes}
    assert changes == {
        f"grant database to {who}": "GRANT OPTION, INSERT, SELECT",
        f"grant table jobs to {who}": "UPDATE",
        f"grant column sets.name to {who}": "REFERENCES, SELECT",
        f"grant procedure clear to {who}": "EXECUTE",
    }
    excluded = backend.snapshot(as_superuser, {"jobs", "sets"}).objects
    assert {key for key in excluded if key.startswith("grant")} == {
        f"grant database to {who}",
        f"grant procedure clear to {who}",
    }


def test_whoever_waits_sees_the_run_that_holds_the_lock(
    backend: Backend, as_superuser: Connection, as_reader: Connection
) -> None:
    for run_id in ("0123456789abcdef" * 2, "f" * 32):
        with (
            backend.lock(as_superuser, "key", 0, run_id),
            pytest.raises(LockedError) as caught,
            backend.lock(as_reader, "key", 0, "5" * 32),
        ):
            pytest.fail("two hold the lock")
        message = caught.value.message
        (said,) = re.findall(r": run ([0-9a-f]+) since (\S+Z), session \d+$", message)
        assert said[0] == run_id[:8]
        since = datetime.strptime(said[1], "%Y-%m-%dT%H:%M%z")
        assert abs(datetime.now(UTC) - since) < timedelta(minutes=3)
    with (
        backend.lock(as_superuser, "key", 0),
        pytest.raises(LockedError) as caught,
        backend.lock(as_reader, "key", 0),
    ):
        pytest.fail("two hold the lock")
    assert "run" not in caught.value.message, "that is how another run was called"


def test_a_reader_sees_what_he_may(
    backend: Backend, as_superuser: Connection, as_reader: Connection
) -> None:
    execute(as_superuser, *SCHEMA)
    whole = backend.snapshot(as_superuser)
    seen = backend.snapshot(as_reader)
    assert "not visible to this user" in seen.objects["view open_jobs"]
    kinds = {"table", "column", "index", "constraint", "primary-key", "partitions", "database"}
    for key in whole.objects.keys() | seen.objects.keys():
        if key.partition(" ")[0] in kinds:
            assert seen.objects[key] == whole.objects[key]
