"""The report as workflow commands of GitHub Actions, which shows them beside the lines they name.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from topchef_schema.model import Check, Finding, Outcome, Report, Severity, visible

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
_PLACE = re.compile(r"(?P<file>[^\s:][^:]*\.py):(?P<line>\d+)")


def render(report: Report, fail_on: Severity = Severity.ERROR) -> str:
    """Return one line for each finding, and for what failed without one.

    A finding from *fail_on* up is an error, whatever its severity: it is why the job fails.
    """
    lines = [_finding(each, fail_on) for each in report.findings]
    lines += [_check(each) for each in _unexplained(report)]
    if report.error is not None:
        error = report.error
        place = _PLACE.fullmatch(error.where)
        properties = {"title": f"topchef-db {report.command}: {error.kind}"}
        if place is not None:
            properties |= {"file": place["file"], "line": place["line"]}
        text = f"{error.message}\nwhere: {error.where}\nhelp: {error.hint}"
        lines.append(_command("error", text, properties))
    elif report.summary is not None:
        lines.append(_command("notice", report.summary, {"title": f"topchef-db {report.command}"}))
    return "".join(f"{each}\n" for each in lines)


def _finding(finding: Finding, fail_on: Severity) -> str:
    fails = finding.severity.rank >= fail_on.rank
    parts = [finding.message]
    if finding.object is not None:
        parts.append(finding.object)
        if finding.before is not None or finding.after is not None:
            parts.append(f"before: {finding.before or 'missing'}")
            parts.append(f"after: {finding.after or 'missing'}")
    if finding.sql is not None:
        parts.append(" ".join(finding.sql.split()))
    if finding.help is not None:
        parts.append(f"help: {finding.help}")
    title = (finding.rule, finding.revision, finding.backend)
    return _command(
        "error" if fails else _LEVELS[finding.severity],
        "\n".join(parts),
        {
            "file": finding.path,
            "line": None if finding.line is None else str(finding.line),
            "title": " · ".join(filter(None, title)),
        },
    )


def _unexplained(report: Report) -> list[Check]:
    told = {(each.revision, each.backend) for each in report.findings}
    return [
        each
        for each in report.checks
        if each.outcome is Outcome.FAILED and (each.revision, each.backend) not in told
    ]


def _check(check: Check) -> str:
    title = filter(None, (check.name, check.revision, check.backend, check.direction))
    return _command("error", check.detail or "failed", {"title": " · ".join(title)})


def _command(level: str, text: str, properties: Mapping[str, str | None]) -> str:
    given = ",".join(
        f"{name}={_property(value)}" for name, value in properties.items() if value is not None
    )
    return f"::{level} {given}::{_data(text)}"


def _data(text: str) -> str:
    """Escape the text of a command: a line end in it would begin another one."""
    plain = visible(text.replace("\r\n", "\n").replace("\r", "\n"))
    return plain.replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


FORMAT = render
