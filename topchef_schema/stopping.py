"""Ctrl-C and SIGTERM while a database is being changed: the statement under way is let finish.

What is waited for (a lock, a server), and what a revision computes itself, ends at once.
"""

from __future__ import annotations

import _thread
import logging
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

log = logging.getLogger(__name__)

GRACE = 2.0
"""Seconds that a second signal leaves to a driver which lets Python act while it waits."""

AGAIN = 0.25
"""Seconds until it is looked again whether a signal finds a revision's own code at last."""

REVISIONS_ARE_CALLED_BY = "topchef_schema.bridge.session"
AT_WORK = ("sqlalchemy", "alembic")


@dataclass
class _State:
    """What the signals of this process have asked for; *again*: the one to come is our own."""

    working: bool = False
    asked: int = 0
    again: bool = False
    at_once: Callable[[], None] | None = None
    ended: threading.Event = field(default_factory=threading.Event)


_state = _State()


def listen(at_once: Callable[[], None]) -> None:
    """Take both signals for this process, whose main thread this must be.

    *at_once* ends the process where a second signal finds a driver that does not let go.
    """
    vars(_state).update(vars(_State(at_once=at_once)))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)


def asked() -> bool:
    """Whether a signal has come that this run is to end for."""
    return _state.asked > 0


def check() -> None:
    """Raise `KeyboardInterrupt` where a signal has come: nothing more is to begin."""
    if _state.asked:
        raise KeyboardInterrupt


def work_begins() -> None:
    """From now on, until `between_statements` ends, a signal lets a statement finish."""
    _state.working = _state.at_once is not None


@contextmanager
def between_statements() -> Iterator[None]:
    """End between two statements, and not within one, once the work has begun."""
    with _watched():
        try:
            yield
        finally:
            _state.working = False


def _stop(number: int, frame: FrameType | None) -> None:
    if _state.again:
        _state.again = False
        if _state.working and not _at_work(frame):
            raise KeyboardInterrupt
        return
    _state.asked += 1
    if _state.asked > 1 or not _state.working or not _at_work(frame):
        raise KeyboardInterrupt


def _at_work(frame: FrameType | None) -> bool:
    """Whether something is being sent or settled; else a revision's own code runs."""
    own = False
    while frame is not None:
        name = str(frame.f_globals.get("__name__"))
        package = name.partition(".")[0]
        if name == REVISIONS_ARE_CALLED_BY:
            return not own
        if package in AT_WORK:
            return True
        own = own or (package not in sys.stdlib_module_names and package != "topchef_schema")
        frame = frame.f_back
    return True


@contextmanager
def _watched() -> Iterator[None]:
    """Hear the signals at once, also while a driver written in C keeps Python from acting."""
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) is not _stop:
        yield
        return
    reading, writing = socket.socketpair()
    writing.settimeout(0)
    before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    _state.ended.clear()
    watch = threading.Thread(target=_watch, args=(reading, _state), daemon=True)
    watch.start()
    try:
        yield
    finally:
        _state.ended.set()
        signal.set_wakeup_fd(before)
        writing.close()
        watch.join()
        reading.close()


def _watch(reading: socket.socket, state: _State) -> None:
    heard = own = 0
    while True:
        if not select.select([reading], [], [], AGAIN if heard == 1 else None)[0]:
            own += _look_again(state)
            continue
        number = reading.recv(1)
        if not number:
            return
        if number[0] not in (signal.SIGINT, signal.SIGTERM):
            continue
        if own:
            own -= 1
            continue
        heard += 1
        _say_or_end(state, heard)


def _look_again(state: _State) -> bool:
    """Let the main thread see whether it is at work still; say whether it was told to."""
    if not state.working or state.again or not state.asked:
        return False  # where the first is not heeded yet, two would be taken for one
    state.again = True
    _thread.interrupt_main(signal.SIGINT)
    return True


def _say_or_end(state: _State, heard: int) -> None:
    if heard == 1 and state.working:
        log.warning("ending after the statement that runs now; a second signal ends at once")
    elif heard == 2 and not state.ended.wait(GRACE) and state.at_once is not None:
        state.at_once()
