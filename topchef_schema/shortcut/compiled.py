"""What Python would run of a source file: what it compiled before, or the source compiled anew."""

from __future__ import annotations

import marshal
import os
import struct
import warnings
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from types import CodeType

from topchef_schema.shortcut.doubt import Doubt

_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_USUAL = 1 << 13
"""Bytes that are read first: to make room for more takes longer than to read a usual file."""
_LARGE = 1 << 16
"""Bytes of a compiled file that are read after these; a larger one is not looked into."""

# https://peps.python.org/pep-0552/: without flags, then time and size of the source.
_HEAD = struct.Struct("<4sIII")
_MARK = _HEAD.pack(MAGIC_NUMBER, 0, 0, 0)[:8]


def cached(source: os.stat_result, path: str) -> CodeType | None:
    """Return what is compiled in *path*, if Python takes it for that *source*.

    Raises `Doubt` where it takes it by other marks than time and size.
    """
    try:
        descriptor = os.open(path, _READ)
    except FileNotFoundError:
        return None
    try:
        data = os.read(descriptor, _USUAL)
        if len(data) == _USUAL:
            data += os.read(descriptor, _LARGE)
    finally:
        os.close(descriptor)
    head = _HEAD.pack(
        MAGIC_NUMBER, 0, int(source.st_mtime) & 0xFFFFFFFF, source.st_size & 0xFFFFFFFF
    )
    if not data.startswith(head):
        if data.startswith(MAGIC_NUMBER) and not data.startswith(_MARK):
            raise Doubt(f"{path} was not compiled for a time of its source")
        return None
    if len(data) == _USUAL + _LARGE:
        raise Doubt(f"{path} is large")
    code = marshal.loads(data[_HEAD.size :])
    if not isinstance(code, CodeType):
        raise Doubt(f"{path} holds no code")
    return code


def anew(path: str) -> CodeType:
    """Compile the source *path*; raises `Doubt` where it cannot be compiled."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return compile(Path(path).read_bytes(), path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            raise Doubt(f"{path}: {error}") from None


def require_source(path: Path) -> None:
    """Raise `Doubt` where Python would run anything else than what the source *path* says."""
    real = os.path.realpath(path)
    code = cached(os.stat(real), cache_from_source(real))
    if code is not None and code != anew(real):
        raise Doubt(f"{path} was compiled to something else")
