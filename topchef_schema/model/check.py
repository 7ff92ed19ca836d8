"""One thing that a command did, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from topchef_schema.model.revision import Direction


class Outcome(StrEnum):
    """How a check ended; *pending* is one that was never reached."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was done. *seconds* is wall time; *detail* is for a reader."""

    name: str
    outcome: Outcome
    backend: str | None = None
    revision: str | None = None
    direction: Direction | None = None
    seconds: float | None = None
    detail: str | None = None
