"""Tells how far workers are: each adds a byte to a file for what it has done, and we look."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Progress = Callable[[int, int], None]
"""Called with what is done, and what there is to do."""

SECONDS = 0.2


@contextmanager
def followed(progress: Progress | None, total: int) -> Iterator[str | None]:
    """Give the file that workers write to, and call *progress* now and then; None without one."""
    if progress is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="topchef_") as folder:
        file = Path(folder, "done")
        file.touch()
        over = threading.Event()

        def follow() -> None:
            while not over.wait(SECONDS):
                progress(done(), total)

        def done() -> int:
            return min(file.stat().st_size, total)  # some is proven again

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield str(file)
        finally:
            over.set()
            thread.join()
        progress(done(), total)


def did_one(file: str | None) -> None:
    """Note in *file* that one more is done; what several processes append is kept in full."""
    if file is not None:
        with open(file, "ab") as done:
            done.write(b".")
