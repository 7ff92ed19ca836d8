"""The report for a person at a terminal: tables first, then only what is wrong, then one line."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from topchef_schema.model import Severity, visible

if TYPE_CHECKING:
    from topchef_schema.model import Finding, Report, Table


def render(report: Report, fail_on: Severity = Severity.ERROR) -> str:
    """Return the text, without colour; control characters in it are made visible."""
    blocks = [_table(table) for table in report.tables if table.rows]
    if report.findings:
        blocks += _findings(report.findings)
    if report.error is not None:
        error = report.error
        blocks.append(
            f"error: {visible(error.message)}\n"
            f"where: {visible(error.where)}\n"
            f" help: {visible(error.hint)}"
        )
    if (script := report.script) is not None:
        blocks.append(script.rstrip("\n"))
    if report.summary is not None:
        blocks.append(visible(report.summary))
    return "\n\n".join(blocks) + "\n" if blocks else ""


def width(text: str) -> int:
    """Return how many columns *text* takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )


def _table(table: Table) -> str:
    rows = [tuple(visible(cell).replace("\n", " ") for cell in row) for row in table.rows]
    names = tuple(visible(name).replace("\n", " ") for name in table.columns)
    columns = list(zip(names, *rows, strict=True))
    widths = [max(width(cell) for cell in column) for column in columns]
    header = [names] if any(names) else []
    lines = [
        "  ".join(
            cell + " " * (size - width(cell)) for cell, size in zip(row, widths, strict=True)
        ).rstrip()
        for row in [*header, *rows]
    ]
    if table.title:
        lines.insert(0, visible(table.title))
    return "\n".join(lines)


def _findings(findings: tuple[Finding, ...]) -> list[str]:
    """Return a block for each rule and revision; what several backends share stands once."""
    from topchef_schema.formats.grouping import grouped, place

    blocks = []
    for group in grouped(findings):
        lines = [visible(" · ".join(group.heading))]
        for finding in group.findings:
            lines += _finding(finding, place(finding))
        blocks.append("\n".join(lines))
    return blocks


def _finding(finding: Finding, where: str | None) -> list[str]:
    lines = [f"  {visible(finding.message)}"]
    if finding.object is not None:
        lines.append(f"  {visible(finding.object)}")
        if finding.before is not None or finding.after is not None:
            lines.append(f"    before: {visible(finding.before or 'missing')}")
            lines.append(f"    after:  {visible(finding.after or 'missing')}")
    if where is not None:
        lines.append(f"  {visible(where)}")
    if finding.sql is not None:
        lines.append(f"  {visible(' '.join(finding.sql.split()))}")
    if finding.help is not None:
        lines.append(f"  help: {visible(finding.help)}")
    return lines


FORMAT = render
