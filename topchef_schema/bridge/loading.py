"""Loads revision files as Alembic does, in half the time: a project has thousands of them.

Alembic asks the file system for each part of the path of each, and builds several path objects.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING, Any

from alembic.script import Script
from alembic.script.base import _only_source_rev_file

if TYPE_CHECKING:
    from types import ModuleType

    from alembic.script import ScriptDirectory

_NO_WORD = re.compile(r"\W")


def scripts(directory: ScriptDirectory) -> Iterable[Script]:
    """Return the revisions of *directory*, as Alembic's own loading gives them.

    Files that may be met twice (several folders, symbolic links), folders within folders and
    compiled files are left to Alembic.
    """
    names = None
    if not (directory.sourceless or directory.recursive_version_locations):
        names = _plain_files(directory._version_locations)
    if names is None:
        return directory._load_revisions()
    return _loaded(directory, os.path.realpath(directory._version_locations[0]), names)


def _plain_files(folders: Iterable[Any]) -> list[str] | None:
    """Return the names in the one folder there is, None where there is more to it."""
    try:
        (folder,) = folders
        with os.scandir(folder) as entries:
            found = list(entries)
    except (ValueError, OSError):
        return None
    if any(each.is_symlink() for each in found):
        return None
    names = [each.name for each in found if not each.is_dir()]
    return sorted(filter(_only_source_rev_file.match, names))


def _loaded(directory: ScriptDirectory, folder: str, names: Iterable[str]) -> Iterator[Script]:
    for name in names:
        path = os.path.join(folder, name)
        module = _module(path, name)
        if hasattr(module, "revision"):
            yield Script(module, module.revision, path)
        else:
            yield _as_alembic_does(directory, folder, name)


def _module(path: str, name: str) -> ModuleType:
    spec = spec_from_file_location(_NO_WORD.sub("_", name), path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _as_alembic_does(directory: ScriptDirectory, folder: str, name: str) -> Any:
    """Load a file without an id, which may stand in its name; raises `CommandError` else."""
    made: Any = Script
    if hasattr(made, "_from_path"):
        return made._from_path(directory, os.path.join(folder, name))
    return made._from_filename(directory, folder, name)  # before Alembic 1.16
