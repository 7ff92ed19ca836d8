"""How slow this machine is, so that the gate keeps to its time on one that is."""

from __future__ import annotations

import time

USUAL = 0.05
"""Seconds for a million turns of an empty loop, on the machines that the samples were sized on."""


def slowness() -> int:
    """Return how many times as long as usual this machine takes for plain Python; 1 at least."""
    return max(1, round(min(_turns() for _ in range(5)) / USUAL))


def _turns() -> float:
    started = time.perf_counter()
    for _ in range(1_000_000):
        pass
    return time.perf_counter() - started
