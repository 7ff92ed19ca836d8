"""The folder of a bundle: written file by file, each at once; read back with its checksums."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from topchef_schema.errors import UsageError
from topchef_schema.stages.bundle import FILES, PLAN

if TYPE_CHECKING:
    from topchef_schema.project import Project

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})[ ][ *](\S+)")
_NAME = re.compile(r"[\w-]+(/[\w-]+)?/(" + "|".join(map(re.escape, FILES)) + ")", re.ASCII)
_NEW = ".new"
"""Ends the name of a file while it is written."""


@dataclass(frozen=True)
class Folder:
    """A bundle as it lies there: *files* that are there, and the *sums* they should have."""

    path: Path
    sums: Mapping[str, str]
    files: Mapping[str, bytes]

    def damaged(self) -> Iterator[tuple[str, str]]:
        """Yield each file that is not as it was written, and what is wrong with it."""
        for name, expected in self.sums.items():
            content = self.files.get(name)
            if content is None:
                yield name, "is missing"
            elif hashlib.sha256(content).hexdigest() != expected:
                yield name, "is not as it was written: its checksum is another one"

    @property
    def parts(self) -> list[str]:
        """The folders of its parts."""
        return sorted(name.rpartition("/")[0] for name in self.sums if name.endswith("/" + PLAN))


def read(path: str | os.PathLike[str]) -> Folder:
    """Read a bundle; raises `UsageError` where *path* is none."""
    folder = Path(path)
    try:
        text = (folder / SUMS).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        raise _no_bundle(folder, f"it has no {SUMS} that can be read") from None
    sums = {}
    for number, line in enumerate(text.splitlines(), 1):
        found = _LINE.fullmatch(line)
        if found is None or not _NAME.fullmatch(found[2]):
            raise _no_bundle(folder / f"{SUMS}:{number}", "this line names no file of a bundle")
        sums[found[2]] = found[1]
    contents = {name: _content(folder / name) for name in sums}
    files = {name: each for name, each in contents.items() if each is not None}
    bundle = Folder(folder, sums, files)
    if not bundle.parts:
        raise _no_bundle(folder, f"its {SUMS} names no {PLAN}")
    return bundle


def named(project: Project) -> list[Path]:
    """Return the folders that the setting ``bundles`` names, relative to where one stands."""
    root = Path(project.environment.config_file).parent
    found: list[Path] = []
    for pattern in project.settings.bundles:
        if "*" not in pattern:
            found.append(root / pattern)
        else:
            found += sorted(each for each in root.glob(pattern) if each.is_dir())
    return list(dict.fromkeys(found))


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _no_bundle(where: Path, message: str) -> UsageError:
    return UsageError(
        f"this is no bundle: {message}",
        where=str(where),
        hint="write one: topchef-db sql RANGE --on BACKEND --bundle DIR",
    )


def require_free(path: str | os.PathLike[str]) -> None:
    """Raise `UsageError` where *path* holds what a bundle would not: nothing is to be lost."""
    folder = Path(path)
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        raise _taken(folder, "it is no folder")
    stranger = next(_strangers(folder), None)
    if stranger is not None:
        raise _taken(folder, f"it holds what is not of a bundle: {stranger}")
    if any(folder.iterdir()):
        read(folder)


def _taken(folder: Path, message: str) -> UsageError:
    return UsageError(
        f"the bundle cannot be written there: {message}",
        where=str(folder),
        hint="give a folder that is not there, is empty, or is a bundle: --bundle DIR",
    )


def _strangers(folder: Path) -> Iterator[str]:
    for here, folders, files in os.walk(folder):
        for name in [*files, *(each for each in folders if Path(here, each).is_symlink())]:
            path = Path(here, name)
            inside = path.relative_to(folder).as_posix()
            written = inside.removesuffix(_NEW)
            ours = written == SUMS or _NAME.fullmatch(written) is not None
            if not ours or path.is_symlink():
                yield inside


def write(path: str | os.PathLike[str], files: Mapping[str, str]) -> None:
    """Write *files* (name → text) and their checksums; what an older bundle has more, goes.

    The checksums come first: a run that is stopped leaves a bundle, which is told to be damaged,
    and which the next run may replace. Raises `UsageError` where it cannot be written.
    """
    require_free(path)
    folder = Path(path)
    encoded = {name: text.encode(errors="backslashreplace") for name, text in files.items()}
    sums = [f"{hashlib.sha256(encoded[name]).hexdigest()}  {name}\n" for name in sorted(encoded)]
    try:
        _replaced(folder / SUMS, "".join(sums).encode())
        for name, content in sorted(encoded.items()):
            _replaced(folder / name, content)
        _clear(folder, encoded.keys() | {SUMS})
    except OSError as error:
        raise UsageError(
            f"the bundle cannot be written: {error.strerror}",
            where=str(error.filename or folder),
            hint="give a folder that may be written to --bundle",
        ) from None


def _replaced(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + _NEW)
    new.write_bytes(content)
    new.replace(path)


def _clear(folder: Path, keep: set[str]) -> None:
    """Remove what is of an older bundle, and not of this one."""
    for here, _, files in os.walk(folder, topdown=False):
        for name in files:
            path = Path(here, name)
            if path.relative_to(folder).as_posix() not in keep:
                path.unlink()
        if not os.listdir(here):
            os.rmdir(here)
