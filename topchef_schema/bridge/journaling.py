"""Writes a journal of a step's statements where they cannot be undone as a whole, and replays it.

As long as nothing commits, nothing is written: the server undoes all of it. Before something does
commit (MySQL's DDL, an autocommit block, a revision's own ``commit()``), what the transaction holds
is written down in it; a statement that commits alone is written down just before. After a crash the
revision is run again: a statement that was done is recognised by its SQL and values and is not
sent; the first one that does not fit stops everything before it is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from topchef_schema import stopping
from topchef_schema.bridge import journaled
from topchef_schema.bridge.listening import heard
from topchef_schema.model import JournalEntry, fingerprint, short
from topchef_schema.model.sql_undoing import drops_what
from topchef_schema.model.sql_writes import as_sent

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from topchef_schema.bridge.listening import Listener

Draft = tuple[int, str, str, bool, str | None]
"""Position, fingerprint, SQL, whether it commits alone, what the catalog said before."""

MAX_SQL = 10_000
"""How much of a statement is kept; its fingerprint is that of all of it."""


class Keep(Protocol):
    """Where the journal of one step is kept."""

    def write(self, connection: Connection, drafts: Sequence[Draft]) -> None:
        """Add entries, in the transaction of *connection*."""

    def remove(self, connection: Connection, positions: Collection[int]) -> None:
        """Remove the entries of statements that were not done after all."""

    def clear(self, connection: Connection, *, written: bool = True) -> None:
        """Remove all of them, where any were *written*: the step is finished."""


class Rules(Protocol):
    """What is peculiar to one database."""

    def clear_away(self, connection: Connection, sql: str) -> None:
        """Remove what a statement left that did not take effect."""

    @property
    def one_writer(self) -> bool:
        """Whether a connection that has written keeps all others from writing."""

    def commits_alone(self, sql: str) -> bool:
        """Whether *sql* ends the transaction it is sent in."""

    def needs_autocommit(self, sql: str) -> bool:
        """Whether *sql* cannot be, or does nothing, in a transaction."""

    def before(self, connection: Connection, sql: str) -> str | None:
        """Return what the catalog says of the object that *sql* changes."""

    def takes_along(self, connection: Connection, sql: str) -> str | None:
        """Say which rows *sql* would delete or change that it does not speak of, and why."""

    def begin(self, connection: Connection) -> None:
        """Open a transaction, if none is open and the driver would not open one for DDL."""


class TakesAlongError(Exception):
    """A statement would silently delete rows of another table; it was not sent."""


class ReplayMismatchError(Exception):
    """The revision does something else than what an interrupted run did; nothing was sent."""


@dataclass
class Journaling:
    """The journal of one step, as it is written and replayed. *done* is what was done before.

    Without *keep* nothing is written, and no more than *rules* is done. *allowed* raises where no
    further statement may be sent. *before_commit* writes what the revision must not commit without.
    """

    keep: Keep | None
    rules: Rules
    listener: Listener
    done: Sequence[JournalEntry] = ()
    allowed: Callable[[], None] = lambda: None
    before_commit: Callable[[Connection], None] = lambda _: None
    refused: ReplayMismatchError | None = None
    _at: int = 0
    _looked: bool = False
    _left_out: set[str] = field(default_factory=set)
    _written: bool = False
    _next: int = 0
    _pending: dict[Connection, list[Draft]] = field(default_factory=dict)
    _marks: dict[tuple[Connection, str], int] = field(default_factory=dict)
    _void: list[int] = field(default_factory=list)
    _lasting: dict[int, str] = field(default_factory=dict)
    _flushed: Collection[int] = ()
    _current: Draft | None = None
    _skips: bool = False
    _wraps: bool = False
    _busy: bool = False
    _finished: bool = False

    def __post_init__(self) -> None:
        self._next = self.done[-1].position + 1 if self.done else 0
        self._written = bool(self.done)

    @property
    def replaying(self) -> bool:
        """Whether the revision has not come yet to where an interrupted run stopped."""
        return self._at < len(self.done)

    @property
    def undone(self) -> tuple[int, ...]:
        """The positions of statements that were written down and that the server refused."""
        return tuple(self._void)

    @property
    def lasting(self) -> tuple[str, ...]:
        """The statements that were sent and that no rollback takes back: they were committed."""
        return tuple(self._lasting.values())

    def finish(self, connection: Connection) -> None:
        """End the step, in the transaction that writes its version row.

        Raises `ReplayMismatchError` where the revision left out what had been done, without
        having looked.
        """
        if self.refused is not None:
            raise self.refused
        self.allowed()
        missing = self.done[self._at :]
        if missing and not self._looked:
            self._refuse(f"it ends without the statement that was done: {short(missing[0].sql)}")
        self._at = len(self.done)
        self._pending.clear()
        self._finished = True
        if self.keep is not None:
            with self._on_our_own():
                self.keep.clear(connection, written=self._written)

    def _on_our_own(self) -> _OnOurOwn:
        """Keep apart what we send meanwhile: it is no part of the revision."""
        return _OnOurOwn(self)

    def _before(self, connection: Connection, cursor: Any, sent: str, *more: Any) -> None:
        if self._busy or self._finished:
            return
        stopping.check()
        self.allowed()
        sql, (values, context, _) = as_sent(sent, connection), more
        self._skips = self._wraps = False
        if self.refused is not None:
            raise self.refused
        if journaled.commits(sql):
            self._flush(connection)
            self.listener.commits += 1
        elif journaled.reads(sql):
            self._looked = True
        elif journaled.of_the_session(sql):
            self._of_the_session(connection, sql)
        elif self._was_done(sql, fingerprint(sql, values), context):
            self._skips = True
            self.listener.forget()
        else:
            self._about_to_send(connection, sql, fingerprint(sql, values))

    def _of_the_session(self, connection: Connection, sql: str) -> None:
        if journaled.temporary(sql) and self.done:
            self._refuse("it works with a temporary table, which is gone with the interrupted run")
        pending = self._pending.get(connection, ())
        only_ddl = not any(journaled.changes_rows(each[2]) for each in pending)
        if self.rules.one_writer and self.rules.needs_autocommit(sql) and only_ddl:
            # As without our transaction, in which the driver would not have been yet.
            self._commit(connection)

    def _commit(self, connection: Connection) -> None:
        if connection in self._pending:
            self._flush(connection)
            with self._on_our_own():
                connection.exec_driver_sql("COMMIT")
            self.listener.commits += 1

    def _was_done(self, sql: str, mark: str, context: Any) -> bool:
        """Whether this is a statement that an interrupted run has done."""
        if mark in self._left_out:
            self._refuse(f"it sends only now, after others, what was done before: {short(sql)}")
        if self._at >= len(self.done):
            return False
        ahead = [each.fingerprint for each in self.done[self._at :]]
        if mark in ahead and (mark == ahead[0] or self._looked):
            # A revision that looks before it acts leaves out what is there already.
            self._left_out.update(ahead[: ahead.index(mark)])
            self._at += ahead.index(mark) + 1
            if journaled.gives_rows(context):
                self._refuse(f"it needs again what this statement gave: {short(sql)}")
            return True
        same = any(each.sql == sql[:MAX_SQL] for each in self.done[self._at :])
        if not self._looked or same:
            expected = self.done[self._at].sql
            other = "with other values" if same else f"where it had sent {short(expected)}"
            self._refuse(f"it now sends {short(sql)} {other}")
        if any(drops_what(sql, each.sql) for each in self.done):
            # It takes what the interrupted run has made for what was there before.
            self._refuse(f"it now drops what it had made itself: {short(sql)}")
        self._left_out.update(ahead)
        self._at = len(self.done)
        return False

    def _refuse(self, reason: str) -> None:
        self.refused = ReplayMismatchError(reason)
        raise self.refused

    def _about_to_send(self, connection: Connection, sql: str, mark: str) -> None:
        self._let_go_of_others(connection)
        with self._on_our_own():
            if reason := self.rules.takes_along(connection, sql):
                raise TakesAlongError(reason)
        position, self._next = self._next, self._next + 1
        autocommit = connection._is_autocommit_isolation()
        alone = self.rules.commits_alone(sql) or (autocommit and self.rules.needs_autocommit(sql))
        before = None
        with self._on_our_own():
            if alone and autocommit:
                self.rules.clear_away(connection, sql)
            if alone and self.keep is not None:
                before = self.rules.before(connection, sql)
            elif not alone and not autocommit:
                self.rules.begin(connection)
        self._current = (position, mark, sql[:MAX_SQL], alone, before)
        self._wraps = autocommit and not alone
        if not self._wraps:
            self._pending.setdefault(connection, []).append(self._current)
        if alone:
            self._flush(connection)

    def _let_go_of_others(self, connection: Connection) -> None:
        """Commit what other connections hold: one that writes would wait for them for ever."""
        if self.rules.one_writer:
            for other in [each for each in self._pending if each is not connection]:
                self._commit(other)

    def _execute(self, cursor: Any, sql: str, values: Any, context: Any) -> bool | None:
        """Stand in for the driver: do not send what was done; say so to SQLAlchemy."""
        if self._busy or self._finished:
            return None
        if self._skips:
            with suppress(AttributeError):  # of a driver that knows none, and lets none be set
                cursor.lastrowid = getattr(cursor, "lastrowid", None)
            return True
        if not self._wraps or self._current is None:
            return None
        # A transaction for this statement and its entry, where each would commit by itself.
        connection, draft = context.root_connection, self._current
        with self._on_our_own():
            connection.exec_driver_sql("BEGIN")
            try:
                if context.executemany:
                    context.dialect.do_executemany(cursor, sql, values, context)
                else:
                    context.dialect.do_execute(cursor, sql, values, context)
                self._write(connection, [draft])
            except BaseException:
                with suppress(Exception):
                    connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")
        self._lasting[draft[0]] = draft[2]
        return True

    def _execute_without_values(self, cursor: Any, sql: str, context: Any) -> bool | None:
        return self._execute(cursor, sql, (), context)

    def _after(self, *_: Any) -> None:
        if not self._busy:
            self._current = None

    def _failed(self, context: Any) -> None:
        """Forget a statement that the server refused: the revision may go on without it."""
        if self._busy:
            return
        if context.statement is None or journaled.commits(context.statement):
            # The server refused to commit, for the sake of a deferred key, say.
            self._lasting = {k: v for k, v in self._lasting.items() if k not in self._flushed}
            self.listener.commits = max(0, self.listener.commits - 1)
        if self._current is None:
            return
        current, self._current = self._current, None
        self._lasting.pop(current[0], None)
        if current[3]:
            self._void.append(current[0])
        else:
            for drafts in self._pending.values():
                drafts[:] = [each for each in drafts if each is not current]

    def _flush(self, connection: Connection) -> None:
        """Write down what is about to be committed."""
        if self._busy or self._finished:
            return
        with self._on_our_own():
            self.before_commit(connection)
        drafts = self._pending.pop(connection, [])
        self._flushed = {each[0] for each in drafts}
        self._lasting.update((position, sql) for position, _, sql, *_ in drafts)
        if drafts:
            # With them goes the entry of what was refused: the revision went on without it.
            self._write(connection, drafts)

    def _write(self, connection: Connection, drafts: Sequence[Draft]) -> None:
        if self.keep is None:
            return
        with self._on_our_own():
            if self._void:
                self.keep.remove(connection, self._void)
                self._void = []
            if drafts:
                self.keep.write(connection, drafts)
                self._written = True

    def _rolled_back(self, connection: Connection) -> None:
        if not self._busy:
            self._flushed = ()
            self._pending.pop(connection, None)

    def _savepoint(self, connection: Connection, name: str) -> None:
        self._marks[connection, name] = len(self._pending.get(connection, ()))

    def _back_to_savepoint(self, connection: Connection, name: str, context: None) -> None:
        mark = self._marks.get((connection, name), 0)
        del self._pending.get(connection, [])[mark:]


class _OnOurOwn:
    """Lets a journal and its listener not hear; entered ten times a statement, and so a class."""

    def __init__(self, journaling: Journaling) -> None:
        self._journaling = journaling
        self._busy = journaling._busy

    def __enter__(self) -> None:
        self._journaling._busy = self._journaling.listener.deaf = True

    def __exit__(self, *_: object) -> None:
        self._journaling._busy = self._journaling.listener.deaf = self._busy


class Hooks:
    """Listens on one engine throughout a visit, and passes on what it hears to the current step.

    To listen anew for each of a thousand steps takes longer than some of them.
    """

    def __init__(self) -> None:
        self._current: Journaling | None = None

    @contextmanager
    def attached(self, engine: Engine) -> Iterator[None]:
        """Listen on *engine* meanwhile."""
        hooks = {name: self._passing_on(method) for name, method in _METHODS.items()}
        with heard(engine, hooks):
            yield

    @contextmanager
    def followed_by(self, journaling: Journaling) -> Iterator[None]:
        """Let *journaling* hear all that is sent meanwhile."""
        self._current = journaling
        try:
            yield
        finally:
            self._current = None

    def _passing_on(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def hook(*arguments: Any) -> Any:
            return None if self._current is None else method(self._current, *arguments)

        return hook


_METHODS: dict[str, Callable[..., Any]] = {
    "before_cursor_execute": Journaling._before,
    "do_execute": Journaling._execute,
    "do_executemany": Journaling._execute,
    "do_execute_no_params": Journaling._execute_without_values,
    "after_cursor_execute": Journaling._after,
    "handle_error": Journaling._failed,
    "commit": Journaling._flush,
    "rollback": Journaling._rolled_back,
    "savepoint": Journaling._savepoint,
    "rollback_savepoint": Journaling._back_to_savepoint,
}
