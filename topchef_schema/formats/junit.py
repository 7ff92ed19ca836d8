"""The report as JUnit XML, which every CI system shows: a test case for each check."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree

from topchef_schema.model import Check, Finding, Outcome, Report, Severity

# XML 1.0 has no way to write these at all, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report, fail_on: Severity = Severity.ERROR) -> str:
    """Return the XML. A finding from *fail_on* up fails the case of the check that found it."""
    failing = [each for each in report.findings if each.severity.rank >= fail_on.rank]
    suite = ElementTree.Element("testsuite", name=f"topchef-db {report.command}")
    for check in report.checks:
        _case(suite, check, [each for each in failing if _belongs(each, check)])
    for finding in failing:
        if not any(_belongs(finding, check) for check in report.checks):
            case = ElementTree.SubElement(
                suite, "testcase", classname=report.command, name=finding.rule
            )
            _failure(case, finding)
    if report.error is not None:
        case = ElementTree.SubElement(suite, "testcase", classname=report.command, name="run")
        problem = ElementTree.SubElement(
            case, "error", message=report.error.message, type=report.error.kind
        )
        problem.text = f"{report.error.where}\n{report.error.hint}"
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    suite.set("errors", str(sum(case.find("error") is not None for case in cases)))
    suite.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    suite.set("time", f"{report.seconds or 0:.3f}")
    _clean(suite)
    ElementTree.indent(suite)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        + ElementTree.tostring(suite, encoding="unicode")
        + "\n"
    )


def _case(suite: ElementTree.Element, check: Check, findings: Iterable[Finding]) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=".".join(filter(None, (check.backend, check.revision))),
        name=" ".join(filter(None, (check.name, check.direction))),
        time=f"{check.seconds or 0:.3f}",
    )
    failed = False
    for finding in findings:
        _failure(case, finding)
        failed = True
    if check.outcome is Outcome.FAILED and not failed:
        ElementTree.SubElement(case, "failure", message=check.detail or "failed")
    elif check.outcome in (Outcome.SKIPPED, Outcome.PENDING):
        ElementTree.SubElement(case, "skipped", message=check.detail or check.outcome)


def _failure(case: ElementTree.Element, finding: Finding) -> None:
    failure = ElementTree.SubElement(case, "failure", message=finding.message, type=finding.rule)
    place = finding.path and (f"{finding.path}:{finding.line}" if finding.line else finding.path)
    differs = finding.object and (finding.before is not None or finding.after is not None)
    lines = [
        place,
        f"object: {finding.object}" if finding.object else None,
        f"before: {finding.before or 'missing'}" if differs else None,
        f"after: {finding.after or 'missing'}" if differs else None,
        f"help: {finding.help}" if finding.help else None,
    ]
    failure.text = "\n".join(line for line in lines if line)


def _belongs(finding: Finding, check: Check) -> bool:
    if finding.check not in (None, check.name):
        return False
    return finding.revision == check.revision and finding.backend == check.backend


def _clean(suite: ElementTree.Element) -> None:
    """Replace, everywhere, what XML cannot hold."""
    for element in suite.iter():
        for key, value in element.attrib.items():
            element.set(key, _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", value))
        if element.text is not None:
            element.text = _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", element.text)


FORMAT = render
