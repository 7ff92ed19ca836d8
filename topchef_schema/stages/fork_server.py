"""A process that has made ready what workers need, and forks one for each request.

To import SQLAlchemy and Alembic takes longer than to take most revisions up and down. Linux alone:
elsewhere what a library has begun in a process may not survive a fork.
https://docs.python.org/3/library/os.html#os.fork
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, NoReturn

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
                stdin=subprocess.DEVNULL,
                stdout=sys.__stderr__,
                env=environment,
                pass_fds=[theirs.fileno()],
            )
        self._line.send(pickle.dumps(ready))

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

    The first message is what to call before.
    """
    from topchef_schema.stages.worker import answer

    line = socket.socket(fileno=int(sys.argv[1]))
    collecting.tune()
    with suppress(Exception):  # is told where it is needed
        pickle.loads(line.recv(_LONGEST))()
    collecting.keep()
    telling_of: dict[int, int] = {}
    signal.signal(signal.SIGCHLD, lambda *_: _tell_codes(telling_of))
    while True:
        folder, pipes, *_ = socket.recv_fds(line, _LONGEST, 2)
        if not folder:
            return 0
        asked, telling = pipes
        # What is told of the end of a process must not come before its number is known.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        child = os.fork()
        if not child:
            line.close()
            for each in telling_of.values():
                os.close(each)
            request = os.fdopen(asked, "rb")
            _answer_once(partial(answer, request, Path(os.fsdecode(folder))), telling)
        os.close(asked)
        telling_of[child] = telling
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def _tell_codes(telling_of: dict[int, int]) -> None:
    """Tell of each process that has ended how it did."""
    while telling_of:
        child, status = os.waitpid(-1, os.WNOHANG)
        if not child:
            return
        with os.fdopen(telling_of.pop(child), "wb", buffering=0) as told, suppress(BrokenPipeError):
            told.write(b"%d\n" % os.waitstatus_to_exitcode(status))


def _answer_once(answer: Callable[[], int], telling: int) -> NoReturn:
    """Do the work of a fork, and end without what a whole Python does at its end."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        os.write(telling, b"%d\n" % os.getpid())
        code = answer()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        logging.shutdown()
        for each in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                each.flush()
        os._exit(code)
