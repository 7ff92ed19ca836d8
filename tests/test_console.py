"""A page that says something else than what is printed is noticed, and put right."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import console

PAGE = """# Page

```{code-block} sh
:caption: work/greet.sh

echo "hello $1"
```

```console
$ export NAME=you
$ sh work/greet.sh \\
    "$NAME"
hello you
$ sh -c 'echo gone >&2; exit 3'
gone
$ echo $?
3
```
"""


def run(page: str, folder: Path) -> str:
    """Return *page* as it should be."""
    environment = {"PATH": "/usr/bin:/bin"}
    return console.corrected(page, console.run(page, folder, environment))


def test_true_page_stays(tmp_path: Path) -> None:
    assert run(PAGE, tmp_path) == PAGE


@pytest.mark.parametrize(
    ("true", "false"),
    [("hello you\n", "hello me\n"), ("gone\n", ""), ("\n3\n", "\n0\n"), ("\n3\n", "\n3\nmore\n")],
)
def test_false_page_is_put_right(true: str, false: str, tmp_path: Path) -> None:
    assert run(PAGE.replace(true, false), tmp_path) == PAGE


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        (["up  1  0.05 s"], ["up   1   1.20 s"]),
        (["at 2024-01-02 03:04:05Z"], ["at 2026-12-13T14:15:16Z"]),
        (["first", "...", "last"], ["first", "second", "third", "last"]),
        (["first", "..."], ["first"]),
    ],
)
def test_what_differs_from_run_to_run_is_no_difference(said: list[str], printed: list[str]) -> None:
    assert console.matches(tuple(said), tuple(printed))


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        (["4 clean"], ["3 clean"]),
        (["first", "...", "last"], ["first", "last", "more"]),
        (["...", "b"], ["a"]),
        ([], ["said nothing of"]),
    ],
)
def test_difference_is_seen(said: list[str], printed: list[str]) -> None:
    assert not console.matches(tuple(said), tuple(printed))
