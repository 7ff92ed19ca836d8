"""What a statement locks on MySQL, from 8.0.29 on.

https://dev.mysql.com/doc/refman/8.4/en/innodb-online-ddl-operations.html; the tests ask a server.
"""

from __future__ import annotations

from topchef_schema.backends.locks import Deed, Lock, Shape
from topchef_schema.backends.mysql_algorithms import INSTANT, QUICK, shared

_OWN = {
    Deed.DROP_COLUMN: INSTANT,
    Deed.RENAME: INSTANT,
    Deed.DROP_INDEX: QUICK,
    Deed.DROP_FOREIGN_KEY: QUICK,
}


def known(shape: Shape) -> Lock | None:
    """Return what is locked by what *shape* does."""
    return _OWN.get(shape.deed) or shared(shape)


LOCKS = known
