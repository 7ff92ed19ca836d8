"""How our own program collects garbage: what thousands of revision files leave is none, and stays.

A program that calls the functions of the package collects as it likes, but for moments in which
very much is read.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

ALLOCATIONS = 20_000
"""So many objects are made before Python looks for garbage; by itself it does after 700."""

_tuned: list[bool] = []


def tune() -> None:
    """Look for garbage, less often; called by the program, before it does anything."""
    _tuned.append(True)
    gc.set_threshold(ALLOCATIONS)
    gc.enable()


def keep() -> None:
    """Never look again at what there is now; called once the revisions are loaded."""
    if _tuned:
        gc.freeze()


@contextmanager
def paused() -> Iterator[None]:
    """Look for no garbage meanwhile; for what makes very many objects, nearly all of which stay.

    Each time Python looks, it goes through all of them: half of the time of reading them.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
