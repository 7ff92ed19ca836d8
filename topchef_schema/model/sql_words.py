"""The words of SQL: a small reader that knows quotes and comments, of whatever database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from topchef_schema.model.effect import TableName

_TOKEN = re.compile(
    r"""
      (?P<comment>--[^\n]*|/\*.*?\*/)
    | (?P<text>[bBeEnNxX]?'(?:[^']|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    | (?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]\n]*\])
    | (?P<number>\d[\w.]*)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<sign>\S)
    """,
    re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of SQL. *kind* is text, quoted, number, word or sign; *name* is without quotes."""

    kind: str
    name: str

    @property
    def key(self) -> str:
        """The word in capitals, where it may be one of SQL's own; else nothing."""
        return self.name.upper() if self.kind in ("word", "sign") else ""


def words(sql: str) -> list[Word]:
    """Return the words of *sql*, without its comments."""
    found = []
    for match in _TOKEN.finditer(sql):
        kind = str(match.lastgroup if match.lastgroup != "tag" else "text")
        if kind == "comment":
            continue
        text = match.group()
        if kind == "quoted":
            text = text[1:-1].replace(text[-1] * 2, text[-1])
        found.append(Word(kind, text))
    return found


def ambiguous(sql: str) -> bool:
    """Whether databases read *sql* differently: where a text ends, and what is a comment."""
    return "\\'" in sql or '\\"' in sql or "/*!" in sql or "/*M!" in sql


def without_values(sql: str) -> str:
    """Return the words of *sql*, with a question mark for each text and number in it."""
    return " ".join("?" if each.kind in ("text", "number") else each.name for each in words(sql))


def split(found: Sequence[Word], sign: str) -> Iterator[list[Word]]:
    """Yield the parts between those *sign*s that stand in no brackets."""
    part: list[Word] = []
    depth = 0
    for each in found:
        depth += (each.key == "(") - (each.key == ")")
        if each.key == sign and depth == 0:
            yield part
            part = []
        else:
            part.append(each)
    yield part


def one_statement(sql: str) -> list[Word]:
    """Return the words of *sql*, none where it is several statements or can be read differently."""
    statements = [] if ambiguous(sql) else [each for each in split(words(sql), ";") if each]
    return statements[0] if len(statements) == 1 else []


def named_table(found: Sequence[Word]) -> tuple[TableName | None, list[Word]]:
    """Return the table whose name *found* begins with, and the words after it."""
    names, rest = dotted(found)
    return table_of(names), rest


def dotted(found: Sequence[Word]) -> tuple[list[str], list[Word]]:
    """Return the names with dots between them that *found* begins with, and the words after."""
    names: list[str] = []
    rest = list(found)
    while rest and rest[0].kind in ("word", "quoted"):
        names.append(rest.pop(0).name)
        if not rest or rest[0].key != ".":
            break
        rest.pop(0)
    return names, rest


def table_of(names: Sequence[str]) -> TableName | None:
    """Return the table that *names* lead to, None where there are none."""
    return TableName(names[-1], names[-2] if len(names) > 1 else None) if names else None


def skipped(found: Sequence[Word], *keys: str) -> list[Word]:
    """Return *found* without the *keys* that it begins with."""
    rest = list(found)
    while rest and rest[0].key in keys:
        rest.pop(0)
    return rest
