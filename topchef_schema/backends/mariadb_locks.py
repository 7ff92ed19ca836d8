"""What a statement locks on MariaDB, from 10.4 on.

https://mariadb.com/kb/en/innodb-online-ddl-overview/; the tests ask a server.
"""

from __future__ import annotations

from topchef_schema.backends.locks import Deed, Lock, Shape
from topchef_schema.backends.mysql_algorithms import INSTANT, QUICK, shared

_OWN = {
    Deed.DROP_COLUMN: INSTANT,
    Deed.RENAME: INSTANT,
    Deed.DROP_INDEX: QUICK,
    Deed.DROP_FOREIGN_KEY: INSTANT,
}


def known(shape: Shape) -> Lock | None:
    """Return what is locked by what *shape* does."""
    return _OWN.get(shape.deed) or shared(shape)


LOCKS = known
