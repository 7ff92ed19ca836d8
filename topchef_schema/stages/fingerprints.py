"""The fingerprints of revision files, for what takes thousands of them: made meanwhile.

To compute them takes about as long as to take, or to write down, a simple step.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

from topchef_schema.model.file_fingerprint import fingerprint, source_of

if TYPE_CHECKING:
    import subprocess

MANY = 200
"""So many files take longer than to start a process for them: 70 us each, and 15 ms."""

_MAIN = "from topchef_schema.stages.fingerprints import serve; serve()"


class Fingerprints:
    """Gives the fingerprints that files had when this was made; a process of its own reads many.

    While that one is at it, and where it is not heard of again, they are computed here.
    """

    def __init__(self, paths: Sequence[str] = ()) -> None:
        self._found: dict[str, str | None] = {}
        # A revision may go to another folder.
        self._paths = {path: os.path.abspath(path) for path in paths}
        self._process: subprocess.Popen[bytes] | None = None
        if len(self._paths) >= MANY and _processors() > 1 and sys.executable:
            # Where no file can be made, or no process started, it goes without.
            with contextlib.suppress(OSError):
                self._start()
        if self._process is None:
            self._read_the_rest()

    def __enter__(self) -> Fingerprints:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def __call__(self, path: str) -> str | None:
        """Return the fingerprint of the file at *path*, None where there is none to read."""
        if self._process is not None and self._process.poll() is not None:
            self.wait()
        if path not in self._found:
            self._found[path] = fingerprint(source_of(self._paths.get(path, path)))
        return self._found[path]

    def wait(self) -> None:
        """Take over what the process finds, once it is ready."""
        if self._process is None:
            return
        if self._process.wait() == 0:
            self._answers.seek(0)
            lines = self._answers.read().decode().splitlines()
            self._found |= {
                path: line or None for path, line in zip(self._paths, lines, strict=True)
            }
        self.end()
        self._read_the_rest()

    def end(self) -> None:
        """Let the process go, ready or not."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            self._answers.close()

    def _read_the_rest(self) -> None:
        for path in self._paths:
            self(path)

    def _start(self) -> None:
        import subprocess
        import tempfile

        from topchef_schema.stages.worker import finding_the_same

        with tempfile.TemporaryFile() as questions:
            questions.write(os.fsencode("\0".join(self._paths.values())))
            questions.seek(0)
            self._answers: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-S", "-c", _MAIN],
                    stdin=questions,
                    stdout=self._answers,
                    stderr=subprocess.DEVNULL,
                    env=finding_the_same(),
                )
            except OSError:
                self._answers.close()
                raise


def serve() -> None:
    """Read paths on stdin, with NUL between them, and write a line for each to stdout."""
    import signal

    # Ctrl-C is for the one that waits for this.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    paths = os.fsdecode(sys.stdin.buffer.read()).split("\0")
    answers = (f"{fingerprint(source_of(each)) or ''}\n" for each in paths)
    sys.stdout.buffer.writelines(answer.encode() for answer in answers)


def _processors() -> int:
    """Return how many of them this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
