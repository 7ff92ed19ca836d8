"""Runs a throwaway server: a private directory, a program in it, and nothing of either afterwards.

A server that refuses to run as root runs as ``nobody``, who then owns the directory.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from topchef_schema.backends.base import runtime_directory
from topchef_schema.errors import UnreachableError

if TYPE_CHECKING:
    import pwd
    import subprocess

PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TZDIR")
"""What a server sees of our environment: PGDATA, MYSQL_HOME or a secret is none of its business."""

SIGKILL = 9
STOPPING = 10.0
"""Seconds a program has to follow its signal before it is killed."""


def unprivileged() -> pwd.struct_passwd | None:
    """Return the user that a server has to run as where we are root, else None."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    import pwd

    with contextlib.suppress(KeyError):
        return pwd.getpwnam("nobody")
    return pwd.getpwuid(65534)


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on at this moment."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(path: str) -> bool:
    """Say whether somebody listens on the unix socket at *path*."""
    import socket

    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


class ServerProcess:
    """One throwaway server: make it, `run` its set-up, `start` it, `wait_until` ready, `stop` it.

    *name* is for the directory and for messages, *stop_signal* the number that makes the server
    end at once. When this process ends in whatever way, so does the server, and the directory
    goes: by `stop`, at exit, or by a watchdog process.
    """

    def __init__(self, name: str, *, stop_signal: int) -> None:
        import atexit

        self.name = name
        self.stop_signal = stop_signal
        self.user = unprivileged()
        self.directory = runtime_directory(name, within=_reachable_place(self.user))
        self.log = self.directory / "log"
        self._program: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()
        self._watchdog = _start_watchdog(stop_signal, self.directory)
        atexit.register(self.stop)
        self.write("log", "")
        self.give(self.directory)

    def give(self, path: Path) -> None:
        """Let the server's user own *path*."""
        if self.user is not None:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def write(self, name: str, text: str) -> Path:
        """Write a file that only the server's user can read, and return its path."""
        path = self.directory / name
        with open(path, "x", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(text)
        self.give(path)
        return path

    def run(self, arguments: Sequence[str | Path], *, seconds: float = 120.0) -> None:
        """Run a set-up program to its end.

        Raises `UnreachableError` with its last words when it fails or takes longer.
        """
        import subprocess

        program = self.launch(arguments)
        try:
            code = program.wait(seconds)
        except subprocess.TimeoutExpired:
            raise self.error(f"did not finish within {seconds:.0f} s") from None
        finally:
            _end(program, self.stop_signal)
        if code:
            raise self.error(f"failed with code {code}")

    def start(self, arguments: Sequence[str | Path]) -> None:
        """Start the server itself, without waiting for it."""
        self._program = self.launch(arguments)

    def wait_until(self, ready: Callable[[], bool], *, seconds: float = 60.0) -> None:
        """Wait until *ready* returns true.

        Raises `UnreachableError` with the last words of the server when it ends or takes longer.
        """
        import time

        deadline = time.monotonic() + seconds
        while not ready():
            if self._program is None or self._program.poll() is not None:
                raise self.error("ended while it started")
            if time.monotonic() > deadline:
                raise self.error(f"was not ready within {seconds:.0f} s")
            time.sleep(0.03)

    def stop(self) -> None:
        """End the server and remove its directory; doing so twice does no harm."""
        import atexit
        import shutil

        if os.getpid() != self._owner:
            return  # a fork of us has inherited this object, not the server
        atexit.unregister(self.stop)
        program, self._program = self._program, None
        if program is not None:
            _end(program, self.stop_signal)
        shutil.rmtree(self.directory, ignore_errors=True)
        watchdog, self._watchdog = self._watchdog, None
        if watchdog is not None:
            _tell(watchdog, "done")
            with contextlib.suppress(OSError):
                if watchdog.stdin is not None:
                    watchdog.stdin.close()
            watchdog.wait()

    def error(self, what: str) -> UnreachableError:
        """Return the error that this server *what*, with the last line it wrote."""
        return UnreachableError(
            f"the throwaway {self.name} server {what}: {last_words(self.log)}",
            where=str(self.directory),
            hint=f"name a server with --on URL or TOPCHEF_{self.name.upper()}_SERVER",
        )

    def launch(self, arguments: Sequence[str | Path]) -> subprocess.Popen[bytes]:
        """Start a program as the server's user; whoever calls this ends it, or else the watchdog.

        Raises `UnreachableError` when it cannot be run.
        """
        import subprocess

        environment = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
        environment |= {"HOME": str(self.directory), "TMPDIR": str(self.directory), "LC_ALL": "C"}
        user = self.user
        with open(self.log, "ab") as log:
            try:
                program = subprocess.Popen(
                    [str(each) for each in arguments],
                    cwd=self.directory,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    # Ctrl-C is for us: the server ends after its databases are dropped.
                    start_new_session=True,
                    user=None if user is None else user.pw_uid,
                    group=None if user is None else user.pw_gid,
                    extra_groups=None if user is None else [],
                    umask=0o077,
                )
            except OSError as error:
                raise self.error(f"cannot be run ({error.strerror})") from error
        if self._watchdog is not None:
            _tell(self._watchdog, f"pid {program.pid}")
        return program


def last_words(log: Path) -> str:
    """Return the last error in *log*, else its last line."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if "FATAL" in line or "ERROR" in line.upper()]
    return (telling or lines or ["it wrote nothing"])[-1]


def _reachable_place(user: pwd.struct_passwd | None) -> str | None:
    """Return a folder for temporary files that *user* can enter; None is the usual one."""
    import tempfile

    usual = tempfile.gettempdir()
    if user is None or _can_enter(usual):
        return None
    return next((place for place in ("/tmp", "/var/tmp") if _can_enter(place)), None)


def _can_enter(folder: str) -> bool:
    path = Path(folder).resolve()
    return all(each.is_dir() and each.stat().st_mode & 0o001 for each in (path, *path.parents))


def _start_watchdog(number: int, directory: Path) -> subprocess.Popen[bytes] | None:
    import subprocess

    from topchef_schema.backends import watchdog

    if not sys.executable or os.name != "posix":
        return None  # an embedded interpreter, or no signals: `stop` and atexit remain
    return subprocess.Popen(
        [sys.executable, "-I", "-S", watchdog.__file__, str(number), str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=os.path.abspath(os.sep),
    )


def _tell(watchdog: subprocess.Popen[bytes], line: str) -> None:
    with contextlib.suppress(OSError):
        if watchdog.stdin is not None:
            watchdog.stdin.write(f"{line}\n".encode())
            watchdog.stdin.flush()


def _end(program: subprocess.Popen[bytes], number: int) -> None:
    import subprocess

    if program.poll() is not None:
        return
    _signal_group(program, number)
    try:
        program.wait(STOPPING)
    except subprocess.TimeoutExpired:
        _signal_group(program, SIGKILL)
        program.wait()


def _signal_group(program: subprocess.Popen[bytes], number: int) -> None:
    """Send *number* also to what *program* has started: it may be a script around the server."""
    if sys.platform == "win32":
        program.terminate()
    else:
        # The group is the program's own, and cannot be another's before `wait` has collected it.
        os.killpg(program.pid, number)
