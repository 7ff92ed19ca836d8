"""Does a statement drop what another one has made? Told by their words."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from topchef_schema.model.sql_words import Word, words

_MAKE = {"ADD", "CREATE", "CONSTRAINT"}
_KINDS = {"CHECK", "COLUMN", "CONSTRAINT", "FOREIGN", "FULLTEXT", "INDEX", "KEY", "MATERIALIZED"}
_KINDS |= {"PRIMARY", "SEQUENCE", "SPATIAL", "TABLE", "TRIGGER", "TYPE", "UNIQUE", "VIEW"}
_ASIDE = {"CONCURRENTLY", "EXISTS", "IF", "NOT", "OR", "REPLACE", "TEMP", "TEMPORARY"}

Named = tuple[str | None, str]
"""A table, where one is named, and what belongs to it, in small letters."""


def drops_what(sql: str, other: str) -> bool:
    """Whether *sql* drops something of a name that *other* has made, on the same table if told."""
    made = set(_named(words(other), _MAKE))
    return any(
        name == its_name and (table is None or its_table is None or table == its_table)
        for table, name in _named(words(sql), {"DROP"})
        for its_table, its_name in made
    )


def _named(found: Sequence[Word], verbs: Collection[str]) -> Iterator[Named]:
    """Yield what stands behind *verbs*, with the table of the statement."""
    table = _table(found)
    for at, word in enumerate(found):
        if word.key in verbs:
            name = _name(found[at + 1 :])
            if name is not None:
                yield (None if name == table else table), name


def _table(found: Sequence[Word]) -> str | None:
    """Return the table behind ALTER TABLE, or ON."""
    keys = [each.key for each in found]
    if keys[:2] == ["ALTER", "TABLE"]:
        return _name(found[1:])
    return _name(found[keys.index("ON") + 1 :]) if "ON" in keys else None


def _name(found: Sequence[Word]) -> str | None:
    """Return the name behind words that say of what it is, without its schema."""
    rest = list(found)
    while rest and rest[0].key in _KINDS | _ASIDE:
        rest.pop(0)
    name = None
    while rest and rest[0].kind in ("word", "quoted"):
        name = rest.pop(0).name.lower()
        if not rest or rest.pop(0).key != ".":
            break
    return name
