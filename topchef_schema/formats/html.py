"""The report as one page that needs nothing else: no server, no network, no JavaScript.

What is found stands twice: unfolded from the cell of its revision and backend, and in a list,
which also goes on paper. The page forbids scripts, whatever might be in it.
"""

from __future__ import annotations

from collections.abc import Iterator

from topchef_schema.formats.grouping import Cell, Cells, Group, grouped, place
from topchef_schema.formats.html_style import STYLE
from topchef_schema.formats.html_text import badge as _badge
from topchef_schema.formats.html_text import begun
from topchef_schema.formats.html_text import code as _code
from topchef_schema.formats.html_text import compared as _compared
from topchef_schema.formats.html_text import text as _text
from topchef_schema.model import Finding, Outcome, Report, Severity, Statement, Table

LONG = 10
"""Rows from which on those that are clean can be hidden."""

_LOOKS = {Severity.ERROR: "bad", Severity.WARNING: "warn", Severity.INFO: "none"}
_OUTCOMES = {Outcome.PASSED: "good", Outcome.FAILED: "bad"}


def render(report: Report, fail_on: Severity = Severity.ERROR) -> str:
    """Return the page: the sum, the tables, what is wrong, what was run."""
    title = f"topchef-db {report.command}"
    lines = [
        *begun(title, STYLE),
        "<header>",
        f"<h1>{_text(title)} {_verdict(report, fail_on)}</h1>",
        *_header(report),
        "</header>",
        "<main>",
        *_body(report, fail_on),
        "</main>",
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def _verdict(report: Report, fail_on: Severity) -> str:
    if report.error is not None:
        return _badge("failed", "bad")
    return _badge("not clean", "bad") if report.exit_code(fail_on) else _badge("ok", "good")


def _header(report: Report) -> Iterator[str]:
    if report.summary is not None:
        yield f'<p class="sum">{_text(report.summary)}</p>'
    facts = []
    if report.target is not None:
        facts.append(f"<code>{_text(report.target)}</code>")
    if report.seconds is not None:
        facts.append(f"{report.seconds:.1f} s")
    if facts:
        yield f'<p class="soft">{" · ".join(facts)}</p>'


def _body(report: Report, fail_on: Severity) -> Iterator[str]:
    if report.error is not None:
        error = report.error
        yield '<article class="bad-edge">'
        yield f"<h3>{_badge(error.kind, 'bad')}</h3>"
        yield f"<p>{_text(error.message)}</p>"
        yield from _facts([("where", _code(error.where)), ("help", _text(error.hint))])
        yield "</article>"
    cells = Cells(report)
    tables = [each for each in report.tables if each.rows]
    if report.checks and any(len(each.rows) > LONG for each in tables):
        yield '<label class="filter"><input type="checkbox" id="unclean"> only what is not clean'
        yield "</label>"
    for table in tables:
        yield from _table(table, cells)
    if report.findings:
        yield "<h2>Findings</h2>"
    for group in grouped(report.findings):
        yield from _group(group, fail_on)
    if (script := report.script) is not None:
        yield "<h2>Script</h2>"
        yield f"<pre>{_text(script)}</pre>"
    elif report.statements:
        yield from _statements(report.statements)


def _table(table: Table, cells: Cells) -> Iterator[str]:
    if table.title:
        yield f"<h2>{_text(table.title)}</h2>"
    yield '<div class="wide">'
    yield "<table>"
    if any(table.columns):
        names = "".join(f'<th scope="col">{_text(each)}</th>' for each in table.columns)
        yield f"<thead><tr>{names}</tr></thead>"
    yield "<tbody>"
    for row in table.rows:
        found = [cells.of(table, row, column) for column in range(len(row))]
        checked = [each for each in found if each is not None]
        clean = checked and all(
            each.outcome is Outcome.PASSED and each.severity in (None, Severity.INFO)
            for each in checked
        )
        yield '<tr class="clean">' if clean else "<tr>"
        for column, (name, text) in enumerate(zip(table.columns, row, strict=True)):
            yield from _cell(name, text, found[column], heads=column == 0)
        yield "</tr>"
    yield "</tbody>"
    yield "</table>"
    yield "</div>"


def _cell(name: str, text: str, cell: Cell | None, *, heads: bool) -> Iterator[str]:
    label = f' data-name="{_text(name)}"' if name else ""
    if heads:
        yield f'<th scope="row"{label}><code>{_text(text)}</code></th>'
    elif cell is None:
        yield f"<td{label}>{_text(text)}</td>"
    else:
        worst = "warn" if cell.severity is Severity.WARNING else None
        looks = _OUTCOMES.get(cell.outcome, "none")
        badge = _badge(text, worst if worst and looks == "good" else looks)
        if not cell.findings:
            yield f'<td class="checked"{label}>{badge}</td>'
            return
        yield f'<td class="checked"{label}><details><summary>{badge}</summary>'
        for finding in cell.findings:
            yield '<div class="finding">'
            yield f"<p>{_badge(finding.rule, _LOOKS[finding.severity])}</p>"
            yield from _finding(finding)
            yield "</div>"
        yield "</details></td>"


def _group(group: Group, fail_on: Severity) -> Iterator[str]:
    fails = group.severity.rank >= fail_on.rank
    looks = "bad" if fails else _LOOKS[group.severity]
    yield f'<article class="{looks}-edge">'
    parts = [_badge(group.severity, looks), f"<code>{_text(group.rule)}</code>"]
    if group.revision:
        parts.append(f"<code>{_text(group.revision)}</code>")
    parts += [_text(each) for each in (", ".join(group.backends),) if each]
    yield f"<h3>{' · '.join(parts)}</h3>"
    for finding in group.findings:
        yield '<div class="finding">'
        yield from _finding(finding)
        yield "</div>"
    yield "</article>"


def _finding(finding: Finding) -> Iterator[str]:
    yield f"<p>{_text(finding.message)}</p>"
    facts = []
    if finding.object is not None:
        before, after = _compared(finding.before, finding.after)
        facts.append(("object", _code(finding.object)))
        if finding.before is not None or finding.after is not None:
            facts += [("before", before), ("after", after)]
    where = place(finding)
    if where is not None:
        facts.append(("where", _code(where)))
    if finding.sql is not None:
        facts.append(("statement", _code(finding.sql)))
    if finding.help is not None:
        facts.append(("help", _text(finding.help)))
    yield from _facts(facts)


def _facts(facts: list[tuple[str, str]]) -> Iterator[str]:
    if facts:
        yield f"<dl>{''.join(f'<dt>{name}</dt><dd>{shown}</dd>' for name, shown in facts)}</dl>"


def _statements(statements: tuple[Statement, ...]) -> Iterator[str]:
    yield "<h2>Statements</h2>"
    yield f"<details><summary>{len(statements)} of them</summary>"
    sql = "\n".join(f"{each.sql.rstrip().rstrip(';')};" for each in statements)
    yield f"<pre>{_text(sql)}</pre>"
    yield "</details>"


FORMAT = render
