"""Runs a program and tells what it did that does not depend on the machine.

``python benchmarks/counting.py MODULE ARGUMENTS`` does what ``python -m`` does with them, and then
writes one line of JSON to stderr: modules imported, files opened, statements sent, commits (those
that were asked for, not those that a server makes of its own accord).
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any


def main(module: str, arguments: Sequence[str]) -> None:
    """Run *module* as a program, and count."""
    sys.path[0] = os.getcwd()  # as with -m
    before = len(sys.modules)
    done: Counter[str] = Counter(files=0, statements=0, commits=0)

    def hook(event: str, values: tuple[Any, ...]) -> None:
        if event == "open":
            done["files"] += 1

    count_sqlite(done)
    if os.environ.get("COUNT_PSYCOPG"):
        count_psycopg(done)
    if os.environ.get("COUNT_PYMYSQL"):
        count_pymysql(done)
    sys.addaudithook(hook)
    sys.argv[:] = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code:
            raise
    done["modules"] = len(sys.modules) - before
    print(json.dumps(done), file=sys.stderr)


def count_sqlite(done: Counter[str]) -> None:
    """Count what SQLite runs, of its own accord (BEGIN) too."""
    import sqlite3

    connect = sqlite3.dbapi2.connect

    def heard(sql: str) -> None:
        done["statements"] += 1
        done["commits"] += sql.startswith("COMMIT")

    def counting(*arguments: Any, **options: Any) -> Any:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(heard)
        return connection

    for module in (sqlite3, sqlite3.dbapi2):
        vars(module)["connect"] = counting


def count_psycopg(done: Counter[str]) -> None:
    """Count what psycopg is given to send."""
    import psycopg

    count_calls(done, "statements", psycopg.Cursor, "execute")
    count_calls(done, "commits", psycopg.Connection, "commit")


def count_pymysql(done: Counter[str]) -> None:
    """Count the round trips that PyMySQL makes for statements."""
    import pymysql

    count_calls(done, "statements", pymysql.connections.Connection, "query")
    count_calls(done, "commits", pymysql.connections.Connection, "commit")


def count_calls(done: Counter[str], name: str, kind: Any, method: str) -> None:
    """Count calls of a method."""
    original = getattr(kind, method)

    def counting(*arguments: Any, **options: Any) -> Any:
        done[name] += 1
        return original(*arguments, **options)

    setattr(kind, method, counting)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
