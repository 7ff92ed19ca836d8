"""What does a statement do to the rows? Told by its first words; what they do not tell is unknown.

It is asked before something is lost: a statement is harmless only where it is known to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from topchef_schema.model.effect import UNKNOWN, Doing, Effect, TableName
from topchef_schema.model.sql_words import (
    Word,
    ambiguous,
    named_table,
    skipped,
    split,
    words,
)

Effects = Iterator[Effect]


def _keys(text: str) -> frozenset[str]:
    return frozenset(text.split())


_HARMLESS = _keys(
    """ANALYZE BEGIN CHECK CLUSTER COMMENT COMMIT DESC DESCRIBE FLUSH GRANT LOCK NOTIFY OPTIMIZE
    PRAGMA REFRESH REINDEX RELEASE RESET REVOKE ROLLBACK SAVEPOINT SHOW START UNLOCK VACUUM"""
)
_ROUTINES = {"AGGREGATE", "EVENT", "FUNCTION", "PROCEDURE", "TRIGGER"}
_DROPPED_ALONE = _ROUTINES | _keys(
    """CAST COLLATION CONVERSION DOMAIN INDEX MATERIALIZED OPERATOR POLICY PUBLICATION ROLE RULE
    SEQUENCE STATISTICS SUBSCRIPTION TEXT TYPE USER VIEW"""
)
_DROPPED_WITH_ALL = {"INDEX", "MATERIALIZED", "POLICY", "RULE", "STATISTICS", "TRIGGER", "VIEW"}
_TAKEN_AWAY = _ROUTINES | _keys(
    """DOMAIN EXTENSION MATERIALIZED POLICY RULE SCHEMA SEQUENCE TYPE VIEW"""
)
_ALTERED = _DROPPED_ALONE | {"DATABASE", "DEFAULT", "EXTENSION", "SCHEMA", "SERVER", "SYSTEM"}
_HARMLESS_ACTIONS = _keys(
    """ADD ALGORITHM ATTACH AUTO_INCREMENT CLUSTER COMMENT DETACH DISABLE ENABLE FORCE INHERIT LOCK
    NO OWNER REPLICA RESET ROW_FORMAT SET VALIDATE WITH WITHOUT"""
)
_PARTS = {"CONSTRAINT", "INDEX", "KEY", "FOREIGN", "PRIMARY", "CHECK"}
_FUNCTIONS = _keys(
    """AND AS BY CASE COALESCE COUNT CURRVAL ELSE EXISTS FROM GREATEST IN JOIN LASTVAL MAX MIN
    NEXTVAL NOT NOW ON OR OVER
    PG_GET_SERIAL_SEQUENCE SELECT SETVAL THEN USING VALUES VERSION WHEN
    WHERE"""
)
_MODIFIERS = {"OR", "REPLACE", "TEMPORARY", "TEMP", "UNLOGGED", "UNIQUE", "GLOBAL", "LOCAL"}


def effects_of_sql(sql: str) -> tuple[Effect, ...]:
    """Return what *sql*, one statement or several, does to tables and their rows."""
    if ambiguous(sql):
        return (UNKNOWN,)
    return tuple(effect for each in _done_now(sql) for effect in _statement(each))


def dropped(sql: str) -> Iterator[tuple[str, str]]:
    """Yield kind and name of what *sql* drops, beside tables, what is in them, and indexes."""
    for found in () if ambiguous(sql) else _done_now(sql):
        kind, rest = [each.key for each in found[:2]][1:], skipped(found[2:], "VIEW")
        if found[0].key == "DROP" and kind and kind[0] in _TAKEN_AWAY:
            word = kind[0].lower().replace("materialized", "materialized view")
            for each in split(skipped(rest, "IF", "EXISTS"), ","):
                name, _ = named_table(each)
                # What is made for a session goes with it in any case.
                if name is not None and name.schema != "pg_temp":
                    yield word, str(name)


def _done_now(sql: str) -> Iterator[list[Word]]:
    """Yield the statements of *sql*, without those in the body of a routine that it makes."""
    found = words(sql)
    if _makes_routine(found):
        last = max((at for at, each in enumerate(found) if each.key == "END"), default=len(found))
        found = found[last + 1 :]
    return filter(None, split(found, ";"))


def _makes_routine(found: Sequence[Word]) -> bool:
    head = [each.key for each in found[:12]]
    return head[:1] == ["CREATE"] and bool(_ROUTINES.intersection(head))


def _statement(found: Sequence[Word]) -> Effects:
    verb, rest = found[0].key, found[1:]
    if verb in _HARMLESS:
        return iter(())
    known = _VERBS.get(verb)
    return iter((UNKNOWN,)) if known is None else known(rest)


def _create(found: Sequence[Word]) -> Effects:
    rest = skipped(found, *_MODIFIERS)
    if not rest or rest[0].key != "TABLE":
        return
    table, _ = named_table(skipped(rest[1:], "IF", "NOT", "EXISTS"))
    if found[0].key == "OR":
        yield Effect(Doing.DROP_TABLE, table)
    yield Effect(Doing.CREATE_TABLE, table)


def _drop(found: Sequence[Word]) -> Effects:
    rest = skipped(found, "TEMPORARY")
    kind = rest[0].key if rest else ""
    if kind == "TABLE":
        for each in split(skipped(rest[1:], "IF", "EXISTS"), ","):
            yield _on(Doing.DROP_TABLE, each)
        return
    takes_along = any(each.key == "CASCADE" for each in rest)
    if kind not in (_DROPPED_WITH_ALL if takes_along else _DROPPED_ALONE):
        yield UNKNOWN


def _on(doing: Doing, found: Sequence[Word]) -> Effect:
    table, _ = named_table(skipped(found, "ONLY"))
    return UNKNOWN if table is None else Effect(doing, table)


def _alter(found: Sequence[Word]) -> Effects:
    rest = skipped(found, "ONLINE", "IGNORE")
    kind = rest[0].key if rest else ""
    if kind == "TABLE":
        table, actions = named_table(skipped(rest[1:], "IF", "EXISTS", "ONLY"))
        for each in split(actions, ","):
            if table is None or not each:
                yield UNKNOWN
            else:
                yield from _action(table, each)
    elif kind not in _ALTERED or (kind == "TYPE" and any(each.key == "DROP" for each in rest)):
        yield UNKNOWN


def _action(table: TableName, found: Sequence[Word]) -> Effects:
    verb, rest = found[0].key, skipped(found[1:], "COLUMN")
    if verb in ("DROP", "RENAME", "ALTER", "MODIFY", "CHANGE"):
        yield from _ACTIONS[verb](table, found[1:], skipped(rest, "IF", "EXISTS"))
    elif verb == "ADD" and rest and rest[0].key not in _PARTS:
        yield Effect(Doing.ADD_COLUMN, table, skipped(rest, "IF", "NOT", "EXISTS")[0].name)
    elif verb not in _HARMLESS_ACTIONS:
        yield Effect(Doing.UNKNOWN, table)


def _drop_part(table: TableName, found: Sequence[Word], rest: Sequence[Word]) -> Effects:
    """*rest* is *found* without the words that may stand before a column's name."""
    if found and found[0].key in _PARTS:
        return
    if not rest or found[0].key == "PARTITION":
        yield Effect(Doing.UNKNOWN, table)
    else:
        yield Effect(Doing.DROP_COLUMN, table, rest[0].name)


def _rename(table: TableName, found: Sequence[Word], rest: Sequence[Word]) -> Effects:
    keys = [each.key for each in rest]
    if found and found[0].key in _PARTS:
        return
    if keys[:1] in (["TO"], ["AS"]) and len(rest) > 1:
        new, _ = named_table(rest[1:])
        yield Effect(Doing.RENAME_TABLE, table, new=None if new is None else new.name)
    elif len(rest) > 2 and keys[1] == "TO":
        yield Effect(Doing.RENAME_COLUMN, table, rest[0].name, rest[2].name)
    else:
        yield Effect(Doing.UNKNOWN, table)


def _alter_column(table: TableName, found: Sequence[Word], rest: Sequence[Word]) -> Effects:
    if found and found[0].key in _PARTS:
        return
    keys = [each.key for each in rest[1:4]]
    if keys[:1] == ["TYPE"] or keys == ["SET", "DATA", "TYPE"]:
        yield Effect(Doing.CHANGE_TYPE, table, rest[0].name)
    elif keys[:1] not in (["SET"], ["DROP"], ["ADD"], ["RESET"], ["RESTART"]):
        yield Effect(Doing.UNKNOWN, table)


def _modify(table: TableName, found: Sequence[Word], rest: Sequence[Word]) -> Effects:
    yield Effect(Doing.CHANGE_TYPE, table, rest[0].name) if rest else UNKNOWN


def _change(table: TableName, found: Sequence[Word], rest: Sequence[Word]) -> Effects:
    if len(rest) < 2:
        yield UNKNOWN
        return
    yield Effect(Doing.CHANGE_TYPE, table, rest[0].name)
    yield Effect(Doing.RENAME_COLUMN, table, rest[0].name, rest[1].name)


_ACTIONS: dict[str, Callable[[TableName, Sequence[Word], Sequence[Word]], Effects]] = {
    "ALTER": _alter_column,
    "CHANGE": _change,
    "DROP": _drop_part,
    "MODIFY": _modify,
    "RENAME": _rename,
}


def _set(found: Sequence[Word]) -> Effects:
    if _ELSEWHERE.intersection(each.key for each in found[:3]):
        yield UNKNOWN


_ELSEWHERE = _keys("AUTHORIZATION ROLE SCHEMA SEARCH_PATH")
"""After these, a name may lead to another table than it does before."""


def _rename_tables(found: Sequence[Word]) -> Effects:
    for each in split(skipped(found, "TABLE", "TABLES"), ","):
        table, rest = named_table(each)
        new, _ = named_table(skipped(rest, "TO"))
        if table is None or new is None:
            yield UNKNOWN
        else:
            yield Effect(Doing.RENAME_TABLE, table, new=new.name)


def _truncate(found: Sequence[Word]) -> Effects:
    for each in split(skipped(found, "TABLE"), ","):
        yield _on(Doing.DELETE_ROWS, each)


def _delete(found: Sequence[Word]) -> Effects:
    # "DELETE a FROM a JOIN b" is a thing, too.
    yield _on(Doing.DELETE_ROWS, found[1:]) if found and found[0].key == "FROM" else UNKNOWN


def _update(found: Sequence[Word]) -> Effects:
    table, rest = named_table(skipped(found, "ONLY", "OR", "IGNORE", "REPLACE"))
    keys = [each.key for each in rest[:3]]
    plain = "SET" in keys and "," not in keys[: keys.index("SET")]
    yield Effect(Doing.CHANGE_ROWS, table) if plain and table is not None else UNKNOWN


def _insert(found: Sequence[Word]) -> Effects:
    keys = [each.key for each in found]
    table, _ = named_table(skipped(found, "OR", "REPLACE", "IGNORE", "ABORT", "INTO"))
    if "REPLACE" in keys[:2] or ("UPDATE" in keys and "ON" in keys):
        yield Effect(Doing.CHANGE_ROWS, table) if table is not None else UNKNOWN


def _replace(found: Sequence[Word]) -> Effects:
    yield _on(Doing.CHANGE_ROWS, skipped(found, "INTO"))


def _copy(found: Sequence[Word]) -> Effects:
    if not any(each.key == "FROM" for each in found):
        yield UNKNOWN


def _select(found: Sequence[Word]) -> Effects:
    """Take it for harmless as long as it calls no function that may do anything."""
    for position, each in enumerate(found[:-1]):
        calls = found[position + 1].key == "(" and each.kind in ("word", "quoted")
        if each.key == "INTO" or (calls and each.name.upper() not in _FUNCTIONS):
            yield UNKNOWN
            return


_VERBS: dict[str, Callable[[Sequence[Word]], Effects]] = {
    "ALTER": _alter,
    "COPY": _copy,
    "CREATE": _create,
    "DELETE": _delete,
    "DROP": _drop,
    "INSERT": _insert,
    "RENAME": _rename_tables,
    "REPLACE": _replace,
    "SELECT": _select,
    "SET": _set,
    "TRUNCATE": _truncate,
    "UPDATE": _update,
}
