"""Cuts what SHOW CREATE TABLE prints into named parts, and takes out what is no part of a schema.

MySQL and MariaDB print identifiers in backticks and text in single quotes, whatever is in them, as
long as the session's ``sql_mode`` is empty; so everything here reads quoted pieces as wholes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

IDENTIFIER = r"`(?:[^`]|``)*`"
TEXT = r"'(?:[^'\\]|''|\\.)*'"

_WORD = re.compile(r"[\w$]+")
_IDENTIFIER = re.compile(IDENTIFIER)
_NO_BREAK_IN_QUOTES = re.compile(r"[^`']*(?:(?:`[^`\n]*`|'(?:[^'\\\n]|\\.)*')[^`']*)*")
_PIECE = re.compile(rf"{IDENTIFIER}|{TEXT}|[(),]|[^`'(),]+", re.DOTALL)
_CHAIN = re.compile(
    rf"(?P<text>{TEXT})|(?P<first>{IDENTIFIER})\.(?P<second>{IDENTIFIER})"
    rf"(?P<third>\.{IDENTIFIER})?(?P<call>\()?|{IDENTIFIER}|(?P<word>\w+)|(?P<other>[^\s(])",
    re.DOTALL,
)
_COUNTER = re.compile(rf"({IDENTIFIER}|{TEXT})| AUTO_INCREMENT=\d+", re.DOTALL)
_CHARACTERS = re.compile(
    rf"(?:char|varchar|\w*text|enum|set)\b(?:\((?:{TEXT}|[^'()])*\))?", re.DOTALL
)
_COLLATION = re.compile(
    rf"({IDENTIFIER}|{TEXT})| CHARACTER SET (\w+)(?: COLLATE (\w+))?| COLLATE (\w+)", re.DOTALL
)
_DISPLAY_WIDTH = re.compile(r"(smallint|mediumint|int|bigint)\(\d+\)(?!(?: unsigned)? zerofill)")
_BREAK = re.compile(rf"({IDENTIFIER}|{TEXT})|\s*\n\s*", re.DOTALL)
_PARTITIONS = re.compile(rf"{IDENTIFIER}|{TEXT}|(\s*(?:/\*!\d+\s*)?\bPARTITION BY\b)", re.DOTALL)
_NAMED = re.compile(
    rf"(CONSTRAINT|PERIOD(?= FOR `)|(?:\w+ )?(?:KEY|INDEX)) (?:FOR )?({IDENTIFIER}) ?(.*)",
    re.DOTALL,
)
_DEFINER = re.compile(rf"\bDEFINER=({IDENTIFIER})(?:@({IDENTIFIER}))? ")


def unquoted(name: str) -> str:
    """Return the name inside backticks."""
    return name[1:-1].replace("``", "`")


def quoted(name: str) -> str:
    """Return *name* in backticks, as it stands in SQL."""
    return "`" + name.replace("`", "``") + "`"


def key(kind: str, *names: str) -> str:
    """Return the key of an object; a name that is no plain word stands in backticks.

    So a table called ``a.b`` and a column ``b`` of a table ``a`` have two keys.
    """
    return f"{kind} {'.'.join(map(plain, names))}".strip()


@lru_cache(maxsize=10_000)
def plain(name: str) -> str:
    """Return *name*, in backticks where it is no plain word."""
    return name if _WORD.fullmatch(name) else quoted(name)


@lru_cache(maxsize=10_000)
def table_parts(statement: str, *, name: str, database: str, collation: str) -> Mapping[str, str]:
    """Cut the CREATE TABLE *statement* of table *name* into keys and definitions.

    A round trip reads the same tables again and again. *collation* is the table's own, which the
    server does not print at a column that has it.
    """
    body, rest = _lines(statement) or _opened(statement)
    parts: dict[str, str] = {}
    columns = []
    own = key("column", name)
    for definition in body:
        if definition.startswith("`"):
            column, text = _named(definition)
            columns.append(column)
            parts[f"{own}.{column}"] = _column(text, database, collation)
        else:
            where, text = _table_element(definition, name)
            # A foreign key and a CHECK of one table may have the same name in MySQL.
            parts[where] = f"{parts[where]}; {text}" if where in parts else text
    parts[key("column-order", name)] = ", ".join(columns)
    options, partitions = _options(rest)
    parts[key("table", name)] = options
    if partitions:
        parts[key("partitions", name)] = partitions
    return parts


def _named(definition: str) -> tuple[str, str]:
    """Return the name that *definition* begins with, as it stands in a key, and what follows it."""
    end = definition.index("`", 1) + 1
    if definition.startswith("`", end):
        found = _IDENTIFIER.match(definition)
        assert found is not None
        end = found.end()
    return plain(unquoted(definition[:end])), definition[end:]


@lru_cache(maxsize=10_000)
def _column(text: str, database: str, collation: str) -> str:
    """Return the definition of a column from the *text* behind its name: few differ in a schema."""
    text = without_database(text.strip(), database)
    return _with_collation(_without_display_width(text), collation)


def _lines(statement: str) -> tuple[list[str], str] | None:
    """Return what `_opened` does, each definition being a line; None where that is not certain.

    The servers break lines between definitions only, and put no comma into one outside of brackets
    and quotes; but a name may hold a line break.
    """
    first, _, rest = statement.partition(" (\n  ")
    body, closing, rest = rest.partition("\n)")
    definitions = body.split(",\n  ")
    certain = (
        closing
        and _NO_BREAK_IN_QUOTES.fullmatch(statement, 0, len(first) + 5 + len(body))
        and body.count("\n") == len(definitions) - 1
        and all(each.count("(") == each.count(")") for each in definitions)
    )
    return (definitions, rest) if certain else None


def _opened(statement: str) -> tuple[list[str], str]:
    """Return the definitions inside the outer parentheses, and what follows these."""
    definitions: list[str] = []
    current: list[str] = []
    depth = 0
    for piece in _PIECE.finditer(statement):
        text = piece[0]
        if text == ")":
            depth -= 1
            if depth == 0:
                definitions.append("".join(current).strip())
                return definitions, statement[piece.end() :]
        if depth == 1 and text == ",":
            definitions.append("".join(current).strip())
            current = []
        elif depth > 0:
            current.append(text)
        if text == "(":
            depth += 1
    raise ValueError("the parentheses of a CREATE TABLE statement do not match")


def _table_element(definition: str, table: str) -> tuple[str, str]:
    """Return the key and the definition of an index, a constraint, or a period."""
    found = _NAMED.match(definition)
    if found is None:
        word = definition.split(" ", 1)[0].lower()
        return key("primary-key" if word == "primary" else word, table), definition
    word, name, rest = found[1], unquoted(found[2]), found[3].rstrip()
    if word == "CONSTRAINT":
        return key("constraint", table, name), rest
    if word == "PERIOD":
        return key("period", table, name), rest
    return key("index", table, name), f"{word} {rest}"


def _with_collation(definition: str, inherited: str) -> str:
    """Write the collation behind the type of every column that has one, and only there.

    A column keeps its collation when the default of its table changes; and whether it was once
    given by name, which MySQL remembers and prints, is all the same.
    """
    type_ = _CHARACTERS.match(definition)
    if type_ is None:
        return definition
    written = f" COLLATE {inherited}"

    def taken(found: re.Match[str]) -> str:
        nonlocal written
        quoted_, charset, first, second = found.groups()
        if quoted_:
            return str(quoted_)
        collation = first or second
        written = f" COLLATE {collation}" if collation else f" CHARACTER SET {charset}"
        return ""

    rest = _COLLATION.sub(taken, definition[type_.end() :])
    return f"{type_[0]}{written}{rest}"


def _without_display_width(definition: str) -> str:
    """Take off how wide an integer is shown, which means nothing, as MySQL does since 8.0.19.

    So both keep that of ``tinyint(1)``, which clients read as a boolean, and of ``zerofill``.
    """
    found = _DISPLAY_WIDTH.match(definition)
    return definition if found is None else found[1] + definition[found.end() :]


def _options(rest: str) -> tuple[str, str]:
    """Return the options of a table without its counter, and how it is partitioned."""
    for found in _PARTITIONS.finditer(rest) if "PARTITION BY" in rest else ():
        if found[1]:
            partitions = _BREAK.sub(lambda piece: piece[1] or " ", rest[found.start() :].strip())
            # MySQL hides partitions from other servers: /*!50100 PARTITION BY … */
            partitions = re.sub(r"^/\*!\d+ *(.*?) *\*/$", r"\1", partitions, flags=re.DOTALL)
            return _without_counter(rest[: found.start()]), partitions
    return _without_counter(rest), ""


def _without_counter(options: str) -> str:
    if "AUTO_INCREMENT=" in options:
        options = _COUNTER.sub(lambda found: found[1] or "", options)
    return options.strip()


def without_database(sql: str, database: str) -> str:
    """Take the name of the *database* itself off the objects in *sql* that the server printed.

    ```db`.`t`.`c``` is a column and ```db`.`f`(`` a function; ```db`.`t``` is a table only after
    FROM and JOIN, else it is a column of a table or an alias that is called like the database.
    ``nextval(`db`.`s`)`` names a sequence.
    """
    own = quoted(database)
    return "".join(_stripped(sql, own)) if own in sql else sql


def _stripped(sql: str, own: str) -> Iterator[str]:
    before = ""
    end = 0
    for found in _CHAIN.finditer(sql):
        yield sql[end : found.start()]
        end = found.end()
        text = found[0]
        if found["first"] == own and (found["third"] or found["call"] or before in _BEFORE_A_TABLE):
            text = text[len(own) + 1 :]
        yield text
        # Parentheses are no words: FROM ((`a` JOIN `b`)) has a table after each of its own.
        before = (found["word"] or text).lower()
    yield sql[end:]


_BEFORE_A_TABLE = frozenset({"from", "join", "straight_join", "nextval", "lastval", "setval"})


def definer(statement: str) -> tuple[str, str]:
    """Return *statement* without its DEFINER clause, and the definer as ``user@host``."""
    found = _DEFINER.search(statement)
    if found is None:
        return statement, ""
    user = "@".join(unquoted(each) for each in found.groups() if each)
    return statement[: found.start()] + statement[found.end() :], user
