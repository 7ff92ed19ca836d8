"""Text from revisions, models and servers, made safe to show."""

from __future__ import annotations

import unicodedata


def visible(text: str) -> str:
    """Make what could steer a terminal visible; line ends and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        each
        if each in "\n\t" or unicodedata.category(each) not in {"Cc", "Cf", "Cs", "Co"}
        else f"\\x{ord(each):02x}"
        for each in text
    )


def short(sql: str) -> str:
    """Return a statement on one line, cut after 120 characters."""
    line = " ".join(sql.split())
    return line if len(line) <= 120 else line[:117] + "..."
