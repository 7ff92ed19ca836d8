"""Keeps `topchef_journal`: the statements of a revision that cannot be undone as a whole.

Where DDL ends the transaction it is in, a process that dies between two statements leaves half a
revision behind. Its next run reads here what was done, and goes on from there.

While a run takes many steps, the entries of those that are finished stay until its last one: their
rows in the history, which were committed with their version rows, tell that they are finished.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from topchef_schema.model import HISTORY_TABLE, JOURNAL_TABLE, Direction, JournalEntry
from topchef_schema.stages.ledger import history_table
from topchef_schema.stages.recorded import ONE_REVISION

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from topchef_schema.bridge.own_statement import OwnStatement

BASELINE = "(baseline)"
"""Stands for a revision's id in the entries of what is laid before the first of them."""


@cache
def journal_table(schema: str | None) -> Table:
    """Return the journal's table, in the schema of the version table."""
    import sqlalchemy as sa

    # Plain types only: the table must be the same whatever version of ours made it.
    return sa.Table(
        JOURNAL_TABLE,
        sa.MetaData(schema=schema),
        sa.Column("revision", sa.String(255), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("run_id", sa.String(32), nullable=False),
        sa.Column("direction", sa.String(4), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("alone", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("before", sa.String(64)),
        sa.Column("sql", sa.Text(), nullable=False),
    )


@cache
def _insertion(schema: str | None) -> OwnStatement:
    from topchef_schema.bridge.own_statement import OwnStatement

    table = journal_table(schema)
    return OwnStatement(table.insert().inline(), [each.name for each in table.c], prose=["sql"])


@cache
def _deletion(schema: str | None) -> OwnStatement:
    import sqlalchemy as sa

    from topchef_schema.bridge.own_statement import OwnStatement

    table = journal_table(schema)
    chosen = (table.c.revision == sa.bindparam("finished")) | (
        table.c.run_id == sa.bindparam("run")
    )
    return OwnStatement(table.delete().where(chosen), ["finished", "run"])


@dataclass(frozen=True)
class Journal:
    """The journal of one step. Every write is part of the caller's transaction.

    With *made* its table is there; else it is made when it is first needed, which is rare where
    DDL can be undone, and part of that transaction too. With *more* another step of the run
    follows, which is to remove the entries of this one, too.
    """

    schema: str | None
    run_id: str
    revision: str
    direction: Direction
    made: bool
    more: bool = False

    def write(
        self, connection: Connection, drafts: Sequence[tuple[int, str, str, bool, str | None]]
    ) -> None:
        """Add entries: position, fingerprint, SQL, whether alone, what was before."""
        rows = [
            {
                "revision": self.revision,
                "position": position,
                "run_id": self.run_id,
                "direction": str(self.direction),
                "fingerprint": fingerprint,
                "alone": alone,
                "before": before,
                "sql": sql,
            }
            for position, fingerprint, sql, alone, before in drafts
        ]
        if not self.made:
            create(connection, self.schema)
        _insertion(self.schema).send(connection, rows)

    def remove(self, connection: Connection, positions: Collection[int]) -> None:
        """Remove the entries of statements that were not done after all."""
        remove(connection, self.schema, self.revision, positions)

    def clear(self, connection: Connection, *, written: bool = True) -> None:
        """Remove all entries of the revision, and of the run: it is finished."""
        if (written or self.made) and not self.more:
            clear(connection, self.schema, self.revision, self.run_id)


def create(connection: Connection, schema: str | None) -> None:
    """Make the table where it is missing; the caller commits."""
    journal_table(schema).create(connection, checkfirst=True)


def read(
    connection: Connection, schema: str | None, *, commit: Callable[[], None] | None = None
) -> tuple[JournalEntry, ...]:
    """Return what an interrupted run left, in order; nothing where the table does not exist.

    With *commit* what a run has left of steps that it finished is removed for good.
    """
    entries = _all(connection, schema)
    finished = _finished(connection, schema, entries)
    if finished and commit is not None:
        table = journal_table(schema)
        for run_id, revision, _ in finished:
            chosen = (table.c.run_id == run_id) & (table.c.revision == revision)
            connection.execute(table.delete().where(chosen))
        commit()
    return tuple(each for each in entries if _step(each) not in finished)


def _all(connection: Connection, schema: str | None) -> tuple[JournalEntry, ...]:
    import sqlalchemy as sa

    if not sa.inspect(connection).has_table(JOURNAL_TABLE, schema=schema):
        return ()
    table = journal_table(schema)
    rows = connection.execute(sa.select(table).order_by(table.c.revision, table.c.position))
    return tuple(_entry(row._mapping) for row in rows)


def _step(entry: JournalEntry) -> tuple[str, str, str]:
    return entry.run_id, entry.revision, str(entry.direction)


def _finished(
    connection: Connection, schema: str | None, entries: Collection[JournalEntry]
) -> set[tuple[str, str, str]]:
    """Return the steps of *entries* that their runs have finished, as the history tells."""
    import sqlalchemy as sa

    runs = {each.run_id for each in entries}
    if not runs or not sa.inspect(connection).has_table(HISTORY_TABLE, schema=schema):
        return set()
    columns = history_table(schema).c
    done = columns.run_id.in_(runs) & columns.status.in_(map(str, ONE_REVISION))
    question = sa.select(columns.run_id, columns.revision, columns.direction).where(done)
    return {tuple(row) for row in connection.execute(question)} & set(map(_step, entries))


def remove(
    connection: Connection, schema: str | None, revision: str, positions: Collection[int]
) -> None:
    """Remove the entries of *revision* at *positions*; the caller commits."""
    table = journal_table(schema)
    chosen = (table.c.revision == revision) & table.c.position.in_(positions)
    connection.execute(table.delete().where(chosen))


def clear(connection: Connection, schema: str | None, revision: str, run_id: str = "") -> None:
    """Remove the entries of *revision*, and all of the run *run_id*; the caller commits."""
    _deletion(schema).send(connection, [{"finished": revision, "run": run_id}])


def drop(connection: Connection, schema: str | None) -> None:
    """Remove the table where it is; the caller commits."""
    journal_table(schema).drop(connection, checkfirst=True)


def _entry(row: Any) -> JournalEntry:
    values = dict(row)
    values["direction"] = Direction(values["direction"])
    values["alone"] = bool(values["alone"])
    return JournalEntry(**values)
