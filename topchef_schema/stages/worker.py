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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from topchef_schema.errors import TopchefError
from topchef_schema.formats.log import chosen_format, log_to_stderr

P = ParamSpec("P")
T = TypeVar("T")

_MAIN = "from topchef_schema.stages.worker import serve; raise SystemExit(serve())"


class WorkerError(RuntimeError):
    """A worker raised what it should not have: its traceback is the message."""


class Workers:
    """The worker processes of one command, which can be ended from another thread.

    *environment* is what they have beside that of this process. With *ahead* one is started at
    once, and imports these modules while this process is on its way; the first call of a function
    of theirs takes it.
    """

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        *,
        ahead: Sequence[str] = (),
    ) -> None:
        self._environment = environment or {}
        self._ahead = ahead
        self._running: set[_Worker] = set()
        self._turn = threading.Lock()
        self._ended = False
        self._ready = self._started() if ahead else None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def call(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Return ``function(*arguments, **keywords)``, called in a new process.

        The function is found by its name; arguments and result are pickled. What the function
        prints goes to stderr. Raises the `TopchefError` that the function raised.
        """
        level = logging.getLogger("topchef_schema").level or logging.WARNING
        # What was put on the path since the process was started, it has to find before the rest.
        request = pickle.dumps((level, chosen_format(), _path()))
        request += pickle.dumps((function, arguments, keywords))
        worker = self._ready_for(function) or self._started()
        try:
            answer = worker.asked(request)
        finally:
            with self._turn:
                self._running.discard(worker)
        if answer is None:
            raise WorkerError(f"a worker process ended with code {worker.process.returncode}")
        kind, value = pickle.loads(answer)
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
            idle, self._ready = self._ready, None
            for each in self._running:
                each.process.terminate()
        if idle is not None:
            idle.forget()

    def _ready_for(self, function: Callable[..., object]) -> _Worker | None:
        with self._turn:
            if self._ended or function.__module__ not in self._ahead:
                return None
            ready, self._ready = self._ready, None
        return ready

    def _started(self) -> _Worker:
        environment = {**finding_the_same(), **self._environment}
        with self._turn:
            if self._ended:
                raise WorkerError("the run is being ended")
            worker = _Worker(environment, self._ahead)
            self._running.add(worker)
        return worker


def finding_the_same() -> dict[str, str]:
    """Return the environment of a Python that imports what this process does."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(_path())}


def _path() -> list[str]:
    return list(filter(None, sys.path))


class _Worker:
    """One process, which takes one request and answers into a file."""

    def __init__(self, environment: Mapping[str, str], ahead: Sequence[str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="topchef_")
        self._answer = Path(self._folder.name, "answer")
        with _uninterrupted():
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", _MAIN, str(self._answer), *ahead],
                stdin=subprocess.PIPE,
                stdout=sys.__stderr__,
                env=environment,
            )

    def asked(self, request: bytes) -> bytes | None:
        """Return the answer to *request*, None where the process ends without one."""
        try:
            self.process.communicate(request)
            return self._answer.read_bytes() if self._answer.exists() else None
        finally:
            self.forget()

    def forget(self) -> None:
        """End the process, if it runs, and remove what it wrote."""
        self.process.terminate()
        self.process.communicate()
        self._folder.cleanup()


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
    """Answer the request on stdin into the file named by the first argument; return the code.

    The other arguments are the modules to import before it comes.
    """
    from topchef_schema.bridge.loggers import keep_alembic_quiet

    for module in sys.argv[2:]:
        import_module(module)
    request = io.BytesIO(sys.stdin.buffer.read())
    if not request.getbuffer():
        return 0  # there is none any more
    try:
        _heed_interrupts()
        level, format_, sys.path[:] = pickle.load(request)
        if level > logging.DEBUG:
            keep_alembic_quiet()
        with log_to_stderr(level, format_):
            content = _answered(*pickle.load(request))
    except KeyboardInterrupt:
        return 130
    path = Path(sys.argv[1])
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(path)
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
