"""Which tables can a statement write rows to? Told by its first words, like its effects.

What a trigger or a foreign key does beside is not seen here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from topchef_schema.model.sql_words import Word, named_table, one_statement, split, words

if TYPE_CHECKING:
    from sqlalchemy import Connection

Names = frozenset[str]
"""Of tables, without their schemas and in small letters."""

WRITES = {"DELETE", "INSERT", "REPLACE", "UPDATE"}
"""The first words of statements of which a database tells how many rows they changed."""

SENT_BESIDE = "topchef_schema.sent_beside"
"""The key in ``Connection.info`` of a function that is told of a statement past SQLAlchemy.

Its arguments are the SQL, and how many rows it met. Who follows a database puts it there.
"""

_NONE: Names = frozenset()
_READS = {"CHECKSUM", "DESC", "DESCRIBE", "PRAGMA", "SELECT", "SET", "SHOW", "USE"}
_READS |= {"ANALYZE", "COMMENT", "GRANT", "REVOKE"}
_READS |= {"BEGIN", "COMMIT", "RELEASE", "ROLLBACK", "SAVEPOINT", "START"}
_ASIDE = {"IF", "NOT", "EXISTS", "ONLY", "INTO", "OR", "IGNORE", "REPLACE", "ABORT", "TABLE"}
_ROWLESS = {"FUNCTION", "PROCEDURE", "TRIGGER", "VIEW"}


def as_sent(sql: str, connection: Connection) -> str:
    """Return *sql* as the server gets it: for some drivers each % in it stands there twice."""
    doubled = connection.dialect.paramstyle in ("format", "pyformat")
    return sql.replace("%%", "%") if doubled and "%" in sql else sql


def verb_of(sql: str) -> str:
    """Return the first word of *sql*, in capitals."""
    return sql.split(None, 1)[0].upper() if sql.strip() else ""


@lru_cache(maxsize=5000)
def tables_written(sql: str) -> Names | None:
    """Return the tables whose rows *sql* may add, change or delete; None where that is not known.

    A table that is made, altered or renamed is one of them, under both names.
    """
    head = [each.key for each in words(sql)[:6]]
    if head[:1] == ["CREATE"] and _ROWLESS.intersection(head):
        return _NONE  # what stands in a body is not done now
    verb, *rest = one_statement(sql) or [Word("sign", "")]
    if verb.key in _READS:
        return _NONE
    known = _VERBS.get(verb.key)
    return None if known is None else known(rest)


def _one(found: Sequence[Word]) -> Names | None:
    """Take the one table whose name comes first."""
    rest = list(found)
    while rest and rest[0].key in _ASIDE:
        rest.pop(0)
    table, _ = named_table(rest)
    return None if table is None else frozenset({table.name.lower()})


def _create(found: Sequence[Word]) -> Names | None:
    keys = [each.key for each in found]
    if "INDEX" in keys[:3] and "ON" in keys:
        return _NONE
    if "TABLE" in keys[:3]:
        return _one(found[keys.index("TABLE") :])
    return None


def _drop(found: Sequence[Word]) -> Names | None:
    kind = found[0].key if found else ""
    if kind in _ROWLESS | {"INDEX"}:
        return _NONE
    if kind != "TABLE":
        return None
    names = [_one(each) for each in split(found[1:], ",")]
    return None if None in names else _NONE.union(*(each for each in names if each is not None))


def _alter(found: Sequence[Word]) -> Names | None:
    if not found or found[0].key != "TABLE" or any(each.key == "EXCHANGE" for each in found):
        return None
    names = _one(found)
    keys = [each.key for each in found]
    for at in (at for at, key in enumerate(keys[:-1]) if key == "RENAME"):
        if keys[at + 1] not in _PARTS:
            skipped = at + 2 if keys[at + 1] in ("TO", "AS", "=") else at + 1
            new = _one(found[skipped:])
            names = None if names is None or new is None else names | new
    return names


_PARTS = {"COLUMN", "CONSTRAINT", "INDEX", "KEY"}


def _update(found: Sequence[Word]) -> Names | None:
    keys = [each.key for each in found]
    before = keys.index("SET") if "SET" in keys else 0
    several = {",", "JOIN"}.intersection(keys[:before])
    return None if several or not before else _one(found)


def _delete(found: Sequence[Word]) -> Names | None:
    # "DELETE a FROM a JOIN b" is a thing, too.
    keys = [each.key for each in found[:12]]
    return _one(found[1:]) if keys[:1] == ["FROM"] and not {",", "JOIN"} & set(keys) else None


_VERBS: dict[str, Callable[[Sequence[Word]], Names | None]] = {
    "ALTER": _alter,
    "CREATE": _create,
    "DELETE": _delete,
    "DROP": _drop,
    "INSERT": _one,
    "REPLACE": _one,
    "TRUNCATE": _one,
    "UPDATE": _update,
}
