"""Fingerprints of revision files, computed while the database works on the revisions themselves.

To parse a thousand files takes a twentieth of a run. Drivers let go of Python's lock while they
wait for a server, and sqlite3 does while it works; a file takes a tenth of a millisecond, and after
each of them the lock is let go of here, too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

from topchef_schema.model.file_fingerprint import fingerprint, may_warn, source_of


@dataclass(frozen=True)
class Fingerprints:
    """Those of the files of one run, by their paths."""

    _found: dict[str, str | None] = field(default_factory=dict)

    def of(self, path: str) -> str | None:
        """Return that of one file, whoever computes it."""
        if path not in self._found:
            self._found[path] = fingerprint(source_of(path))
        return self._found[path]

    @contextmanager
    def ahead(self, paths: Sequence[str]) -> Iterator[None]:
        """Compute those of *paths* meanwhile, in a thread of its own."""
        ended = Event()
        thread = Thread(target=self._compute, args=(paths, ended), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _compute(self, paths: Sequence[str], ended: Event) -> None:
        for path in paths:
            if ended.is_set():
                return
            source = source_of(path)
            # Whether warnings are shown is a matter of all threads: they are left to `of`.
            if path not in self._found and not may_warn(source):
                self._found[path] = fingerprint(source)
            time.sleep(0)
