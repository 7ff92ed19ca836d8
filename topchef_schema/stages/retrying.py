"""Repeats what failed because somebody else held a lock, and says who that was."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from topchef_schema.backends.base import Failure, attempts
from topchef_schema.backends.timeouts import Limits

if TYPE_CHECKING:
    from topchef_schema.backends.base import Backend
    from topchef_schema.bridge.session import StepFailed
    from topchef_schema.model import Statement

log = logging.getLogger(__name__)

FIRST, LONGEST = 0.5, 10.0
"""Seconds between two attempts; twice as many each time, and never twice equally long."""


@dataclass
class Retries:
    """How often one unit was repeated, and how often it may be. *sent* is what took effect."""

    limits: Limits
    made: int = 0
    failed: StepFailed | None = None
    sent: tuple[Statement, ...] = ()

    def again(self, what: str, failure: Failure, blockers: Sequence[str]) -> bool:
        """Wait, and say that *what* is to be tried once more; false when that was enough."""
        if self.made >= self.limits.retries:
            return False
        pause = min(LONGEST, FIRST * 2**self.made) * random.uniform(0.5, 1.5)
        self.made += 1
        log.warning(
            "%s: %s%s; trying again in %.1f s (%s of %s)",
            what,
            failure,
            blamed(blockers),
            pause,
            self.made,
            self.limits.retries,
        )
        for _ in attempts(pause):
            pass  # a signal ends it
        return True


def blamed(blockers: Sequence[str]) -> str:
    """Return who blocked, to be put after what happened."""
    return f" (blocked by {'; '.join(blockers)})" if blockers else ""


def waited(backend: Backend, error: BaseException | None) -> Failure | None:
    """Return what *error* says of a wait for somebody else, None where it says nothing of one."""
    return _one_of(backend, error, Failure.LOCK_TIMEOUT, Failure.DEADLOCK)


def _one_of(backend: Backend, error: BaseException | None, *wanted: Failure) -> Failure | None:
    from sqlalchemy.exc import DBAPIError

    drivers_own = any(each.__name__ == "OperationalError" for each in type(error).mro())
    if error is None or not (drivers_own or isinstance(error, DBAPIError)):
        return None
    failure = backend.failure(error)
    return failure if failure in wanted else None


def remedy(
    backend: Backend, error: BaseException, limits: Limits, blockers: Sequence[str]
) -> tuple[str, str] | None:
    """Return what to add to the message of a failure that a limit caused, and what to do.

    None where no limit did.
    """
    if _one_of(backend, error, Failure.CANCELLED) and limits.statement is not None:
        return (
            f"; it took longer than {limits.statement:g} s",
            "let it take longer: --statement-timeout; or let the revision do less at once",
        )
    if waited(backend, error) is None:
        return None
    tried = f", tried {limits.retries + 1} times" if limits.retries else ""
    return (
        f"{blamed(blockers)}{tried}",
        "run the same command again when they are done, or end them; "
        "let it wait longer, or more often: --ddl-lock-timeout, --retries",
    )
