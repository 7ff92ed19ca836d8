"""What an error of PostgreSQL or of one of its drivers means."""

from __future__ import annotations

from collections.abc import Iterator

from topchef_schema.backends.base import Failure

STATES = {
    "08001": Failure.UNREACHABLE,
    "08004": Failure.UNREACHABLE,
    "25006": Failure.READ_ONLY,
    "3D000": Failure.NO_SUCH_DATABASE,
    "40001": Failure.DEADLOCK,
    "40P01": Failure.DEADLOCK,
    "42501": Failure.READ_ONLY,
    "42701": Failure.ALREADY_EXISTS,
    "42710": Failure.ALREADY_EXISTS,
    "42723": Failure.ALREADY_EXISTS,
    "42P04": Failure.ALREADY_EXISTS,
    "42P06": Failure.ALREADY_EXISTS,
    "42P07": Failure.ALREADY_EXISTS,
    "53100": Failure.DISK_FULL,
    "53300": Failure.UNREACHABLE,
    "55P03": Failure.LOCK_TIMEOUT,
    "57014": Failure.CANCELLED,
    "57P01": Failure.CONNECTION_LOST,
    "57P02": Failure.CONNECTION_LOST,
    "57P03": Failure.UNREACHABLE,
    "57P05": Failure.CONNECTION_LOST,
}
"""By SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html."""

CLASSES = {"08": Failure.CONNECTION_LOST, "28": Failure.ACCESS_DENIED}
"""By the first two characters of the SQLSTATE."""

WORDS = (
    ("password authentication failed", Failure.ACCESS_DENIED),
    ("no password supplied", Failure.ACCESS_DENIED),
    ("authentication failed", Failure.ACCESS_DENIED),
    ("no pg_hba.conf entry", Failure.ACCESS_DENIED),
    ("permission denied for database", Failure.ACCESS_DENIED),
    ('" is not permitted to log in', Failure.ACCESS_DENIED),
    ("connection failed", Failure.UNREACHABLE),
    ("connection to server", Failure.UNREACHABLE),
    ("could not connect", Failure.UNREACHABLE),
    ("could not translate host name", Failure.UNREACHABLE),
    ("failed to resolve host", Failure.UNREACHABLE),
    ("timeout expired", Failure.UNREACHABLE),
    ("server closed the connection", Failure.CONNECTION_LOST),
    ("the connection is closed", Failure.CONNECTION_LOST),
    ("connection is closed", Failure.CONNECTION_LOST),
    ("connection was closed", Failure.CONNECTION_LOST),
    ("connection already closed", Failure.CONNECTION_LOST),
    ("the connection is lost", Failure.CONNECTION_LOST),
)
"""libpq gives no SQLSTATE for what goes wrong while it connects: the first that fits decides."""


def failure(error: BaseException) -> Failure:
    """Say what *error* means, by its SQLSTATE where it has one."""
    causes = list(_causes(error))
    for cause in causes:
        state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
        if state:
            return _by_state(state, str(cause))
    if any(getattr(cause, "connection_invalidated", False) for cause in causes):
        return Failure.CONNECTION_LOST
    for cause in causes:
        if isinstance(cause, (ConnectionResetError, BrokenPipeError, EOFError)):
            return Failure.CONNECTION_LOST
        if isinstance(cause, OSError):
            return Failure.UNREACHABLE
    return _by_words(" ".join(str(cause) for cause in causes[-1:]))


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    seen = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = getattr(cause, "orig", None) or cause.__cause__


def _by_state(state: str, text: str) -> Failure:
    if state == "23505" and 'constraint "pg_' in text:
        # Two sessions made it at once: the catalog's own unique index was the first to know.
        return Failure.ALREADY_EXISTS
    return STATES.get(state) or CLASSES.get(state[:2], Failure.OTHER)


def _by_words(text: str) -> Failure:
    if "FATAL" in text and 'database "' in text and "does not exist" in text:
        return Failure.NO_SUCH_DATABASE
    if "FATAL" in text and 'role "' in text and "does not exist" in text:
        return Failure.ACCESS_DENIED
    return next((meaning for words, meaning in WORDS if words in text), Failure.OTHER)
