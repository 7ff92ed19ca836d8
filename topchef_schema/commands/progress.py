"""The bar of the commands that take long, with the time that is left."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def bar(label: str) -> Iterator[Callable[[int, int], None] | None]:
    """Show a bar on a terminal; nothing elsewhere, and nothing where only errors are wanted.

    Gives what is to be called with what is done and what there is to do.
    """
    log = logging.getLogger("topchef_schema")
    if not sys.stderr.isatty() or not log.isEnabledFor(logging.INFO):
        yield None
        return
    with click.progressbar(length=1, label=label, file=sys.stderr) as shown:

        def progress(done: int, total: int) -> None:
            shown.length = total
            shown.update(done - shown.pos)

        yield progress
