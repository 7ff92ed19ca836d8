"""Whether ``fileConfig`` would read the logging sections of an ini file and open nothing."""

from __future__ import annotations

import configparser
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from topchef_schema.shortcut.doubt import Doubt

LEVELS = frozenset({"DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL", "NOTSET"})
FIELD = re.compile(r"%\(\w+\)[0-9.-]*[ds]").search
STREAMS = frozenset({"(sys.stderr,)", "(sys.stdout,)"})
KEYS = {
    "logger": frozenset({"level", "handlers", "qualname", "propagate"}),
    "handler": frozenset({"class", "args", "level", "formatter"}),
    "formatter": frozenset({"format", "datefmt"}),
}


def require_plain(path: Path) -> None:
    """Raise `Doubt` for all but loggers that write to the standard streams."""
    parser = configparser.RawConfigParser()
    parser.read_string(path.read_text(encoding="ascii"))
    if parser.defaults():
        raise Doubt("the ini file has a [DEFAULT] section")
    formatters = _sections(parser, "formatter")
    handlers = _sections(parser, "handler")
    loggers = _sections(parser, "logger")
    plain = [
        "root" in loggers,
        *(_plain_formatter(each) for each in formatters.values()),
        *(_plain_handler(each, formatters) for each in handlers.values()),
        *(_plain_logger(each, handlers) for each in loggers.values()),
        *("qualname" in each for name, each in loggers.items() if name != "root"),
    ]
    if not all(plain):
        raise Doubt("the ini file has unusual sections about logging")


def _plain_formatter(section: Mapping[str, str]) -> bool:
    return FIELD(section.get("format", "%(message)s")) is not None


def _plain_handler(section: Mapping[str, str], formatters: Collection[str]) -> bool:
    formatter = section.get("formatter", "")
    return (
        section.get("class") == "StreamHandler"
        and section.get("args") in STREAMS
        and section.get("level", "NOTSET") in LEVELS
        and (not formatter or formatter in formatters)
    )


def _plain_logger(section: Mapping[str, str], handlers: Collection[str]) -> bool:
    used = section.get("handlers")
    words = [word.strip() for word in used.split(",")] if used else []
    return (
        used is not None
        and all(each in handlers for each in words)
        and section.get("level", "NOTSET") in LEVELS
        and section.get("propagate", "1") in ("0", "1")
    )


def _sections(parser: configparser.RawConfigParser, kind: str) -> dict[str, dict[str, str]]:
    """Return the sections of *kind* that are listed, by name; raises `Doubt` for unknown keys."""
    names = [each.strip() for each in parser.get(f"{kind}s", "keys").split(",")]
    found = {name: dict(parser.items(f"{kind}_{name}")) for name in names}
    for name, section in found.items():
        plain = [value for key, value in section.items() if key not in ("format", "datefmt")]
        if not section.keys() <= KEYS[kind] or "%" in "".join(plain):
            raise Doubt(f"the {kind} {name} is unusual")
    if len(names) > len(found):
        raise Doubt(f"a {kind} is listed twice")
    return found
