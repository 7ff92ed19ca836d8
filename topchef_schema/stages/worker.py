"""Runs a function in a process of its own.

Settings that a project reads when it is imported cannot change within a process, so each scratch
database gets a new one.
"""

from __future__ import annotations

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
from contextlib import contextmanager
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

    *environment* is what they have beside that of this process.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = environment or {}
        self._running: set[subprocess.Popen[bytes]] = set()
        self._turn = threading.Lock()
        self._ended = False

    def call(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Return ``function(*arguments, **keywords)``, called in a new process.

        The function is found by its name; arguments and result are pickled. What the function
        prints goes to stderr. Raises the `TopchefError` that the function raised.
        """
        level = logging.getLogger("topchef_schema").level or logging.WARNING
        request = pickle.dumps((level, chosen_format(), function, arguments, keywords))
        with tempfile.TemporaryDirectory(prefix="topchef_") as folder:
            answer = Path(folder, "answer")
            process = self._started(answer)
            try:
                process.communicate(request)
            except BaseException:
                process.terminate()
                process.wait()
                raise
            finally:
                with self._turn:
                    self._running.discard(process)
            if not answer.exists():
                raise WorkerError(f"a worker process ended with code {process.returncode}")
            kind, value = pickle.loads(answer.read_bytes())
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
            for process in self._running:
                process.terminate()

    def _started(self, answer: Path) -> subprocess.Popen[bytes]:
        path = os.pathsep.join(filter(None, sys.path))
        environment = {**os.environ, "PYTHONPATH": path, **self._environment}
        with self._turn:
            if self._ended:
                raise WorkerError("the run is being ended")
            with _uninterrupted():
                process = subprocess.Popen(
                    [sys.executable, "-P", "-c", _MAIN, str(answer)],
                    stdin=subprocess.PIPE,
                    stdout=sys.__stderr__,
                    env=environment,
                )
            self._running.add(process)
        return process


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
    """Answer the request on stdin into the file named by the first argument; return the code."""
    from topchef_schema.bridge.loggers import keep_alembic_quiet

    try:
        _heed_interrupts()
        level, format_, *request = pickle.loads(sys.stdin.buffer.read())
        if level > logging.DEBUG:
            keep_alembic_quiet()
        with log_to_stderr(level, format_):
            content = _answered(*request)
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
