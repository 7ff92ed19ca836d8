"""The JSON document as the contract promises it: `checked` fails where one departs from it."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from topchef_schema.model import Direction, Outcome, Severity

TOP = [
    "schema",
    "command",
    "exit_code",
    "target",
    "seconds",
    "checks",
    "findings",
    "statements",
    "data",
    "error",
]
ROWS = {
    "checks": ["name", "backend", "revision", "direction", "outcome", "seconds", "detail"],
    "findings": [
        "rule",
        "severity",
        "backend",
        "revision",
        "object",
        "before",
        "after",
        "message",
        "help",
        "path",
        "line",
        "sql",
    ],
    "statements": ["sql", "backend", "revision", "direction", "path", "line", "seconds"],
}
WORDS: dict[str, Collection[str | None]] = {
    "outcome": [str(each) for each in Outcome],
    "severity": [str(each) for each in Severity],
    "direction": [None, *(str(each) for each in Direction)],
}
ERROR = ["kind", "message", "where", "hint"]


def checked(text: str) -> dict[str, Any]:
    """Return the document in *text*, which is all of *text*, as far as it keeps the contract."""
    document: dict[str, Any] = json.loads(text)
    assert list(document) == TOP
    assert document["schema"] == 1
    assert isinstance(document["command"], str)
    assert isinstance(document["data"], dict)
    for name, keys in ROWS.items():
        for row in document[name]:
            assert list(row) == keys
            for key, words in WORDS.items():
                if key in row:
                    assert row[key] in words
            assert row.get("seconds") is None or row["seconds"] >= 0
    if document["error"] is None:
        assert document["exit_code"] in (0, 10)
    else:
        assert list(document["error"]) == ERROR
        assert all(isinstance(each, str) and each for each in document["error"].values())
        assert document["exit_code"] not in (0, 10)
    return document
