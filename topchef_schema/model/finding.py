"""One thing that a command found wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from topchef_schema.model.severity import Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and what to do about it.

    *check* is the name of the check that found it, where revision and backend do not tell.
    """

    rule: str
    severity: Severity
    message: str
    help: str | None = None
    backend: str | None = None
    revision: str | None = None
    object: str | None = None
    before: str | None = None
    after: str | None = None
    path: str | None = None
    line: int | None = None
    sql: str | None = None
    check: str | None = None
