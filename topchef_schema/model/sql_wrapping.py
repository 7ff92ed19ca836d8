"""Breaks long lines of SQL for a reader, without changing what they say."""

from __future__ import annotations

import re

from topchef_schema.model.sql_words import ambiguous

WIDTH = 100
"""Characters."""

_ATOM = re.compile(
    r"""(?P<blank>[ ]+)|(?P<end>\n)
      |(?P<text>(?:[^\s'"`$\[\-/]|'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]\n]*\]
        |\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|-(?!-)|/(?!\*)|\$|\[)+)""",
    re.DOTALL | re.VERBOSE,
)
_ROWS = re.compile(r"\s*(insert|update|delete|replace|merge|with|select)\b", re.IGNORECASE)
_SCHEMA = re.compile(r"\s*(alter\s+table|comment|grant|revoke)\b", re.IGNORECASE)


def wrapped(sql: str, *, keeps_text: bool) -> str:
    """Return *sql* with lines of at most `WIDTH` characters, as far as its blanks allow.

    Nothing within quotes is touched. A statement whose text the catalog keeps stays as it is: that
    of a view or a routine anywhere, and with *keeps_text* that of a table, too. So does one with
    comments, or that databases read differently.
    """
    if max(map(len, sql.splitlines()), default=0) <= WIDTH or ambiguous(sql):
        return sql
    if not _ROWS.match(sql) and (keeps_text or not _SCHEMA.match(sql)):
        return sql
    atoms = _atoms(sql)
    return sql if atoms is None else "".join(_broken(atoms))


def _atoms(sql: str) -> list[str] | None:
    """Return *sql* cut where a line may be broken; None where it holds something else."""
    atoms, at = [], 0
    while at < len(sql):
        match = _ATOM.match(sql, at)
        if match is None:
            return None
        atoms.append(match.group())
        at = match.end()
    return atoms


def _broken(atoms: list[str]) -> list[str]:
    written: list[str] = []
    column = 0
    for atom, following in zip(atoms, [*atoms[1:], ""], strict=True):
        if not atom.strip(" ") and column and column + len(atom) + _width(following) > WIDTH:
            written.append("\n    ")
            column = 4
            continue
        written.append(atom)
        column = len(atom) - atom.rfind("\n") - 1 if "\n" in atom else column + len(atom)
    return written


def _width(atom: str) -> int:
    return len(atom.partition("\n")[0])
