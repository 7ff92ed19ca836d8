"""A review as GitHub Flavored Markdown, for a pull request or a wiki."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from topchef_schema.formats.markdown_text import code, fenced, folded, plain
from topchef_schema.model import Change
from topchef_schema.model.review import Review, ReviewedRevision, ReviewedStatement, counted

_BLANK = re.compile(r"\n\s*\n")
NO_SERVER = "not known: there is no server to read it from"


def render(review: Review) -> str:
    """Return the markdown."""
    blocks = [
        f"# {plain(review.title)}",
        f"{plain(review.counts)}; range {code(review.range)}",
        *map(plain, review.notes),
        "## Checklist",
        _list(review.checklist, "- [ ] "),
        "## Commands",
        "\n".join(f"- {plain(what)}: {code(typed)}" for what, typed in review.commands),
        "## What it takes away or changes",
        _list(review.destroyed) or "nothing that the statements tell of",
    ]
    if review.why_not is not None:
        blocks.append(f"**There is no way back:** {plain(review.why_not)}")
    for number, each in enumerate(review.revisions, 1):
        blocks += _revision(review, each, number)
    blocks += ["## The scripts", "They are beside this file: `up.sql` and `down.sql`."]
    return "\n\n".join(blocks) + "\n"


def _list(items: Sequence[str], mark: str = "- ") -> str:
    return "\n".join(mark + plain(each) for each in items)


def _revision(review: Review, revision: ReviewedRevision, number: int) -> Iterator[str]:
    count = len(review.revisions)
    yield f"## {number} of {count}: {code(revision.id)} {plain(revision.message)}"
    yield code(revision.path)
    if revision.why:
        paragraphs = _BLANK.split(revision.why)
        yield "\n>\n".join(f"> {plain(each)}" for each in paragraphs if each.strip())
    if revision.notes:
        yield _list(revision.notes)
    yield f"### up, {counted(len(revision.up), 'statement')}"
    for each in revision.up:
        yield from _statement(each)
    yield "### what it changes in the schema"
    yield _changes(revision.changes)
    yield f"### down, {counted(len(revision.down), 'statement')}"
    if review.why_not is not None:
        yield "there is no script: see above"
    for each in revision.down:
        yield from _statement(each)


def _statement(statement: ReviewedStatement) -> Iterator[str]:
    yield fenced(statement.sql)
    line = "" if statement.line is None else f"line {statement.line}, "
    where = f"{line}in {'the' if statement.transaction else 'no'} transaction"
    lines = [f"- {where}", f"- locks: {plain(statement.locks or 'not known')}"]
    yield "\n".join([*lines, *(f"- **{plain(each)}**" for each in statement.risks)])


def _changes(changes: tuple[Change, ...] | None) -> str:
    if changes is None:
        return NO_SERVER
    if not changes:
        return "nothing"
    rows = ["| object | before | after |", "|---|---|---|"]
    for each in changes:
        cells = (each.key, each.before, each.after)
        rows.append(f"| {' | '.join('*missing*' if e is None else plain(e) for e in cells)} |")
    table = "\n".join(rows)
    return folded(f"{len(changes)} objects", table) if len(changes) > 20 else table
