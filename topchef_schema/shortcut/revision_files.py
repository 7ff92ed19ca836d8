"""The heads of a folder of revision files, from what Python compiled of them, without running them.

Files that are written alike have the same instructions and differ in their constants. So the source
of the first of each kind is read and judged; of all others only the constants are looked at, in the
compiled file that Python itself would run. Where there is none, or an old one, it is compiled.
"""

from __future__ import annotations

import ast
import dis
import itertools
import os
import re
import stat
from collections.abc import Iterator, Sequence
from importlib.util import cache_from_source
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

from topchef_schema import collecting
from topchef_schema.shortcut.compiled import anew, cached
from topchef_schema.shortcut.doubt import Doubt
from topchef_schema.shortcut.halves import in_halves
from topchef_schema.shortcut.inert import Bindings

Graph = dict[str, tuple[str, ...]]
"""Revision → what it follows."""

_IDS = re.compile(r"\w+(\n\w+)*", re.ASCII).fullmatch
_SYMBOLS = frozenset({"head", "heads", "base", "current"})


def heads(folder: Path) -> list[str]:
    """Return the revisions in *folder* that no other follows, sorted.

    Raises `Doubt` for whatever Alembic might see otherwise, or refuse.
    """
    with collecting.paused():
        graph = _graph(str(folder))
    if not _IDS("\n".join(graph)) or _SYMBOLS & graph.keys():
        raise Doubt("there are no revisions, or one has an unusual name")
    followed = set(itertools.chain.from_iterable(graph.values()))
    if not followed <= graph.keys():
        raise Doubt("a revision is followed, and is not there")
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
    if len(free) < len(graph):
        raise Doubt("revisions go round in a circle")


def _graph(folder: str) -> Graph:
    """Read every file in *folder* that Alembic would load."""
    names = list(_names(folder))
    kinds: list[_Kind] = []
    sample = cache_from_source(os.path.join(os.path.realpath(folder), "name.py"))
    start, _, end = sample.rpartition("name")

    def read(some: Sequence[str]) -> Graph:
        found: Graph = {}
        for each in some:
            path, compiled = f"{folder}{os.sep}{each}.py", f"{start}{each}{end}"
            source = os.lstat(path)
            if not stat.S_ISREG(source.st_mode):
                raise Doubt(f"{path} is no file of its own")
            revision, down = _facts(path, cached(source, compiled) or anew(path), kinds)
            found[revision] = down
        return found

    read(names[:1])  # so that its kind is judged once
    parts = in_halves(names, read)
    found = {revision: down for part in parts for revision, down in part.items()}
    if len(found) < len(names):
        raise Doubt("a revision is there twice")
    return found


def _names(folder: str) -> Iterator[str]:
    """Yield the names of the files, without their ending."""
    for name in os.listdir(folder):
        if not name.endswith(".py"):
            if not name.isprintable():
                raise Doubt("there is an unusual file name")
        elif not name.startswith((".#", "__init__")):
            yield name[:-3]


def _facts(path: str, code: CodeType, kinds: list[_Kind]) -> tuple[str, tuple[str, ...]]:
    """Return the revision that *code* is of, and what it follows."""
    constants = code.co_consts
    for kind in kinds:
        if (
            len(constants) == len(kind.fixed)
            and tuple(itertools.compress(constants, kind.fixed)) == kind.constants
            and code.co_names == kind.names
            and code.co_code == kind.instructions
        ):
            break
    else:
        kind = _Kind.judged(path, code)
        kinds.append(kind)
    down = constants[kind.down]
    return constants[kind.revision], (down,) if isinstance(down, str) else _several(down)


def _several(down: object) -> tuple[str, ...]:
    """Return what a revision follows that does not follow one other."""
    if down is None:
        return ()
    if not isinstance(down, tuple) or not down or len(set(down)) < len(down):
        raise Doubt(f"a revision follows {down!r}")
    return down


class _Kind(NamedTuple):
    """Modules of the same instructions and names, and the same constants but those not *fixed*.

    Such a constant is a function, or is assigned to a name and used for nothing else.
    """

    instructions: bytes
    names: tuple[str, ...]
    fixed: tuple[bool, ...]
    constants: tuple[Any, ...]
    revision: int
    down: int

    @classmethod
    def judged(cls, path: str, code: CodeType) -> _Kind:
        """Return the kind of *code*, whose source at *path* is read; raises `Doubt`."""
        source = Path(path).read_bytes()
        try:
            bindings = Bindings(ast.parse(source))
        except (Doubt, SyntaxError) as error:
            raise Doubt(f"{path}: {error}") from None
        again = anew(path)
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
        return cls(code.co_code, code.co_names, fixed, constants, *where)


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
    """Return the names that each constant is assigned to; None stands for any other use."""
    found: dict[int, list[str | None]] = {}
    steps = list(dis.get_instructions(code))
    for step, following in itertools.pairwise(steps):
        if step.opcode in dis.hasconst and step.arg is not None:
            assigned = following.opname == "STORE_NAME"
            found.setdefault(step.arg, []).append(following.argval if assigned else None)
    return found
