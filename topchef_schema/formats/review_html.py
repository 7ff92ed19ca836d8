"""A review as one page that needs nothing else: no server, no network, no JavaScript.

The page forbids scripts, whatever might be in it, as that of a report does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from topchef_schema.formats.html_style import STYLE
from topchef_schema.formats.html_text import badge, begun, code, compared, text
from topchef_schema.formats.review_style import STYLE as OWN_STYLE
from topchef_schema.formats.sql_colours import coloured
from topchef_schema.model import Change
from topchef_schema.model.review import Review, ReviewedRevision, ReviewedStatement, counted

_BLOCK = re.compile(r"\S.*\n(?:(?: .*)?\n)*")
"""An object of a schema: its key, and below it, indented, its definition."""

NO_SERVER = "not known: there is no server to read it from"


def render(review: Review) -> str:
    """Return the page."""
    lines = [
        *begun(f"Review of {review.title}", STYLE + OWN_STYLE),
        "<header>",
        f"<h1>{text(review.title)}</h1>",
        f'<p class="sum">{text(review.counts)}</p>',
        f'<p class="soft">range {code(review.range)}</p>',
        *(f'<p class="soft">{text(each)}</p>' for each in review.notes),
        "</header>",
        *_contents(review),
        "<main>",
        *_checklist(review),
        *_commands(review),
        *_taken_away(review),
        *_revisions(review),
        *_schema(review),
        *_scripts(review),
        "</main>",
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def _contents(review: Review) -> Iterator[str]:
    yield "<nav>"
    yield "<h2>Contents</h2>"
    yield "<ol>"
    yield '<li><a href="#checklist">Checklist</a></li>'
    yield '<li><a href="#commands">Commands</a></li>'
    yield '<li><a href="#away">What it takes away or changes</a></li>'
    for number, each in enumerate(review.revisions, 1):
        mark = f" {badge(str(each.risky), 'warn')}" if each.risky else ""
        shown = f"{code(each.id)} {text(each.message)}"
        yield f'<li><a href="#r{number}">{shown}</a>{mark}</li>'
    yield '<li><a href="#schema">The schema before and after</a></li>'
    yield '<li><a href="#scripts">The scripts</a></li>'
    yield "</ol>"
    yield "</nav>"


def _checklist(review: Review) -> Iterator[str]:
    yield '<h2 id="checklist">Checklist</h2>'
    yield '<ul class="checklist">'
    for each in review.checklist:
        yield f'<li><label><input type="checkbox"> <span>{text(each)}</span></label></li>'
    yield "</ul>"


def _commands(review: Review) -> Iterator[str]:
    yield '<h2 id="commands">Commands</h2>'
    yield '<dl class="commands">'
    for what, command in review.commands:
        yield f"<dt>{text(what)}</dt><dd>{code(command)}</dd>"
    yield "</dl>"


def _taken_away(review: Review) -> Iterator[str]:
    yield '<h2 id="away">What it takes away or changes</h2>'
    yield from _listed(review.destroyed, "nothing that the statements tell of")
    if review.why_not is not None:
        yield '<article class="bad-edge">'
        yield f"<h3>{badge('no way back', 'bad')}</h3>"
        yield f"<p>{text(review.why_not)}</p>"
        yield "</article>"


def _listed(items: Sequence[str], otherwise: str) -> Iterator[str]:
    if not items:
        yield f"<p>{text(otherwise)}</p>"
        return
    yield '<ul class="risks">'
    yield from (f"<li>{text(each)}</li>" for each in items)
    yield "</ul>"


def _revisions(review: Review) -> Iterator[str]:
    for number, each in enumerate(review.revisions, 1):
        yield "<section>"
        title = f"{number} of {len(review.revisions)}: {code(each.id)} {text(each.message)}"
        yield f'<h2 id="r{number}">{title}</h2>'
        yield f'<p class="soft">{code(each.path)}</p>'
        if each.why:
            yield f'<p class="why">{text(each.why)}</p>'
        if each.notes:
            yield from _listed(each.notes, "")
        yield '<div class="two">'
        yield from _way("up", each.up, None)
        yield from _way("down", each.down, review.why_not)
        yield "</div>"
        yield from _changes(each)
        yield "</section>"


def _way(
    name: str, statements: tuple[ReviewedStatement, ...], why_not: str | None
) -> Iterator[str]:
    yield "<div>"
    yield f"<h3>{name}, {counted(len(statements), 'statement')}</h3>"
    if why_not is not None:
        yield "<p>there is no script: see above</p>"
    for each in statements:
        yield '<div class="statement">'
        line = "" if each.line is None else f"line {each.line}, "
        yield f'<p class="where">{line}in {"the" if each.transaction else "no"} transaction</p>'
        yield f"<pre>{coloured(each.sql)}</pre>"
        yield f'<p class="locks">locks: {text(each.locks or "not known")}</p>'
        if each.risks:
            yield from _listed(each.risks, "")
        yield "</div>"
    yield "</div>"


def _changes(revision: ReviewedRevision) -> Iterator[str]:
    yield "<h3>what it changes in the schema</h3>"
    if revision.changes is None:
        yield f"<p>{NO_SERVER}</p>"
        return
    if not revision.changes:
        yield "<p>nothing</p>"
        return
    yield from _table(revision.changes)


def _table(changes: Sequence[Change]) -> Iterator[str]:
    yield '<div class="wide">'
    yield '<table class="changes">'
    names = "".join(f'<th scope="col">{each}</th>' for each in ("object", "before", "after"))
    yield f"<thead><tr>{names}</tr></thead>"
    yield "<tbody>"
    for each in changes:
        before, after = compared(each.before, each.after)
        yield f'<tr><th scope="row" data-name="object">{code(each.key)}</th>'
        yield f'<td data-name="before">{before}</td><td data-name="after">{after}</td></tr>'
    yield "</tbody>"
    yield "</table>"
    yield "</div>"


def _schema(review: Review) -> Iterator[str]:
    yield '<h2 id="schema">The schema before and after</h2>'
    if review.schema is None:
        yield f"<p>{NO_SERVER}</p>"
        return
    yield '<p class="soft">the files schema-before.txt and schema-after.txt, of which diff shows '
    yield "the change</p>"
    before, after = (_BLOCK.findall(each) for each in review.schema)
    shown = (_marked(before, set(after)), _marked(after, set(before)))
    yield from _beside("the whole schema", ("before", "after"), shown)


def _marked(blocks: Sequence[str], others: set[str]) -> str:
    """Return the blocks of a schema, with those marked that the other one does not have."""
    return "".join(
        text(each) if each in others else f"<mark>{text(each[:-1])}</mark>\n" for each in blocks
    )


def _scripts(review: Review) -> Iterator[str]:
    yield '<h2 id="scripts">The scripts</h2>'
    yield '<p class="soft">the files up.sql and down.sql, as the client runs them</p>'
    names = ("up.sql", "down.sql")
    yield from _beside("both, whole", names, tuple(map(coloured, review.scripts)))


def _beside(title: str, names: Sequence[str], blocks: Sequence[str]) -> Iterator[str]:
    yield f'<details class="whole"><summary>{title}</summary>'
    yield '<div class="two">'
    for name, block in zip(names, blocks, strict=True):
        yield f"<div><h4>{name}</h4><pre>{block}</pre></div>"
    yield "</div>"
    yield "</details>"
