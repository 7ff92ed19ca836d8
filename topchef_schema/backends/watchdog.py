"""Ends a throwaway server and removes its directory when the process that started it is gone.

A program of its own, run as ``python -I -S watchdog.py SIGNAL DIRECTORY``: a killed process cannot
clean up after itself. It reads lines from a pipe whose other end only that process holds:
``pid N`` names a program to end, ``done`` says that nothing is left to do. The end of the pipe
without ``done`` means that the process died. ``PR_SET_PDEATHSIG`` would not do: it is sent when the
*thread* that started the server ends, and is lost when the server changes its user (prctl(2)).
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterable

PATIENCE = 10.0
"""Seconds a program has to follow the signal before it is killed."""


class Program:
    """The process that has a number now: never another one that is given the number later."""

    def __init__(self, pid: int) -> None:
        self._pid: int | None = pid
        self._handle: int | None = None
        if sys.platform == "linux":
            try:
                self._handle = os.pidfd_open(pid)
            except ProcessLookupError:
                self._pid = None
            except OSError:
                pass  # a kernel before 5.3, or a sandbox that does not know the call

    def send(self, number: int) -> None:
        """Signal the process and its group; raises `ProcessLookupError` when it is gone."""
        if self._handle is not None:
            signal.pidfd_send_signal(self._handle, 0)
        if self._pid is None or os.getpgid(self._pid) != self._pid:
            # What we start leads a group of its own; a stranger under its number hardly does.
            raise ProcessLookupError(self._pid)
        os.killpg(self._pid, number)

    def ended(self, seconds: float) -> bool:
        """Wait so long at most; a zombie that nobody collects has ended."""
        if self._handle is not None:
            return bool(select.select([self._handle], [], [], seconds)[0])
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.send(0)
            time.sleep(0.05)
        return False

    def end(self, number: int) -> None:
        """Send *number*, and after a while the signal that cannot be ignored."""
        with contextlib.suppress(OSError):
            self.send(number)
            if not self.ended(PATIENCE):
                self.send(signal.SIGKILL)
                self.ended(PATIENCE)


def watch(lines: Iterable[str], number: int, directory: str) -> None:
    """Follow *lines* to their end; unless they say ``done``, clean up."""
    programs = []
    for line in lines:
        word, _, rest = line.strip().partition(" ")
        if word == "done":
            return
        if word == "pid":
            programs.append(Program(int(rest)))
    for program in programs:
        program.end(number)
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    watch(sys.stdin, int(sys.argv[1]), sys.argv[2])
