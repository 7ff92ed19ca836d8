"""A worker is a process of its own, and its errors come home."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from topchef_schema.errors import MigrationError
from topchef_schema.stages.worker import WorkerError, Workers


def process() -> int:
    return os.getpid()


def process_that_has(module: str, folder: str) -> int | None:
    return os.getpid() if module in sys.modules and folder in sys.path else None


def refusing() -> None:
    raise MigrationError("it failed", where="a.py:3", hint="try again")


def bug() -> None:
    raise RuntimeError("unforeseen")


def printing(text: str) -> str:
    print(text)
    return text.upper()


def dying() -> None:
    os._exit(3)


def sleeping(started: str) -> None:
    Path(started).touch()
    time.sleep(60)


def test_result_of_another_process(capfd: pytest.CaptureFixture[str]) -> None:
    workers = Workers()
    assert workers.call(process) not in (os.getpid(), workers.call(process))
    assert workers.call(printing, text="hello") == "HELLO"
    out, err = capfd.readouterr()
    assert (out, err) == ("", "hello\n")


def test_errors_come_home() -> None:
    with pytest.raises(MigrationError, match="it failed") as caught:
        Workers().call(refusing)
    assert (caught.value.where, caught.value.hint) == ("a.py:3", "try again")
    with pytest.raises(WorkerError, match=r"(?s)Traceback.*in bug.*unforeseen"):
        Workers().call(bug)
    with pytest.raises(WorkerError, match="code 3"):
        Workers().call(dying)


def test_an_interrupt_while_it_starts(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    start = subprocess.Popen

    def started(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        process: subprocess.Popen[bytes] = start(*arguments, **options)
        process.send_signal(signal.SIGINT)
        return process

    monkeypatch.setattr(subprocess, "Popen", started)
    with pytest.raises(WorkerError, match="code 130"):
        Workers().call(process)
    assert capfd.readouterr().err == ""
    monkeypatch.undo()
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_one_that_is_ready(capfd: pytest.CaptureFixture[str]) -> None:
    with Workers(ahead=["colorsys", __name__]) as workers:
        (waiting,) = workers._running
        assert workers.call(os.getpid) not in (os.getpid(), waiting.process.pid)
        sys.path.append("/only/now")
        try:
            assert workers.call(process_that_has, "colorsys", "/only/now") == waiting.process.pid
        finally:
            sys.path.remove("/only/now")
        assert workers.call(process) not in (os.getpid(), waiting.process.pid)
    with pytest.raises(WorkerError, match="being ended"):
        workers.call(process)
    assert capfd.readouterr().err == ""


def test_one_that_is_not_needed(capfd: pytest.CaptureFixture[str]) -> None:
    with Workers(ahead=["colorsys"]) as workers:
        (waiting,) = workers._running
    assert waiting.process.returncode is not None
    asked = subprocess.run(
        [sys.executable, "-c", ORPHAN], capture_output=True, text=True, check=True, timeout=60
    )
    assert (asked.stdout, asked.stderr) == ("", "")
    assert capfd.readouterr().err == ""


ORPHAN = """
import os
from topchef_schema.stages.worker import Workers
Workers(ahead=["colorsys"])
os._exit(0)
"""


def test_end_from_another_thread(tmp_path: Path) -> None:
    workers = Workers()
    started = tmp_path / "started"

    def end() -> None:
        while not started.exists():
            time.sleep(0.01)
        workers.end()

    thread = threading.Thread(target=end)
    thread.start()
    with pytest.raises(WorkerError):
        workers.call(sleeping, str(started))
    thread.join()
    with pytest.raises(WorkerError, match="being ended"):
        workers.call(process)
