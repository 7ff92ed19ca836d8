"""Runs a script with the database's own client, as the person would whom it was written for."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from topchef_schema.backends.programs import programs
from topchef_schema.errors import UnreachableError


@dataclass(frozen=True, slots=True)
class Client:
    """How to call a client so that it reads a script; a password stands in *environment* alone."""

    command: Sequence[str]
    environment: Mapping[str, str]

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Feed *script* to it, and return how that ended; no file of the user's is read."""
        return subprocess.run(
            self.command,
            input=script,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )


def program(
    title: str,
    names: Collection[str],
    places: Collection[str] = (),
    recognises: Callable[[str], bool] = bool,
) -> Path:
    """Return the client of *title*: the first one of *names* that says it is the right one.

    Raises `UnreachableError` where there is none.
    """
    for each in programs(names, places):
        said = subprocess.run([each, "--version"], capture_output=True, text=True, check=False)
        if said.returncode == 0 and recognises(said.stdout):
            return each
    raise UnreachableError(
        f"the client of {title} is not installed here",
        where=f"looked for {' or '.join(names)} on PATH",
        hint=f"install {next(iter(names))}: the script is to be run as a person would run it",
    )
