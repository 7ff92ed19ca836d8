"""The report as GitHub Flavored Markdown, for a comment on a pull request."""

from __future__ import annotations

from topchef_schema.formats.grouping import Cells, Group, grouped, place
from topchef_schema.formats.markdown_text import code as _code
from topchef_schema.formats.markdown_text import fenced as _fenced
from topchef_schema.formats.markdown_text import folded as _folded
from topchef_schema.formats.markdown_text import plain as _text
from topchef_schema.model import Finding, Outcome, Report, Severity, Table

LIMIT = 65_000
"""Characters: GitHub takes no comment of more than 65,536."""

LONG = 20
"""Rows from which on a table is folded up."""

_ICONS = {
    Severity.ERROR: "\N{CROSS MARK}",
    Severity.WARNING: "\N{WARNING SIGN}\N{VARIATION SELECTOR-16}",
}


def render(report: Report, fail_on: Severity = Severity.ERROR) -> str:
    """Return the markdown: the sum, the tables, then what is wrong."""
    head = f"**topchef-db {_text(report.command)}**"
    if report.summary is not None:
        head += f": {_text(report.summary)}"
    blocks = [head]
    if report.target is not None:
        blocks.append(_code(report.target))
    if report.error is not None:
        error = report.error
        blocks.append(
            f"{_ICONS[Severity.ERROR]} **{_text(error.message)}**\n\n"
            f"- where: {_code(error.where)}\n- help: {_text(error.hint)}"
        )
    cells = Cells(report)
    blocks += [_table(table, cells) for table in report.tables if table.rows]
    blocks += [_group(each, fail_on) for each in grouped(report.findings)]
    if (script := report.script) is not None:
        blocks.append(_folded("SQL", _fenced(script)))
    elif report.statements:
        sql = "\n".join(f"{each.sql.rstrip().rstrip(';')};" for each in report.statements)
        count = len(report.statements)
        blocks.append(_folded(f"{count} statement{'' if count == 1 else 's'}", _fenced(sql)))
    return "\n\n".join(_fitting(blocks)) + "\n"


def _table(table: Table, cells: Cells) -> str:
    names = " | ".join(map(_text, table.columns))
    lines = [f"| {names} |", "|" + "---|" * len(table.columns)]
    room = LIMIT // 2
    for number, row in enumerate(table.rows):
        shown = (_cell(cells, table, row, column) for column in range(len(row)))
        line = f"| {' | '.join(shown)} |"
        room -= len(line) + 1
        if room < 0:
            lines += ["", f"{len(table.rows) - number} more rows"]
            break
        lines.append(line)
    block = "\n".join(lines)
    if len(table.rows) > LONG:
        return _folded(f"{table.title or 'all'}: {len(table.rows)} rows", block)
    return f"{_text(table.title)}\n\n{block}" if table.title else block


def _cell(cells: Cells, table: Table, row: tuple[str, ...], column: int) -> str:
    found = cells.of(table, row, column)
    text = _text(row[column])
    if found is None:
        return text
    if found.outcome is Outcome.FAILED:
        return f"{_ICONS[Severity.ERROR]} **{text}**"
    icon = _ICONS.get(found.severity) if found.severity else None
    return f"{icon} {text}" if icon else text


def _group(group: Group, fail_on: Severity) -> str:
    icon = _ICONS[Severity.ERROR] if group.severity.rank >= fail_on.rank else None
    icon = icon or _ICONS.get(group.severity)
    parts = [_text(group.severity), _code(group.rule)]
    parts += [_code(each) for each in (group.revision, ", ".join(group.backends)) if each]
    heading = " · ".join(parts)
    lines = [f"{icon} {heading}" if icon else heading, ""]
    for finding in group.findings:
        lines += _finding(finding)
    return "\n".join(lines)


def _finding(finding: Finding) -> list[str]:
    lines = [f"- {_text(finding.message)}"]
    if finding.object is not None:
        before, after = (
            "missing" if each is None else _code(each) for each in (finding.before, finding.after)
        )
        lines.append(f"  - {_code(finding.object)}")
        if finding.before is not None or finding.after is not None:
            lines += [f"  - before: {before}", f"  - after: {after}"]
    where = place(finding)
    if where is not None:
        lines.append(f"  - {_code(where)}")
    if finding.sql is not None:
        lines.append(f"  - {_code(finding.sql)}")
    if finding.help is not None:
        lines.append(f"  - help: {_text(finding.help)}")
    return lines


def _fitting(blocks: list[str]) -> list[str]:
    """Return as many *blocks* as a comment may have, and say how many are missing."""
    room = LIMIT
    for number, block in enumerate(blocks):
        room -= len(block) + 2
        if room < 0:
            left = len(blocks) - number
            return [*blocks[:number], f"{left} more: this is as much as a comment may have."]
    return blocks


FORMAT = render
