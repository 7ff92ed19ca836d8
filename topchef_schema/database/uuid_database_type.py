"""UUIDs as keys: the database's own type where it has one, else 32 hexadecimal digits.

Stored as ``uuid`` on PostgreSQL and on MariaDB from 10.7 on, as ``CHAR(32)`` everywhere else.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy import Dialect
from sqlalchemy.types import TypeEngine

from topchef_schema.database.uuid_query import UUIDComparator
from topchef_schema.types import Portable, reaches_mariadb

_HYPHENS = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_BARE = rf"(?:{_HYPHENS}|[0-9a-f]{{32}})"
_SPELLING = re.compile(rf"(?:urn:uuid:)?{_BARE}|\{{{_BARE}\}}", re.ASCII | re.IGNORECASE)


def read_uuid(value: Any) -> uuid.UUID:
    """Return the UUID that *value* spells.

    Takes a `uuid.UUID`, its 16 bytes, and text: 32 hexadecimal digits of either case, with or
    without the usual four hyphens, alone, in braces or after ``urn:uuid:``.

    Raises `ValueError` for everything else, and for the few UUIDs that MariaDB's own type
    refuses: of version 8 or higher, with a ninth byte from 1 to 128.
    """
    if isinstance(value, uuid.UUID):
        found = value
    elif isinstance(value, bytes) and len(value) == 16:
        found = uuid.UUID(bytes=value)
    elif isinstance(value, str) and _SPELLING.fullmatch(value):
        found = uuid.UUID(value.lower())
    else:
        raise ValueError(
            f"{value!r} is not a UUID: give a uuid.UUID, 16 bytes, or 32 hexadecimal digits"
            " (hyphens, braces and urn:uuid: may be there)"
        )
    # Measured on MariaDB 10.11: it stores time-based UUIDs with their parts turned round, and
    # refuses (error 1292) what it could then mistake for one of those.
    if found.bytes[6] >= 0x80 and 0x01 <= found.bytes[8] <= 0x80:
        raise ValueError(f"MariaDB cannot hold the UUID {found}, so it is refused everywhere")
    return found


class UUID(Portable[uuid.UUID]):
    """A column of UUIDs: takes every usual spelling (see `read_uuid`), gives `uuid.UUID`."""

    impl = sa.Uuid
    comparator_factory = UUIDComparator
    storage: ClassVar[Mapping[str, TypeEngine[Any]]] = {
        "default": sa.Uuid(),
        "mariadb": sa.UUID(),  # SQLAlchemy 2.0 has no native one for MariaDB in sa.Uuid
    }

    def process_bind_param(self, value: Any, dialect: Dialect) -> uuid.UUID | None:
        """Read whatever spelling was given."""
        return None if value is None else read_uuid(value)

    def bind_processor(self, dialect: Dialect) -> Any:
        """Send MariaDB bare digits, which both its own type and a CHAR(32) take.

        Which of them a column has depends on the URL's name, on SQLAlchemy's version, and on
        whether the revision was run or was rendered for somebody who ran it.
        """
        if reaches_mariadb(dialect):
            return lambda value: None if value is None else read_uuid(value).hex
        return super().bind_processor(dialect)
