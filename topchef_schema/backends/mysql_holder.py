"""Tells who waits for the migration lock which run holds it, and since when.

A session has no name here that others may read, but anyone may ask which session holds the lock of
a name. So the holder spells what is to be known in more locks, one for each digit, whose names end
in the place and the digit. They go with the session, as the lock does.
https://dev.mysql.com/doc/refman/8.4/en/locking-functions.html
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from topchef_schema.backends.base import undisturbed

if TYPE_CHECKING:
    from sqlalchemy import Connection

DIGITS = "0123456789abcdef"
LENGTH = 8
"""Digits of the run's id, as many as others show of it, and of the seconds since 1970."""


def introduce(connection: Connection, lock: str, run_id: str) -> Sequence[str]:
    """Let others see that the session, which holds *lock*, is that of the run *run_id*.

    Returns the names of the locks that were taken for it: none where the run has no such id, or
    the server gives no more than one.
    """
    from sqlalchemy.exc import DBAPIError

    if not re.match(rf"[{DIGITS}]{{{LENGTH}}}", run_id):
        return ()
    spelled = f"{run_id[:LENGTH]}{int(time.time()):0{LENGTH}x}"
    names = [_name(lock, place, digit) for place, digit in enumerate(spelled)]
    try:
        with undisturbed(connection):
            taken = ", ".join(f"GET_LOCK('{each}', 0)" for each in names)
            connection.exec_driver_sql(f"SELECT {taken}")
    except DBAPIError:
        return ()
    return names


def introduced(connection: Connection, lock: str, session: int | None) -> str:
    """Return the run that *session* says it is, and since when; nothing where it says none."""
    from sqlalchemy.exc import DBAPIError

    names = [_name(lock, place, digit) for place in range(2 * LENGTH) for digit in DIGITS]
    try:
        with undisturbed(connection):
            asked = ", ".join(f"IS_USED_LOCK('{each}')" for each in names)
            holders = connection.exec_driver_sql(f"SELECT {asked}").one()
    except DBAPIError:
        return ""
    held = (name[-1] for name, holder in zip(names, holders, strict=True) if holder == session)
    spelled = "".join(held)
    if session is None or len(spelled) != 2 * LENGTH:
        return ""
    since = datetime.fromtimestamp(int(spelled[LENGTH:], 16), UTC)
    return f"run {spelled[:LENGTH]} since {since:%Y-%m-%dT%H:%MZ}"


def _name(lock: str, place: int, digit: str) -> str:
    return f"{lock}:{place:x}{digit}"
