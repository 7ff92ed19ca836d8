"""TopChef 0.2 as it was: its tables, and rows written and read the way its code did it.

Tables and rows were taken down from its own code, run with SQLAlchemy 1.1.13 on SQLite,
PostgreSQL 15 and a MariaDB that was not strict.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy import Connection

_TABLES = """
{before}
CREATE TABLE services (
    service_id {uuid} NOT NULL,
    name VARCHAR(30) NOT NULL,
    description VARCHAR(1000) NOT NULL,
    last_checked_in {time} NOT NULL,
    heartbeat_timeout_seconds INTEGER NOT NULL,
    is_service_available {flag} NOT NULL,
    job_registration_schema {json} NOT NULL,
    job_result_schema {json} NOT NULL,
    PRIMARY KEY (service_id){flag_check}
);
CREATE TABLE job_sets (
    job_set_id {uuid} NOT NULL,
    description VARCHAR(140) NOT NULL,
    PRIMARY KEY (job_set_id)
);
CREATE TABLE jobs (
    job_id {uuid} NOT NULL,
    service_id {uuid} NOT NULL,
    date_submitted {time} NOT NULL,
    status {status},
    parameters {json} NOT NULL,
    results {json},
    job_set_id {uuid},
    PRIMARY KEY (job_id),
    FOREIGN KEY(service_id) REFERENCES services (service_id){status_check},
    FOREIGN KEY(job_set_id) REFERENCES job_sets (job_set_id)
)
"""
_STATES = "('REGISTERED', 'COMPLETED', 'WORKING', 'ERROR')"
_FLAG_CHECK = ", CHECK (is_service_available IN (0, 1))"
_LONG_TEXT = "VARCHAR(100000)"
_MYSQL = {
    "before": "SET SESSION sql_mode = '';",  # a strict server refuses columns of that length
    "uuid": "CHAR(32)",
    "time": "DATETIME",
    "flag": "BOOL",
    "json": _LONG_TEXT,
    "flag_check": _FLAG_CHECK,
    "status": f"ENUM{_STATES}",
    "status_check": "",
}
_WORDS: Mapping[str, Mapping[str, str]] = {
    "sqlite": {
        "before": "",
        "uuid": "CHAR(32)",
        "time": "DATETIME",
        "flag": "BOOLEAN",
        "json": _LONG_TEXT,
        "flag_check": _FLAG_CHECK,
        "status": "VARCHAR(10)",
        "status_check": f", CONSTRAINT jobstatus CHECK (status IN {_STATES})",
    },
    "postgresql": {
        "before": f"CREATE TYPE jobstatus AS ENUM {_STATES};",
        "uuid": "UUID",
        "time": "TIMESTAMP WITHOUT TIME ZONE",
        "flag": "BOOLEAN",
        "json": "JSON",
        "flag_check": "",
        "status": "jobstatus",
        "status_check": "",
    },
    "mariadb": _MYSQL,
    "mysql": _MYSQL,
}

_DOUBLED_UNTIL = "0004"
"""The last revision at which PostgreSQL's documents are encoded twice."""

SERVICES = sa.table(
    "services",
    sa.column("service_id"),
    sa.column("name"),
    sa.column("description"),
    sa.column("last_checked_in", sa.DateTime),
    sa.column("heartbeat_timeout_seconds"),
    sa.column("is_service_available", sa.Boolean),
    sa.column("job_registration_schema"),
    sa.column("job_result_schema"),
)
JOB_SETS = sa.table("job_sets", sa.column("job_set_id"), sa.column("description"))
JOBS = sa.table(
    "jobs",
    sa.column("job_id"),
    sa.column("service_id"),
    sa.column("date_submitted", sa.DateTime),
    sa.column("status"),
    sa.column("parameters"),
    sa.column("results"),
    sa.column("job_set_id"),
)
_KEYS = {"service_id", "job_set_id", "job_id"}
_DOCUMENTS = {"job_registration_schema", "job_result_schema", "parameters", "results"}

Rows = dict[str, dict[uuid.UUID, dict[str, Any]]]
"""Table to key to the row with that key."""


def key(number: int) -> uuid.UUID:
    """Return the UUID of that number: one as uuid4() makes them."""
    return uuid.UUID(int=0xC2E3328A84244421B5308C9539517154 + (number << 64))


SPECTROMETER, OVEN = key(1), key(2)
MONDAY, NEVER = key(3), key(4)
DOCUMENTS: tuple[Any, ...] = (
    {"name": "Café", "snow": "☃ 😀", "quoted": 'a "b" \\ c\n', "list": [1, 2.5, None, True, [[]]]},
    {"deep": {"deeper": {"deepest": [{"a": {}}, -0.125]}}, "": "empty", "null": None},
    {},
    [],
    "plain",
    '{"looks": "like JSON"}',
    '"quoted"',
    "null",
    "",
    0,
    -1,
    2**63 - 1,
    0.1,
    True,
    False,
)


def rows() -> Rows:
    """Return what an old TopChef has in its tables, as its code reads it."""
    minute = datetime(2017, 11, 20, 8, 30)
    services = {
        SPECTROMETER: _service("Spectromètre", {"type": "object", "title": "é☃"}, minute),
        OVEN: _service("oven", {"type": "object"}, minute.replace(minute=31)),
    }
    jobs = {
        key(100 + number): {
            "service_id": SPECTROMETER if number % 3 else OVEN,
            "date_submitted": minute.replace(second=number),
            "status": ("REGISTERED", "COMPLETED", "WORKING", "ERROR", None)[number % 5],
            "parameters": document,
            "results": None if number % 4 == 0 else DOCUMENTS[-number],
            "job_set_id": MONDAY if number % 2 else None,
        }
        for number, document in enumerate(DOCUMENTS)
    }
    sets = {MONDAY: {"description": "of Monday"}, NEVER: {"description": "nothing in it: ∅"}}
    return {"services": services, "job_sets": sets, "jobs": jobs}


def _service(name: str, schema: Any, moment: datetime) -> dict[str, Any]:
    return {
        "name": name,
        "description": "No description",
        "last_checked_in": moment,
        "heartbeat_timeout_seconds": 30,
        "is_service_available": name == "oven",
        "job_registration_schema": schema,
        "job_result_schema": {"type": "object"},
    }


def create_tables(connection: Connection, backend: str) -> None:
    """Make the tables as the old code did with ``metadata.create_all``."""
    for statement in _TABLES.format_map(_WORDS[backend]).split(";"):
        if statement.strip():
            connection.exec_driver_sql(statement)
    connection.commit()


@dataclass(frozen=True)
class OldCode:
    """What the old types did with values, on a backend whose database is at *revision*."""

    backend: str
    revision: str = "0001"

    @property
    def doubled(self) -> bool:
        """Whether documents are encoded twice."""
        return self.backend == "postgresql" and self.revision <= _DOUBLED_UNTIL

    def write(self, connection: Connection, content: Rows) -> None:
        """Insert *content*."""
        for table, name in ((SERVICES, "service_id"), (JOB_SETS, "job_set_id"), (JOBS, "job_id")):
            values = [
                {column: self._bound(column, value) for column, value in {name: k, **row}.items()}
                for k, row in content[table.name].items()
            ]
            if values:
                connection.execute(table.insert(), values)
        connection.commit()

    def read(self, connection: Connection) -> Rows:
        """Read everything."""
        content: Rows = {}
        for table, name in ((SERVICES, "service_id"), (JOB_SETS, "job_set_id"), (JOBS, "job_id")):
            found = connection.execute(sa.select(table)).mappings().all()
            read = [{c: self._result(c, value) for c, value in row.items()} for row in found]
            content[table.name] = {row.pop(name): row for row in read}
        connection.rollback()
        return content

    def _bound(self, column: str, value: Any) -> Any:
        if column in _KEYS and value is not None:
            return str(value) if self.backend == "postgresql" else value.hex
        if column not in _DOCUMENTS:
            return value
        if self.doubled:
            # postgresql.JSON wrote None as the document null.
            return json.dumps(None if value is None else json.dumps(value))
        return None if value is None else json.dumps(value)

    def _result(self, column: str, value: Any) -> Any:
        if value is None:
            return None
        if column in _KEYS:
            return uuid.UUID(str(value))
        if column in _DOCUMENTS and (self.doubled or self.backend != "postgresql"):
            return json.loads(value)
        return value
