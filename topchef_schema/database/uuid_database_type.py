"""UUIDs as keys: the database's own type where it has one, else 32 hexadecimal digits.

Stored as ``uuid`` on PostgreSQL and on MariaDB from 10.7 on, as ``CHAR(32)`` everywhere else.
"""

from __future__ import annotations

import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Dialect

from topchef_schema.types import Portable


class UUID(Portable[uuid.UUID]):
    """A column of UUIDs."""

    impl = sa.Uuid
    cache_ok = True
    storage = {"default": sa.Uuid()}

    def process_bind_param(self, value: Any, dialect: Dialect) -> uuid.UUID | None:
        """Accept every usual spelling of a UUID."""
        return (
            None if value is None else (value if isinstance(value, uuid.UUID) else uuid.UUID(value))
        )
