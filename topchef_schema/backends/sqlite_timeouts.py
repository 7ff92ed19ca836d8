"""Bounds waits and statements on SQLite, where one writes at a time and a waiter blocks nobody.

https://www.sqlite.org/c3ref/busy_timeout.html
https://www.sqlite.org/c3ref/progress_handler.html
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from topchef_schema.backends.base import Failure, undisturbed
from topchef_schema.backends.timeouts import Limits

if TYPE_CHECKING:
    from sqlalchemy import Connection

DRIVERS_OWN = 5000
"""Milliseconds that Python's driver waits where nobody has said how long."""

FOR_EVER = 2**31 - 1
STEPS = 10_000
"""Instructions of SQLite's machine between two looks at the clock: a millisecond, or less."""


@dataclass
class SQLiteTimeouts:
    """See `topchef_schema.backends.timeouts.Timeouts`."""

    connection: Connection
    limits: Limits
    failure: Callable[[BaseException], Failure]
    blockers: tuple[str, ...] = ()
    _begun: bool = False
    _waits: int | None = None
    _deadline: float | None = None

    def begin(self) -> None:
        """Forget who blocked the last one."""
        self.blockers = ()

    def before(self, sql: str, *, autocommit: bool, lock: bool) -> None:
        """Set how long to wait for other writers, once; and when this statement is to end."""
        if not self._begun:
            self._begun = True
            self._set_waiting()
            if self.limits.statement is not None:
                self._watch(self._late, STEPS)
        if "busy_timeout" in sql.lower():
            self._waits = None
        if self.limits.statement is not None:
            self._deadline = time.monotonic() + self.limits.statement

    def _set_waiting(self) -> None:
        wanted = FOR_EVER
        if self.limits.ddl_lock is not None:
            wanted = max(1, round(self.limits.ddl_lock * 1000))
        there = self.connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
        if there == DRIVERS_OWN != wanted:
            self.connection.exec_driver_sql(f"PRAGMA busy_timeout = {wanted}").close()
            self._waits = there

    def _late(self) -> int:
        return self._deadline is not None and time.monotonic() > self._deadline

    def _watch(self, handler: Callable[[], int] | None, steps: int) -> None:
        connection: Any = self.connection.connection
        answer = connection.driver_connection.set_progress_handler(handler, steps)
        if inspect.isawaitable(answer):
            connection.dbapi_connection.await_(answer)

    def after(self) -> None:
        """Let the next one have its own time."""
        self._deadline = None

    def transaction_ended(self) -> None:
        """Do nothing: nothing is set for a transaction."""

    def back_to_savepoint(self) -> None:
        """Do nothing: nothing is set for a transaction."""

    def failed(self, error: BaseException, sql: str) -> None:
        """Say what can be said: a lock of a file has no name."""
        if self.failure(error) is Failure.LOCK_TIMEOUT:
            self.blockers = ("another connection, which is writing to the file",)

    def restore(self) -> None:
        """Set what was there, and stop looking at the clock."""
        with suppress(Exception), undisturbed(self.connection):
            if self._waits is not None:
                self.connection.exec_driver_sql(f"PRAGMA busy_timeout = {self._waits}").close()
            if self._begun and self.limits.statement is not None:
                self._watch(None, 0)
        self._begun, self._waits = False, None
