"""Puts together what a reviewer looks at: statements, the schema they change, locks and risks."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from topchef_schema.backends.locks import Blocks, Lock, lock_of
from topchef_schema.model import (
    Change,
    Section,
    Snapshot,
    Statement,
    TableName,
    diff,
    named_tables,
)
from topchef_schema.model.review import Review, ReviewedRevision, ReviewedStatement, counted
from topchef_schema.model.sql_wrapping import wrapped
from topchef_schema.stages import bundle_schema
from topchef_schema.stages.bundle import DOWN, UP, destroyed_by
from topchef_schema.stages.script_contents import NOT_TOLD, destroyed, why
from topchef_schema.stages.script_statements import Said, said

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend
    from topchef_schema.stages.bundle import Part

_MAKES_TABLE = re.compile(r"\s*create\s+table\s+(?!if\b)", re.IGNORECASE)
NEW = "a table that this script makes: nobody uses it yet"


def of(part: Part, schema: Sequence[Snapshot]) -> Review:
    """Return the review of a part; *schema* is what it was at the start and after each step."""
    up, down = part.up.recording, part.down.recording
    back = {each.step.revision.id: each for each in down.sections}
    made: set[TableName] = set()
    revisions = []
    for number, section in enumerate(up.sections):
        changes = _changes(*schema[number : number + 2]) if schema else None
        one = _revision(part, section, back.get(section.step.revision.id), changes, made)
        revisions.append(one)
    ends = (schema[0], schema[-1]) if schema else None
    review = Review(
        backend=part.backend.title,
        database=part.database,
        range=part.order.range,
        start=tuple(sorted(part.order.steps.start)),
        end=part.end,
        revisions=tuple(revisions),
        scripts=(part.up.script, part.down.script),
        checklist=(),
        commands=tuple(_commands(part)),
        destroyed=tuple(destroyed_by(up)),
        notes=tuple(_notes(part, schema)),
        why_not=part.down.why_not,
        schema=None if ends is None else (_text(ends[0]), _text(ends[1])),
    )
    return replace(review, checklist=tuple(_checklist(review)))


def _changes(before: Snapshot, after: Snapshot) -> tuple[Change, ...]:
    """Return what differs; that the columns are others, their order need not say once more."""
    found = diff(before, after)
    causes = set(found.causes)
    return tuple(e for e in found.changes if e.kind != "column-order" or e in causes)


def _text(schema: Snapshot) -> str:
    return bundle_schema.written(schema)


def _revision(
    part: Part,
    section: Section,
    back: Section | None,
    changes: tuple[Change, ...] | None,
    made: set[TableName],
) -> ReviewedRevision:
    """Return one revision; *made* are the tables of those before it, and gets its own."""
    revision = section.step.revision
    up = tuple(_statements(section, part.backend, made))
    down = () if back is None else tuple(_statements(back, part.backend, None))
    notes = []
    for each in filter(None, (section, back)):
        if each.reason is not None:
            reason = part.order.steady.text(each.reason)
            notes.append(
                f"the way {each.step.direction} depends on the data: it was recorded by running it "
                f"on an empty scratch database, because it cannot be written down without: {reason}"
            )
    if up and not down and part.down.why_not is None:
        notes.append("the way down does nothing")
    return ReviewedRevision(
        id=revision.id,
        message=revision.message,
        path=part.order.steady.path(revision.path),
        why=why(revision),
        up=up,
        down=down,
        changes=changes,
        notes=tuple(notes),
    )


def _statements(
    section: Section, backend: Backend, made: set[TableName] | None
) -> Iterator[ReviewedStatement]:
    """Yield the statements; *made* are tables that nobody uses yet, None where all may be used."""
    held: Lock | None = None
    for each in said(section, backend):
        sql = each.statement.sql
        tables = set(named_tables(sql))
        lock = lock_of(backend.name, sql)
        if made is not None and _MAKES_TABLE.match(sql):
            made.update(list(named_tables(sql))[:1])
        new = made is not None and bool(tables) and tables <= made
        if each.outside:
            held = None
        yield ReviewedStatement(
            sql=wrapped(sql, keeps_text=backend.scripting.keeps_text),
            line=each.statement.line,
            transaction=not each.outside,
            locks=NEW if new else None if lock is None else str(lock),
            risks=tuple(_risks(section, each, backend, None if new else lock, held)),
        )
        if lock is not None and not new and not each.outside and lock.blocks is Blocks.ALL:
            held = lock


def _risks(
    section: Section, one: Said, backend: Backend, lock: Lock | None, held: Lock | None
) -> Iterator[str]:
    yield from _destroyed(section, one.statement)
    if one.outside and backend.transactional_ddl:
        yield "in no transaction: where it fails, what was done before it stays"
    if lock is None:
        return
    if lock.blocks.rank >= Blocks.WRITES.rank and lock.lasts:
        yield f"blocks {lock.blocks} for longer, the larger the table is"
    if held is not None and lock.lasts:
        yield f"meanwhile, a statement before it blocks {held.blocks}"
    if lock.blocks is Blocks.ROWS and lock.reads_all:
        yield "touches every row of the table"


def _destroyed(section: Section, statement: Statement) -> list[str]:
    """Say what one statement takes away: an operation that sends several tells it of them all."""
    alone = destroyed(replace(section, statements=(replace(statement, effects=None),)))
    if NOT_TOLD in alone:
        return destroyed(replace(section, statements=(statement,)))
    return alone


def _commands(part: Part) -> Iterator[tuple[str, str]]:
    run = part.backend.scripting.run_with
    again = ["topchef-db", "sql", part.order.range, "--on", part.backend.name]
    yield "run it", run.replace("THIS_FILE", UP)
    if part.down.why_not is None:
        yield "take it back", run.replace("THIS_FILE", DOWN)
    yield "is it as it was written? (in the folder of SHA256SUMS)", "sha256sum -c SHA256SUMS"
    yield "is it what the revisions say?", "topchef-db sql --verify DIR"
    if part.backend.online:
        yield "does it do what an upgrade does?", shlex.join([*again, "--prove"])
        yield "can it be taken back?", shlex.join(["topchef-db", "roundtrip", *again[2:]])
        yield "where is the database afterwards?", "topchef-db status"


def _notes(part: Part, schema: Sequence[Snapshot]) -> Iterator[str]:
    if not schema:
        title = part.backend.title
        yield f"the schema is not shown: there is no server of {title} that it could be read from"
    if not _locks_are_known(part):
        yield f"what statements lock on {part.backend.title} is not known here"


def _locks_are_known(part: Part) -> bool:
    return lock_of(part.backend.name, "CREATE TABLE a (b INT)") is not None


def _checklist(review: Review) -> Iterator[str]:
    start = ", ".join(review.start) or "base"
    yield f"the database is at {start}: the script looks, and stops where it is not"
    yield "each statement has been read, and is meant for this database"
    for each in review.revisions:
        if any("depends on the data" in note for note in each.notes):
            yield f"what {each.id} does depends on the data: it was checked against real rows"
    risky = sum(each.risky for each in review.revisions)
    if risky:
        yield f"{counted(risky, 'statement')} to look at twice: how large are the tables, and when"
    if review.destroyed:
        yield "what it takes away is needed by nobody any more, or was copied"
    if review.why_not is not None:
        yield "there is no way back: a backup is the only one, and it was restored once"
    else:
        yield "the way back has been read, and a backup is there: down.sql brings back no rows"
    yield "the programs that use the database work with the schema before and after"
    yield "the script was run on a copy of the database, and it was said how long it took"
