"""What pages share: how they begin, and text that has no meaning in HTML, whatever is in it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from itertools import takewhile

from topchef_schema.model import visible

POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"
"""What a browser may do with a page: nothing but show it."""

MISSING = '<span class="soft">missing</span>'
_WORD = re.compile(r"\w+|\s+|.", re.DOTALL)


def begun(title: str, style: str) -> Iterator[str]:
    """Yield the lines of a page up to its body."""
    yield "<!DOCTYPE html>"
    yield '<html lang="en">'
    yield "<head>"
    yield '<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{text(POLICY)}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{text(title)}</title>"
    yield f"<style>\n{style}</style>"
    yield "</head>"
    yield "<body>"


def badge(words: str, looks: str) -> str:
    """Return *words* as a mark; *looks* is bad, warn, good or none."""
    return f'<span class="badge {looks}">{text(words)}</span>'


def code(words: str) -> str:
    """Return *words* as code."""
    return f"<code>{text(words)}</code>"


def text(words: str) -> str:
    """Return *words* as text, wherever in the page it stands."""
    return html.escape(visible(words), quote=True)


def compared(before: str | None, after: str | None) -> tuple[str, str]:
    """Return both definitions, with what is not the same in them marked."""
    if before is None or after is None:
        return tuple(MISSING if each is None else code(each) for each in (before, after))  # type: ignore[return-value]
    old, new = _WORD.findall(before), _WORD.findall(after)
    begin = _shared(old, new)
    end = _shared(old[begin:][::-1], new[begin:][::-1])
    return _marked(old, begin, end), _marked(new, begin, end)


def _shared(one: list[str], other: list[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _marked(words: list[str], begin: int, end: int) -> str:
    middle = len(words) - end
    parts = ["".join(each) for each in (words[:begin], words[begin:middle], words[middle:])]
    first, marked, last = (text(each) for each in parts)
    return f"<code>{first}{f'<mark>{marked}</mark>' if marked else ''}{last}</code>"
