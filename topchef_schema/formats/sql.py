"""The statements of a report as a script that the database's own client runs."""

from __future__ import annotations

from topchef_schema.model import Report, Severity


def render(report: Report, fail_on: Severity = Severity.ERROR) -> str:
    """Return the script; of a failed run, the failure as text."""
    if report.error is None and (script := report.script) is not None:
        return script
    from topchef_schema.formats.text import render as as_text

    return as_text(report, fail_on)


FORMAT = render
