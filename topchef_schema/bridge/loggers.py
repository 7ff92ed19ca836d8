"""What env.py's own configuration of logging must not take away from us, or add to scratch work."""

from __future__ import annotations

import logging

_quiet: set[str] = set()


def keep_alembic_quiet() -> None:
    """Let Alembic tell of warnings alone in this process, whatever env.py sets.

    In scratch work it would say the same of one database after the other.
    """
    _quiet.add("alembic")


def revive_our_loggers() -> None:
    """``fileConfig`` in env.py disables every logger that existed before it."""
    for name in _quiet:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name, logger in logging.root.manager.loggerDict.items():
        if name.startswith("topchef_schema") and isinstance(logger, logging.Logger):
            logger.disabled = False
