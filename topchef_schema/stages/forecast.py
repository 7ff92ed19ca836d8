"""What would run here and now? Each step's statements, what commits them, and the rows it touches.

It is only read, and nothing is made. What was shown can be kept in a file, and be compared with
what would run later: the statements in the file are never run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from topchef_schema import backends
from topchef_schema.errors import HistoryError
from topchef_schema.model import (
    OWN_TABLES,
    Plan,
    Recording,
    Section,
    Statement,
    TableName,
    named_tables,
)
from topchef_schema.project import Project
from topchef_schema.stages import observe, record
from topchef_schema.stages.count import Rows
from topchef_schema.stages.entry import Entry, Target
from topchef_schema.stages.names import Names
from topchef_schema.stages.plan import Planner

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend
    from topchef_schema.bridge.session import Session
    from topchef_schema.stages.observe import Observed

RUN, REVISION, ITSELF = "run", "revision", "itself"
"""What commits a statement: the end of the whole run, that of its revision, or it does itself."""


@dataclass(frozen=True, slots=True)
class Touched:
    """A table that a step touches; *rows* is None where nobody knows, *exact* where counted."""

    table: str
    rows: int | None
    exact: bool


@dataclass(frozen=True, slots=True)
class Sent:
    """A statement, and what commits it; those with one *transaction* are committed together."""

    statement: Statement
    committed_by: str
    transaction: int


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One step: what it sends, and which tables of the database that touches."""

    section: Section
    statements: tuple[Sent, ...]
    tables: tuple[Touched, ...]

    @property
    def note(self) -> str | None:
        """Why its statements may be others than these, or are not all here."""
        if self.section.unknown is not None:
            return f"its statements are not known: {self.section.unknown}"
        return self.section.reason and f"recorded on a scratch database: {self.section.reason}"

    @property
    def sha256(self) -> str:
        """The sha256 of its statements, in hexadecimal."""
        text = "\0".join(each.statement.sql for each in self.statements)
        return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()


@dataclass(frozen=True, slots=True)
class Forecast:
    """What would run on one database; *unit* is what is committed at once, `RUN` or `REVISION`."""

    seen: Observed
    plan: Plan
    recording: Recording
    unit: str
    steps: tuple[Foreseen, ...]

    @property
    def label(self) -> str:
        """What to call the database."""
        return self.seen.label


def forecasts(project: Project, plan: Planner) -> tuple[Forecast, ...]:
    """Say what *plan* would do on each database that env.py comes to."""
    seen = observe.databases(project)
    plans = [plan(each.heads) for each in seen]
    recordings = record.each(project, seen, plans, tolerant=True)
    waiting = iter(zip(seen, plans, recordings, strict=True))
    if not all(each.present for each in seen):
        return tuple(_unseen(*each) for each in waiting)

    def body(session: Session, target: Target) -> Forecast:
        found, steps, recording = next(waiting)
        if session.heads() != found.heads:
            raise HistoryError(
                "the database was moved while it was looked at",
                where=target.label,
                hint="run the same command again",
            )
        rows = Rows(session.connection, target.backend)
        look = _Look(target.backend, _unit(session), session.autocommit, rows)
        steps_seen = tuple(look.step(each, target.version_table) for each in recording.sections)
        return Forecast(found, steps, recording, look.unit, steps_seen)

    return tuple(Entry(project).run(body, look=True))


def _unseen(seen: Observed, steps: Plan, recording: Recording) -> Forecast:
    """Say it of a database that is not there yet, and has no rows."""
    look = _Look(backends.named(seen.backend), REVISION)
    foreseen = tuple(look.step(each, "") for each in recording.sections)
    return Forecast(seen, steps, recording, look.unit, foreseen)


def _unit(session: Session) -> str:
    return RUN if session.whole_run else REVISION


@dataclass
class _Look:
    """What is known of one database, and the number of the transaction that is open."""

    backend: Backend
    unit: str
    autocommit: bool = False
    rows: Rows | None = None
    transaction: int = 1
    begun: bool = False

    def step(self, section: Section, version_table: str) -> Foreseen:
        """Say what one step would do."""
        sent = tuple(self._sent(section))
        if self.unit == REVISION:
            self.begun = True  # with its version row
            self._end()
        return Foreseen(section, sent, tuple(self._touched(section, {version_table, *OWN_TABLES})))

    def _sent(self, section: Section) -> Iterator[Sent]:
        """Yield each statement of the revision, and what commits it."""
        outside = False
        for each in section.statements:
            if each.revision is None:
                continue
            word = each.sql.strip().rstrip(";").upper()
            if word in ("BEGIN", "COMMIT"):
                # An autocommit block, as Alembic writes it down.
                outside = word == "COMMIT"
                continue
            if outside or each.autocommit or self._alone(each.sql):
                self._end()
                yield Sent(each, ITSELF, self.transaction)
                self.transaction += 1
            else:
                self.begun = True
                yield Sent(each, self.unit, self.transaction)

    def _alone(self, sql: str) -> bool:
        rules = self.backend.commit_rules
        assert rules is not None
        return self.autocommit or rules.commits_alone(sql) or rules.needs_autocommit(sql)

    def _end(self) -> None:
        """End the transaction, where anything was done in it."""
        self.transaction += self.begun
        self.begun = False

    def _touched(self, section: Section, exclude: set[str]) -> Iterator[Touched]:
        """Yield the tables of the database that the statements name."""
        if self.rows is None:
            return
        names = Names(self.rows.tables)
        found: dict[TableName, None] = {}
        for each in section.statements:
            for name in named_tables(each.sql) if each.revision is not None else ():
                table = names.live(name)
                if table is not None and table.name not in exclude:
                    found[table] = None
        for table in found:
            yield Touched(str(table), *self.rows.estimate(table))
