"""The later half of many files is read by a second process, and what comes of it is the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from topchef_schema.shortcut.halves import MANY

linux = pytest.mark.skipif(
    sys.platform != "linux" or (os.cpu_count() or 1) < 2, reason="it takes a second processor"
)

READING = """
import json, os, sys
from topchef_schema.shortcut.halves import in_halves

here, number = os.getpid(), int(sys.argv[1])

def work(some):
    if {fails}:
        raise ValueError
    return {{str(os.getpid() == here): tuple(some)}}

print(json.dumps(in_halves(range(number), work)))
"""


def read(number: int, fails: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", READING.format(fails=fails), str(number)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def parts(number: int, fails: str = "False") -> list[dict[str, list[int]]]:
    done = read(number, fails)
    assert (done.returncode, done.stderr) == (0, "")
    found: list[dict[str, list[int]]] = json.loads(done.stdout)
    assert [each for part in found for some in part.values() for each in some] == list(
        range(number)
    )
    return found


@linux
def test_many_are_read_by_two() -> None:
    assert [list(part) for part in parts(MANY + 1)] == [["True"], ["False"]]


def test_few_are_read_by_one() -> None:
    assert [list(part) for part in parts(MANY - 1)] == [["True"]]


@linux
def test_what_the_second_cannot_read_is_read_by_the_first() -> None:
    found = parts(MANY, "os.getpid() != here")
    assert [list(part) for part in found] == [["True"], ["True"]]


def test_what_the_first_cannot_read_is_told() -> None:
    done = read(MANY, "os.getpid() == here")
    assert done.returncode == 1
    assert done.stderr.endswith("ValueError\n")
