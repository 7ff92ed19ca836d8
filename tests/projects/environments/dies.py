"""Is killed at one statement or commit of all that are sent, ours and those of the revisions.

They are counted at the driver: not all of ours go through SQLAlchemy.
"""

import os
import signal
import sqlite3

from alembic import context
from sqlalchemy import create_engine, event, pool

target_metadata = None
url = context.config.get_main_option("sqlalchemy.url")
moment, at = os.environ.get("DIES", "never 0").split()


def count(now):
    if now != moment:
        return
    # One command runs this file more than once.
    os.environ["SENT"] = str(int(os.environ.get("SENT", "0")) + 1)
    if os.environ["SENT"] == at:
        os.kill(os.getpid(), signal.SIGKILL)


def counted(method):
    def call(*arguments, **keywords):
        count("before")
        done = method(*arguments, **keywords)
        count("after")
        return done

    return call


def dying(kind, *names):
    return type(kind.__name__, (kind,), {name: counted(getattr(kind, name)) for name in names})


def dying_cursor(kind):
    # PyMySQL sends many rows by many calls of its own "execute".
    many = [] if kind.__module__.startswith("pymysql") else ["executemany"]
    return dying(kind, "execute", *many)


class Dying(sqlite3.Connection):
    commit = counted(sqlite3.Connection.commit)

    def cursor(self, factory=dying_cursor(sqlite3.Cursor)):
        return super().cursor(factory)


def follow(connection, record):
    if isinstance(connection, sqlite3.Connection):
        return
    for name in ("cursor_factory", "cursorclass"):
        if hasattr(connection, name):
            setattr(connection, name, dying_cursor(getattr(connection, name)))
    connection.commit = counted(connection.commit)


followed = moment != "never" and url == os.environ.get("SHOP")  # and not a scratch database
arguments = {"factory": Dying} if followed and url.startswith("sqlite") else {}
engine = create_engine(url, poolclass=pool.NullPool, connect_args=arguments)
if followed:
    event.listen(engine, "connect", follow)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=target_metadata,
        transaction_per_migration=os.environ.get("EACH") == "1",
    )
    with context.begin_transaction():
        context.run_migrations()
if "COUNTED" in os.environ:
    with open(os.environ["COUNTED"], "w") as file:
        file.write(os.environ["SENT"])
