"""The heads of a folder of revision files, from what Python compiled of them, without running them.

Files that are written alike have the same instructions and differ in their constants. So the source
of the first of each kind is read and judged; of all others only the constants are looked at, in the
compiled file that Python itself would run. Where there is none, or an old one, it is compiled.
"""

from __future__ import annotations

import ast
import dis
import itertools
import marshal
import os
import re
import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from types import CodeType
from typing import Any

from topchef_schema.shortcut.doubt import Doubt
from topchef_schema.shortcut.inert import Bindings

Graph = dict[str, tuple[str, ...]]
"""Revision → what it follows."""

_ID = re.compile(r"\w+", re.ASCII).fullmatch
_SYMBOLS = frozenset({"head", "heads", "base", "current"})
_LARGE = 1 << 16
"""Bytes of a compiled file that is read at once; a larger one is compiled anew."""

# https://docs.python.org/3/library/importlib.html, PEP 552: no flags, time and size of the source.
_HEAD = struct.Struct("<4sIII")


def heads(folder: Path) -> list[str]:
    """Return the revisions in *folder* that no other follows, sorted.

    Raises `Doubt` for whatever Alembic might see otherwise, or refuse.
    """
    graph = Folder(str(folder)).graph()
    followed = set(itertools.chain.from_iterable(graph.values()))
    if not followed <= graph.keys():
        raise Doubt(f"{min(followed - graph.keys())} is followed, and is not there")
    found = sorted(graph.keys() - followed)
    _require_no_cycle(graph, found)
    return found


def _require_no_cycle(graph: Graph, tops: Sequence[str]) -> None:
    above = dict.fromkeys(graph, 0)
    for each in itertools.chain.from_iterable(graph.values()):
        above[each] += 1
    free = list(tops)
    for each in free:
        for below in graph[each]:
            above[below] -= 1
            if not above[below]:
                free.append(below)
    if not free or len(free) != len(graph):
        raise Doubt("there are no revisions, or they go round in a circle")


@dataclass
class Folder:
    """The files of one folder, and the kinds of them that were judged so far."""

    path: str
    kinds: dict[tuple[bytes, tuple[str, ...]], list[_Kind]] = field(default_factory=dict)

    def graph(self) -> Graph:
        """Read every file that Alembic would load."""
        found: Graph = {}
        start, end = self._compiled_names()
        with os.scandir(self.path) as entries:
            for entry in entries:
                name = entry.name
                if not name.endswith(".py") or name.startswith((".#", "__init__")):
                    if name.endswith(("\n", "\r")):
                        raise Doubt("a file name ends with a line")
                    continue
                if not entry.is_file(follow_symlinks=False):
                    raise Doubt(f"{name} is no file of its own")
                code = _compiled(entry, f"{start}{name[:-3]}{end}") or _compile(entry.path)
                revision, down = self._facts(entry.path, code)
                if revision in found:
                    raise Doubt(f"{revision} is there twice")
                found[revision] = down
        return found

    def _compiled_names(self) -> tuple[str, str]:
        """Return what stands before and after the name of a compiled file."""
        sample = cache_from_source(os.path.join(os.path.realpath(self.path), "name.py"))
        start, _, end = sample.rpartition("name")
        return start, end

    def _facts(self, path: str, code: CodeType) -> tuple[str, tuple[str, ...]]:
        known = self.kinds.setdefault((code.co_code, code.co_names), [])
        for kind in known:
            if kind.has(code):
                return kind.facts(code)
        known.append(_Kind.judged(path, code))
        return known[-1].facts(code)


@dataclass(frozen=True, slots=True)
class _Kind:
    """Modules of the same instructions and names, and the same constants but those left *free*.

    A free constant is a function, or is assigned to a name and used for nothing else.
    """

    fixed: tuple[bool, ...]
    constants: tuple[Any, ...]
    revision: int
    down: int

    def has(self, code: CodeType) -> bool:
        """Whether *code*, which has these instructions, is of this kind."""
        found = code.co_consts
        if len(found) != len(self.fixed):
            return False
        return tuple(itertools.compress(found, self.fixed)) == self.constants

    def facts(self, code: CodeType) -> tuple[str, tuple[str, ...]]:
        """Return the revision, and what it follows."""
        revision, down = code.co_consts[self.revision], code.co_consts[self.down]
        follows = () if down is None else down if isinstance(down, tuple) else (down,)
        for each in (revision, *follows):
            if not isinstance(each, str) or not _ID(each) or each in _SYMBOLS:
                raise Doubt(f"{each!r} is an unusual name of a revision")
        if down == () or len(set(follows)) < len(follows):
            raise Doubt(f"{revision} follows {down!r}")
        return revision, follows

    @classmethod
    def judged(cls, path: str, code: CodeType) -> _Kind:
        """Return the kind of *code*, whose source at *path* is read; raises `Doubt`."""
        source = Path(path).read_bytes()
        try:
            bindings = Bindings.of(ast.parse(source))
        except (Doubt, SyntaxError) as error:
            raise Doubt(f"{path}: {error}") from None
        again = _compile(path)
        if (again.co_code, again.co_names) != (code.co_code, code.co_names):
            raise Doubt(f"{path} was compiled to something else")
        for name in ("branch_labels", "depends_on"):
            value = bindings.literals.get(name, ast.Constant(None))
            if name in bindings.origins or ast.unparse(value) != "None":
                raise Doubt(f"{path} has {name}")
        places = _assigned(code)
        fixed = tuple(
            not isinstance(value, CodeType) and (value is None or None in places.get(index, [None]))
            for index, value in enumerate(code.co_consts)
        )
        constants = tuple(itertools.compress(code.co_consts, fixed))
        if tuple(itertools.compress(again.co_consts, fixed)) != constants:
            raise Doubt(f"{path} was compiled to something else")
        where = [
            _only(path, name, bindings, places, again) for name in ("revision", "down_revision")
        ]
        return cls(fixed, constants, *where)


def _only(
    path: str,
    name: str,
    bindings: Bindings,
    places: dict[int, list[str | None]],
    code: CodeType,
) -> int:
    """Return the index of the constant that is assigned to *name*."""
    value = bindings.literals.get(name)
    found = [index for index, names in places.items() if name in names]
    if value is None or len(found) != 1 or ast.literal_eval(value) != code.co_consts[found[0]]:
        raise Doubt(f"{path} does not simply say {name}")
    return found[0]


def _assigned(code: CodeType) -> dict[int, list[str | None]]:
    """Return, for each constant that is loaded, the names it is assigned to; None for another use."""
    found: dict[int, list[str | None]] = {}
    steps = list(dis.get_instructions(code))
    for step, following in itertools.pairwise(steps):
        if step.opcode in dis.hasconst and step.arg is not None:
            assigned = following.opname == "STORE_NAME"
            found.setdefault(step.arg, []).append(following.argval if assigned else None)
    return found


def _compiled(entry: os.DirEntry[str], cached: str) -> CodeType | None:
    """Return what the file *cached* holds, if Python would take it for the source *entry*."""
    stat = entry.stat()
    try:
        descriptor = os.open(cached, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        return None
    try:
        data = os.read(descriptor, _LARGE)
    finally:
        os.close(descriptor)
    head = _HEAD.pack(
        MAGIC_NUMBER, 0, int(stat.st_mtime) & 0xFFFFFFFF, stat.st_size & 0xFFFFFFFF
    )
    if not data.startswith(head) or len(data) == _LARGE:
        return None
    code = marshal.loads(data[_HEAD.size :])
    return code if isinstance(code, CodeType) else None


def _compile(path: str) -> CodeType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return compile(Path(path).read_bytes(), path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            raise Doubt(f"{path}: {error}") from None
