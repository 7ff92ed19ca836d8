"""A worker is a process of its own, and its errors come home."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from topchef_schema.errors import MigrationError
from topchef_schema.stages.worker import WorkerError, Workers

COLORS = partial(import_module, "colorsys")
linux = pytest.mark.skipif(sys.platform != "linux", reason="a process is forked on Linux alone")


def until(true: Callable[[], bool]) -> None:
    while not true():
        time.sleep(0.01)


def process() -> int:
    return os.getpid()


def circumstances(module: str) -> tuple[int, bool, str, str | None, str]:
    return os.getpid(), module in sys.modules, sys.path[0], os.environ.get("ONLY"), os.getcwd()


def of_a_child() -> int:
    return subprocess.run([sys.executable, "-c", "exit(5)"], check=False).returncode


def meeting(folder: str) -> int:
    Path(folder, str(os.getpid())).touch()
    until(lambda: len(list(Path(folder).iterdir())) == 8)
    return os.getpid()


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


def children(process: int) -> list[str]:
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [each for task in tasks for each in task.read_text().split()]


@linux
def test_forks_of_one_that_is_ready(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = children(os.getpid())
    with Workers(ahead=COLORS) as workers:
        (server,) = set(children(os.getpid())) - set(before)
        monkeypatch.syspath_prepend("/only/now")
        monkeypatch.setenv("ONLY", "now")
        monkeypatch.chdir(tmp_path)
        found = [workers.call(circumstances, "colorsys") for _ in range(2)]
        assert [each[1:] for each in found] == [(True, "/only/now", "now", str(tmp_path))] * 2
        assert len({each[0] for each in found} | {os.getpid(), int(server)}) == 4
        assert not children(int(server))
        assert workers.call(os.getppid) == int(server)
    with pytest.raises(WorkerError, match="being ended"):
        workers.call(process)
    assert capfd.readouterr().err == ""
    assert children(os.getpid()) == before


@linux
def test_errors_of_forks_come_home(capfd: pytest.CaptureFixture[str]) -> None:
    with Workers(ahead=COLORS) as workers:
        with pytest.raises(MigrationError, match="it failed"):
            workers.call(refusing)
        with pytest.raises(WorkerError, match="unforeseen"):
            workers.call(bug)
        with pytest.raises(WorkerError, match="code 3"):
            workers.call(dying)
        with pytest.raises(WorkerError, match="code 4"):
            workers.call(sys.exit, 4)
        assert workers.call(printing, text="hello" * 100_000) == "HELLO" * 100_000
        assert workers.call(of_a_child) == 5
    assert capfd.readouterr().err == "hello" * 100_000 + "\n"


@linux
def test_forks_beside_each_other(tmp_path: Path) -> None:
    with Workers(ahead=COLORS) as workers, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(workers.call, [meeting] * 8, [str(tmp_path)] * 8))
    assert len(set(found)) == 8


@linux
def test_a_server_that_is_gone(tmp_path: Path) -> None:
    before = children(os.getpid())
    with Workers(ahead=COLORS) as workers:
        assert workers.call(os.getppid) != os.getpid()
        (server,) = set(children(os.getpid())) - set(before)
        os.kill(int(server), signal.SIGKILL)
        os.waitpid(int(server), 0)
        assert workers.call(os.getppid) == os.getpid()


@linux
def test_a_server_that_cannot_make_ready(capfd: pytest.CaptureFixture[str]) -> None:
    with Workers(ahead=bug) as workers:
        assert workers.call(os.getppid) != os.getpid()
    assert capfd.readouterr().err == ""


def pipes_that_programs_hold() -> list[str]:
    code = "import os; print(*os.listdir('/proc/self/fd'))"
    own = subprocess.run(
        [sys.executable, "-c", code], close_fds=False, check=True, stdout=subprocess.PIPE, text=True
    )
    return sorted(own.stdout.split(), key=int)


@linux
def test_a_program_of_a_revision_holds_no_pipe_of_ours() -> None:
    with Workers(ahead=COLORS) as workers:
        # The last is the folder that is being listed.
        assert workers.call(pipes_that_programs_hold)[:-1] == ["0", "1", "2"]


def leaves_a_note(file: str) -> None:
    atexit.register(Path(file).touch)


@linux
def test_a_fork_ends_like_any_python(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Workers(ahead=COLORS) as workers:
        workers.call(leaves_a_note, str(tmp_path / "note"))
        assert (tmp_path / "note").exists()
        with pytest.raises(WorkerError, match="code 1"):
            workers.call(sys.exit, "that was it")
    assert capfd.readouterr().err == "that was it\n"


@linux
@pytest.mark.sampled
@pytest.mark.parametrize("beside", [2, 5])
def test_many_forks_end_at_once(beside: int) -> None:
    with Workers(ahead=COLORS) as workers, ThreadPoolExecutor(beside) as pool:
        found = list(pool.map(workers.call, [os.getppid] * 600))
    assert len(set(found)) == 1
    assert os.getpid() not in found


@linux
def test_an_interrupt_of_forks(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """As a terminal sends it: to all of the foreground."""
    before = children(os.getpid())
    started = tmp_path / "started"
    with Workers(ahead=COLORS) as workers, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(workers.call, sleeping, str(started))
        until(started.exists)
        (server,) = set(children(os.getpid())) - set(before)
        for each in (server, *children(int(server))):
            os.kill(int(each), signal.SIGINT)
        with pytest.raises(WorkerError, match="code 130"):
            asked.result()
        assert workers.call(os.getppid) == int(server)
    assert capfd.readouterr().err == ""


def test_a_server_that_is_not_needed(capfd: pytest.CaptureFixture[str]) -> None:
    before = children(os.getpid())
    with Workers(ahead=COLORS):
        pass
    assert children(os.getpid()) == before
    asked = subprocess.run(
        [sys.executable, "-c", ORPHAN], capture_output=True, text=True, check=True, timeout=60
    )
    assert (asked.stdout, asked.stderr) == ("", "")
    assert capfd.readouterr().err == ""


ORPHAN = """
import os
from topchef_schema.stages.worker import Workers
Workers(ahead=os.getpid)
os._exit(0)
"""


@pytest.mark.parametrize("ahead", [None, COLORS])
def test_end_from_another_thread(tmp_path: Path, ahead: Callable[[], object] | None) -> None:
    workers = Workers(ahead=ahead)
    started = tmp_path / "started"

    def end() -> None:
        until(started.exists)
        workers.end()

    thread = threading.Thread(target=end)
    thread.start()
    with pytest.raises(WorkerError):
        workers.call(sleeping, str(started))
    thread.join()
    with pytest.raises(WorkerError, match="being ended"):
        workers.call(process)
