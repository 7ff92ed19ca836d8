"""Rows as the driver gives them: for SQLAlchemy to wrap each takes as long as to make use of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import CursorResult

AT_ONCE = {"stream_results": False, "yield_per": None}
"""Options of an execution whose rows all are the cursor's to give: SQLAlchemy has taken none."""


def taken(result: CursorResult[*tuple[Any, ...]]) -> Sequence[Any]:
    """Return all rows of *result*, which was executed `AT_ONCE`, and close it."""
    cursor: Any = result.cursor
    rows: Sequence[Any] = cursor.fetchall()
    result.close()
    return rows
