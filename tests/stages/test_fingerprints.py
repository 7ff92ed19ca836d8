"""Fingerprints that a thread computes are those that are computed one by one."""

from __future__ import annotations

import threading
from pathlib import Path

from topchef_schema.model.file_fingerprint import fingerprint, source_of
from topchef_schema.stages.fingerprints import Fingerprints

SOURCES = {
    "plain.py": "x = 1\n",
    "escape.py": 'x = "\\d"\n',
    "broken.py": "def upgrade(:\n",
    "deep.py": "x = " + " + ".join(["1"] * 1500),
}


def test_ahead(tmp_path: Path) -> None:
    for name, content in SOURCES.items():
        (tmp_path / name).write_text(content)
    paths = [str(tmp_path / name) for name in (*SOURCES, "missing.py")] * 20
    found = Fingerprints()
    threads = threading.active_count()
    with found.ahead(paths):
        there = [found.of(each) for each in paths]
    assert threading.active_count() == threads
    assert there == [fingerprint(source_of(each)) for each in paths]
    assert there[len(SOURCES)] is None
    assert len(set(there)) == len(SOURCES) + 1


def test_nobody_waits_for_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("x = 1\n" * 1000)
    found = Fingerprints()
    with found.ahead([str(file)] + [str(tmp_path / f"{number}.py") for number in range(100_000)]):
        pass
    assert len(found._found) < 100_000
