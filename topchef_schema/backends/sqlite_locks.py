"""What a statement locks on SQLite: always the file, which has one writer.

https://www.sqlite.org/lang_altertable.html says what an ALTER TABLE reads and writes, and
https://www.sqlite.org/lockingv3.html who waits for whom.
"""

from __future__ import annotations

from dataclasses import replace

from topchef_schema.backends.locks import Blocks, Deed, Lock, Shape

WRITER = Lock("the file", Blocks.WRITES)
READS_ALL = replace(WRITER, reads_all=True)
REWRITES = replace(WRITER, rewrites=True)

_KNOWN = {
    Deed.CREATE_TABLE: WRITER,
    Deed.DROP_TABLE: WRITER,
    Deed.CREATE_INDEX: READS_ALL,
    Deed.DROP_INDEX: WRITER,
    Deed.DROP_COLUMN: REWRITES,
    Deed.RENAME: WRITER,
    Deed.INSERT: WRITER,
}


def known(shape: Shape) -> Lock | None:
    """Return what is locked by what *shape* does."""
    if shape.deed is Deed.ADD_COLUMN:
        return READS_ALL if shape.mentions("CHECK", "GENERATED", "NOT") else WRITER
    if shape.deed in (Deed.UPDATE, Deed.DELETE):
        return WRITER if shape.has("WHERE") else READS_ALL
    return _KNOWN.get(shape.deed)


LOCKS = known
