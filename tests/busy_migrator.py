"""Another migrator at work: a real process in the middle of a revision, for as long as wanted."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.whole_projects import revision

if TYPE_CHECKING:
    from tests.whole_projects import Whole

WAITS = """\
import pathlib, time
pathlib.Path("at-work").touch()
while not pathlib.Path("go").exists():
    time.sleep(0.05)"""


@contextmanager
def at_work(shop: Whole, url: str, after: str) -> Iterator[None]:
    """Let a process hold the lock of the database at *url* in a revision that follows *after*.

    It is `ff99`, stays, and waits no more when it is run again.
    """
    shop.write("alembic/versions/ff99_waits.py", revision("ff99", WAITS, down=after))
    process = shop.start("upgrade", "--url", url)
    try:
        wait_for(shop.root / "at-work", process)
        yield
    finally:
        (shop.root / "go").touch()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err


def wait_for(file: Path, process: subprocess.Popen[str]) -> None:
    """Wait until *process* has made *file*."""
    deadline = time.monotonic() + 60
    while not file.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
