"""What stands on top of a script: what it does, to which tables, and what it destroys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from topchef_schema.backends.scripting import listed
from topchef_schema.model import (
    Direction,
    Doing,
    Effect,
    Recording,
    Revision,
    Section,
    Statement,
    dropped,
    effects_of_sql,
    named_tables,
    visible,
)

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend

NOT_TOLD = "does what its SQL alone does not tell"

_WORDS = {
    Doing.DROP_TABLE: "drops the table {table}",
    Doing.DROP_COLUMN: "drops the column {table}.{column}",
    Doing.CHANGE_TYPE: "changes the type of {table}.{column}",
    Doing.DELETE_ROWS: "deletes rows of {table}",
    Doing.CHANGE_ROWS: "changes rows of {table}",
}
_BOILERPLATE = re.compile(r"(Revision ID|Revises|Create Date)\s*:", re.IGNORECASE)
_BOUNDARIES = {"BEGIN", "BEGIN TRANSACTION", "COMMIT", "GO", "/"}


def is_boundary(sql: str) -> bool:
    """Whether *sql* is no statement of a revision: a transaction, or the end of a batch."""
    return sql.strip().rstrip(";").upper() in _BOUNDARIES


def own(section: Section) -> Iterator[Statement]:
    """Yield the statements of the revision itself."""
    for each in section.statements:
        if each.revision is not None and not is_boundary(each.sql):
            yield each


def destroyed(section: Section) -> list[str]:
    """Say what the step takes away or changes, each thing once."""
    found = (
        said
        for each in own(section)
        for said in (
            *_to_rows(each),
            *(f"drops the {kind} {name}" for kind, name in dropped(each.sql)),
        )
    )
    return list(dict.fromkeys(found))


def taken_away(section: Section) -> list[str]:
    """Say whose values are gone after the step; where it cannot be told, why."""
    if section.unknown is not None:
        return [f"does what is not known: {section.unknown}"]
    return list(dict.fromkeys(said for each in own(section) for said in _to_rows(each)))


def _to_rows(statement: Statement) -> Iterator[str]:
    """Yield what a statement does to rows, and to what holds them."""
    known = statement.effects
    effects = effects_of_sql(statement.sql) if known is None else known
    return filter(None, map(_said, effects))


def _said(effect: Effect) -> str | None:
    if effect.doing is Doing.UNKNOWN:
        return NOT_TOLD
    if effect.table is None or effect.doing not in _WORDS:
        return None
    return _WORDS[effect.doing].format(table=effect.table, column=effect.column)


def comment(text: str) -> str:
    """Return *text* as comment lines: a line end in it must not end the comment."""
    return "\n".join(f"-- {visible(line)}".rstrip() for line in text.splitlines() or [""])


def contents(recording: Recording, backend: Backend, lost: Sequence[str] = ()) -> Iterator[str]:
    """Yield the lines of the table of contents; *lost* is what the way back does not bring back."""
    sections = recording.sections
    end = sections[-1].heads if sections else recording.start
    counts = [len(list(own(each))) for each in sections]
    direction = sections[0].step.direction if sections else Direction.UP
    yield from (
        f"{backend.title}, {direction}, from {listed(recording.start)} to {listed(end)}: "
        f"{_counted(len(sections), 'revision')}, {_counted(sum(counts), 'statement')}",
        f"run it with: {backend.scripting.run_with}",
        "It goes on only where the database is exactly where it starts, and stops at the first "
        "error.",
        "",
    )
    yield from _table(sections, counts)
    ends = (f"  {each.step.revision.id} {said}" for each in sections for said in destroyed(each))
    yield from _titled("What it takes away or changes:", ends)
    yield from _titled(
        "What it does not bring back, because the way up", (f"  {each}" for each in lost)
    )


def _titled(title: str, lines: Iterator[str]) -> Iterator[str]:
    """Yield *lines* below a title; where there are none, nothing."""
    for number, line in enumerate(lines):
        if number == 0:
            yield from ("", title)
        yield line


def _table(sections: Sequence[Section], counts: Sequence[int]) -> Iterator[str]:
    ids = [each.step.revision.id for each in sections]
    width = max([len("revision"), *map(len, ids)])
    yield f"  {'revision':{width}}  statements  message (tables)"
    for section, count in zip(sections, counts, strict=True):
        revision = section.step.revision
        names = dict.fromkeys(chain.from_iterable(map(_touched, own(section))))
        tables = f"({', '.join(names)})" if names else ""
        said = " ".join(filter(None, (*revision.message.splitlines()[:1], tables)))
        yield f"  {revision.id:{width}}  {count:>10}  {said}".rstrip()


def _touched(statement: Statement) -> list[str]:
    """Return the tables that a statement does something to, or names."""
    known = [each.table for each in statement.effects or () if each.table is not None]
    return list(map(str, known or named_tables(statement.sql)))


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def why(revision: Revision) -> str:
    """Return what the file of a revision says of it, beside its message."""
    lines = [line for line in revision.doc.splitlines() if not _BOILERPLATE.match(line.strip())]
    return "\n".join(lines).strip().removeprefix(revision.message).strip()


def heading(section: Section, number: int, count: int) -> str:
    """Return what stands above the statements of a revision: which it is, where, and why."""
    revision = section.step.revision
    lines = [f"{number} of {count}: {section.step}", revision.path]
    if text := why(revision):
        lines += ["", text]
    if section.reason is not None:
        lines.append(
            "depends on the data: review. Recorded by running it on a scratch database, "
            f"because it cannot be written down without: {section.reason}"
        )
    if section.varies:
        lines.append("not deterministic: its values are others each time that it is written")
    return comment("\n".join(lines))
