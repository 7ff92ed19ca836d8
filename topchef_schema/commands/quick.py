"""The plain ways to call ``upgrade``, understood without click, whose import takes half the time.

Whatever else stands in a call is left to the program.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import NamedTuple, TextIO

COMPLETION = "_TOPCHEF_DB" + "_COMPLETE"
"""With this variable, which is not ours, click completes words and runs nothing."""

WITH_VALUE = {
    "-c": "config",
    "--config": "config",
    "--url": "url",
    "--url-env": "url_env",
    "--url-file": "url_file",
    "--format": "format",
}


class Words(NamedTuple):
    """A call of ``upgrade``: where to, and what its options say."""

    revision: str
    options: dict[str, str]


def understood(given: Sequence[str]) -> Words | None:
    """Return what a call says; None where it says anything but the plainest."""
    if not given or given[0] != "upgrade" or COMPLETION in os.environ:
        return None
    places: list[str] = []
    options: dict[str, str] = {}
    words = iter(given[1:])
    for word in words:
        if word in WITH_VALUE:
            name, value = WITH_VALUE[word], next(words, "")
            if name in options or not value or value.startswith("-"):
                return None
            options[name] = value
        elif word in ("heads", "head") and not places:
            places.append(word)
        elif word not in ("-q", "--quiet", "--fast"):
            return None
    if options.setdefault("format", "text") not in ("text", "json"):
        return None
    return Words(places[0] if places else "heads", options)


def answer(words: Words) -> str | None:
    """Return the report of an upgrade that has nothing to do; None where that is not certain."""
    from topchef_schema.discover import find
    from topchef_schema.errors import TopchefError
    from topchef_schema.project import Project

    started = time.perf_counter()
    options = dict(words.options)
    form = options.pop("format")
    try:
        project = Project.load(
            options.get("config"),
            url=options.get("url"),
            url_env=options.get("url_env"),
            url_file=options.get("url_file"),
        )
    except TopchefError:
        return None  # the program says what is wrong
    if project.packaged or project.settings.commands:
        return None  # the program tells of the one, and takes defaults from the other
    from topchef_schema.commands.moving import at_head

    report = at_head("upgrade", project, words.revision, started=started)
    if report is None:
        return None
    text: str = find("topchef_schema.formats", "FORMAT", form)(report)
    return text


def leave(stream: TextIO, text: str) -> None:
    """Write *text* as the last thing that is done; a reader that has gone is no failure."""
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
