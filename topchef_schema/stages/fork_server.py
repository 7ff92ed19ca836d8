"""A process that has made ready what workers need, and forks one for each request.

To import SQLAlchemy and Alembic takes longer than to take most revisions up and down. Linux alone:
elsewhere what a library has begun in a process may not survive a fork.
https://docs.python.org/3/library/os.html#os.fork
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from topchef_schema import collecting

AVAILABLE = sys.platform == "linux"

_MAIN = "from topchef_schema.stages.fork_server import serve; raise SystemExit(serve())"
_LONGEST = 4096
"""Bytes of a message, most of which is a path: ``PATH_MAX``."""


class ForkServer:
    """The process, which calls *ready* first; it ends when it is closed, or this process ends."""

    def __init__(self, environment: Mapping[str, str], ready: Callable[[], object]) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", _MAIN, str(theirs.fileno())],
                stdin=subprocess.PIPE,
                stdout=sys.__stderr__,
                env=environment,
                pass_fds=[theirs.fileno()],
            )
        assert self.process.stdin is not None
        with suppress(BrokenPipeError), self.process.stdin as asked:
            asked.write(pickle.dumps(ready))

    def fork(self, folder: Path) -> Fork:
        """Let a new process answer, into *folder*; raises `OSError` where that cannot be."""
        asked, asking = os.pipe()
        told, telling = os.pipe()
        try:
            socket.send_fds(self._line, [os.fsencode(folder)], [asked, telling])
        except OSError:
            os.close(asking)
            os.close(told)
            raise
        finally:
            os.close(asked)
            os.close(telling)
        return Fork(open(asking, "wb"), open(told, "rb"))

    def close(self) -> None:
        """End the process; its forks go on."""
        self._line.close()
        self.process.terminate()
        self.process.wait()


@dataclass(eq=False)
class Fork:
    """A process that is asked by one pipe; the other tells its number, and its code at the end."""

    asking: BinaryIO
    telling: BinaryIO
    _number: int = 0
    _unwanted: bool = False

    def ask(self, request: bytes) -> int | None:
        """Wait until *request* is answered; return the code, None where nobody tells.

        Raises `OSError` where nobody has taken it.
        """
        with self.telling:
            with suppress(BrokenPipeError), self.asking:
                self.asking.write(request)
            self._number = int(self.telling.readline() or 0)
            if not self._number:
                raise ConnectionResetError("the fork server has ended")
            if self._unwanted:
                self.terminate()
            code = self.telling.readline()
        return int(code) if code else None

    def terminate(self) -> None:
        """Ask it to end, or do so as soon as it is there."""
        self._unwanted = True
        if self._number:
            with suppress(ProcessLookupError):
                os.kill(self._number, signal.SIGTERM)


def serve() -> int:
    """Fork for each request on the socket that the argument names, until its other end is closed.

    On stdin stands what to call before. Returns in each fork, too: the code to end with.
    """
    from topchef_schema.stages.worker import answer

    collecting.tune()
    with suppress(Exception):  # is told where it is needed
        pickle.load(sys.stdin.buffer)()
    collecting.keep()
    line = socket.socket(fileno=int(sys.argv[1]))
    ended, tell_ended = _told_of_ends()
    telling_of: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([line, ended], [], [])
        if ended in ready:
            ended.recv(_LONGEST)
            _tell_codes(telling_of)
        if line not in ready:
            continue
        folder, pipes, *_ = socket.recv_fds(line, _LONGEST, 2)
        if not folder:
            return 0
        asked, telling = pipes
        child = os.fork()
        if not child:
            _leave([line, ended, tell_ended], telling_of.values(), pipes)
            os.write(telling, b"%d\n" % os.getpid())
            return answer(os.fdopen(asked, "rb"), Path(os.fsdecode(folder)))
        os.close(asked)
        telling_of[child] = telling


def _told_of_ends() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of what can be read when a process has ended.

    Python runs a handler between two steps of its own, which may be too late for a wait; but it
    writes there at once, https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd
    """
    ends = socket.socketpair()
    for each in ends:
        each.setblocking(False)  # noqa: FBT003
    signal.set_wakeup_fd(ends[1].fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return ends


def _leave(sockets: Iterable[socket.socket], others: Iterable[int], own: Iterable[int]) -> None:
    """Be no server any more, but one of its forks."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for each in sockets:
        each.close()
    for other in others:
        os.close(other)
    for pipe in own:
        os.set_inheritable(pipe, False)  # noqa: FBT003 - a program of a revision would hold it


def _tell_codes(telling_of: dict[int, int]) -> None:
    """Tell of each process that has ended how it did."""
    while telling_of:
        child, status = os.waitpid(-1, os.WNOHANG)
        if not child:
            return
        with os.fdopen(telling_of.pop(child), "wb", buffering=0) as told, suppress(BrokenPipeError):
            told.write(b"%d\n" % os.waitstatus_to_exitcode(status))
