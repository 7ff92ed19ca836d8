"""Text that has no meaning in GitHub Flavored Markdown, whatever is in it.

https://github.github.com/gfm/ says what each character means, and that a backslash before it
takes the meaning away. That does not keep GitHub from finding names and numbers in the text that
comes out; an empty comment in the middle of them does.
"""

from __future__ import annotations

import html
import re

from topchef_schema.model import visible

_MEANING = re.compile(r"[\\`*_\[\]<>&|~$]")
_AT_START = re.compile(r"^(\d*)([-+#=.):])")
_REFERENCES = re.compile(r"@|#(?=\w)|GH-(?=\d)|www\.|:(?=//)|/(?=/)|:(?=[\w+-]+:)", re.IGNORECASE)


def plain(text: str) -> str:
    """Return *text* on one line, in which nothing has a meaning."""
    line = " ".join(visible(text).split())
    escaped = _MEANING.sub(lambda found: f"\\{found[0]}", line)
    escaped = _AT_START.sub(r"\1\\\2", escaped)
    return apart(escaped)


def apart(text: str) -> str:
    """Return *text* so that no name, number or address in it becomes a link."""
    return _REFERENCES.sub(lambda found: f"{found[0]}<!-- -->", text)


def code(text: str) -> str:
    """Return *text* on one line in a code span, whose fence is not in it."""
    line = " ".join(visible(text).split())
    longest = max(map(len, re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    edge = " " if longest or not line else ""
    return f"{fence}{edge}{line}{edge}{fence}"


def fenced(sql: str) -> str:
    """Return *sql* as a block whose fence is not in it."""
    line = visible(sql.replace("\r\n", "\n")).rstrip("\n")
    longest = max(map(len, re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sql\n{line}\n{fence}"


def folded(title: str, block: str) -> str:
    """Return *block* so that it unfolds from *title*."""
    # Up to the next empty line this is HTML, in which a backslash is a backslash.
    shown = apart(html.escape(" ".join(visible(title).split())))
    return f"<details><summary>{shown}</summary>\n\n{block}\n\n</details>"
