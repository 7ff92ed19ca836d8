"""How MySQL and MariaDB change a table, in the words in which both can be asked for it.

A change waits for a metadata lock that is exclusive for a moment, whichever way it is made. The
tests ask the servers for each of these ways, and for the better one, which they must refuse.
"""

from __future__ import annotations

from dataclasses import replace

from topchef_schema.backends.locks import Blocks, Deed, Lock, Shape

INSTANT = Lock("ALGORITHM=INSTANT", Blocks.NOBODY)
QUICK = Lock("ALGORITHM=INPLACE, LOCK=NONE", Blocks.NOBODY)
ONLINE = replace(QUICK, reads_all=True)
REBUILD = replace(QUICK, rewrites=True)
SHARED = Lock("ALGORITHM=INPLACE, LOCK=SHARED", Blocks.WRITES, rewrites=True)
COPY = Lock("ALGORITHM=COPY", Blocks.WRITES, rewrites=True)
MODIFIED = Lock(
    "ALGORITHM=COPY, where the type changes",
    Blocks.WRITES,
    rewrites=None,
    note="what the column was, the statement does not say",
)
EXCLUSIVE = Lock("an exclusive metadata lock", Blocks.ALL)
REFERS = replace(COPY, held="ALGORITHM=COPY, and a lock on the table that it refers to")
ROWS = Lock("the rows", Blocks.ROWS)

_VARIABLE = ("UUID", "RAND", "UUID_TO_BIN", "UUID_SHORT", "SYS_GUID")


def shared(shape: Shape) -> Lock | None:
    """Return what is locked by what *shape* does, where it is the same on both."""
    plain = _PLAIN.get(shape.deed)
    if plain is not None:
        return plain
    find = _BY_WORDS.get(shape.deed)
    return None if find is None else find(shape)


def _create_table(shape: Shape) -> Lock | None:
    # What a new foreign key locks of the other table was not looked at.
    refers = shape.mentions("REFERENCES")
    return None if refers else Lock("nothing that is there", Blocks.NOBODY)


def _create_index(shape: Shape) -> Lock:
    return SHARED if shape.has("FULLTEXT") else ONLINE


def _add_column(shape: Shape) -> Lock | None:
    if shape.mentions("AUTO_INCREMENT"):
        return SHARED
    if shape.mentions("STORED", "PERSISTENT", *_VARIABLE):
        return COPY
    if shape.mentions("UNIQUE", "PRIMARY", "CHECK", "REFERENCES"):
        return None
    # In brackets it is an expression.
    return None if any(each.key == "(" for each in shape.default[:1]) else INSTANT


def _rows(shape: Shape) -> Lock:
    return ROWS if shape.has("WHERE") else replace(ROWS, reads_all=True, note="all rows")


_PLAIN = {
    Deed.DROP_TABLE: EXCLUSIVE,
    Deed.TRUNCATE: EXCLUSIVE,
    Deed.SET_DEFAULT: INSTANT,
    Deed.MODIFY: MODIFIED,
    Deed.ADD_UNIQUE: ONLINE,
    Deed.ADD_PRIMARY_KEY: REBUILD,
    Deed.ADD_FOREIGN_KEY: REFERS,
    Deed.ADD_CHECK: COPY,
    Deed.DROP_PRIMARY_KEY: COPY,
    Deed.INSERT: Lock("the new rows", Blocks.NOBODY),
}
_BY_WORDS = {
    Deed.CREATE_TABLE: _create_table,
    Deed.CREATE_INDEX: _create_index,
    Deed.ADD_COLUMN: _add_column,
    Deed.UPDATE: _rows,
    Deed.DELETE: _rows,
}
