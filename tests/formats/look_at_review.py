"""Shows the pages of reviews to a real browser, as `look_at_html` does it with reports.

Run it where ``chromium`` is installed::

    .venv/bin/python -m tests.formats.look_at_review FOLDER [BUNDLE]

FOLDER then holds the pages and their pictures, at the width of a desk and of a phone, in the dark
and on paper; with BUNDLE also those of a real one. It ends with 1 where the browser has found an
element that is not one of ours.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.formats.look_at_html import DARK, browser, picture
from tests.formats.reviews import FULL, HARM, OFFLINE
from topchef_schema.formats.review_html import render

OURS = """
html head meta title style body header nav main section h1 h2 h3 h4 p span code pre mark table thead
tbody tr th td div details summary article dl dt dd label input ol ul li a
"""
"""The elements that a page may have."""

PHONE = '<iframe src="{}" style="width:390px;height:3000px;border:0"></iframe>'


def main(folder: Path, bundle: Path | None) -> int:
    """Write the pages and take the pictures; return 1 where a page has what is not ours."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {"full": render(FULL), "offline": render(OFFLINE), "harm": render(HARM)}
    for each in sorted(bundle.rglob("review.html")) if bundle else ():
        pages[each.parent.name] = each.read_text(encoding="utf-8")
    return max([_looked_at(folder, name, text) for name, text in pages.items()])


def _looked_at(folder: Path, name: str, text: str) -> int:
    page = folder / f"{name}.html"
    page.write_text(text, encoding="utf-8")
    unfolded = folder / f"{name}-unfolded.html"
    unfolded.write_text(text.replace("<details", "<details open"), encoding="utf-8")
    phone = folder / f"{name}-phone.html"
    phone.write_text(PHONE.format(unfolded.name), encoding="utf-8")
    picture(page, "--window-size=1280,2400")
    picture(unfolded, "--window-size=1280,3000", DARK)
    picture(phone, "--window-size=420,3000")
    browser(page, f"--print-to-pdf={page.with_suffix('.pdf')}", "--no-pdf-header-footer")
    tree = browser(page, "--dump-dom").lower()
    strange = set(re.findall(r"<([a-z][\w-]*)", tree)) - set(OURS.split())
    if strange:
        print(f"{page}: {', '.join(sorted(strange))}")
    return int(bool(strange))


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2:] else None))
