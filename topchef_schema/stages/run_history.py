"""Writes into the history what a run does, in the transactions in which it is done."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from topchef_schema.backends.base import first_line
from topchef_schema.model import Direction, HistoryStatus
from topchef_schema.stages import journal
from topchef_schema.stages.ledger import Ledger

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from topchef_schema.bridge.session import Session, StepFailed
    from topchef_schema.model import Step
    from topchef_schema.project import Project
    from topchef_schema.stages.entry import Target

log = logging.getLogger(__name__)


def opened(project: Project, session: Session, target: Target, *, at_once: bool = True) -> Ledger:
    """Open the history of one database, and make the tables that a run needs.

    Where rows are not written *at_once*, whoever commits has to write them before.
    """
    connection = session.connection
    ledger = of_database(project, session, target, at_once=at_once)
    ledger.create(connection)
    if not target.backend.transactional_ddl:
        # Where making it later would commit what it is to tell of.
        journal.create(connection, ledger.schema)
    session.commit()
    return ledger


def of_database(
    project: Project, session: Session, target: Target, *, at_once: bool = True
) -> Ledger:
    """Return the history of one database, whose tables are there; see `opened`."""
    return Ledger(
        schema=target.version_table_schema,
        database_user=target.backend.user(session.connection),
        folder=Path(project.environment.config_file).absolute().parent,
        run_id=target.run_id,
        waiting=None if at_once else [],
    )


def of_step(
    ledger: Ledger, step: Step, session: Session, *, repaired: bool, reason: str | None
) -> Callable[[Connection, float], None]:
    """Return what writes down that *step* was taken, in as many seconds."""
    status = HistoryStatus.APPLIED if step.direction is Direction.UP else HistoryStatus.REVERTED
    if repaired:
        status = HistoryStatus.REPAIRED

    def record(connection: Connection, seconds: float) -> None:
        ledger.write(
            connection,
            step.revision,
            status,
            direction=step.direction,
            seconds=seconds,
            reason=reason,
        )
        if session.committed:
            # By the revision itself; what is left of it is committed with its version row.
            ledger.write_waiting(connection)

    return record


def failure(ledger: Ledger, session: Session, failed: StepFailed) -> None:
    """Write down that a step failed, in a transaction of its own."""
    from sqlalchemy.exc import DBAPIError

    if session.lost:
        log.warning("the history does not tell of this failure: the connection was lost")
        return
    session.settle()
    try:
        ledger.write(
            session.connection,
            failed.step.revision,
            HistoryStatus.FAILED,
            direction=failed.step.direction,
            error=first_line(failed.cause),
        )
        session.commit()
        journal.read(session.connection, ledger.schema, commit=session.commit)
        session.settle()
    except DBAPIError as error:
        log.warning("the history does not tell of this failure: %s", first_line(error))
        session.settle()
