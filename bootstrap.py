"""Makes the environment this project is used and developed in, with nothing but Python 3.11.

``python3 bootstrap.py`` puts the project, editable, into ``.venv`` beside this file. What is there
and fresh is left alone, so that it may be called before every use. Only the standard library is
imported, and the syntax is that of old Pythons, which look for a newer one themselves.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
OLDEST = (3, 11)
STAMP = "topchef-bootstrap.json"
PIP_WITH_PYTHON_OPTION = (22, 3)


class BootstrapError(Exception):
    """The environment cannot be made; the message says what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the environment as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description="Make the environment of this project.")
    parser.add_argument(
        "directory", nargs="?", default=".venv", help="where to make it (default: .venv)"
    )
    parser.add_argument(
        "--extras", default="", metavar="A,B", help="optional parts of the project to install too"
    )
    parser.add_argument(
        "--pins", type=Path, metavar="FILE", help="versions to install, as a pip constraints file"
    )
    options = parser.parse_args(arguments)
    with_new_enough_python()
    extras = {extra for extra in options.extras.split(",") if extra}
    try:
        environment(ROOT / options.directory, extras=extras, pins=options.pins)
    except BootstrapError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def with_new_enough_python() -> None:
    """Start the running program again with a newer Python where this one is too old."""
    if sys.version_info >= OLDEST:
        return
    for minor in range(30, OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found and works([found, "-c", ""]):
            os.execv(found, [found, *sys.argv])
    running = ".".join(map(str, sys.version_info[:3]))
    sys.exit(f"error: this is Python {running}; help: install Python 3.11 or newer")


def environment(
    directory: Path, *, extras: set[str] | None = None, pins: Path | None = None
) -> Path:
    """Make *directory* an environment with the project and *extras*; return its Python.

    Extras that are already there stay. Raises `BootstrapError` saying what to install.
    """
    python = directory / "bin" / "python"
    version = version_of(python)
    there = stamp(directory) if version else {}
    wanted = sorted({*(extras or ()), *there.get("extras", ())})
    mark = {"project": fingerprint(pins), "extras": wanted, "python": version}
    if there == mark:
        return python
    if directory.exists() and (not version or there.get("python", version) != version):
        discard(directory)
    installer = installer_into(directory, python)
    target = f"{ROOT}[{','.join(wanted)}]" if wanted else str(ROOT)
    say(f"installing {target} into {directory}")
    command = [*installer, "-e", target]
    if pins:
        command += ["-c", str(pins)]
    if not openly(command):
        raise BootstrapError(f"this failed: {' '.join(command)}")
    mark["python"] = version_of(python)
    (directory / STAMP).write_text(json.dumps(mark) + "\n")
    return python


def version_of(python: Path) -> str:
    """Return "Python 3.11" or the like, an empty text for a *python* that does not run."""
    return output([str(python), "-V"]).rpartition(".")[0] if python.exists() else ""


def fingerprint(pins: Path | None) -> str:
    """Return a digest of all that decides which packages are installed."""
    digest = hashlib.sha256(f"{ROOT}\n".encode())
    for path in (ROOT / "pyproject.toml", pins):
        if path is not None:
            digest.update(path.read_bytes())
    return digest.hexdigest()


def stamp(directory: Path) -> dict[str, Any]:
    """Return what an earlier run noted in *directory*, empty where there was none."""
    try:
        return dict(json.loads((directory / STAMP).read_text()))
    except (OSError, ValueError):
        return {}


def discard(directory: Path) -> None:
    """Remove a broken environment, and nothing that is not one."""
    if not (directory / "pyvenv.cfg").exists():
        raise BootstrapError(f"{directory} is in the way: it is no Python environment")
    say(f"{directory} no longer works: making it again")
    shutil.rmtree(directory)


def installer_into(directory: Path, python: Path) -> list[str]:
    """Make *directory* an environment where it is none; return the command that installs into it.

    Debian and Ubuntu ship Python without `ensurepip`, so that its own `venv` is only one of
    several ways.
    """
    ways = (own_venv, pip_from_outside, uv, virtualenv, distribution_package)
    for way in ways:
        installer = way(directory, python)
        if installer:
            return installer
    raise BootstrapError(
        f"this Python ({sys.executable}) can make no environment, and neither pip, uv nor "
        f"virtualenv is there; help: {advice()}"
    )


def own_venv(directory: Path, python: Path) -> list[str] | None:
    """Use an environment with pip, made with `venv` and `ensurepip` if there is none."""
    pip = [str(python), "-m", "pip"]
    if not python.exists():
        if importlib.util.find_spec("ensurepip") is None:
            return None
        if not works([sys.executable, "-m", "venv", str(directory)]):
            shutil.rmtree(directory, ignore_errors=True)
            return None
    if works([*pip, "--version"]) or works([str(python), "-m", "ensurepip"]):
        return [*pip, "install", "-q"]
    return None


def pip_from_outside(directory: Path, python: Path) -> list[str] | None:
    """Use a pip that stands outside the environment and is told where it works."""
    pip = [sys.executable, "-m", "pip"]
    version = re.match(r"pip (\d+)\.(\d+)", output([*pip, "--version"]))
    if version is None or tuple(map(int, version.groups())) < PIP_WITH_PYTHON_OPTION:
        return None
    if not python.exists() and not works(
        [sys.executable, "-m", "venv", "--without-pip", str(directory)]
    ):
        return None
    return [*pip, "--python", str(python), "install", "-q"]


def uv(directory: Path, python: Path) -> list[str] | None:
    """Use uv, where it is on PATH."""
    program = shutil.which("uv")
    if program is None:
        return None
    if not python.exists() and not works(
        [program, "venv", "-q", "--python", sys.executable, str(directory)]
    ):
        return None
    return [program, "pip", "install", "-q", "--python", str(python)]


def virtualenv(directory: Path, python: Path) -> list[str] | None:
    """Use virtualenv, where it is on PATH."""
    program = shutil.which("virtualenv")
    made = program and works([program, "-q", "-p", sys.executable, str(directory)])
    return own_venv(directory, python) if made else None


def distribution_package(directory: Path, python: Path) -> list[str] | None:
    """Install the distribution's `venv` package, where this is its Python and we may."""
    if not apt_install([venv_package()]):
        return None
    importlib.invalidate_caches()
    return own_venv(directory, python)


def venv_package() -> str:
    """Return the Debian package that completes this Python."""
    return f"python3.{sys.version_info[1]}-venv"


def advice() -> str:
    """Say what to install so that an environment can be made."""
    if shutil.which("apt-get"):
        return f"sudo apt-get install {venv_package()}"
    if sys.platform == "darwin":
        return "brew install python@3.11, and run this with its python3.11"
    return "install Python with its ensurepip module, or uv"


def apt_install(packages: Sequence[str]) -> bool:
    """Install Debian *packages* as root or with sudo, saying so; return whether it worked.

    No service of theirs is started. sudo may ask for a password where somebody can answer.
    """
    before = as_root()
    if before is None or not shutil.which("apt-get"):
        return False
    say(f"apt-get install {' '.join(packages)}")
    # https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt: 101 is "forbidden"
    script = """
    log=$(mktemp)
    policy=/usr/sbin/policy-rc.d
    if [ -e $policy ]; then policy=; fi
    trap 'rm -f "$log" $policy' EXIT
    trap 'exit 130' INT TERM
    if [ "$policy" ]; then
        printf '#!/bin/sh\\nexit 101\\n' > $policy && chmod 755 $policy
    fi
    export DEBIAN_FRONTEND=noninteractive
    {
        apt-get -qq update
        apt-get -qq -y -o Dpkg::Use-Pty=0 --no-install-recommends install "$@"
    } > "$log" 2>&1 || { cat "$log" >&2; false; }
    """
    return openly([*before, "sh", "-c", script, "sh", *packages])


def as_root() -> list[str] | None:
    """Return what to write before a command to run it as root, None where we may not."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and (sys.stdin.isatty() or works(["sudo", "-n", "true"])):
        return ["sudo"]
    return None


def openly(command: Sequence[str]) -> bool:
    """Run *command*, showing what it prints; return whether it succeeded."""
    return subprocess.run(command, check=False).returncode == 0


def works(command: Sequence[str]) -> bool:
    """Run *command* silently; return whether it succeeded."""
    return quietly(command).returncode == 0


def output(command: Sequence[str]) -> str:
    """Return what *command* prints, an empty text where it fails."""
    done = quietly(command)
    return done.stdout.strip() if done.returncode == 0 else ""


def quietly(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run *command* without input, and keep what it prints."""
    return subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def say(text: str) -> None:
    """Tell the user what is being done."""
    print(f"bootstrap: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
