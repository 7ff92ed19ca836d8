"""Writes and reads `topchef_history`: who moved this database, when, from where, how long."""

from __future__ import annotations

import getpass
import os
import platform
import subprocess
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topchef_schema.model import HISTORY_TABLE, Direction, HistoryEntry, HistoryStatus
from topchef_schema.stages.fingerprints import Fingerprints

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from topchef_schema.bridge.own_statement import OwnStatement
    from topchef_schema.model import Revision

COMMIT_VARIABLE = "TOPCHEF_GIT_COMMIT"


@cache
def history_table(schema: str | None) -> Table:
    """Return the history table, in the schema of the version table."""
    import sqlalchemy as sa

    # Plain types only: the table must be the same whatever version of ours made it.
    return sa.Table(
        HISTORY_TABLE,
        sa.MetaData(schema=schema),
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("run_id", sa.String(32), nullable=False),
        sa.Column("revision", sa.String(255), nullable=False),
        sa.Column("direction", sa.String(4)),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime()),
        sa.Column("milliseconds", sa.BigInteger()),
        sa.Column("database_user", sa.String(255)),
        sa.Column("os_user", sa.String(255)),
        sa.Column("host", sa.String(255)),
        sa.Column("tool_version", sa.String(32)),
        sa.Column("git_commit", sa.String(64)),
        sa.Column("file_sha256", sa.String(64)),
        sa.Column("reason", sa.Text()),
        sa.Column("error", sa.Text()),
    )


@cache
def _insertion(schema: str | None) -> OwnStatement:
    """Return the one statement that all rows are written with; no row is asked for its id."""
    from topchef_schema.bridge.own_statement import OwnStatement

    columns = [each.name for each in fields(HistoryEntry)]
    prose = ["reason", "error", "os_user"]
    return OwnStatement(history_table(schema).insert().inline(), columns, prose)


@dataclass(frozen=True)
class Ledger:
    """The history as one run writes it. All times are UTC.

    *folder* is the project's, for its git commit. Rows are kept in *waiting*, where that is a
    list, until they are written all at once: within one transaction nobody sees the difference.
    """

    schema: str | None
    database_user: str | None
    folder: Path
    run_id: str
    waiting: list[dict[str, Any]] | None = None
    fingerprints: Fingerprints = field(default_factory=Fingerprints)

    def create(self, connection: Connection) -> None:
        """Make the table where it is missing; the caller commits."""
        history_table(self.schema).create(connection, checkfirst=True)

    def write(
        self,
        connection: Connection,
        revision: Revision,
        status: HistoryStatus,
        *,
        direction: Direction | None = None,
        seconds: float | None = None,
        reason: str | None = None,
        error: str | None = None,
    ) -> None:
        """Add one row, in whatever transaction *connection* is in."""
        finished = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
        entry = HistoryEntry(
            run_id=self.run_id,
            revision=revision.id,
            direction=direction,
            status=status,
            started_at=finished - timedelta(seconds=round(seconds or 0)),
            finished_at=finished,
            milliseconds=None if seconds is None else round(seconds * 1000),
            **self._origin,
            file_sha256=self.fingerprints(revision.path),
            reason=reason,
            error=error,
        )
        if self.waiting is None:
            _insertion(self.schema).send(connection, [_plain(entry)])
        else:
            self.waiting.append(_plain(entry))

    def write_waiting(self, connection: Connection) -> None:
        """Write the rows that wait, in the transaction of *connection*."""
        if self.waiting:
            rows = self.waiting.copy()
            self.waiting.clear()
            _insertion(self.schema).send(connection, rows)

    @cached_property
    def _origin(self) -> dict[str, str | None]:
        """Who writes, from where, with what: the same in all rows of a run."""
        from topchef_schema import __version__

        return {
            "database_user": self.database_user,
            "os_user": _os_user(),
            "host": platform.node(),
            "tool_version": __version__,
            "git_commit": git_commit(self.folder),
        }


def read(connection: Connection, schema: str | None) -> tuple[HistoryEntry, ...]:
    """Return every row, oldest first; none where the table does not exist."""
    import sqlalchemy as sa

    table = history_table(schema)
    if not sa.inspect(connection).has_table(HISTORY_TABLE, schema=schema):
        return ()
    columns = [column for column in table.c if column.name != "id"]
    rows = connection.execute(sa.select(*columns).order_by(table.c.id))
    return tuple(_entry(row._mapping) for row in rows)


def drop(connection: Connection, schema: str | None) -> None:
    """Remove the table where it is; the caller commits."""
    history_table(schema).drop(connection, checkfirst=True)


@cache
def git_commit(folder: Path) -> str | None:
    """Return the commit of the project; ``TOPCHEF_GIT_COMMIT`` where images carry no ``.git``."""
    given = os.environ.get(COMMIT_VARIABLE, "").strip()
    if given:
        return given[:64]
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()[:64] or None if done.returncode == 0 else None


def _os_user() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        # A container may run as a number without a name.
        return str(os.getuid()) if hasattr(os, "getuid") else None


def _plain(entry: HistoryEntry) -> dict[str, Any]:
    values = {each.name: getattr(entry, each.name) for each in fields(entry)}
    values["status"] = str(entry.status)
    values["direction"] = None if entry.direction is None else str(entry.direction)
    return values


def _entry(row: Any) -> HistoryEntry:
    values = dict(row)
    values["status"] = HistoryStatus(values["status"])
    values["direction"] = Direction(values["direction"]) if values["direction"] else None
    return HistoryEntry(**values)
