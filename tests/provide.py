"""What a test run does about a server that is not there: install it, fetch it, or say how."""

from __future__ import annotations

import shutil
import sys

import bootstrap
from tests import mysql_server
from tests.servers import variable

PACKAGES = {"postgresql": ["postgresql"], "mariadb": ["mariadb-server"]}
CLIENTS = {
    "sqlite": ["sqlite3"],
    "postgresql": ["postgresql-client"],
    "mariadb": ["mariadb-client"],
}
FORMULAE = {"postgresql": "postgresql@17", "mariadb": "mariadb", "mysql": "mysql"}


class MissingServerError(Exception):
    """A server is not there and cannot be had; the message says why, and what to install."""


def provide(name: str) -> None:
    """Install or fetch the server of backend *name*; raises `MissingServerError`."""
    if name == "mysql":
        try:
            print("fetching MySQL (once; it is kept in the user's cache)", flush=True)
            mysql_server.fetch()
        except (mysql_server.FetchError, OSError) as error:
            raise MissingServerError(f"{error}; help: {advice(name)}") from error
    elif not bootstrap.apt_install(PACKAGES[name]):
        raise MissingServerError(f"it cannot be installed from here; help: {advice(name)}")


def provide_client(name: str) -> None:
    """Install or fetch what scripts for backend *name* are run with.

    Raises `MissingServerError`.
    """
    if name == "mysql":
        provide(name)
    elif not bootstrap.apt_install(CLIENTS[name]):
        raise MissingServerError(f"install {' '.join(CLIENTS[name])}: scripts are run with it")


def advice(name: str) -> str:
    """Say what a person can do to have the server of backend *name*."""
    if sys.platform == "darwin":
        install = f"brew install {FORMULAE[name]}"
    elif name in PACKAGES and shutil.which("apt-get"):
        install = f"sudo apt-get install {' '.join(PACKAGES[name])}"
    else:
        install = f"install the server of {name} so that its programs are on PATH"
    return f"{install}, or set {variable(name)} to a URL whose user may create databases"
