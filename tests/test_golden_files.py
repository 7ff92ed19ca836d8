"""Golden files change on request only, and none is kept that no test reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import golden_files
from tests.golden_files import Golden


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the golden files elsewhere for the test."""
    monkeypatch.setattr(golden_files, "FOLDER", tmp_path)
    return tmp_path


@pytest.mark.parametrize("stored", [None, "two\n", "one", "one\r\n"])
def test_difference_fails_and_writes_nothing(stored: str | None, folder: Path) -> None:
    if stored is not None:
        (folder / "x.txt").write_bytes(stored.encode())
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(pytest.fail.Exception, match="--update"):
        Golden(set(), update=False)("x.txt", "one\n")
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_update_writes_what_then_passes(folder: Path) -> None:
    Golden(set(), update=True)("help/x.txt", "ä\r\n")
    Golden(set(), update=False)("help/x.txt", "ä\r\n")
    assert (folder / "help" / "x.txt").read_bytes() == "ä\r\n".encode()


def test_unreferenced_files_are_found(folder: Path) -> None:
    used: set[str] = set()
    Golden(used, update=True)("help/x.txt", "one\n")
    (folder / "help" / "left.txt").touch()
    assert golden_files.unreferenced(used) == ["help/left.txt"]
