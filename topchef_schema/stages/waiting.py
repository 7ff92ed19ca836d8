"""Waits for a database that is still starting, as in a deployment that starts all at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from topchef_schema.errors import UnreachableError

T = TypeVar("T")
log = logging.getLogger(__name__)

LONGEST_PAUSE = 2.0
SAY_EVERY = 5.0
"""Seconds."""


def until_there(look: Callable[[], T], seconds: float) -> T:
    """Call *look* until the server and the database let it in, for at most *seconds*.

    Raises the last `UnreachableError` when they are over, and at once one that no wait helps: a
    wrong password, a driver that is not installed.
    """
    end = time.monotonic() + seconds
    pause, said = 0.1, 0.0
    while True:
        try:
            return look()
        except UnreachableError as error:
            now = time.monotonic()
            if now >= end or not _may_come(error):
                raise
            if now - said >= SAY_EVERY:
                log.info("waiting for the database, %.0f s at most: %s", end - now, error.message)
                said = now
        time.sleep(min(pause, max(0.0, end - time.monotonic())))
        pause = min(pause * 1.5, LONGEST_PAUSE)


def _may_come(error: UnreachableError) -> bool:
    """Whether waiting may help, by what the driver raised."""
    from topchef_schema.backends import all_backends
    from topchef_schema.backends.base import Failure

    cause = error.__cause__
    if cause is None:
        return error.may_come
    meanings = {
        each.failure(cause) for each in all_backends().values() if not each.made_by_connecting
    }
    return Failure.ACCESS_DENIED not in meanings and bool(
        meanings & {Failure.UNREACHABLE, Failure.NO_SUCH_DATABASE, Failure.CONNECTION_LOST}
    )
