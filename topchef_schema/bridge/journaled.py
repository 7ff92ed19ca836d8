"""Which statements of a revision its journal tells of: those that change what is there for good."""

from __future__ import annotations

import re
from typing import Any

_READ = re.compile(r"\s*(select|with|show|describe|desc|explain|values|table)\b", re.IGNORECASE)
_WRITES = re.compile(r"\b(insert|update|delete|merge|into)\b", re.IGNORECASE)
_OF_THE_SESSION = re.compile(
    r"\s*(set|reset|use|pragma|begin|start\s+transaction|rollback|savepoint|release|discard|"
    r"lock\s+tables?|unlock|analyze|vacuum|attach|detach|do|call\s+mysql)\b",
    re.IGNORECASE,
)
_DML = re.compile(r"\s*(insert|update|delete|merge|replace|with)\b", re.IGNORECASE)
_COMMIT = re.compile(r"\s*(commit|end)\b", re.IGNORECASE)
_TEMPORARY = re.compile(r"\s*create\s+(or\s+replace\s+)?(local\s+|global\s+)?temp", re.IGNORECASE)


def commits(sql: str) -> bool:
    """Whether *sql* does nothing but to commit."""
    return _COMMIT.match(sql) is not None


def reads(sql: str) -> bool:
    """Whether *sql* only looks."""
    return _READ.match(sql) is not None and _WRITES.search(sql) is None


def temporary(sql: str) -> bool:
    """Whether *sql* makes what is gone with the session."""
    return _TEMPORARY.match(sql) is not None


def of_the_session(sql: str) -> bool:
    """Whether *sql* says how the session works, or changes nothing a replay must not do twice."""
    return _OF_THE_SESSION.match(sql) is not None or temporary(sql)


def changes_rows(sql: str) -> bool:
    """Whether *sql* changes rows, and no schema."""
    return _DML.match(sql) is not None


def written_down(sql: str) -> bool:
    """Whether a journal has an entry for *sql*."""
    return not (commits(sql) or reads(sql) or of_the_session(sql))


def gives_rows(context: Any) -> bool:
    """Whether the revision may use what the statement of *context* gives back."""
    compiled = getattr(context, "compiled", None)
    return bool(compiled is not None and getattr(compiled, "effective_returning", None))
