"""Every failure a user can cause, and the exit code each one ends with.

::

    TopchefError            message · where · hint
    ├── UsageError            2   wrong usage or configuration, an unreadable revision
    ├── UnreachableError      3   no database, no server, no driver
    ├── LockedError           4   another migrator holds the lock, and the wait is over
    ├── MigrationError        5   a step failed, nothing of its unit was applied
    │   └── PartialError      6   the same, and part of it was applied
    ├── InDoubtError          7   an earlier run left what only `repair` may decide
    ├── HistoryError          8   several heads, an unknown revision, not this project's database
    ├── ChangedFileError      9   an applied revision's file has changed
    └── InterruptedRunError 130   stopped by a signal; the next run continues
"""

from __future__ import annotations

from typing import ClassVar


class TopchefError(Exception):
    """A failure that is explained to the user instead of shown as a traceback.

    *message* says what is wrong, *where* names the place (a file and line, a database without
    its secret, an option), *hint* says what to do instead.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, where: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        # The constructor's arguments are keywords; a worker process sends its failure home.
        return _rebuild, (type(self), self.message, self.where, self.hint)

    @property
    def kind(self) -> str:
        """The stable name of this failure in reports: the class name."""
        return type(self).__name__

    def __str__(self) -> str:
        return f"{self.message} (where: {self.where}; help: {self.hint})"


def _rebuild(kind: type[TopchefError], message: str, where: str, hint: str) -> TopchefError:
    return kind(message, where=where, hint=hint)


class UsageError(TopchefError):
    """Wrong usage or configuration, or a revision file or argument that cannot be read."""

    exit_code = 2


class UnreachableError(TopchefError):
    """A database or server cannot be reached or made, or its driver is missing."""

    exit_code = 3
    may_come = False
    """Whether somebody else is to make it, and may be about to."""


class LockedError(TopchefError):
    """Another migrator holds the lock, and the wait is over."""

    exit_code = 4


class MigrationError(TopchefError):
    """A step failed; nothing of the failed unit was applied."""

    exit_code = 5


class PartialError(MigrationError):
    """A step failed; part of its revision was applied."""

    exit_code = 6


class InDoubtError(TopchefError):
    """An earlier run left the database in doubt."""

    exit_code = 7


class HistoryError(TopchefError):
    """The revisions of the project and those of the database do not fit together."""

    exit_code = 8


class ChangedFileError(TopchefError):
    """The file of an applied revision has changed since."""

    exit_code = 9


class InterruptedRunError(TopchefError):
    """The run was stopped by a signal."""

    exit_code = 130
