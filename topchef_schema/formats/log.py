"""The log on stderr: sentences for a person, or one JSON object a line for what collects logs."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO

from topchef_schema.model import visible

FORMATS = ("text", "json")
"""The words for ``--log-format``."""

FACTS = ("revision", "direction", "backend", "kind", "where", "hint", "exit_code")
"""What a record may be marked with; it is in the object where it is known."""


@contextmanager
def log_to_stderr(level: int, format_: str) -> Iterator[None]:
    """Send the log of topchef-db from *level* up to stderr, for as long as the program runs."""
    log = logging.getLogger("topchef_schema")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if format_ == "json" else _Sentences())
    log.handlers[:] = [handler]
    log.propagate = False
    log.setLevel(level)
    if format_ != "json":
        yield
        return
    before = sys.stderr
    sys.stderr = wrapped = Wrapped(before)
    try:
        yield
    except SystemExit:
        sys.stderr = before
        raise
    finally:
        # The traceback of a bug is still to come: it goes the same way.
        wrapped.finish()


def chosen_format() -> str:
    """Return how the log is being written: a worker process is to write it in the same way."""
    handlers = logging.getLogger("topchef_schema").handlers
    return "json" if any(isinstance(each.formatter, JsonLines) for each in handlers) else "text"


class _Sentences(logging.Formatter):
    """Writes the message alone; what is in it from revisions and servers steers no terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message."""
        return visible(record.getMessage())


class JsonLines(logging.Formatter):
    """Writes a record as an object: time, level, logger and message, then its `FACTS`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line; in JSON no character of a message can end it, or steer a terminal."""
        import json

        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        known = vars(record)
        return json.dumps(line | {fact: known[fact] for fact in FACTS if fact in known})


class Wrapped(io.TextIOBase):
    """Stands in for stderr: each line that somebody else prints becomes an object, too.

    That is env.py, the loggers it sets up, revisions, and warnings of Python.
    """

    def __init__(self, behind: TextIO) -> None:
        self.behind = behind
        self._formatter = JsonLines()
        self._begun = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Return that of JSON."""
        return "utf-8"

    def write(self, text: str) -> int:
        """Take *text*, and pass on each line that has come to its end."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._pass_on(line)
        return len(text)

    def writable(self) -> bool:
        """Whether it can be written to."""
        return True

    def fileno(self) -> int:
        """Return the descriptor of what is behind it: programs that are started write there."""
        return self.behind.fileno()

    def flush(self) -> None:
        """Pass on nothing: a line may not have come to its end."""
        self.behind.flush()

    def finish(self) -> None:
        """Pass on a last line that has no end."""
        begun, self._begun = self._begun, ""
        self._pass_on(begun)

    def _pass_on(self, line: str) -> None:
        if line.strip():
            record = logging.LogRecord("stderr", logging.INFO, "", 0, line, None, None)
            self.behind.write(self._formatter.format(record) + "\n")
