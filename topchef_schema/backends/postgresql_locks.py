"""What a statement locks on PostgreSQL.

Each line was looked at in ``pg_locks``, inside of the transaction (tests/backends/test_locks.py),
and agrees with https://www.postgresql.org/docs/current/explicit-locking.html and the notes of
ALTER TABLE there.
"""

from __future__ import annotations

from dataclasses import replace

from topchef_schema.backends.locks import Blocks, Deed, Lock, Shape, keywords

ALL = Lock("ACCESS EXCLUSIVE", Blocks.ALL)
READS_ALL = replace(ALL, reads_all=True)
REWRITES = replace(ALL, rewrites=True)
MAY_REWRITE = replace(ALL, rewrites=None)
BOTH = Lock("SHARE ROW EXCLUSIVE on both tables", Blocks.WRITES)
ONLINE = Lock("SHARE UPDATE EXCLUSIVE", Blocks.SCHEMA, reads_all=True)
ALSO_THERE = "and SHARE ROW EXCLUSIVE on the table that it refers to"
WAITS = "waits for all transactions that use the table"

_PLAIN: dict[Deed, Lock] = {
    Deed.DROP_TABLE: ALL,
    Deed.TRUNCATE: ALL,
    Deed.DROP_COLUMN: ALL,
    Deed.DROP_NOT_NULL: ALL,
    Deed.SET_DEFAULT: ALL,
    Deed.DROP_CONSTRAINT: replace(ALL, note="of a foreign key, on the other table, too"),
    Deed.RENAME: ALL,
    Deed.VALIDATE: ONLINE,
    Deed.INSERT: Lock("ROW EXCLUSIVE", Blocks.NOBODY),
}
_CONSTANTS = {"TRUE", "FALSE", "NULL", "CURRENT_TIMESTAMP", "CURRENT_DATE", "LOCALTIMESTAMP", "NOW"}
_VOLATILE = {"RANDOM", "GEN_RANDOM_UUID", "CLOCK_TIMESTAMP", "NEXTVAL", "TIMEOFDAY"}
_NUMBERED = {"SERIAL", "BIGSERIAL", "SMALLSERIAL", "GENERATED"}
_TYPES = keywords(
    """BIGINT BIT BOOL BOOLEAN BYTEA CHAR CHARACTER CIDR DATE DECIMAL DOUBLE FLOAT INET INT INTEGER
    INTERVAL JSON JSONB MACADDR NUMERIC REAL SMALLINT TEXT TIME TIMESTAMP TSVECTOR UUID VARCHAR
    XML"""
)
_HARMLESS = _CONSTANTS | _TYPES | {"CAST", "AS", "VARYING"}
_NAMES = ("word", "quoted")


def known(shape: Shape) -> Lock | None:
    """Return what is locked by what *shape* does."""
    plain = _PLAIN.get(shape.deed)
    if plain is not None:
        return plain
    find = _BY_WORDS.get(shape.deed)
    return None if find is None else find(shape)


def _create_table(shape: Shape) -> Lock:
    if shape.mentions("REFERENCES"):
        return Lock("SHARE ROW EXCLUSIVE on the tables that it refers to", Blocks.WRITES)
    return Lock("nothing that is there", Blocks.NOBODY)


def _create_index(shape: Shape) -> Lock:
    if shape.has("CONCURRENTLY"):
        return replace(ONLINE, note=WAITS)
    return Lock("SHARE", Blocks.WRITES, reads_all=True)


def _drop_index(shape: Shape) -> Lock:
    if shape.has("CONCURRENTLY"):
        return replace(ONLINE, reads_all=False, note=WAITS)
    return ALL


def _add_column(shape: Shape) -> Lock:
    volatile = any(each.key in _VOLATILE for each in shape.default)
    if volatile or shape.mentions(*_NUMBERED):
        return REWRITES
    if shape.mentions("UNIQUE", "PRIMARY", "CHECK"):
        return READS_ALL
    constant = all(each.name.upper() in _HARMLESS for each in shape.default if each.kind in _NAMES)
    if not constant:
        return replace(MAY_REWRITE, note="where its default is another one for each row")
    if not shape.words or shape.words[0].key not in _TYPES:
        return replace(MAY_REWRITE, note="where its type is a domain with a constraint")
    return replace(ALL, note=ALSO_THERE) if shape.mentions("REFERENCES") else ALL


def _change_type(shape: Shape) -> Lock:
    # https://www.postgresql.org/docs/current/sql-altertable.html: not where the old type is
    # binary coercible to the new one; which the old one is, the statement does not say.
    if shape.has("USING"):
        return REWRITES
    return replace(MAY_REWRITE, note="unless the type only becomes wider")


def _set_not_null(shape: Shape) -> Lock:
    return replace(READS_ALL, note="not where a valid CHECK says the same")


def _add_key(shape: Shape) -> Lock:
    if shape.has("USING", "INDEX"):
        return ALL
    return replace(READS_ALL, note="builds an index meanwhile")


def _add_foreign_key(shape: Shape) -> Lock:
    return replace(BOTH, reads_all=not shape.has("NOT", "VALID"))


def _add_check(shape: Shape) -> Lock:
    return ALL if shape.has("NOT", "VALID") else READS_ALL


def _rows(shape: Shape) -> Lock:
    lock = Lock("ROW EXCLUSIVE, and the rows", Blocks.ROWS)
    return lock if shape.has("WHERE") else replace(lock, reads_all=True, note="of all rows")


_BY_WORDS = {
    Deed.CREATE_TABLE: _create_table,
    Deed.CREATE_INDEX: _create_index,
    Deed.DROP_INDEX: _drop_index,
    Deed.ADD_COLUMN: _add_column,
    Deed.CHANGE_TYPE: _change_type,
    Deed.SET_NOT_NULL: _set_not_null,
    Deed.ADD_UNIQUE: _add_key,
    Deed.ADD_PRIMARY_KEY: _add_key,
    Deed.ADD_FOREIGN_KEY: _add_foreign_key,
    Deed.ADD_CHECK: _add_check,
    Deed.UPDATE: _rows,
    Deed.DELETE: _rows,
}

LOCKS = known
