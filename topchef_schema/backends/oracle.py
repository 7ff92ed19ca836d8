"""Oracle Database: SQL is rendered for it, and nothing else done."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from topchef_schema.backends.base import Failure
from topchef_schema.backends.literals import write_as_sent
from topchef_schema.backends.offline_only import unreachable
from topchef_schema.backends.oracle_script import OracleScripting

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Dialect

    from topchef_schema.backends.base import Held, Server
    from topchef_schema.backends.timeouts import Limits, Timeouts
    from topchef_schema.model import Snapshot


class Oracle:
    """Oracle Database, offline."""

    name = "oracle"
    title = "Oracle Database"
    dialects = frozenset({"oracle"})
    transactional_ddl = False
    offline_url = "oracle+oracledb://"
    made_by_connecting = False
    foresight = None
    commit_rules = None
    online = False
    scripting = OracleScripting()

    def with_driver(self, url: URL) -> URL:
        """Refuse: no driver is used."""
        raise unreachable(self.title)

    def synchronous(self, url: URL) -> URL:
        """Refuse: nothing is connected to."""
        raise unreachable(self.title)

    def exists(self, url: URL) -> bool:
        """Refuse: nothing is connected to."""
        raise unreachable(self.title)

    def version(self, connection: Connection) -> str:
        """Refuse: nothing is connected to."""
        raise unreachable(self.title)

    def identity(self, connection: Connection) -> str:
        """Refuse: nothing is connected to."""
        raise unreachable(self.title)

    def user(self, connection: Connection) -> str | None:
        """Refuse: nothing is connected to."""
        raise unreachable(self.title)

    def failure(self, error: BaseException) -> Failure:
        """Return that it failed; no driver says more."""
        return Failure.OTHER

    def lock(
        self, connection: Connection, key: str, timeout: float, run_id: str = ""
    ) -> AbstractContextManager[Held]:
        """Refuse: nothing is connected to."""
        raise unreachable(self.title)

    def lock_holder(self, connection: Connection, key: str) -> str | None:
        """Refuse: nothing is connected to."""
        raise unreachable(self.title)

    def timeouts(self, connection: Connection, limits: Limits) -> Timeouts:
        """Refuse: nothing is connected to."""
        raise unreachable(self.title)

    def snapshot(self, connection: Connection, exclude: Collection[str] = ()) -> Snapshot:
        """Refuse: nothing is connected to."""
        raise unreachable(self.title)

    def run_script(self, url: URL, script: str) -> None:
        """Refuse: nothing is connected to."""
        raise unreachable(self.title)

    def server(self, url: URL | None = None) -> Server:
        """Refuse: there are no scratch databases."""
        raise unreachable(self.title)

    def inform(self, dialect: Dialect) -> None:
        """Say how values are sent."""
        write_as_sent(dialect, binary="HEXTORAW('{}')")


BACKEND = Oracle()
