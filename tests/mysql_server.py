"""A real MySQL, server and client, without root: Debian has none, Ubuntu only one.

The server and all it needs, down to the C library, is downloaded with apt, which verifies it, and
unpacked into a folder of the user's cache. Nothing is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

KEYRINGS = ("debian-archive-keyring.pgp", "debian-archive-keyring.gpg")

SETTINGS = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
APT::Sandbox::User "root";
Debug::NoLocking "true";
"""
"""What is told apt beside the machine's own settings (its proxies, its certificates): to keep its
state in our folder, and to believe that nothing is installed, so that it downloads everything.
A mirror may be older than its index is valid for; signatures are verified all the same."""

WRAPPER = """\
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
[ "${{1-}}" = --no-defaults ] && shift
exec "$here/root/{loader}" --library-path "{libraries}" \\
    "$here/root/usr/sbin/mysqld" --no-defaults --basedir="$here/root/usr" \\
    --lc-messages-dir="$here/root/usr/share/mysql" --secure-file-priv=NULL \\
    --plugin-dir="$here/root/usr/lib/mysql/plugin" "$@"
"""
"""The unpacked C library may be newer than the machine's, hence its own loader."""

CLIENT = """\
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
[ "${{1-}}" = --no-defaults ] && shift
exec "$here/root/{loader}" --library-path "{libraries}" \\
    "$here/root/usr/bin/mysql" --no-defaults \\
    --plugin-dir="$here/root/usr/lib/mysql/plugin" "$@"
"""
"""The client of the machine may be MariaDB's, which cannot log in to every MySQL."""


class FetchError(Exception):
    """MySQL cannot be fetched; the message says why."""


def folder() -> Path:
    """Return the folder whose ``mysqld`` is ours; it may not exist yet."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache, "topchef-schema", "mysql")


def is_mysql(program: Path) -> bool:
    """Ask *program* whether it is MySQL: a ``mysqld`` is often MariaDB."""
    try:
        said = _run([str(program), "--version"])
    except FetchError:
        return False
    return "Ver " in said and "MariaDB" not in said


def fetch() -> Path:
    """Return the folder with a ``mysqld`` and a ``mysql`` that run, downloaded if need be.

    Raises `FetchError` where this is neither Debian nor Ubuntu, or no mirror answers.
    """
    wanted = folder()
    if all(is_mysql(wanted / name) for name in ("mysqld", "mysql")):
        return wanted
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise FetchError("packages of MySQL are fetched with apt, which is not here")
    wanted.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mysql-", dir=wanted.parent) as name:
        work = Path(name)
        packages = _download(work / "apt")
        made = work / "mysql"
        (made / "root").mkdir(parents=True)
        for package in packages:
            _run(["dpkg-deb", "-x", str(package), str(made / "root")])
        _finish(made)
        if wanted.exists():
            wanted.rename(work / "broken")
        made.rename(wanted)
    return wanted


def _download(work: Path) -> list[Path]:
    """Download the server with everything it depends on; return the packages."""
    (work / "state/lists/partial").mkdir(parents=True)
    (work / "cache/archives/partial").mkdir(parents=True)
    (work / "status").touch()
    settings = work / "apt.conf"
    settings.write_text(SETTINGS.format(folder=work))
    apt = ["apt-get", "-qq", "-c", str(settings)]
    mirror = _debian_mirror(["apt-get"])
    if mirror is None:
        # Ubuntu, or a Debian whose package lists were never read: with them, the server is either
        # there or the mirror is known
        _run([*apt, "update"])
        mirror = _debian_mirror(apt)
    if mirror is not None:
        sources = work / "sources.list"
        sources.write_text(f"deb {_signed_by()} {mirror} sid main\n")
        with settings.open("a") as file:
            file.write(f'Dir::Etc::sourcelist "{sources}";\nDir::Etc::sourceparts "/dev/null";\n')
        _run([*apt, "update"])
    known = _run(["apt-cache", "-c", str(settings), "pkgnames", "mysql-server-core"]).split()
    name = newest(known)
    if name is None:
        raise FetchError("no mirror of this distribution offers a package mysql-server-core")
    client = name.replace("server", "client")
    _run([*apt, "-y", "--no-install-recommends", "--download-only", "install", name, client])
    return sorted((work / "cache/archives").glob("*.deb"))


def newest(names: list[str]) -> str | None:
    """Return the package of the newest server among *names*; the one without a number is it."""
    found = {}
    for name in names:
        match = re.fullmatch(r"mysql-server-core(?:-([\d.]+))?", name)
        if match:
            number = match[1] or "9999"
            found[tuple(int(part) for part in number.split("."))] = name
    return found[max(found)] if found else None


def _debian_mirror(apt: list[str]) -> str | None:
    """Return where this machine gets Debian from; None where it is no Debian, or not known."""
    targets = _run([*apt, "indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)"])
    for line in targets.splitlines():
        origin, label, uri = (*line.split(" "), "", "")[:3]
        if (origin, label) == ("Debian", "Debian"):
            return uri
    return None


def _signed_by() -> str:
    """Return the source-line option that names Debian's keys; empty: those apt trusts anyway."""
    for name in KEYRINGS:
        path = Path("/usr/share/keyrings", name)
        if path.exists():
            return f"[signed-by={path}]"
    return ""


def _finish(made: Path) -> None:
    """Make the unpacked system small, and a program of it that runs from wherever it is put."""
    root = made / "root"
    for name in ("share/doc", "share/info", "share/locale", "share/man", "share/perl"):
        shutil.rmtree(root / "usr" / name, ignore_errors=True)
    loaders = [path for path in root.rglob("ld-linux*.so.*") if not path.is_symlink()]
    if not loaders:
        raise FetchError("the packages hold no program loader")
    loader = loaders[0].relative_to(root)
    triplet = loader.parent.name
    places = (f"lib/{triplet}", f"usr/lib/{triplet}", "usr/lib/mysql/private")
    libraries = ":".join(f"$here/root/{place}" for place in places)
    for name, wrapper in (("mysqld", WRAPPER), ("mysql", CLIENT)):
        program = made / name
        program.write_text(wrapper.format(loader=loader, libraries=libraries))
        program.chmod(0o755)
        if not is_mysql(program):
            raise FetchError(f"the {name} that was fetched does not run, or is not MySQL's")


def _run(command: list[str]) -> str:
    """Return what *command* prints; raises `FetchError` with its last complaints."""
    try:
        done = subprocess.run(
            command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
    except OSError as error:
        raise FetchError(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        complaints = done.stderr.strip().splitlines()[-2:] or [f"exit code {done.returncode}"]
        raise FetchError(f"{command[0]}: {'; '.join(complaints)}")
    return done.stdout
