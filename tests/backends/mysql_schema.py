"""A schema with every kind of object that MySQL and MariaDB both have, and ways to work on it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from topchef_schema.model import Snapshot, diff

if TYPE_CHECKING:
    from sqlalchemy import Connection

PASSWORD = "correct-Horse-9"

SCHEMA = (
    "CREATE TABLE sets (set_id INT PRIMARY KEY, name VARCHAR(40))",
    "CREATE TABLE jobs (job_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, "
    "name VARCHAR(100) NOT NULL DEFAULT 'none', "
    "status ENUM('NEW', 'DONE') NOT NULL DEFAULT 'NEW', "
    "amount DECIMAL(10, 2) DEFAULT 0.50 COMMENT 'in \\'kitchens\\'', "
    "kind SET('a', 'b)c'), "
    "at TIMESTAMP(3) NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3), "
    "twice DECIMAL(11, 2) GENERATED ALWAYS AS (amount * 2) STORED, "
    "notes TEXT, doc JSON, set_id INT, "
    "CONSTRAINT ck_amount CHECK (amount >= 0 AND name <> '),`x`'), "
    "CONSTRAINT fk_set FOREIGN KEY (set_id) REFERENCES sets (set_id) ON DELETE CASCADE, "
    "UNIQUE KEY uq_name (name), KEY ix_status (status), FULLTEXT KEY ft_notes (notes))",
    "CREATE TABLE measured (day DATE NOT NULL, value INT) PARTITION BY RANGE (YEAR(day)) "
    "(PARTITION old VALUES LESS THAN (2020), PARTITION rest VALUES LESS THAN MAXVALUE)",
    "CREATE VIEW open_jobs AS SELECT job_id, name FROM jobs WHERE status = 'NEW'",
    "CREATE FUNCTION plus(a INT) RETURNS INT DETERMINISTIC RETURN a + 1",
    "CREATE VIEW counted AS SELECT plus(sets.set_id) AS following, count(*) AS found "
    "FROM jobs JOIN sets ON sets.set_id = jobs.set_id GROUP BY sets.set_id",
    "CREATE PROCEDURE clear(IN before_id INT) MODIFIES SQL DATA DELETE FROM jobs "
    "WHERE job_id < before_id",
    "CREATE TRIGGER upper_name BEFORE INSERT ON jobs FOR EACH ROW SET NEW.name = UPPER(NEW.name)",
    "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM jobs WHERE status = 'DONE'",
)


def execute(connection: Connection, *statements: str) -> None:
    """Run *statements*, in which a percent sign is only a percent sign."""
    for statement in statements:
        connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
    connection.commit()


def keys(before: Snapshot, after: Snapshot) -> set[str]:
    return {change.key for change in diff(before, after).changes}


@contextmanager
def account(admin: Connection) -> Iterator[str]:
    """Make a user without rights, with the password `PASSWORD`."""
    name = f"topchef_test_{secrets.token_hex(4)}"
    execute(admin, f"CREATE USER '{name}'@'%' IDENTIFIED BY '{PASSWORD}'")
    try:
        yield name
    finally:
        execute(admin, f"DROP USER '{name}'@'%'")


def rebuilt(snapshot: Snapshot) -> list[str]:
    """Return statements that make the tables of *snapshot* again, from what it says of them.

    Their names must be plain words.
    """
    parts: dict[str, dict[str, dict[str, str]]] = {}
    for key, text in snapshot.objects.items():
        kind, _, name = key.partition(" ")
        table, _, rest = name.partition(".")
        parts.setdefault(table, {}).setdefault(kind, {})[rest] = text
    statements = ["SET SESSION foreign_key_checks = 0"]
    for table, kinds in parts.items():
        if "column-order" in kinds:
            columns = kinds["column-order"][""].split(", ")
            inside = [f"`{column}` {kinds['column'][column]}" for column in columns]
            inside += kinds.get("primary-key", {}).values()
            for name, text in kinds.get("period", {}).items():
                inside.append(f"PERIOD FOR `{name}` {text}")
            for name, text in kinds.get("index", {}).items():
                inside.append(text.replace("KEY ", f"KEY `{name}` ", 1))
            for name, text in kinds.get("constraint", {}).items():
                inside.append(f"CONSTRAINT `{name}` {text}")
            options = [kinds["table"][""], *kinds.get("partitions", {}).values()]
            statements.append(f"CREATE TABLE `{table}` ({', '.join(inside)}) {' '.join(options)}")
    return statements
