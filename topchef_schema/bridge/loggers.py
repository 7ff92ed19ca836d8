"""What env.py's own configuration of logging must not take away from us, or add to scratch work."""

from __future__ import annotations

import logging

_quiet: dict[str, int] = {}


def keep_others_quiet() -> None:
    """Let Alembic tell of warnings alone in this process, whatever env.py sets.

    In scratch work it would say the same of one database after the other. And let psycopg not warn
    of rows that a server refuses: such are tried.
    """
    _quiet.update(alembic=logging.WARNING, psycopg=logging.ERROR)


def revive_our_loggers() -> None:
    """``fileConfig`` in env.py disables every logger that existed before it."""
    for name, level in _quiet.items():
        logging.getLogger(name).setLevel(level)
    for name, logger in logging.root.manager.loggerDict.items():
        if name.startswith("topchef_schema") and isinstance(logger, logging.Logger):
            logger.disabled = False
