"""A lock on a file that the kernel releases when its holder dies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from topchef_schema.backends.base import attempts
from topchef_schema.errors import LockedError, UnreachableError

if sys.platform == "win32":
    import msvcrt

    # A locked byte cannot be read by others: one far behind the text, which names the holder.
    FAR = 1 << 30

    def try_lock(file: IO[str]) -> bool:
        """Lock *file* if nobody else has, and say whether it is ours now."""
        file.seek(FAR)
        with suppress(OSError):
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            return True
        return False

    def _held_by_another(file: IO[str]) -> bool:
        return not try_lock(file)

else:
    import fcntl

    def try_lock(file: IO[str]) -> bool:
        """Lock *file* if nobody else has, and say whether it is ours now."""
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False

    def _held_by_another(file: IO[str]) -> bool:
        # Shared, so that two that look do not take each other for the holder.
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
        return True


@contextmanager
def held(path: Path, key: str, timeout: float, run_id: str = "") -> Iterator[None]:
    """Hold the lock on the file at *path*, in which its holder is named with *key*.

    Tries for *timeout* seconds; raises `LockedError` naming the holder. The file stays: removing
    it would let two processes lock two files of one name. Closing it releases the lock.
    """
    with _opened(path) as file:
        if not any(try_lock(file) for _ in attempts(timeout)):
            raise LockedError(
                f"another migrator holds the lock: {_signature(file)}",
                where=str(path),
                hint="wait until it is done, or allow a longer wait",
            )
        _sign(file, key, run_id)
        try:
            yield
        finally:
            with suppress(OSError):  # an error on top of an error would hide it
                file.truncate(0)


def holder(path: Path) -> str | None:
    """Return who holds the lock on the file at *path*; None where nobody does, or none can tell.

    Whoever ends in order takes the name out of the file: only where one is left is the kernel
    asked, because to ask is to lock for a moment.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            said = file.readline().strip()
            return said if said and _held_by_another(file) else None
    except OSError:
        return None


def _opened(path: Path) -> IO[str]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    except OSError as error:
        raise UnreachableError(
            f"the lock file beside the database cannot be made: {error.strerror}",
            where=str(path),
            hint="migrate as a user who may write to the folder of the database",
        ) from error
    return open(descriptor, "r+", encoding="utf-8", errors="replace")


def _sign(file: IO[str], key: str, run_id: str) -> None:
    import socket
    from datetime import UTC, datetime

    now = datetime.now(UTC).isoformat(timespec="seconds")
    file.seek(0)
    file.truncate()
    run = f"run {run_id}, " if run_id else ""
    file.write(f"{run}pid {os.getpid()} on {socket.gethostname()} since {now} ({key})\n")
    file.flush()


def _signature(file: IO[str]) -> str:
    file.seek(0)
    return file.readline().strip() or "a process that has not signed yet"
