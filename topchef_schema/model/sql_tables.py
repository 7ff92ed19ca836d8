"""The tables that SQL names: found where only a table can stand, in whatever database's words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from topchef_schema.model.effect import TableName
from topchef_schema.model.sql_words import (
    Word,
    dotted,
    named_table,
    skipped,
    split,
    table_of,
    words,
)

Words = Sequence[Word]

_ASIDE = ("EXISTS", "IF", "IGNORE", "LATERAL", "NOT", "ONLY", "OR", "REPLACE", "TABLE")
_AFTER_ON = {"COMMIT", "CONFLICT", "DELETE", "DUPLICATE", "INSERT", "SELECT", "UPDATE"}
_TAKES_FROM = {"EXTRACT", "OVERLAY", "SUBSTRING", "TRIM"}
"""Functions whose arguments stand behind FROM."""
_NO_STATEMENT = {"AFTER", "BEFORE", "DO", "FOR", "INSTEAD", "KEY", "OF", "ON", "OR", "THEN"}
"""UPDATE behind these is an event, a clause or a lock."""
_ON_TABLES = {"INDEX", "POLICY", "RULE", "TRIGGER"}
_LONGEST = 24
"""Words in which the name of a table, and what may stand before it, has ended."""


def named_tables(sql: str) -> tuple[TableName, ...]:
    """Return the tables that *sql* names, in order; views that it reads are among it."""
    found = (name for each in split(words(sql), ";") if each for name in _named(each))
    return tuple(dict.fromkeys(found))


def _named(found: Words) -> Iterator[TableName]:
    verb = found[0].key
    if verb in ("COMMENT", "GRANT", "REVOKE"):
        yield from _commented(found) if verb == "COMMENT" else _granted(found)
        return
    inside: list[str] = []
    for position, each in enumerate(found):
        if each.key == "(":
            inside.append(found[position - 1].key if position else "")
        elif each.key == ")" and inside:
            inside.pop()
        stands = _BEFORE_A_TABLE.get(each.key)
        if stands is None or not stands(found, position, inside[-1] if inside else ""):
            continue
        of_several = verb in ("DROP", "TRUNCATE")
        rest = found[position + 1 : None if of_several else position + _LONGEST]
        for one in split(rest, ",") if of_several else (rest,):
            name, after = named_table(skipped(one, *_ASIDE))
            called = each.key in ("FROM", "JOIN") and after and after[0].key == "("
            if name is not None and not called:
                yield name


def _always(found: Words, position: int, within: str) -> bool:
    return True


def _is_from(found: Words, position: int, within: str) -> bool:
    copies = found[0].key == "COPY" and not within  # from a file
    is_distinct = position > 0 and found[position - 1].key == "DISTINCT"
    return not copies and not is_distinct and within not in _TAKES_FROM


def _is_update(found: Words, position: int, within: str) -> bool:
    return position == 0 or found[position - 1].key not in _NO_STATEMENT


def _is_truncate(found: Words, position: int, within: str) -> bool:
    return position == 0


def _is_using(found: Words, position: int, within: str) -> bool:
    if found[0].key not in ("DELETE", "MERGE", "WITH"):
        return False
    return any(each.key in ("DELETE", "MERGE") for each in found[:position])


def _is_like(found: Words, position: int, within: str) -> bool:
    if found[0].key != "CREATE":
        return False
    keys = [each.key for each in found[:position]]
    of_table = "TABLE" in keys[:4] and "SELECT" not in keys
    return of_table and (keys[-1] in ("(", ",") or "(" not in keys)


def _is_on(found: Words, position: int, within: str) -> bool:
    first = {each.key for each in found[:6]}
    if found[0].key not in ("ALTER", "CREATE", "DROP") or not _ON_TABLES & first:
        return False
    rest = found[position + 1 : position + 2]
    is_first = all(each.key != "ON" for each in found[:position])
    return is_first and bool(rest) and rest[0].key not in _AFTER_ON


_BEFORE_A_TABLE: dict[str, Callable[[Words, int, str], bool]] = {
    "FROM": _is_from,
    "INTO": _always,
    "JOIN": _always,
    "LIKE": _is_like,
    "ON": _is_on,
    "REFERENCES": _always,
    "TABLE": _always,
    "TRUNCATE": _is_truncate,
    "UPDATE": _is_update,
    "USING": _is_using,
}


def _granted(found: Words) -> Iterator[TableName]:
    """Yield the tables between ON and TO, or FROM."""
    rest = _behind(found, "ON")
    end = next((at for at, each in enumerate(rest) if each.key in ("FROM", "TO")), len(rest))
    for each in split(skipped(rest[:end], "TABLE"), ","):
        name, after = named_table(each)
        if name is not None and not after:  # else it is ON SEQUENCE name, or ON database.*
            yield name


def _commented(found: Words) -> Iterator[TableName]:
    """Yield the table of COMMENT ON TABLE name, COLUMN table.name, or TRIGGER name ON table."""
    rest = _behind(found, "ON")
    kind = rest[0].key if rest else ""
    names, after = dotted(rest[1:] if kind in ("COLUMN", "TABLE") else _behind(rest, "ON"))
    table = table_of(names[:-1] if kind == "COLUMN" else names)
    if table is not None and after and after[0].key == "IS":
        yield table


def _behind(found: Words, key: str) -> Words:
    """Return what stands behind the first *key*, nothing where there is none."""
    at = next((at for at, each in enumerate(found) if each.key == key), len(found))
    return found[at + 1 :]
