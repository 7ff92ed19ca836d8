"""Runs a function in a process of its own.

Settings that a project reads when it is imported cannot change within a process, so each scratch
database gets a new one.
"""

from __future__ import annotations

import io
import logging
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, ParamSpec, TypeVar

from topchef_schema import collecting
from topchef_schema.errors import TopchefError
from topchef_schema.formats.log import chosen_format, log_to_stderr
from topchef_schema.stages.fork_server import AVAILABLE, Fork, ForkServer

P = ParamSpec("P")
T = TypeVar("T")

ANSWER = "answer"
"""The file in the folder of one call."""

_MAIN = "from topchef_schema.stages.worker import serve; raise SystemExit(serve())"


class WorkerError(RuntimeError):
    """A worker raised what it should not have: its traceback is the message."""


class Workers:
    """The worker processes of one command, which can be ended from another thread.

    *environment* is what they have beside that of this process. With *ahead* they are forked,
    where that can be, from a process that calls it while this one is on its way.
    """

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        *,
        ahead: Callable[[], object] | None = None,
    ) -> None:
        self._environment = environment or {}
        self._running: set[_Process | Fork] = set()
        self._turn = threading.Lock()
        self._ended = False
        self._server: ForkServer | None = None
        if ahead is not None and AVAILABLE:
            with _uninterrupted():
                self._server = ForkServer(self._whole_environment, ahead)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def call(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Return ``function(*arguments, **keywords)``, called in a new process.

        The function is found by its name; arguments and result are pickled. What the function
        prints goes to stderr. Raises the `TopchefError` that the function raised.
        """
        with tempfile.TemporaryDirectory(prefix="topchef_") as name:
            folder = Path(name)
            # What was put on the path since Python was started, it has to find before the rest.
            circumstances = _Circumstances(
                logging.getLogger("topchef_schema").level or logging.WARNING,
                chosen_format(),
                _path(),
                self._whole_environment,
                os.getcwd(),
            )
            request = pickle.dumps(circumstances) + pickle.dumps((function, arguments, keywords))
            code = self._ask(request, folder)
            if not (folder / ANSWER).exists():
                raise WorkerError(f"a worker process ended with code {code}")
            kind, value = pickle.loads((folder / ANSWER).read_bytes())
        if kind == "error":
            raise value
        if kind == "bug":
            raise WorkerError(value)
        result: T = value
        return result

    def end(self) -> None:
        """Stop every worker, and let no new one start."""
        with self._turn:
            self._ended = True
            server, self._server = self._server, None
            for each in self._running:
                each.terminate()
        if server is not None:
            server.close()

    def _ask(self, request: bytes, folder: Path) -> int | None:
        server = self._server
        if server is not None:
            with suppress(OSError):  # it has ended
                return self._ask_one(request, partial(server.fork, folder))
        return self._ask_one(request, partial(_Process, folder, self._whole_environment))

    def _ask_one(self, request: bytes, start: Callable[[], _Process | Fork]) -> int | None:
        with self._turn:
            if self._ended:
                raise WorkerError("the run is being ended")
            worker = start()
            self._running.add(worker)
        try:
            return worker.ask(request)
        finally:
            with self._turn:
                self._running.discard(worker)

    @property
    def _whole_environment(self) -> dict[str, str]:
        return {**finding_the_same(), **self._environment}


@dataclass(frozen=True, slots=True)
class _Circumstances:
    """In what a function is called, so that it finds what it would find here."""

    level: int
    format: str
    path: list[str]
    environment: dict[str, str]
    folder: str

    def enter(self) -> None:
        sys.path[:] = self.path
        os.environ.clear()
        os.environ.update(self.environment)
        os.chdir(self.folder)


def finding_the_same() -> dict[str, str]:
    """Return the environment of a Python that imports what this process does."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(_path())}


def _path() -> list[str]:
    return list(filter(None, sys.path))


class _Process:
    """A new Python, which answers into *folder*."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        with _uninterrupted():
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _MAIN, str(folder)],
                stdin=subprocess.PIPE,
                stdout=sys.__stderr__,
                env=environment,
            )

    def ask(self, request: bytes) -> int:
        """Wait until *request* is answered; return the code."""
        try:
            self._process.communicate(request)
            return self._process.returncode
        finally:
            self._process.kill()
            self._process.communicate()

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let what is started here hear of Ctrl-C only when it asks to: Python starts with a traceback.

    A terminal sends it to all; the mask of signals is inherited (sigprocmask(2)).
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _heed_interrupts() -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def serve() -> int:
    """Answer the request on stdin into the folder that is named; return the code to end with."""
    collecting.tune()
    return answer(sys.stdin.buffer, Path(sys.argv[1]))


def answer(asked: BinaryIO, folder: Path) -> int:
    """Answer the request that is *asked* into *folder*; return the code to end with."""
    from topchef_schema.bridge.loggers import keep_others_quiet

    request = io.BytesIO(asked.read())
    if not request.getbuffer():
        return 130  # who would have asked was ended
    try:
        _heed_interrupts()
        circumstances = pickle.load(request)
        circumstances.enter()
        if circumstances.level > logging.DEBUG:
            keep_others_quiet()
        with log_to_stderr(circumstances.level, circumstances.format):
            content = _answered(*pickle.load(request))
    except KeyboardInterrupt:
        return 130
    partial = folder / "partial"
    partial.write_bytes(content)
    partial.replace(folder / ANSWER)
    return 0


def _answered(
    function: Callable[..., object], arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> bytes:
    try:
        return pickle.dumps(("result", function(*arguments, **keywords)))
    except TopchefError as error:
        return pickle.dumps(("error", error))
    except Exception:
        return pickle.dumps(("bug", traceback.format_exc()))
