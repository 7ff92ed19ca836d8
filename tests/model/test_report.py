"""The exit code that a report stands for."""

from __future__ import annotations

import pytest

from topchef_schema import errors
from topchef_schema.model import ErrorInfo, Finding, Report, Severity


@pytest.mark.parametrize("severity", list(Severity))
@pytest.mark.parametrize("fail_on", list(Severity))
def test_findings_from_fail_on_up_are_10(severity: Severity, fail_on: Severity) -> None:
    report = Report("check", findings=(Finding("rule", severity, "message"),))
    order = [Severity.INFO, Severity.WARNING, Severity.ERROR]
    expected = 10 if order.index(severity) >= order.index(fail_on) else 0
    assert report.exit_code(fail_on) == expected


def test_an_error_goes_before_findings() -> None:
    error = ErrorInfo("LockedError", "message", "where", "hint", 4)
    finding = Finding("rule", Severity.ERROR, "message")
    assert Report("upgrade", findings=(finding,), error=error).exit_code() == 4


def test_every_error_has_its_own_code() -> None:
    """The table of the contract; a traceback is 1, a finding 10."""
    kinds = [errors.TopchefError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert {
        kind.__name__: kind.exit_code for kind in kinds if kind.__module__ == errors.__name__
    } == {
        "TopchefError": 1,
        "UsageError": 2,
        "UnreachableError": 3,
        "LockedError": 4,
        "MigrationError": 5,
        "PartialError": 6,
        "InDoubtError": 7,
        "HistoryError": 8,
        "ChangedFileError": 9,
        "InterruptedRunError": 130,
    }
