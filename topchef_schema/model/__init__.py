"""The nouns of the house: frozen data and pure functions on it, without any database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from topchef_schema.model.check import Check, Outcome
    from topchef_schema.model.effect import UNKNOWN, Doing, Effect, TableName
    from topchef_schema.model.environment import DatabaseUrl, Environment
    from topchef_schema.model.exemption import Exemption
    from topchef_schema.model.finding import Finding
    from topchef_schema.model.history import (
        DOCUMENTS_TABLE,
        HISTORY_TABLE,
        JOURNAL_TABLE,
        OWN_TABLES,
        SCRIPT_RUN,
        HistoryEntry,
        HistoryStatus,
    )
    from topchef_schema.model.journal import JournalEntry, fingerprint, in_flight
    from topchef_schema.model.plain_text import short, visible
    from topchef_schema.model.recording import (
        DATABASE_UNKNOWN,
        VALUES_LEFT_OUT,
        Location,
        Recording,
        Section,
        Statement,
        VersionTable,
    )
    from topchef_schema.model.report import ErrorInfo, Report, Table
    from topchef_schema.model.revision import Direction, Plan, Revision, Step
    from topchef_schema.model.severity import Severity
    from topchef_schema.model.snapshot import Change, Diff, Snapshot, diff, names_of
    from topchef_schema.model.sql_effects import dropped, effects_of_sql
    from topchef_schema.model.sql_tables import named_tables
    from topchef_schema.model.sql_words import without_values

__all__ = [
    "DATABASE_UNKNOWN",
    "DOCUMENTS_TABLE",
    "HISTORY_TABLE",
    "JOURNAL_TABLE",
    "OWN_TABLES",
    "SCRIPT_RUN",
    "UNKNOWN",
    "VALUES_LEFT_OUT",
    "Change",
    "Check",
    "DatabaseUrl",
    "Diff",
    "Direction",
    "Doing",
    "Effect",
    "Environment",
    "ErrorInfo",
    "Exemption",
    "Finding",
    "HistoryEntry",
    "HistoryStatus",
    "JournalEntry",
    "Location",
    "Outcome",
    "Plan",
    "Recording",
    "Report",
    "Revision",
    "Section",
    "Severity",
    "Snapshot",
    "Statement",
    "Step",
    "Table",
    "TableName",
    "VersionTable",
    "diff",
    "dropped",
    "effects_of_sql",
    "fingerprint",
    "in_flight",
    "named_tables",
    "names_of",
    "short",
    "visible",
    "without_values",
]

_HOMES = (
    "plain_text",
    "severity",
    "report",
    "environment",
    "check",
    "finding",
    "exemption",
    "revision",
    "recording",
    "history",
    "snapshot",
    "journal",
    "effect",
    "sql_effects",
    "sql_tables",
    "sql_words",
)
"""Looked through in this order: what is asked for at every start stands first."""


def __getattr__(name: str) -> Any:
    """Import a noun when it is first asked for: start-up is part of the product."""
    from importlib import import_module

    if name in __all__:
        for each in _HOMES:
            home = vars(import_module(f"{__name__}.{each}"))
            if name in home:
                globals()[name] = home[name]
                return home[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
