"""Fingerprints of many files come from a process of their own, and are the same without it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from topchef_schema.model.file_fingerprint import fingerprint, source_of
from topchef_schema.stages import fingerprints as module
from topchef_schema.stages.fingerprints import Fingerprints


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return files enough for a process, among them odd ones."""
    monkeypatch.setattr(module, "_processors", lambda: 2)
    found = []
    for number in range(module.MANY):
        path = tmp_path / f"a\n{number} é.py"
        path.write_text(f'"""Revision {number}."""\nrevision = "{number}"\n')
        found.append(str(path))
    broken = tmp_path / "broken.py"
    broken.write_text("def upgrade(:\n")
    undecodable = tmp_path / os.fsdecode(b"\xff.py")
    undecodable.write_text("revision = 'ff'\n")
    missing, compiled = tmp_path / "missing.py", tmp_path / "compiled.pyc"
    return [*found, str(broken), str(undecodable), str(missing), str(compiled), found[0]]


def expected(paths: list[str]) -> list[str | None]:
    return [fingerprint(source_of(each)) for each in paths]


def test_they_are_those_that_are_computed_here(
    paths: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = expected(paths)
    with Fingerprints(paths) as made:
        made.wait()
        monkeypatch.setattr(module, "fingerprint", lambda _: pytest.fail("it was made already"))
        assert [made(each) for each in paths] == right
    assert None in right
    assert len(set(right)) == len(set(paths)) - 1


@pytest.mark.parametrize("why", ["killed", "no program", "interrupted"])
def test_a_process_that_ends_too_early(
    paths: list[str], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", sys.executable if why != "no program" else "/bin/false")
    with Fingerprints(paths) as made:
        assert made._process is not None
        if why != "no program":
            signals = {"killed": signal.SIGKILL, "interrupted": signal.SIGINT}
            made._process.send_signal(signals[why])
        made.wait()
        assert [made(each) for each in paths] == expected(paths)


def test_what_is_asked_before_it_is_ready(paths: list[str]) -> None:
    with Fingerprints(paths) as made:
        assert [made(each) for each in paths] == expected(paths)


def test_a_run_that_fails_leaves_no_process(paths: list[str]) -> None:
    made = Fingerprints(paths)
    process = made._process
    assert process is not None
    with pytest.raises(RuntimeError), made:
        raise RuntimeError
    assert process.poll() is not None


def test_an_interrupt_while_it_is_waited_for(
    paths: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Fingerprints(paths)
    process = made._process
    assert process is not None
    usual = process.wait
    monkeypatch.setattr(process, "wait", lambda: interrupted(process, usual))
    with pytest.raises(KeyboardInterrupt), made:
        made.wait()
    assert process.poll() is not None


def interrupted(process: subprocess.Popen[bytes], usual: Callable[[], int]) -> None:
    vars(process)["wait"] = usual
    raise KeyboardInterrupt


@pytest.mark.parametrize("what", ["program", "folder"])
def test_it_goes_without_a_process(
    paths: list[str], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if what == "program":
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
    else:  # a file system that is read-only
        monkeypatch.setattr(tempfile, "TemporaryFile", no_folder)
    with Fingerprints(paths) as made:
        assert made._process is None
        assert [made(each) for each in paths] == expected(paths)


def no_folder() -> None:
    raise FileNotFoundError("no usable temporary directory")


@pytest.mark.parametrize("few", [True, False])
def test_they_are_of_the_files_as_they_were(
    paths: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, few: bool
) -> None:
    """A revision may go to another folder, and a deployment may replace files."""
    monkeypatch.chdir(tmp_path)
    given = [os.path.relpath(each) for each in paths[: 3 if few else None]]
    right = expected(given)
    with Fingerprints(given) as made:
        if not few:
            made.wait()
        Path(given[0]).write_text("changed = True\n")
        monkeypatch.chdir("/")
        assert [made(each) for each in given] == right


@pytest.mark.parametrize("count", [0, 1, module.MANY - 1])
def test_few_are_computed_here(paths: list[str], count: int) -> None:
    with Fingerprints(paths[:count]) as made:
        assert made._process is None
        assert [made(each) for each in paths[:count]] == expected(paths[:count])


def test_one_processor_gains_nothing(paths: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_processors", lambda: 1)
    with Fingerprints(paths) as made:
        assert made._process is None
        assert [made(each) for each in paths[:3]] == expected(paths[:3])
