"""Does the later half of a long list in a fork, at the same time as the other half here.

A fork of a process that has loaded little is ready in a millisecond. It computes, hands over what
it has found, and ends; where it does not, all is done here.
"""

from __future__ import annotations

import marshal
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")
R = TypeVar("R")

MANY = 500
"""Fewer files are read in less time than it takes to look after a second process."""


def in_halves(items: Sequence[T], work: Callable[[Sequence[T]], R]) -> list[R]:
    """Return what *work* gives for all of *items*, or for each half of them, in order.

    That has to be of types that `marshal` can write.
    """
    if len(items) < MANY or not _can_fork():
        return [work(items)]
    # A fork begins a little later, and what it has found is to be handed over.
    middle = len(items) * 13 // 25
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _hand_over(writing, lambda: work(items[middle:]))
    os.close(writing)
    try:
        early = work(items[:middle])
    finally:
        with open(reading, "rb") as pipe:
            handed_over = pipe.read()
        _, status = os.waitpid(child, 0)
    return [early, work(items[middle:]) if status else marshal.loads(handed_over)]


def _can_fork() -> bool:
    """Whether there is a second processor, and no other thread that a fork would be without."""
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        return False
    return len(os.listdir("/proc/self/task")) == 1


def _hand_over(writing: int, work: Callable[[], Any]) -> NoReturn:
    """Write what *work* gives, and end without anything that a whole Python does at its end."""
    status = 1
    try:
        with open(writing, "wb") as pipe:
            pipe.write(marshal.dumps(work()))
        status = 0
    finally:
        os._exit(status)
