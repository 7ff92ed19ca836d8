"""Keeps a data directory as its server first made it, because making one takes seconds.

The copies are in the user's cache directory, one per server version. They may be deleted at any
time, and hold no password: each server that starts from one is given its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

PERSONAL = ("auto.cnf", "*.pem")
"""A server's UUID and keys, which two servers must not share; it makes new ones."""


def place(name: str, settings: Sequence[str]) -> Path | None:
    """Return where the copy of *name*, made with *settings*, belongs; None without a home."""
    given = os.environ.get("XDG_CACHE_HOME")
    try:
        cache = Path(given) if given and os.path.isabs(given) else Path.home() / ".cache"
    except RuntimeError:
        return None
    digest = hashlib.sha256("\0".join(settings).encode()).hexdigest()[:12]
    word = re.sub(r"[^\w.-]", "-", name)
    return cache / "topchef-schema" / "pristine" / f"{word}-{digest}"


def restore(copy: Path | None, data: Path) -> bool:
    """Make *data* from the *copy*; false where there is none, or no longer."""
    if copy is None:
        return False
    try:
        shutil.copytree(copy, data)
    except (OSError, shutil.Error):
        shutil.rmtree(data, ignore_errors=True)
        return False
    return True


def keep(copy: Path | None, data: Path) -> None:
    """Keep *data* as the *copy*, whole or not at all; not being able to is no failure."""
    if copy is None:
        return
    with contextlib.suppress(OSError, shutil.Error):
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=copy.parent) as work:
            made = Path(work, "data")
            shutil.copytree(data, made, ignore=shutil.ignore_patterns(*PERSONAL))
            made.chmod(0o700)
            # Fails where another process was faster: its copy is as good.
            made.rename(copy)


def forget(copy: Path | None) -> None:
    """Remove a *copy* that no server starts from."""
    if copy is not None:
        shutil.rmtree(copy, ignore_errors=True)
