"""What rows and values would a downgrade lose? Told before anything is touched.

What a step does to tables is known from the operations that it calls, and from the first words of
the SQL that it writes itself. What cannot be known counts as loss, unless the database has no rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from topchef_schema.model import (
    UNKNOWN,
    Doing,
    Effect,
    Finding,
    Plan,
    Recording,
    Section,
    Severity,
    Statement,
    TableName,
    effects_of_sql,
    named_tables,
)
from topchef_schema.project import Project
from topchef_schema.stages import observe, record
from topchef_schema.stages.count import Rows
from topchef_schema.stages.entry import Entry, Target
from topchef_schema.stages.names import Names
from topchef_schema.stages.plan import Planner

if TYPE_CHECKING:
    from topchef_schema.bridge.session import Session
    from topchef_schema.stages.observe import Observed

HARMLESS = {
    Doing.ADD_COLUMN,
    Doing.CREATE_TABLE,
    Doing.RENAME_COLUMN,
    Doing.RENAME_TABLE,
}


_OF_ROWS = {Doing.CHANGE_ROWS, Doing.DELETE_ROWS}


@dataclass(frozen=True, slots=True)
class Expected:
    """What a plan loses on each database that env.py comes to, as it is now."""

    seen: tuple[Observed, ...]
    plans: tuple[Plan, ...]
    findings: tuple[Finding, ...]


def expected(project: Project, plan: Planner, *, replay: bool = True) -> Expected:
    """Say what *plan* loses on each database, an error each; nothing is touched.

    Without *replay* what only a run on a scratch server would tell counts as loss at once.
    """
    seen = observe.before_writing(project, plan)
    plans = tuple(plan(each.heads) for each in seen)
    if not any(plans) or not any(Entry(project).run(_has_rows, look=True)):
        return Expected(seen, plans, ())  # without rows nothing is lost, whatever is done
    recordings = record.each(project, seen, plans, tolerant=True, replay=replay)
    if not any(_may_lose(section) for each in recordings for section in each.sections):
        return Expected(seen, plans, ())
    waiting = iter(recordings)

    def body(session: Session, target: Target) -> list[Finding]:
        return list(_Looker(session, target).losses(next(waiting)))

    found = Entry(project).run(body, look=True)
    return Expected(seen, plans, tuple(finding for each in found for finding in each))


def _has_rows(session: Session, target: Target) -> bool:
    rows = Rows(session.connection, target.backend)
    return rows.anywhere(target.own_tables)


def _may_lose(section: Section) -> bool:
    if section.unknown or section.reads:
        return True
    return any(effect.doing not in HARMLESS for effect, _ in effects(section))


def effects(section: Section) -> Iterator[tuple[Effect, Statement]]:
    """Yield what the step does, each with the first statement that does it.

    Where an operation, or a batch, sends several, that is the one whose SQL says so, else one
    without SQL: all of them do it together.
    """
    told = set()
    for each in section.statements:
        if each.revision is not None:
            found = effects_of_sql(each.sql) if each.effects is None else each.effects
            for effect in found:
                if effect not in told or effect is UNKNOWN:
                    told.add(effect)
                    yield effect, _that_does(effect, each, section)


def _that_does(effect: Effect, first: Statement, section: Section) -> Statement:
    together = [each for each in section.statements if each.effects == first.effects]
    if first.effects is None or len(together) == 1:
        return first
    for each in together:
        for said in effects_of_sql(each.sql):
            if (said.doing, said.column) == (effect.doing, effect.column):
                return each
    return replace(first, sql="")


@dataclass(frozen=True, slots=True)
class _Suspect:
    """What may lose something: rows of *table*, values of its *column*, or nobody knows what."""

    section: Section
    doing: Doing
    table: TableName | None
    column: str | None
    statement: Statement | None
    why: str = ""

    @property
    def reason(self) -> str:
        """What tells it from others of which nobody knows what they touch."""
        shown = self.statement.sql if self.statement and self.table is None else ""
        return f"{self.why} {shown}"


@dataclass
class _Looker:
    """Looks at one database, in a visit that writes nothing."""

    session: Session
    target: Target
    rows: Rows = field(init=False)
    names: Names = field(init=False)

    def __post_init__(self) -> None:
        self.rows = Rows(self.session.connection, self.target.backend)
        self.names = Names(self.rows.tables)

    def losses(self, recording: Recording) -> Iterator[Finding]:
        """Yield a finding for each thing that is lost."""
        suspects = [each for section in self._run(recording) for each in self._suspects(section)]
        dropped = {each.table for each in suspects if each.doing is Doing.DROP_TABLE}
        told = set()
        for each in suspects:
            key = (each.section.step.revision.id, each.doing, each.table, each.column, each.reason)
            if key in told or (each.doing is not Doing.DROP_TABLE and each.table in dropped):
                continue
            told.add(key)
            found = self._lost(each)
            if found is not None:
                yield found

    def _run(self, recording: Recording) -> Iterator[Section]:
        """Yield the sections as far as the run will come."""
        for section in recording.sections:
            sent = any(each.revision is not None for each in section.statements)
            if section.fails and not sent and not self._read(section):
                return
            yield section

    def _read(self, section: Section) -> list[str]:
        """Return the tables whose rows the step has read."""
        asked = dict.fromkeys(name for sql in section.reads for name in named_tables(sql))
        left_out = self.target.own_tables
        return [
            str(each)
            for each in asked
            if each.name not in left_out and self.names.live(each) is not None
        ]

    def _suspects(self, section: Section) -> Iterator[_Suspect]:
        for effect, statement in effects(section):
            if effect.doing is Doing.UNKNOWN:
                why = "what this statement does to rows cannot be known"
                yield _Suspect(section, effect.doing, None, None, statement, why)
            elif effect.table is not None:
                yield from self._touched(section, effect, statement)
        read = self._read(section)
        if read:
            why = f"it reads {', '.join(read)}, so what it does depends on the rows there"
            yield _Suspect(section, Doing.UNKNOWN, None, None, None, why)
        if section.unknown is not None:
            why = f"what it does cannot be known: {section.unknown}"
            yield _Suspect(section, Doing.UNKNOWN, None, None, None, why)

    def _touched(
        self, section: Section, effect: Effect, statement: Statement
    ) -> Iterator[_Suspect]:
        assert effect.table is not None
        through_a_view = effect.doing in _OF_ROWS and not self.names.is_known(effect.table)
        if through_a_view or self.names.is_elsewhere(effect.table):
            why = f"the rows of {effect.table} cannot be seen from here"
            yield _Suspect(section, Doing.UNKNOWN, None, None, statement, why)
        table, column = self.names.taken(effect)
        if effect.doing in HARMLESS or table is None or (effect.column and column is None):
            return
        if table.name not in self.target.own_tables:
            yield _Suspect(section, effect.doing, table, column, statement)

    def _lost(self, suspect: _Suspect) -> Finding | None:
        if suspect.table is None:
            left_out = self.target.own_tables
            return self._finding(suspect, suspect.why) if self.rows.anywhere(left_out) else None
        found = self.rows.of(suspect.table, suspect.column)
        if found is None:
            return None
        what, after = _WORDS[suspect.doing]
        name = f"{suspect.table}.{suspect.column}" if suspect.column else str(suspect.table)
        kind = "column" if suspect.column else "table"
        return self._finding(
            suspect,
            what.format(name=name, found=found),
            object_=f"{kind} {name}",
            before=found,
            after=after,
        )

    def _finding(
        self,
        suspect: _Suspect,
        message: str,
        *,
        object_: str | None = None,
        before: str | None = None,
        after: str | None = None,
    ) -> Finding:
        revision, statement = suspect.section.step.revision, suspect.statement
        return Finding(
            rule="data-lost",
            severity=Severity.ERROR,
            message=message,
            help="save what is needed first; --accept-data-loss takes the loss",
            backend=self.target.backend.name,
            revision=revision.id,
            object=object_,
            before=before,
            after=after,
            path=revision.path,
            line=statement.line if statement else None,
            sql=(statement.sql.strip() or None) if statement else None,
        )


_WORDS: dict[Doing, tuple[str, str | None]] = {
    Doing.DROP_TABLE: ("the table {name} is dropped, with {found}", None),
    Doing.DROP_COLUMN: ("the column {name} is dropped, with {found}", None),
    Doing.CHANGE_TYPE: ("the type of {name} changes: {found} may be cut or changed", "unknown"),
    Doing.DELETE_ROWS: ("rows of {name} are deleted: it has {found}", "unknown"),
    Doing.CHANGE_ROWS: ("values of {name} are overwritten: it has {found}", "unknown"),
}
