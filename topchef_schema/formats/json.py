"""The report as one JSON document, for programs; its shape is part of the contract."""

from __future__ import annotations

import json
from typing import Any

from topchef_schema.model import Report, Severity

_CHECK = ("name", "backend", "revision", "direction", "outcome", "seconds", "detail")
_FINDING = (
    "rule",
    "severity",
    "backend",
    "revision",
    "object",
    "before",
    "after",
    "message",
    "help",
    "path",
    "line",
    "sql",
)
_STATEMENT = ("sql", "backend", "revision", "direction", "path", "line", "seconds")
_ERROR = ("kind", "message", "where", "hint")


def render(report: Report, fail_on: Severity = Severity.ERROR) -> str:
    """Return the document, keys in the order of the contract."""
    document = {
        "schema": 1,
        "command": report.command,
        "exit_code": report.exit_code(fail_on),
        "target": report.target,
        "seconds": _rounded(report.seconds),
        "checks": [_row(each, _CHECK) for each in report.checks],
        "findings": [_row(each, _FINDING) for each in report.findings],
        "statements": [_row(each, _STATEMENT) for each in report.statements],
        "data": dict(report.data),
        "error": None if report.error is None else _row(report.error, _ERROR),
    }
    return json.dumps(document, indent=2, default=str) + "\n"


def _row(item: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    row = {key: getattr(item, key) for key in keys}
    if "seconds" in row:
        row["seconds"] = _rounded(row["seconds"])
    return row


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)


FORMAT = render
