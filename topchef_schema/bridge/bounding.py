"""Keeps the statements of revisions within the limits of a run, each just before it is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from topchef_schema.bridge.listening import heard

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from topchef_schema.bridge.journaling import Journaling


class Bounds(Protocol):
    """The limits of one connection, in the server's own words."""

    connection: Connection

    def begin(self) -> None:
        """Begin with a revision."""

    def before(self, sql: str, *, autocommit: bool, lock: bool) -> None:
        """Set, or lift, what *sql* needs."""

    def after(self) -> None:
        """End what is for one statement alone."""

    def transaction_ended(self) -> None:
        """Take note that what was set for the length of the transaction is gone."""

    def back_to_savepoint(self) -> None:
        """Take note that what was set since some savepoint is gone."""

    def failed(self, error: BaseException, sql: str) -> None:
        """Find out who blocked *sql*."""


@dataclass
class Bounding:
    """The limits of one run.

    *autocommit* says that env.py's connection commits every statement, not only a block of the
    revision's: there, too, a wait for a lock is bounded. *journaling* is that of the step which is
    being taken: it knows which statements are not the revision's.
    """

    bounds: Bounds
    autocommit: bool
    journaling: Journaling | None = None

    @contextmanager
    def attached(self, engine: Engine) -> Iterator[None]:
        """Follow what is sent through *engine* meanwhile; to be attached before a journal is."""
        hooks: dict[str, Callable[..., Any]] = {
            "before_cursor_execute": self._before,
            "after_cursor_execute": self._after,
            "handle_error": self._failed,
            "commit": self._ended,
            "rollback": self._ended,
            "rollback_savepoint": self._back_to_savepoint,
        }
        with heard(engine, hooks):
            yield

    @contextmanager
    def of_step(self, journaling: Journaling) -> Iterator[None]:
        """Take what is sent meanwhile as the revision's, but for what *journaling* tells apart."""
        self.bounds.begin()
        self.journaling = journaling
        try:
            yield
        finally:
            self.journaling = None

    def _following(self, connection: Connection) -> Journaling | None:
        """Return the journal of the step that sends something now; None where that is ourselves."""
        journaling = self.journaling
        if journaling is None or connection is not self.bounds.connection:
            return None
        return None if journaling._busy or journaling._finished else journaling

    def _before(self, connection: Connection, cursor: Any, sql: str, *_: Any) -> None:
        journaling = self._following(connection)
        if journaling is not None:
            autocommit = connection._is_autocommit_isolation()
            alone = autocommit and journaling.rules.needs_autocommit(sql)
            lock = not autocommit or (self.autocommit and not alone)
            with journaling._on_our_own():
                self.bounds.before(sql, autocommit=autocommit, lock=lock)

    def _after(self, connection: Connection, *_: Any) -> None:
        journaling = self._following(connection)
        if journaling is not None:
            with journaling._on_our_own():
                self.bounds.after()

    def _failed(self, context: Any) -> None:
        if self.journaling is not None and context.connection is self.bounds.connection:
            with self.journaling._on_our_own():
                self.bounds.after()
                self.bounds.failed(context.original_exception, context.statement or "")

    def _ended(self, connection: Connection) -> None:
        if connection is self.bounds.connection:
            self.bounds.transaction_ended()

    def _back_to_savepoint(self, connection: Connection, name: str, context: None) -> None:
        if connection is self.bounds.connection:
            self.bounds.back_to_savepoint()
