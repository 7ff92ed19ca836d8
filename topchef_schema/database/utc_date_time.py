"""Times as people mean them: aware, in UTC, to the microsecond, equal on every database.

The column has no time zone of its own, because only PostgreSQL could keep one: it holds UTC.
MySQL and MariaDB drop fractions of a second unless the column says how many digits it keeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy import Dialect
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from topchef_schema.types import Portable


class UtcDateTime(Portable[datetime]):
    """A moment: takes aware times of any zone, gives back the same moments in UTC.

    A naive time is refused with a `ValueError`, since nothing says which moment it means.
    """

    impl = sa.DateTime
    storage: ClassVar[Mapping[str, TypeEngine[Any]]] = {
        "default": sa.DateTime(),
        "mysql": mysql.DATETIME(fsp=6),
        "mariadb": mysql.DATETIME(fsp=6),
    }

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware time into the naive UTC time that is stored."""
        return None if value is None else to_utc(value).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give the stored time its zone back."""
        return None if value is None else value.replace(tzinfo=UTC)


def utc_now() -> datetime:
    """Return the present moment, aware and in UTC; the default of a column calls it per row."""
    return datetime.now(UTC)


def to_utc(moment: datetime) -> datetime:
    """Return *moment* in UTC. Raises `ValueError` for what is no time or has no time zone."""
    if not isinstance(moment, datetime):
        raise ValueError(f"{moment!r} is not a datetime")
    if moment.utcoffset() is None:
        raise ValueError(f"{moment!r} has no time zone: use utc_now() or datetime.now(UTC)")
    return moment.astimezone(UTC)
