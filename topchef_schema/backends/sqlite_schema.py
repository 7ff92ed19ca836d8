"""What one row of SQLite's catalog defines, whatever way its text is spelled.

The text, because pragmas do not know CHECK constraints, constraint names, collations,
AUTOINCREMENT, conflict clauses, generated columns and partial indexes. Each object is a pure
function of its own row, so that a snapshot can be brought up to date row by row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

from topchef_schema.backends.sqlite_tokens import (
    BARE,
    QUOTED,
    Kind,
    Reader,
    Token,
    UnreadableError,
    canonical_name,
    first,
    first_bracket,
    is_sign,
    is_word,
    literal,
    opened,
    quoted,
    render,
    split,
    tokenise,
    unwrapped,
    without_strings_in_disguise,
)

TABLE_CONSTRAINT = ("constraint", "primary", "unique", "check", "foreign")
COLUMN_CONSTRAINT = (
    "constraint",
    "primary",
    "not",
    "null",
    "unique",
    "check",
    "default",
    "collate",
    "references",
    "generated",
    "as",
)

_TABLE = re.compile(rf"CREATE TABLE (?:{QUOTED}|{BARE})[ \t-\r]*\(")


@lru_cache(maxsize=10_000)
def definitions(kind: str, name: str, table: str, sql: str | None) -> Mapping[str, str]:
    """Return the objects in one row of the catalog: key to canonical definition.

    A round trip reads the same rows again and again. SQLite's own tables and the indexes behind
    constraints are none. What this reader does not understand is given as a whole.
    """
    if sql is None or name.lower().startswith("sqlite_"):
        return {}
    try:
        return READERS[kind](name, table, sql)
    except (UnreadableError, KeyError):
        return {f"{kind} {quoted(name)}": render(tokenise(sql))}


def _head(sql: str) -> tuple[str, Reader]:
    """Return the words in ``CREATE … name`` that make a difference, and what follows."""
    reader = Reader(tokenise(sql))
    reader.next()
    telling = ""
    while not reader.at("table", "index", "view", "trigger"):
        token = reader.next()
        telling += f"{token.text} " if is_word(token, "unique", "virtual") else ""
    reader.next()
    reader.phrase("if", "not", "exists")
    reader.name()
    return telling, reader


def _view(name: str, _: str, sql: str) -> dict[str, str]:
    _, reader = _head(sql)
    return {f"view {quoted(name)}": render(reader.rest())}


def _trigger(name: str, table: str, sql: str) -> dict[str, str]:
    _, reader = _head(sql)
    return {f"trigger {quoted(table)}.{quoted(name)}": render(reader.rest())}


def _index(name: str, table: str, sql: str) -> dict[str, str]:
    unique, reader = _head(sql)
    reader.phrase("on")
    reader.name()
    definition = f"{unique}({_columns(reader.group())})"
    condition = f" {render(reader.rest())}" if not reader.done else ""
    return {f"index {quoted(table)}.{quoted(name)}": definition + condition}


def _table(name: str, _: str, sql: str) -> dict[str, str]:
    head = _TABLE.match(sql)
    if head is None:
        telling, reader = _head(sql)
        if "virtual" in telling:
            return {f"virtual-table {quoted(name)}": render(reader.rest())}
        if not reader.at_sign("("):
            raise UnreadableError("a bracket was expected")
    return TableReader(name, *opened(sql, head.end() - 1 if head else first_bracket(sql))).objects


READERS: Mapping[str, Callable[[str, str, str], Mapping[str, str]]] = {
    "index": _index,
    "table": _table,
    "trigger": _trigger,
    "view": _view,
}


def _columns(tokens: Iterable[Token]) -> str:
    """Return the columns of a key or an index; ascending is how SQLite sorts unless told."""
    return ", ".join(
        render([part[0], *(each for each in part[1:] if not is_word(each, "asc"))])
        for part in split(tokens)
    )


def _conflict(reader: Reader) -> str:
    if not reader.phrase("on", "conflict"):
        return ""
    answer = reader.next().text
    return "" if answer == "abort" else f" on conflict {answer}"


def _default(tokens: Sequence[Token]) -> str:
    tokens = unwrapped(tokens)
    if len(tokens) == 2 and tokens[0].text in ("+", "-"):
        return tokens[0].text.replace("+", "") + tokens[1].text
    if len(tokens) == 1 and (tokens[0].kind is Kind.NAME or _is_bare_string(tokens[0])):
        return literal(tokens[0].raw).text
    return render(tokens)


def _is_bare_string(token: Token) -> bool:
    # DEFAULT takes any word that is not a keyword of its own for a string.
    return token.kind is Kind.WORD and quoted(token.text) == token.text


def _type(part: Reader) -> str:
    """Read the type of a column."""
    kind: list[Token] = []
    while not part.done and not part.at(*COLUMN_CONSTRAINT):
        kind.append(part.next())
    return render(kind) or "untyped"


def _fact(part: Reader) -> str | None:
    """Read what means the same in each column, None if it is something else; empty is no news."""
    if part.phrase("not", "null"):
        return "not null" + _conflict(part)
    if part.phrase("null"):
        _conflict(part)
        return ""
    if part.phrase("default"):
        return f"default {_default_value(part)}"
    if part.phrase("collate"):
        collation = canonical_name(part.next().raw)
        return "" if collation == "binary" else f"collate {collation}"
    return None


def _default_value(part: Reader) -> str:
    if part.at_sign("("):
        return _default(part.group())
    token = part.next()
    if is_sign(token, "+") or is_sign(token, "-"):
        return _default([token, part.next()])
    return _default([token])


@lru_cache(maxsize=10_000)
def _by_itself(text: str) -> Sequence[str] | None:
    """Return the type and the facts in the *text* behind the name of a column.

    Few texts differ in a schema. None where they mean something else in another column or table.
    """
    part = Reader(tokenise(text))
    kind = _type(part)
    facts = []
    while not part.done:
        fact = _fact(part)
        if fact is None:
            return None
        facts.append(fact)
    return kind, *sorted(filter(None, facts))


class TableReader:
    """Reads one CREATE TABLE into *objects*: the table, its columns, their order, constraints."""

    def __init__(self, name: str, body: Iterable[str], rest: str) -> None:
        self._label = quoted(name)
        options = sorted(render(option) for option in split(tokenise(rest)))
        self.objects = {f"table {self._label}": ", ".join(["table", *options])}
        self._has_rowid = "without rowid" not in options
        self._primary: tuple[str, ...] = ()
        columns, constraints = [], []
        for part in body:
            token, behind = first(part)
            if is_word(token, *TABLE_CONSTRAINT):
                constraints.append(Reader(tokenise(part)))
            else:
                columns.append((token.raw, behind))
        self._columns = {name.lower() for name, _ in columns}
        facts = {column: self._column(column, text) for column, text in columns}
        for each in constraints:
            while not each.done:
                self._constraint(each, None)
        for column, found in facts.items():
            self.objects[f"column {self._label}.{quoted(column)}"] = self._definition(column, found)
        order = ", ".join(canonical_name(name) for name, _ in columns)
        self.objects[f"column-order {self._label}"] = order

    def _column(self, column: str, text: str) -> Sequence[str]:
        """Return the type of a column, and what else belongs to it alone."""
        known = _by_itself(text)
        if known is not None:
            return known
        part = Reader(tokenise(text))
        kind = _type(part)
        facts = []
        while not part.done:
            if part.at("constraint") and not part.at(
                "primary", "unique", "check", "references", ahead=2
            ):
                part.next()  # the name of a NOT NULL or a DEFAULT has no meaning
                part.next()
            fact = _fact(part)
            if fact is not None:
                facts.append(fact)
            elif part.phrase("generated", "always", "as") or part.phrase("as"):
                expression = self._expression(part)
                facts.append(f"as ({expression}) {part.take('stored', 'virtual') or 'virtual'}")
            else:
                self._constraint(part, canonical_name(column))
        return [kind, *sorted(filter(None, facts))]

    def _definition(self, column: str, facts: Sequence[str]) -> str:
        """Return the definition; a rowid, and a key that stands for it, is never NULL anyway."""
        if canonical_name(column) in self._primary:
            never = self._primary == (canonical_name(column),) and facts[0] == "integer"
            if never or not self._has_rowid:
                facts = [each for each in facts if each != "not null"]
        return " ".join(facts)

    def _expression(self, part: Reader) -> str:
        tokens = without_strings_in_disguise(part.group(), self._columns)
        return render(unwrapped(tokens))

    def _constraint(self, part: Reader, column: str | None) -> None:
        """Read a constraint; one that stands with its column is one of the table all the same."""
        name = canonical_name(part.next().raw) if part.phrase("constraint") else None
        if name is not None and (part.done or part.at("constraint")):
            return  # a name without a constraint is allowed, and means nothing
        if part.phrase("primary", "key"):
            self._add(name, "primary key", self._primary_key(part, column))
        elif part.phrase("unique"):
            columns = column or _columns(part.group())
            self._add(name, f"unique ({columns})", f"unique ({columns}){_conflict(part)}")
        elif part.phrase("check"):
            text = f"check ({self._expression(part)})"
            self._add(name, text, text + _conflict(part))
        elif part.phrase("foreign", "key"):
            self._foreign_key(name, _columns(part.group()), part)
        elif part.at("references") and column is not None:
            self._foreign_key(name, column, part)
        else:
            raise UnreadableError("a constraint was expected")

    def _primary_key(self, part: Reader, column: str | None) -> str:
        if column is not None:
            # INTEGER PRIMARY KEY DESC is no alias of the rowid, PRIMARY KEY (x DESC) is one.
            order = " desc" if part.take("asc", "desc") == "desc" else ""
            text = f"primary key{order} ({column})"
            self._primary = () if order and self._has_rowid else (column,)
        else:
            tokens = part.group()
            numbered = any(is_word(each, "autoincrement") for each in tokens)
            tokens = [each for each in tokens if not is_word(each, "autoincrement")]
            text = f"primary key ({_columns(tokens)})" + (" autoincrement" if numbered else "")
            self._primary = tuple(canonical_name(each[0].raw) for each in split(tokens))
        text += _conflict(part)
        return text + (" autoincrement" if part.phrase("autoincrement") else "")

    def _foreign_key(self, name: str | None, columns: str, part: Reader) -> None:
        if not part.phrase("references"):
            raise UnreadableError("REFERENCES was expected")
        target = canonical_name(part.name().raw)
        content = f"foreign key ({columns}) references {target}"
        there = f" ({_columns(part.group())})" if part.at_sign("(") else ""
        self._add(name, content, content + there + _actions(part))

    def _add(self, name: str | None, content: str, definition: str) -> None:
        key = f"constraint {self._label}.{name or content}"
        again, number = key, 1
        while again in self.objects:
            number += 1
            again = f"{key} #{number}"
        self.objects[again] = definition


def _actions(part: Reader) -> str:
    """Read what follows a foreign key; what holds anyway is left out."""
    actions: dict[str, str] = {}
    deferred = ""
    while not part.done:
        if part.phrase("on"):
            event = part.next().text
            answer = part.next().text
            actions[event] = f"{answer} {part.next().text}" if answer in ("set", "no") else answer
        elif part.phrase("match"):
            part.next()  # SQLite parses MATCH and ignores it
        elif part.phrase("not", "deferrable"):
            _initially(part)
        elif part.phrase("deferrable"):
            deferred = _initially(part)
        else:
            break
    given = "".join(f" on {event} {actions[event]}" for event in sorted(actions))
    return given.replace(" on delete no action", "").replace(" on update no action", "") + deferred


def _initially(part: Reader) -> str:
    if not part.phrase("initially"):
        return ""
    return " deferrable initially deferred" if part.next().text == "deferred" else ""
