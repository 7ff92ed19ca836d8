"""The URLs that are read here exactly as SQLAlchemy reads them: those without anything unusual."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from topchef_schema.backends.direct import Address
from topchef_schema.shortcut.doubt import Doubt

if TYPE_CHECKING:
    from topchef_schema.model import DatabaseUrl

_FILE = r"(?P<scheme>\w+):///(?P<database>[\w./-]+)"
_SERVER = (
    r"(?P<scheme>\w+\+\w+)://"
    r"(?P<user>[\w.-]+)(?::(?P<password>(?:[\w.~-]|%[0-7][0-9A-Fa-f])+))?@"
    r"(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*)?(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"/(?P<database>[\w.-]+)"
    r"(?:\?(?P<query>\w+=(?:[\w./-]|%2F)+(?:&\w+=(?:[\w./-]|%2F)+)*))?"
)
"""Escapes are only in the password and for the slashes of a socket."""


def of(url: DatabaseUrl | None) -> Address:
    """Return where *url* leads; raises `Doubt` for all that might be read in two ways."""
    if url is None:
        raise Doubt("env.py alone knows the database")
    if found := re.fullmatch(_FILE, url.text, re.ASCII):
        return Address(found["scheme"], url.text, found["database"], {})
    found = re.fullmatch(_SERVER, url.text, re.ASCII)
    if found is None:
        raise Doubt(f"there is something unusual in the URL from {url.source}")
    pairs = [each.split("=") for each in (found["query"] or "").split("&") if each]
    query = {key: unquote(value) for key, value in pairs}
    if len(query) < len(pairs):
        raise Doubt(f"the URL from {url.source} says something twice")
    return Address(
        found["scheme"],
        _label(found),
        found["database"],
        query,
        user=found["user"],
        password=None if found["password"] is None else unquote(found["password"]),
        host=found["host"],
        port=int(found["port"]) if found["port"] else None,
    )


def _label(found: re.Match[str]) -> str:
    """Return the URL as reports show it: without its secret and its query."""
    text = found.string[: found.end("database")]
    if found["password"] is None:
        return text
    return f"{text[: found.start('password')]}***{text[found.end('password') :]}"
