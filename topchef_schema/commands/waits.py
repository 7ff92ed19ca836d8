"""The options that bound what is waited for: a server, another migrator, locks, statements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def wait_option(function: F) -> F:
    """Add ``--wait``, which `command` heeds before the command's own function is called."""
    return click.option(
        "--wait",
        type=click.FloatRange(min=0),
        metavar="SECONDS",
        default=0.0,
        help="Wait so long at most until the server and the database accept connections.",
    )(function)


def wait(project: Any, seconds: float) -> None:
    """Wait so long at most until the databases of *project* accept connections."""
    if seconds:
        from topchef_schema.stages import observe, waiting

        waiting.until_there(lambda: observe.databases(project), seconds)


def lock_timeout_option(function: F) -> F:
    """Add ``--lock-timeout``."""
    return click.option(
        "--lock-timeout",
        type=click.FloatRange(min=0),
        default=300.0,
        show_default=True,
        help="Seconds to wait for another migrator; 0 tries once.",
    )(function)


ddl_lock_timeout_option = click.option(
    "--ddl-lock-timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    help="How long DDL waits for a lock, with others queueing up; 0 is without end.",
)

statement_timeout_option = click.option(
    "--statement-timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    help="How long one statement of a revision may take. Default: as long as it takes.",
)

retries_option = click.option(
    "--retries",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    help="How often to try again after a lock timeout or a deadlock.",
)


def limits_options(function: F) -> F:
    """Add what keeps a run kind to whoever else works on the database."""
    return ddl_lock_timeout_option(statement_timeout_option(retries_option(function)))
