"""Each format shows the whole report, and nothing that is in it can steer its reader."""

from __future__ import annotations

import json
import re
import unicodedata
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.documents_of_reports import checked
from tests.formats.reports import FULL, HARM
from tests.golden_files import Golden
from topchef_schema.discover import discover
from topchef_schema.formats.text import width
from topchef_schema.model import Check, Finding, Outcome, Report, Severity, Table

FORMATS: dict[str, Any] = discover("topchef_schema.formats", "FORMAT")
EXTENSIONS = {
    "github": "github.txt",
    "html": "html",
    "json": "json",
    "junit": "xml",
    "markdown": "md",
    "sql": "sql",
    "text": "txt",
}


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_full_report(name: str, golden: Golden) -> None:
    report = FULL._replace(pieces=("CREATE TABLE t (a INT);\n",)) if name == "sql" else FULL
    golden(f"formats/full.{EXTENSIONS[name]}", FORMATS[name](report, Severity.ERROR))


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_failure(name: str, golden: Golden) -> None:
    assert HARM.error is not None
    error = HARM.error._replace(message="it failed", where="a.py:3", hint="try again")
    report = Report("upgrade", error=error)
    golden(f"formats/failure.{EXTENSIONS[name]}", FORMATS[name](report, Severity.ERROR))


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_empty_report(name: str) -> None:
    text = FORMATS[name](Report("status"), Severity.ERROR)
    assert text == "" or text.endswith("\n")


def test_document_of_everything() -> None:
    document = checked(FORMATS["json"](FULL, Severity.ERROR))
    assert document["exit_code"] == 10
    assert document["seconds"] == 3.2199
    assert document["checks"][0]["seconds"] == 0.1235
    assert document["data"] == {"revisions": ["aa10", "bb20"], "nested": {"é": None}}
    assert document["findings"][0]["before"] is None
    assert checked(FORMATS["json"](FULL._replace(findings=()), Severity.ERROR))["exit_code"] == 0


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_harm(name: str) -> None:
    text = FORMATS[name](HARM, Severity.ERROR)
    text.encode()
    steering = [
        each
        for each in text
        if unicodedata.category(each) in ("Cc", "Cf", "Cs") and each not in "\n\t\r"
    ]
    if name in ("json", "junit"):
        # A parser reads them; what has no place in XML at all is replaced.
        steering = [each for each in steering if each not in "\u202e"]
    assert steering == []
    if name == "json":
        assert json.loads(text)["error"]["message"] == HARM.error.message  # type: ignore[union-attr]
    if name == "junit":
        assert ElementTree.fromstring(text).get("errors") == "1"


def test_junit_of_everything() -> None:
    suite = ElementTree.fromstring(FORMATS["junit"](FULL, Severity.WARNING))
    counted = {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")}
    assert counted == {"tests": "5", "failures": "2", "errors": "0", "skipped": "2"}
    failed = [case for case in suite.findall("testcase") if case.find("failure") is not None]
    assert [case.get("name") for case in failed] == ["sort names down", "fails-on-rows"]
    (failure, second) = failed[0].findall("failure")
    assert failure.get("type") == "downgrade-leaves-trace"
    assert "alembic/versions/bb20.py:12" in str(failure.text)
    assert "before: None" not in str(failure.text)
    assert "alembic/versions/bb20.py:None" not in str(second.text)


def test_github_commands_are_one_line_each() -> None:
    """What is in them begins no further command, and no further property."""
    finding = Finding(
        "rule",
        Severity.WARNING,
        "100%\n::error::mine\r\n::set-output name=a::b\r##[error]c",
        path="a,line=1:b.py",
        line=7,
        revision="aa10",
    )
    render = FORMATS["github"]
    assert render(Report("status", findings=(finding,)), Severity.ERROR) == (
        "::warning file=a%2Cline=1%3Ab.py,line=7,title=rule · aa10::"
        "100%25%0A::error::mine%0A::set-output name=a::b%0A##[error]c\n"
    )
    # Why the job fails is an error, whatever it is called.
    failing = render(Report("status", findings=(finding,)), Severity.WARNING)
    assert failing.startswith("::error file=")
    for line in render(HARM, Severity.ERROR).splitlines():
        assert line.startswith(("::error ", "::notice "))


def test_github_shows_what_failed_without_a_finding() -> None:
    check = Check("prices", Outcome.FAILED, "sqlite", "aa10", detail="it did")
    told = Finding("rule", Severity.ERROR, "it fails", backend="sqlite", revision="aa10")
    render = FORMATS["github"]
    alone = render(Report("roundtrip", checks=(check,)), Severity.ERROR)
    assert alone == "::error title=prices · aa10 · sqlite::it did\n"
    assert "it did" not in render(
        Report("roundtrip", checks=(check,), findings=(told,)), Severity.ERROR
    )


@pytest.mark.parametrize("name", ["html", "markdown"])
def test_harm_looks_the_same_every_time(name: str, golden: Golden) -> None:
    golden(f"formats/harm.{EXTENSIONS[name]}", FORMATS[name](HARM, Severity.ERROR))


class Page(HTMLParser):
    """What a browser would make of a page: its elements, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_nothing_in_a_report_becomes_html() -> None:
    page = Page(FORMATS["html"](HARM, Severity.ERROR))
    names = {name for name, _ in page.elements}
    assert not names & {"b", "script", "img", "a", "iframe", "form"}
    assert {key for _, given in page.elements for key in given} <= {
        *("lang", "charset", "http-equiv", "content", "name", "class", "scope", "data-name"),
        *("type", "id"),
    }
    assert "<b>&'\"]]>" in page.text


def test_a_cell_of_the_page_unfolds_to_what_was_found() -> None:
    page = FORMATS["html"](FULL, Severity.ERROR)
    row = page.partition("<code>bb20</code></th>")[2].partition("</tr>")[0]
    (unfolding,) = re.findall("<details>.*?</details>", row, re.DOTALL)
    shown = Page(unfolding).text
    assert shown.startswith("FAILED")
    assert "index authors.ix_name" in shown
    assert "varchar(<mark>40</mark>)" in unfolding
    assert "<details>" not in page.partition("<code>aa10</code></th>")[2].partition("</tr>")[0]


HARMLESS = {
    "# title": "\\# title",
    "1. one": "1\\. one",
    "@team, see #12 and GH-3": "@<!-- -->team, see #<!-- -->12 and GH-<!-- -->3",
    "a | b": "a \\| b",
    "<img src=x>\n\n- new": "\\<img src=x\\> - new",
    "[x](http://e.org) :tada:": "\\[x\\](http:<!-- -->/<!-- -->/e.org) :<!-- -->tada:",
    "`a` *b* _c_ ~d~ $e$ &lt;": "\\`a\\` \\*b\\* \\_c\\_ \\~d\\~ \\$e\\$ \\&lt;",
}


@pytest.mark.parametrize("text", HARMLESS)
def test_text_has_no_meaning_in_markdown(text: str) -> None:
    tables = (Table(("name",), ((text,),)),)
    finding = Finding("rule", Severity.INFO, text, sql="SELECT `a``b`")
    page = FORMATS["markdown"](Report("plan", findings=(finding,), tables=tables), Severity.ERROR)
    assert f"| {HARMLESS[text]} |\n" in page
    assert f"- {HARMLESS[text]}\n" in page
    assert "  - ``` SELECT `a``b` ```\n" in page


def test_markdown_fits_into_a_comment() -> None:
    rows = tuple((f"r{number}", "x" * 200) for number in range(400))
    findings = tuple(
        Finding("rule", Severity.ERROR, "y" * 300, revision=f"r{number}") for number in range(400)
    )
    report = Report("roundtrip", findings=findings, tables=(Table(("revision", "m"), rows),))
    page = FORMATS["markdown"](report, Severity.ERROR)
    assert 50_000 < len(page) < 65_536
    assert re.search(r"\n\d+ more rows\n", page)
    assert re.search(r"\n\d+ more: ", page)


TEXT = st.text(max_size=8)
REPORTS = st.builds(
    Report,
    TEXT,
    target=st.none() | TEXT,
    checks=st.lists(
        st.builds(Check, TEXT, st.sampled_from(Outcome), st.none() | TEXT, st.none() | TEXT),
        max_size=2,
    ).map(tuple),
    findings=st.lists(
        st.builds(
            Finding,
            TEXT,
            st.sampled_from(Severity),
            TEXT,
            help=st.none() | TEXT,
            object=st.none() | TEXT,
            path=st.none() | TEXT,
            sql=st.none() | TEXT,
        ),
        max_size=2,
    ).map(tuple),
    tables=st.lists(
        st.builds(Table, st.tuples(TEXT, TEXT), st.lists(st.tuples(TEXT, TEXT)).map(tuple)),
        max_size=2,
    ).map(tuple),
    summary=st.none() | TEXT,
)


@given(REPORTS, st.sampled_from(Severity))
def test_any_report_can_be_written(report: Report, fail_on: Severity) -> None:
    texts = {name: render(report, fail_on) for name, render in FORMATS.items()}
    for text in texts.values():
        text.encode()
    assert checked(texts["json"])["command"] == report.command
    ElementTree.fromstring(texts["junit"])


def test_width_of_wide_letters() -> None:
    assert [width(text) for text in ("abc", "日本", "e\u0301", "")] == [3, 4, 1, 0]
