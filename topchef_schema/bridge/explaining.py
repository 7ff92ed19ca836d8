"""Says in our words, and with a place, what Alembic and revision files raise."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from topchef_schema.errors import HistoryError, MigrationError, TopchefError, UsageError


def shown_path(path: str) -> str:
    """Return *path* relative to the working directory where it lies below it."""
    return _shown_from(os.getcwd(), path)


@lru_cache(maxsize=10_000)
def _shown_from(working_directory: str, path: str) -> str:
    folder, name = os.path.split(os.path.normpath(path))
    inside = _inside(folder, working_directory)
    return path if inside is None else os.path.join(inside, name)


@cache
def _inside(folder: str, working_directory: str) -> str | None:
    """Return *folder* relative to the working directory, None where it does not lie below it.

    Thousands of revisions share a folder, and the file system is asked about each part of it.
    """
    try:
        found = Path(folder).resolve().relative_to(working_directory)
    except ValueError:
        return None
    return "" if found == Path() else str(found)


@contextmanager
def readable(where: str) -> Iterator[None]:
    """Explain what a revision file or env.py raises while it is imported."""
    from alembic.script.revision import CycleDetected, RevisionError
    from alembic.util import CommandError

    try:
        yield
    except TopchefError:
        raise
    except SyntaxError as error:
        raise UsageError(
            f"a Python file has a syntax error: {error.msg}",
            where=f"{shown_path(error.filename or where)}:{error.lineno}",
            hint="correct the file",
        ) from None
    except CycleDetected as error:
        raise HistoryError(
            f"revisions depend on each other in a circle: {', '.join(error.revisions)}",
            where=where,
            hint="correct down_revision or depends_on in one of them",
        ) from None
    except (RevisionError, CommandError, KeyError, UserWarning) as error:
        raise UsageError(
            f"the revisions cannot be read: {_sentence(error)}",
            where=where,
            hint="correct the file that is named",
        ) from None
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"a revision file cannot be imported: {type(error).__name__}: {error}",
            where=_last_place(error, where),
            hint="correct the file, or install what it imports",
        ) from None


def no_way_back(module: Any) -> MigrationError:
    """Tell of a revision that cannot be taken down."""
    return MigrationError(
        f"revision {module.revision} has no downgrade function, so there is no way back below it",
        where=shown_path(module.__file__),
        hint="nothing was changed; write the function, or stop at a revision above",
    )


def _last_place(error: BaseException, where: str) -> str:
    incomplete = getattr(getattr(error, "obj", None), "__file__", None)
    if isinstance(error, AttributeError) and incomplete:
        # A revision without "down_revision": Alembic looks for it in the module.
        return shown_path(incomplete)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename and "importlib" not in frame.filename
    ]
    inside = [frame for frame in frames if "topchef_schema" not in Path(frame.filename).parts]
    return f"{shown_path(inside[-1].filename)}:{inside[-1].lineno}" if inside else where


def _sentence(error: BaseException) -> str:
    text = error.args[0] if error.args else str(error)
    return re.sub(r"\s+", " ", str(text)).strip().rstrip(".")


@contextmanager
def explained(argument: str, heads: tuple[str, ...] = ()) -> Iterator[None]:
    """Turn Alembic's one CommandError into the failure it stands for."""
    from alembic.script.revision import MultipleHeads, RangeNotAncestorError, RevisionError
    from alembic.util import CommandError

    try:
        yield
    except AssertionError:
        # What Alembic takes for impossible: an empty argument, a walk that leaves the revisions.
        raise UsageError(
            f'"{argument}" names no revision',
            where=f"revision argument {argument}",
            hint="topchef-db history lists the revisions",
        ) from None
    except UserWarning as warning:
        raise HistoryError(
            f"{_sentence(warning).partition(';')[0]}: the database is at {', '.join(heads)}",
            where=f"revision argument {argument}",
            hint="name the branch: ID@-1 or LABEL@-1",
        ) from None
    except (CommandError, RevisionError) as error:
        cause = error.__cause__ or error
        if isinstance(cause, MultipleHeads):
            named = ", ".join(sorted(cause.heads))
            raise HistoryError(
                f'there are several heads, so "{argument}" is ambiguous: {named}',
                where=f"revision argument {argument}",
                hint='name one of them, say "heads" for all, or join them: topchef-db merge heads',
            ) from None
        if isinstance(cause, RangeNotAncestorError):
            raise UsageError(
                f'"{argument}" cannot be reached from here: {_sentence(error)}',
                where=f"revision argument {argument}",
                hint="topchef-db heads and topchef-db status show the revisions and where the "
                "database is",
            ) from None
        is_argument = isinstance(cause, RevisionError)
        raise UsageError(
            _sentence(error),
            where=f"revision argument {argument}" if is_argument else argument,
            hint="topchef-db history lists the revisions"
            if is_argument
            else "correct the configuration; paths in it are relative to the working directory",
        ) from None
