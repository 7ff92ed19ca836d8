"""How our own program collects garbage: what thousands of revision files leave is none, and stays.

A program that calls the functions of the package collects as it likes.
"""

from __future__ import annotations

import gc

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
