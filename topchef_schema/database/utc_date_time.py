"""Times as people mean them: aware, in UTC, to the microsecond, equal on every database.

The column has no time zone of its own, because only PostgreSQL could keep one: it holds UTC.
MySQL and MariaDB drop fractions of a second unless the column says how many digits it keeps.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Dialect
from sqlalchemy.dialects import mysql

from topchef_schema.types import Portable


class UtcDateTime(Portable[datetime]):
    """A moment: takes aware times of any zone, gives back the same moments in UTC.

    A naive time is refused with a `ValueError`, since nothing says which moment it means.
    """

    impl = sa.DateTime
    cache_ok = True
    storage = {
        "default": sa.DateTime(),
        "mysql": mysql.DATETIME(fsp=6),
        "mariadb": mysql.DATETIME(fsp=6),
    }

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware time into the naive UTC time that is stored."""
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError(f"{value!r} has no time zone: use datetime.now(UTC) or utc_now()")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give the stored time its zone back."""
        return None if value is None else value.replace(tzinfo=UTC)


def utc_now() -> datetime:
    """Return the present moment, aware and in UTC; the default of a column calls it per row."""
    return datetime.now(UTC)
