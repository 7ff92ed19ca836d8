"""Plain Alembic on the same project: what we leave behind is compared with what it leaves."""

from __future__ import annotations

import configparser
import contextlib
import io
import logging
import os
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from sqlalchemy import NullPool, create_engine, make_url

from tests.whole_projects import Whole, query, text
from topchef_schema import downgrade, snapshot, upgrade

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase
    from topchef_schema.project import Project


@dataclass(frozen=True)
class State:
    """What a migration leaves: the schema, and the rows of the version table."""

    objects: dict[str, str]
    versions: list[str]


@dataclass(frozen=True)
class Rival:
    """A project, and a database on which we and plain Alembic take turns.

    *table* is the version table. *section* is that of ``-n``. *target* is where upgrades lead.
    """

    whole: Whole
    database: ScratchDatabase
    table: str = "alembic_version"
    section: str = "alembic"
    target: str = "heads"

    @property
    def ours(self) -> Project:
        """The project as we load it."""
        return self.whole.on(self.database, section=self.section)

    def state(self) -> State:
        """Look at the database."""
        rows = query(self.database, f"SELECT version_num FROM {self.table} ORDER BY 1")
        return State(snapshot(self.ours).data["objects"], [row[0] for row in rows])

    def agree(self) -> tuple[State, State]:
        """Go up and down by turns, and compare; return what was above and below.

        Each goes on from where the other left the database.
        """
        upgrade(self.ours, self.target)
        above = self.state()
        self.alembic("downgrade", "base")
        below = self.state()
        self.alembic("upgrade", self.target)
        assert self.state() == above
        downgrade(self.ours, "base", accept_data_loss=True)
        assert self.state() == below
        return above, below

    def alembic(self, verb: str, revision: str) -> str:
        """Run the command of plain Alembic in this process; return what it printed."""
        settings = self._settings()
        url = make_url(text(self.database))
        drivers = [line.split(" = ") for line in settings.get("drivers", "").splitlines() if line]
        if driver := dict(drivers).get(url.get_backend_name()):
            url = url.set(drivername=f"{url.get_backend_name()}+{driver}")
        address = url.render_as_string(hide_password=False)
        out = io.StringIO()
        path = self.whole.root / "pyproject.toml"
        toml: dict[str, Any] = {"toml_file": path} if path.exists() else {}
        config = Config(
            self.whole.root / "alembic.ini",
            **toml,
            ini_section=self.section,
            stdout=out,
            cmd_opts=Namespace(x=[f"{settings.get('url_x', 'nothing')}={address}"]),
        )
        option = settings.get("url_option", "sqlalchemy.url")
        config.set_main_option(option, address.replace("%", "%%"))
        with (
            _loggers_kept(),
            _variable(settings.get("url_env"), address),
            contextlib.redirect_stdout(out),
            self._attributes(config),
        ):
            getattr(command, verb)(config, revision)
        return out.getvalue()

    def _settings(self) -> dict[str, str]:
        parser = configparser.RawConfigParser()
        parser.read(self.whole.root / "alembic.ini")
        return dict(parser["topchef"])

    @contextlib.contextmanager
    def _attributes(self, config: Config) -> Iterator[None]:
        """Hand over a connection, as the program does whose env.py wants one."""
        if 'attributes["connection"]' not in (self.whole.root / "alembic" / "env.py").read_text():
            yield
            return
        with create_engine(self.database.url, poolclass=NullPool).connect() as connection:
            config.attributes["connection"] = connection
            yield


@contextlib.contextmanager
def _variable(name: str | None, value: str) -> Iterator[None]:
    if name is not None:
        os.environ[name] = value
    try:
        yield
    finally:
        if name is not None:
            del os.environ[name]


@contextlib.contextmanager
def _loggers_kept() -> Iterator[None]:
    """``fileConfig`` in an env.py would silence the loggers of whatever is tested next."""
    root = logging.getLogger()
    loggers: list[Any] = [*root.manager.loggerDict.values()]
    disabled = {each: each.disabled for each in loggers if isinstance(each, logging.Logger)}
    before = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:], root.level = before
        for logger, was in disabled.items():
            logger.disabled = was
