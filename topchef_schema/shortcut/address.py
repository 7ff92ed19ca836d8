"""The URLs that are read here exactly as SQLAlchemy reads them: those without anything unusual."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from topchef_schema.backends.direct import Address
from topchef_schema.shortcut.doubt import Doubt

if TYPE_CHECKING:
    from topchef_schema.model import DatabaseUrl

_FILE = r"(?P<scheme>\w+):///(?P<database>[\w./-]+)"
_SERVER = (
    r"(?P<scheme>\w+\+\w+)://"
    r"(?P<user>[\w.-]+)(?::(?P<password>[\w.~-]+))?@"
    r"(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*)(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"/(?P<database>[\w.-]+)"
)
"""No escapes, no query, no socket: the label is the text itself, the password apart."""


def of(url: DatabaseUrl | None) -> Address:
    """Return where *url* leads; raises `Doubt` for all that might be read in two ways."""
    if url is None:
        raise Doubt("env.py alone knows the database")
    if found := re.fullmatch(_FILE, url.text, re.ASCII):
        return Address(found["scheme"], url.text, found["database"])
    if found := re.fullmatch(_SERVER, url.text, re.ASCII):
        password = found["password"]
        label = url.text
        if password is not None:
            label = f"{label[: found.start('password')]}***{label[found.end('password') :]}"
        return Address(
            found["scheme"],
            label,
            found["database"],
            user=found["user"],
            password=password,
            host=found["host"],
            port=int(found["port"]) if found["port"] else None,
        )
    raise Doubt(f"there is something unusual in the URL from {url.source}")
