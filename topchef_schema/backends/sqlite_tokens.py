"""SQLite's SQL as tokens, so that quotes, case, comments and white space make no difference.

How SQLite reads names, keywords and literals: https://www.sqlite.org/lang_keywords.html and
https://www.sqlite.org/quirks.html (double-quoted strings, keywords as names).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

BARE = r"[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*"
"""A name without quotes: all that is not ASCII may stand in it (sqlite3CtypeMap)."""

_STRING = r"'[^']*(?:''[^']*)*'"
_NAME = r'"[^"]*(?:""[^"]*)*"|`[^`]*(?:``[^`]*)*`|\[[^\]]*\]'
QUOTED = f"{_STRING}|{_NAME}"

PATTERN = re.compile(
    rf"""
    [ \t-\r]+ | --[^\n]* | /\*.*?(?:\*/|\Z)
    | (?P<string>[xX]?{_STRING})
    | (?P<name>{_NAME})
    | (?P<number>\.?[0-9][\w.]*(?:(?<=[eE])[+-][0-9]+)?)
    | (?P<word>{BARE})
    | (?P<sign>\|\| | <= | >= | <> | != | == | << | >> | ->> | -> | .)
    """,
    re.VERBOSE | re.DOTALL,
)
PLAIN = re.compile(rf"{BARE}\Z")


def _text(besides: str, deep: int) -> str:
    """Return the pattern of text without comments and *besides*, in at most *deep* brackets.

    In atomic groups, because possessive quantifiers match too much before Python 3.11.5
    (https://github.com/python/cpython/issues/106052).
    """
    group = rf"|\({_text('', deep - 1)}\)" if deep else ""
    return rf"(?>(?:[^-/()'\"`\[{besides}]+|{QUOTED}|-(?!-)|/(?!\*){group})*)"


_PART = re.compile(_text(",", deep=3))
"""What stands between two commas."""

RESERVED = frozenset(
    """
    add all alter and as autoincrement between case check collate commit constraint create
    current_date current_time current_timestamp default deferrable delete distinct drop else
    escape except exists false foreign from group having in index insert intersect into is isnull
    join limit not nothing notnull null on or order primary references returning select set table
    then to transaction true union unique update using values when where
    """.split()  # noqa: SIM905 - a list of 58 quoted words is no easier to read
)
"""Words that are not names unless they are quoted, or mean something else when they are bare."""

BEFORE_BRACKET = RESERVED | {"over", "filter", "instead", "of", "like", "glob", "by"}
"""Words that are no function or type names: a space stands between them and a bracket."""

DEPTH = {"(": 1, ")": -1}
"""How much deeper in brackets one is behind a sign."""


class Kind(StrEnum):
    """What a token is; a `NAME` stands in quotes, a `WORD` does not."""

    STRING = "string"
    NAME = "name"
    NUMBER = "number"
    WORD = "word"
    SIGN = "sign"


class Token(NamedTuple):
    """One token: its canonical *text*, and what it says *raw*, without quotes."""

    kind: Kind
    text: str
    raw: str
    quote: str = ""


class UnreadableError(ValueError):
    """The text is not what this reader knows of SQLite's grammar."""


def tokenise(sql: str) -> list[Token]:
    """Return the tokens of *sql*, without comments and white space."""
    return [
        _token(found.lastgroup, found.group())
        for found in PATTERN.finditer(sql)
        if found.lastgroup is not None
    ]


def first(sql: str) -> tuple[Token, str]:
    """Return the first token of *sql*, and the text behind it."""
    for found in PATTERN.finditer(sql):
        if found.lastgroup is not None:
            return _token(found.lastgroup, found.group()), sql[found.end() :]
    raise UnreadableError("the text ends too early")


@lru_cache(maxsize=10_000)
def _token(group: str, text: str) -> Token:
    kind = Kind(group)
    match kind:
        case Kind.NAME:
            opening, closing = text[0], text[-1]
            raw = text[1:-1].replace(closing * 2, closing)
            return Token(kind, canonical_name(raw), raw, opening)
        case Kind.STRING if text[0] in "xX":
            return Token(kind, "x" + text[1:].upper(), text)
        case Kind.STRING:
            return Token(kind, text, text[1:-1].replace("''", "'"), "'")
        case Kind.SIGN:
            return Token(kind, {"==": "=", "!=": "<>"}.get(text, text), text)
        case _:
            return Token(kind, text.lower(), text)


def canonical_name(name: str) -> str:
    """Return *name* in lower case, in quotes where it cannot stand without."""
    return quoted(name.lower())


@lru_cache(maxsize=10_000)
def quoted(name: str) -> str:
    """Return *name* as it is, in quotes where it cannot stand without."""
    if PLAIN.match(name) and name.lower() not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> Token:
    """Return the token of a string."""
    return Token(Kind.STRING, "'" + text.replace("'", "''") + "'", text, "'")


def is_word(token: Token, *words: str) -> bool:
    """Say whether *token* is one of these bare words."""
    return token.kind is Kind.WORD and token.text in words


def is_sign(token: Token, sign: str) -> bool:
    """Say whether *token* is this sign."""
    return token.kind is Kind.SIGN and token.text == sign


def render(tokens: Iterable[Token]) -> str:
    """Return one text for all spellings of *tokens*."""
    text, last = "", None
    for token in tokens:
        text += token.text if last is None or _close(last, token) else f" {token.text}"
        last = token
    return text


def _close(left: Token, right: Token) -> bool:
    if (left.kind is Kind.SIGN and left.text in "(.") or (
        right.kind is Kind.SIGN and right.text in "),."
    ):
        return True
    called = left.kind is Kind.NAME or (left.kind is Kind.WORD and left.text not in BEFORE_BRACKET)
    return called and is_sign(right, "(")


def unwrapped(tokens: Sequence[Token]) -> Sequence[Token]:
    """Return *tokens* without brackets around the whole."""
    while tokens and is_sign(tokens[0], "("):
        reader = Reader(tokens)
        inner = reader.group()
        if not reader.done:
            break
        tokens = inner
    return tokens


def split(tokens: Iterable[Token]) -> Iterator[list[Token]]:
    """Yield what stands between the commas, not looking into brackets."""
    part: list[Token] = []
    depth = 0
    for token in tokens:
        if token.kind is Kind.SIGN:
            depth += DEPTH.get(token.text, 0)
            if depth == 0 and token.text == ",":
                yield part
                part = []
                continue
        part.append(token)
    if part:
        yield part


def first_bracket(sql: str) -> int:
    """Return where the first opening bracket stands that is no part of a name or a comment."""
    return next(found.start() for found in PATTERN.finditer(sql) if found["sign"] == "(")


def opened(sql: str, start: int) -> tuple[list[str], str]:
    """Return what stands between the commas in the brackets at *start*, and what follows these."""
    parts = []
    end = start
    while True:
        begin = end + 1
        found = _PART.match(sql, begin)
        end = found.end() if found else len(sql)
        parts.append(sql[begin:end])
        if sql.startswith(")", end):
            return parts, sql[end + 1 :]
        if not sql.startswith(",", end):
            return _opened(sql, start)


def _opened(sql: str, start: int) -> tuple[list[str], str]:
    """Do the same token by token."""
    parts = []
    depth = 0
    begin = start + 1
    for found in PATTERN.finditer(sql, start):
        sign = found["sign"]
        depth += DEPTH.get(sign, 0)
        if depth == 0 or (depth == 1 and sign == ","):
            parts.append(sql[begin : found.start()])
            begin = found.end()
        if depth == 0:
            return parts, sql[begin:]
    raise UnreadableError("the text ends too early")


def without_strings_in_disguise(tokens: Iterable[Token], columns: Collection[str]) -> list[Token]:
    """Return *tokens* with strings for the double-quoted names that name none of *columns*.

    SQLite reads those as strings, and strings differ by case. *columns* are in lower case.
    """
    return [
        literal(token.raw) if token.quote == '"' and token.raw.lower() not in columns else token
        for token in tokens
    ]


class Reader:
    """Walks over tokens; raises `UnreadableError` where the text is not as expected."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._position = 0

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return self._position >= len(self._tokens)

    def at(self, *words: str, ahead: int = 0) -> bool:
        """Say whether one of these bare words comes next, or *ahead* tokens later."""
        place = self._position + ahead
        return place < len(self._tokens) and is_word(self._tokens[place], *words)

    def at_sign(self, sign: str, *, ahead: int = 0) -> bool:
        """Say whether this sign comes next, or *ahead* tokens later."""
        place = self._position + ahead
        return place < len(self._tokens) and is_sign(self._tokens[place], sign)

    def next(self) -> Token:
        """Return the next token and go on."""
        if self.done:
            raise UnreadableError("the text ends too early")
        self._position += 1
        return self._tokens[self._position - 1]

    def take(self, *words: str) -> str | None:
        """Return the next token's text and go on, if it is one of these bare words."""
        return self.next().text if self.at(*words) else None

    def phrase(self, *words: str) -> bool:
        """Go on over these bare words in this order, if they come next."""
        if all(self.at(word, ahead=ahead) for ahead, word in enumerate(words)):
            self._position += len(words)
            return True
        return False

    def name(self) -> Token:
        """Return the next token, which is a name, and go on over a schema before it."""
        token = self.next()
        while self.at_sign("."):
            self.next()
            token = self.next()
        return token

    def group(self) -> list[Token]:
        """Return what stands in the brackets that come next, and go on behind them."""
        if not self.at_sign("("):
            raise UnreadableError("a bracket was expected")
        start, depth = self._position, 0
        for position in range(start, len(self._tokens)):
            token = self._tokens[position]
            if token.kind is Kind.SIGN:
                depth += DEPTH.get(token.text, 0)
                if depth == 0:
                    self._position = position + 1
                    return list(self._tokens[start + 1 : position])
        raise UnreadableError("the text ends too early")

    def rest(self) -> Sequence[Token]:
        """Return all that is left."""
        left = self._tokens[self._position :]
        self._position = len(self._tokens)
        return left
