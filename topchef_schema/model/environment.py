"""How one run of a project's env.py is set up: plain data that can be sent to another process.

Named tuples, as all that every start needs: a data class takes a millisecond to make, and what it
is made with four to import.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class DatabaseUrl:
    """A URL with its secret, and where it came from (``--url``, ``TOPCHEF_DATABASE_URL`` …).

    No tuple: whatever shows tuples would show the secret.
    """

    __slots__ = ("source", "text")

    def __init__(self, text: str, source: str) -> None:
        self.text = text
        self.source = source

    def __repr__(self) -> str:
        """Leave out the secret."""
        return f"DatabaseUrl(source={self.source!r})"

    def __eq__(self, other: object) -> bool:
        """Whether it is the same URL from the same place."""
        if not isinstance(other, DatabaseUrl):
            return NotImplemented
        return (self.text, self.source) == (other.text, other.source)

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash((self.text, self.source))


class Environment(NamedTuple):
    """The configuration files and the ways in which this project's env.py takes its URL.

    *url* is None where env.py alone decides. *urls* are those of a project that migrates several
    databases in one run of env.py, by the names of the sections in which it reads them. *url_env*,
    *url_x* and *url_option* name the environment variable, the ``-x`` key and the ini key that
    env.py reads. *drivers* maps a dialect name to the driver env.py needs. *prepare* is
    ``module:function``, called with the Alembic Config before env.py runs. *scratch*: nobody
    minds what a crash makes of the databases.
    """

    ini: str | None
    toml: str | None
    section: str = "alembic"
    x: tuple[str, ...] = ()
    url: DatabaseUrl | None = None
    urls: Mapping[str, DatabaseUrl] = {}
    url_env: str | None = None
    url_x: str | None = None
    url_option: str | None = None
    drivers: Mapping[str, str] = {}
    prepare: str | None = None
    metadata: str | None = None
    transaction_per_migration: bool | None = None
    scratch: bool = False

    @property
    def named(self) -> tuple[tuple[str | None, DatabaseUrl], ...]:
        """The databases that were named, each with its section; none where env.py decides."""
        if self.url is not None:
            return ((None, self.url),)
        return tuple(self.urls.items())

    @property
    def config_file(self) -> str:
        """The file to name in messages."""
        return self.ini or self.toml or "the configuration"
