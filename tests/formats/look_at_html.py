"""Shows the HTML report to a real browser, which the gate has no time for.

Run it where ``chromium`` is installed (in Debian: ``apt install chromium``), and look at what it
makes::

    .venv/bin/python -m tests.formats.look_at_html FOLDER

FOLDER then holds the pages and their pictures: at the width of a desk and of a phone, with all
cells unfolded, in the dark, and on paper. It ends with 1 where the browser has found an element in
a page that is not one of ours: something in a report has then become HTML.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.formats.reports import FULL, HARM
from topchef_schema.formats.html import render
from topchef_schema.model import Check, Finding, Outcome, Report, Severity, Table

BROWSER = ("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
DARK = "--blink-settings=preferredColorScheme=0"
OURS = """
html head meta title style body header main h1 h2 h3 p span code pre mark table thead tbody tr th td
div details summary article dl dt dd label input
"""
"""The elements that a page may have."""

BACKENDS = ("sqlite", "postgresql", "mariadb", "mysql")
MESSAGES = ("authors and books", "books have an ISBN", "an ISBN belongs to one book", "prices")


def whole() -> Report:
    """Return a report of forty revisions on four backends, as a large project has it."""
    checks, findings, rows = [], [], []
    for number in range(40):
        revision = f"{number * 7919 + 0xA1B2C3:012x}"
        cells = []
        for backend in BACKENDS:
            found = _findings(number, revision, backend)
            failed = any(each.severity is Severity.ERROR for each in found)
            outcome = Outcome.FAILED if failed else Outcome.PASSED
            if number > 37:
                outcome = Outcome.PENDING
            checks.append(Check(MESSAGES[number % 4], outcome, backend, revision))
            findings += found
            noted = ", ".join(each.rule for each in found if not failed)
            words = {Outcome.FAILED: "FAILED", Outcome.PENDING: "not reached"}
            cells.append(words.get(outcome, ", ".join(filter(None, ("ok", noted)))))
        rows.append((revision, MESSAGES[number % 4], *cells))
    unclean = sum(each.outcome is not Outcome.PASSED for each in checks)
    return Report(
        "roundtrip",
        checks=tuple(checks),
        findings=tuple(findings),
        tables=(Table(("revision", "message", *BACKENDS), tuple(rows)),),
        summary=f"{unclean} of {len(checks)} not clean",
        seconds=21.4,
    )


def _findings(number: int, revision: str, backend: str) -> list[Finding]:
    here: dict[str, Any] = {"backend": backend, "revision": revision}
    path = f"alembic/versions/{revision}_an_isbn_belongs_to_one_book.py"
    if number == 7:
        return [Finding("irreversible", Severity.INFO, "the downgrade refuses", **here)]
    if number == 11 and backend != "sqlite":
        text = "works on empty tables, and fails because of rows"
        return [Finding("fails-on-rows", Severity.WARNING, text, path=path, line=20, **here)]
    if number not in (3, 21) or (number == 21 and backend != "postgresql"):
        return []
    index = "CREATE INDEX ix_books_isbn ON public.books USING btree (isbn, title) WHERE (sold > 0)"
    return [
        Finding(
            "downgrade-leaves-trace",
            Severity.ERROR,
            "is not what it was before the upgrade",
            help="make it again in downgrade() as it was",
            object="index public.books.ix_books_isbn",
            before=index,
            after=index.replace("isbn, title", "isbn DESC, title"),
            path=path,
            line=31,
            **here,
        ),
        Finding(
            "downgrade-leaves-trace",
            Severity.ERROR,
            "is left behind by the downgrade",
            help='op.execute("DROP TYPE kind")',
            object="enum public.kind",
            after="'paperback', 'hardcover'",
            path=path,
            line=31,
            **here,
        ),
    ]


def main(folder: Path) -> int:
    """Write the pages and take the pictures; return 1 where a page has what is not ours."""
    folder.mkdir(parents=True, exist_ok=True)
    code = 0
    for name, report in {"whole": whole(), "full": FULL, "harm": HARM}.items():
        page = folder / f"{name}.html"
        text = render(report)
        page.write_text(text, encoding="utf-8")
        unfolded = folder / f"{name}-unfolded.html"
        unfolded.write_text(text.replace("<details>", "<details open>"), encoding="utf-8")
        phone = folder / f"{name}-phone.html"
        frame = '<iframe src="{}" style="width:390px;height:2000px;border:0"></iframe>'
        phone.write_text(frame.format(unfolded.name), encoding="utf-8")
        picture(page, "--window-size=1280,1600")
        picture(unfolded, "--window-size=1280,2400", DARK)
        picture(phone, "--window-size=420,2000")
        browser(page, f"--print-to-pdf={page.with_suffix('.pdf')}", "--no-pdf-header-footer")
        tree = browser(page, "--dump-dom").lower()
        strange = set(re.findall(r"<([a-z][\w-]*)", tree)) - set(OURS.split())
        if strange:
            print(f"{page}: {', '.join(sorted(strange))}")
            code = 1
    return code


def picture(page: Path, *options: str) -> None:
    """Take a picture of *page*, beside it."""
    browser(page, f"--screenshot={page.with_suffix('.png')}", *options)


def browser(page: Path, *options: str) -> str:
    """Open *page*, and return what the browser prints."""
    command = [*BROWSER, *options, page.absolute().as_uri()]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    return done.stdout


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
