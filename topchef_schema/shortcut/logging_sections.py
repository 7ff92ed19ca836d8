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
    formatters = {name: each for name, each in _sections(parser, "formatter")}
    for name, each in formatters.items():
        if "format" in each and not FIELD(each["format"]):
            raise Doubt(f"the formatter {name} is unusual")
    handlers = {name: each for name, each in _sections(parser, "handler")}
    for name, each in handlers.items():
        formatter = each.get("formatter", "")
        if each.get("class") != "StreamHandler" or each.get("args") not in STREAMS:
            raise Doubt(f"the handler {name} is not a stream")
        if each.get("level", "NOTSET") not in LEVELS or (formatter and formatter not in formatters):
            raise Doubt(f"the handler {name} is unusual")
    loggers = {name: each for name, each in _sections(parser, "logger")}
    if "root" not in loggers:
        raise Doubt("there is no root logger")
    for name, each in loggers.items():
        if not _plain_logger(each, handlers) or (name != "root" and "qualname" not in each):
            raise Doubt(f"the logger {name} is unusual")


def _plain_logger(section: Mapping[str, str], handlers: Collection[str]) -> bool:
    used = section.get("handlers")
    words = [word.strip() for word in used.split(",")] if used else []
    return (
        used is not None
        and all(each in handlers for each in words)
        and section.get("level", "NOTSET") in LEVELS
        and section.get("propagate", "1") in ("0", "1")
    )


def _sections(
    parser: configparser.RawConfigParser, kind: str
) -> list[tuple[str, dict[str, str]]]:
    """Return the sections of *kind* that are listed, by name; raises `Doubt` for unknown keys."""
    if not parser.has_option(f"{kind}s", "keys"):
        raise Doubt(f"there is no list of {kind}s")
    names = [each.strip() for each in parser.get(f"{kind}s", "keys").split(",")]
    if len(names) > len(set(names)):
        raise Doubt(f"a {kind} is listed twice")
    found = []
    for name in names:
        if not parser.has_section(f"{kind}_{name}"):
            raise Doubt(f"there is no {kind} {name}")
        section = dict(parser.items(f"{kind}_{name}"))
        plain = [value for key, value in section.items() if key not in ("format", "datefmt")]
        if not section.keys() <= KEYS[kind] or "%" in "".join(plain):
            raise Doubt(f"the {kind} {name} is unusual")
        found.append((name, section))
    return found
