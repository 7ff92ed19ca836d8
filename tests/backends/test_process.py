"""A throwaway server's process: nothing of it is left, whatever ends first."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from topchef_schema.backends import process as module
from topchef_schema.backends.process import ServerProcess, last_words, unprivileged
from topchef_schema.backends.watchdog import Program, watch
from topchef_schema.errors import UnreachableError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="uses /bin/sh")

SLEEPER = ["/bin/sh", "-c", "echo ready; exec sleep 600"]
STUBBORN = ["/bin/sh", "-c", "trap '' TERM; echo ready; while true; do sleep 0.1; done"]


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    made = ServerProcess("postgresql", stop_signal=signal.SIGTERM)
    yield made
    made.stop()


def said_ready(server: ServerProcess) -> bool:
    return "ready" in server.log.read_text()


def test_the_directory_is_private_and_belongs_to_the_user_of_the_server(
    server: ServerProcess,
) -> None:
    secret = server.write("secret", "word")
    owner = unprivileged()
    for path, mode in ((server.directory, 0o700), (secret, 0o600)):
        assert path.stat().st_mode & 0o777 == mode
        assert path.stat().st_uid == (os.geteuid() if owner is None else owner.pw_uid)
    with pytest.raises(FileExistsError):
        server.write("secret", "another word")


def test_a_program_sees_little_of_our_environment(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGDATA", "elsewhere")
    monkeypatch.setenv("MY_SECRET", "secret")
    server.run(["/bin/sh", "-c", "env; id -u"])
    seen = server.log.read_text()
    assert f"HOME={server.directory}" in seen
    assert "elsewhere" not in seen
    assert "secret" not in seen
    owner = unprivileged()
    assert seen.splitlines()[-1] == str(os.geteuid() if owner is None else owner.pw_uid)


@pytest.mark.parametrize("arguments", [SLEEPER, STUBBORN])
def test_stopping_ends_the_program_and_removes_the_directory(
    server: ServerProcess, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STOPPING", 0.5)
    server.start(arguments)
    server.wait_until(lambda: said_ready(server))
    directory = server.directory
    server.stop()
    server.stop()
    assert not directory.exists()


def test_stopping_also_ends_what_a_script_has_started(server: ServerProcess) -> None:
    server.start(["/bin/sh", "-c", "sleep 600 & echo $! > inner; echo ready; wait"])
    server.wait_until(lambda: said_ready(server))
    inner = int((server.directory / "inner").read_text())
    os.kill(inner, 0)
    server.stop()
    for _ in range(100):
        try:
            os.kill(inner, 0)
            if "\nState:\tZ" in Path(f"/proc/{inner}/status").read_text():
                return  # it has ended, and nobody here collects it
        except (ProcessLookupError, FileNotFoundError):
            return
        time.sleep(0.05)
    pytest.fail("the inner program lives on")


def test_a_program_that_fails_is_quoted(server: ServerProcess) -> None:
    with pytest.raises(UnreachableError) as caught:
        server.run(["/bin/sh", "-c", "echo first; echo 'ERROR: no room'; echo last; exit 3"])
    assert "code 3" in caught.value.message
    assert "ERROR: no room" in caught.value.message
    assert "TOPCHEF_POSTGRESQL_SERVER" in caught.value.hint
    with pytest.raises(UnreachableError):
        server.run([server.directory / "no such program"])


def test_a_program_that_hangs_is_given_up(server: ServerProcess) -> None:
    start = time.monotonic()
    with pytest.raises(UnreachableError):
        server.run(SLEEPER, seconds=0.3)
    server.start(SLEEPER)
    with pytest.raises(UnreachableError) as caught:
        server.wait_until(lambda: False, seconds=0.3)
    assert "not ready" in caught.value.message
    assert time.monotonic() - start < 10


def test_a_server_that_ends_while_it_starts_is_not_waited_for(server: ServerProcess) -> None:
    server.start(["/bin/sh", "-c", "echo 'FATAL: bad file'; echo gone"])
    with pytest.raises(UnreachableError) as caught:
        server.wait_until(lambda: False, seconds=60)
    assert "FATAL: bad file" in caught.value.message


def test_last_words(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_words(log) == "it wrote nothing"
    log.write_text("one\n\ntwo\n")
    assert last_words(log) == "two"


def test_a_fork_leaves_the_server_to_its_parent(server: ServerProcess) -> None:
    server.start(SLEEPER)
    server.wait_until(lambda: said_ready(server))
    with warnings.catch_warnings():
        # Python 3.12 warns of forks in a process with threads; this one only stops the server.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        server.stop()
        os._exit(0)
    os.waitpid(child, 0)
    assert server.directory.exists()


def test_the_watchdog_ends_what_it_was_told_of_unless_all_is_done(
    server: ServerProcess, tmp_path: Path
) -> None:
    """Run in this process; that it also runs in its own is proven with a real server."""
    place = tmp_path / "place"
    place.mkdir()
    watch(["pid 999999999\n", "done\n"], signal.SIGTERM, str(place))
    assert place.exists()
    program = server.launch(SLEEPER)
    watch(["pid 999999999\n", f"pid {program.pid}\n"], signal.SIGTERM, str(place))
    assert program.wait(10) == -signal.SIGTERM
    assert not place.exists()


def test_a_stranger_under_a_reused_number_is_let_live() -> None:
    """Where there is no handle on a process: what leads no group of its own is not ours."""
    with subprocess.Popen(["/bin/sleep", "600"]) as stranger:
        watched = Program(stranger.pid)
        watched._handle = None
        with pytest.raises(ProcessLookupError):
            watched.send(signal.SIGTERM)
        assert stranger.poll() is None
        stranger.kill()
