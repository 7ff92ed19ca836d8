"""Writes a recording as a script that a DBA can read, trust and run.

A run of ours looks, locks, and writes a history; so does the script, in SQL: it goes on only where
the database is exactly where it starts, and says what it found where it is not.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from topchef_schema.backends.scripting import Guard
from topchef_schema.backends.timeouts import Limits
from topchef_schema.model import VALUES_LEFT_OUT, Recording, Section
from topchef_schema.model.sql_wrapping import wrapped
from topchef_schema.stages.replay import offline_dialect
from topchef_schema.stages.script_contents import comment, contents, heading, is_boundary
from topchef_schema.stages.script_rows import ScriptRows
from topchef_schema.stages.script_statements import Said, said

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend
    from topchef_schema.backends.scripting import Scripting
    from topchef_schema.project import Project
    from topchef_schema.stages.fingerprints import Fingerprints

_OF_THE_SESSION = re.compile(r"\s*(set|use)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Terms:
    """How a script is to behave: see the options of ``topchef-db sql``."""

    limits: Limits = field(default_factory=Limits)
    history: bool = True


def script(
    project: Project,
    recording: Recording,
    terms: Terms,
    *,
    lost: Sequence[str],
    fingerprints: Fingerprints,
) -> Iterable[str]:
    """Return the script in pieces; the same on every run and machine.

    *lost* is what the way back does not bring back, for its table of contents. The pieces are made
    each time they are asked for, and are never all there at once: a script of thousands of
    revisions is long.
    """
    from topchef_schema.backends import named

    backend = named(recording.backend)
    if recording.version_table is None:
        return (comment(f"{backend.title}: nothing to do") + "\n",)
    rows = None
    if terms.history and backend.online:
        rows = ScriptRows(
            offline_dialect(project, backend),
            backend.scripting,
            recording.version_table.schema,
            _digest(recording),
            fingerprints,
        )
    return _Script(recording, backend, terms.limits, rows, lost)


@dataclass(frozen=True, slots=True)
class _Script:
    """One that is not written yet."""

    recording: Recording
    backend: Backend
    limits: Limits
    rows: ScriptRows | None
    lost: Sequence[str]

    def __iter__(self) -> Iterator[str]:
        for line in contents(self.recording, self.backend, self.lost):
            yield comment(line) + "\n"
        yield from _Writer(self.recording, self.backend, self.limits, self.rows).write()


def _digest(recording: Recording) -> str:
    said = hashlib.sha256(recording.backend.encode())
    for section in recording.sections:
        said.update(f"\0{section.step.revision.id}\0{section.step.direction}".encode())
        for each in section.statements:
            said.update(f"\0{each.sql}".encode(errors="backslashreplace"))
    return said.hexdigest()


def version_rows(
    table: str, before: Iterable[str], after: Iterable[str], words: Scripting
) -> Iterator[str]:
    """Yield the statements that move the version rows, as Alembic would."""
    text = words.text
    gone, come = sorted(set(before) - set(after)), sorted(set(after) - set(before))
    while gone and come:
        old, new = text(gone.pop()), text(come.pop())
        yield f"UPDATE {table} SET version_num = {new} WHERE version_num = {old}"
    for each in gone:
        yield f"DELETE FROM {table} WHERE version_num = {text(each)}"
    for each in come:
        yield f"INSERT INTO {table} (version_num) VALUES ({text(each)})"


def _is_torn(told: Iterable[Said]) -> bool:
    """Whether a revision is not in one transaction with its version row."""
    return any(each.outside for each in told)


class _Writer:
    """Writes the lines of one script, knowing whether a transaction is open at each."""

    def __init__(
        self, recording: Recording, backend: Backend, limits: Limits, rows: ScriptRows | None
    ) -> None:
        assert recording.version_table is not None
        self.recording = recording
        self.backend = backend
        self.words = backend.scripting
        self.bounds = backend.scripting.bounds(limits)
        self.rows = rows
        self.version_table = recording.version_table
        self.heads = recording.start
        self.lines: list[str] = []
        self.open = False
        self.checked = False
        whole = [each.sql for each in recording.opening if is_boundary(each.sql)]
        self.whole_run = bool(whole) and backend.transactional_ddl

    def write(self) -> Iterator[str]:
        """Yield the script, a revision at a time."""
        sections = self.recording.sections
        self._gap()
        self._add(self.words.preamble().rstrip(), self.bounds.opening())
        if locked := self.words.lock(self.version_table.key):
            self._add(comment("one migrator at a time: the lock is tried for once"), locked)
        self._gap()
        self._first_look(torn=any(_is_torn(said(each, self.backend)) for each in sections))
        for number, section in enumerate(sections, 1):
            self._gap()
            self._add(heading(section, number, len(sections)))
            self._section(section)
            yield self._taken()
        for each in self.recording.closing:
            if not is_boundary(each.sql):
                self._send(each.sql)
        self._gap()
        if self.open:
            self._commit()
        self._add(self.bounds.closing(), self.words.unlock())
        yield self._taken()

    def _taken(self) -> str:
        """Return the lines so far, and forget them."""
        text = "\n".join((*self.lines, ""))
        self.lines.clear()
        return text

    def _add(self, *blocks: str) -> None:
        """Add what is not empty."""
        self.lines += filter(None, blocks)

    def _gap(self) -> None:
        self.lines.append("")

    def _send(self, sql: str) -> None:
        self._add(self.words.terminated(sql))

    def _begin(self) -> None:
        self._add(self.words.begin, self.bounds.begun())
        self.open, self.checked = True, False

    def _commit(self) -> None:
        self._add(self.words.commit)
        self.open = False

    def _require(self, heads: tuple[str, ...]) -> None:
        self._add(self.words.require(Guard(self.version_table.name, heads)))
        self.checked = True

    def _first_look(self, *, torn: bool) -> None:
        """Look whether the database is where the script starts, before anything is changed."""
        recording = self.recording
        if self.backend.transactional_ddl:
            self._begin()
        for each in recording.opening:
            if not is_boundary(each.sql):
                self._send(each.sql)
        if not recording.start:
            # It changes nothing where the table is there, and the guard refuses.
            self._send(self.version_table.create)
        end = recording.sections[-1].heads
        first = Guard(self.version_table.name, recording.start, end)
        self._add(comment("only where the database is where this script starts"))
        self._add(self.words.before_guards(first), self.words.require(first))
        self.checked = True
        if self.rows is None:
            return
        self._add(comment("only where every revision is finished that was begun"))
        self._send(self.rows.history_made())
        if torn or not self.words.looks_for_tables:
            self._send(self.rows.journal_made())
        self._add(self.words.require_finished(self.rows.journal, self.rows.unfinished))

    def _section(self, section: Section) -> None:
        self.bounds.next_revision()
        told = tuple(said(section, self.backend))
        torn = self.rows is not None and _is_torn(told)
        self._before_section()
        if torn:
            self._mark(section)
        for each in told:
            self._statement(each)
        self._after_section(section, torn=torn)

    def _before_section(self) -> None:
        """Begin, and look again: a client may have gone on after an error."""
        if self.backend.transactional_ddl and not self.open:
            self._begin()
        if not self.checked:
            self._require(self.heads)

    def _mark(self, section: Section) -> None:
        """Write down that the revision was begun, where an error leaves half of it behind."""
        assert self.rows is not None
        alone = not self.open
        if alone:
            self._begin()
        for each in self.rows.started(section.step):
            self._send(each)
        if alone:
            self._commit()

    def _statement(self, one: Said) -> None:
        sql = one.statement.sql
        if one.outside:
            self._leave()
        elif self.backend.transactional_ddl:
            self._before_section()
        elif not self.open and not _OF_THE_SESSION.match(sql):
            self._begin()
        self._add(self.bounds.before(sql, outside=one.outside))
        if one.statement.line is not None:
            self._add(comment(f"line {one.statement.line}"))
        if sql.endswith(VALUES_LEFT_OUT):
            # One that has no values would put NULL in their place, or nothing.
            self._add(comment(sql))
            sql = "SELECT * FROM the_values_of_this_statement_cannot_be_written_out"
        self._send(wrapped(sql, keeps_text=self.words.keeps_text))
        self._add(self.bounds.after())

    def _leave(self) -> None:
        """Be in no transaction; where DDL ends one by itself, that is enough."""
        if not self.backend.transactional_ddl:
            self.open = False
        elif self.open:
            self._commit()
            self._require(self.heads)

    def _moves(self, section: Section) -> Iterator[str]:
        """Yield what moves the version rows, and what env.py does whenever a step was taken."""
        yield from version_rows(
            self.version_table.name, self.heads, section.heads, self.backend.scripting
        )
        for each in section.statements:
            if each.revision is None and not is_boundary(each.sql):
                yield each.sql

    def _after_section(self, section: Section, *, torn: bool) -> None:
        if self.backend.transactional_ddl:
            self._before_section()
        elif not self.open:
            self._begin()
        for each in self._moves(section):
            self._send(each)
        self.heads = section.heads
        self._require(self.heads)
        if self.rows is not None:
            self._send(self.rows.finished(section.step))
            if torn:
                self._send(self.rows.no_longer_open(section.step.revision))
        if not self.whole_run:
            self._commit()
            self.checked = False
