"""Runs what a page shows: its console blocks, as one shell session, compared with its text.

A fenced ``console`` block holds commands behind ``$ `` (a line that ends in a backslash goes on in
the next) and what they print. A ``{code-block}`` with a ``:caption:`` that names a file is written
to that file first. A line ``...`` stands for any number of lines. What differs from run to run
(times, durations, fingerprints, folders, versions of servers) is compared by its shape alone.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^(?P<ticks>`{3,})(?P<info>.*)$")
BETWEEN = "\x1e"
"""Printed before each command, and by no command."""

VARIABLE = [
    (r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?", "TIME"),
    (r"\b\d+\.\d+ s\b", "0.00 s"),
    (r"\b\d+ ms\b", "0 ms"),
    (r'"(seconds|milliseconds)": [\d.]+', r'"\1": 0'),
    (r'\btime="[\d.]+"', 'time="0"'),
    (r'"version": "[^"]+"', '"version": "0"'),
    (r'"tool_version": "[^"]+"', '"tool_version": "0"'),
    (r'"host": "[^"]+"', '"host": "host"'),
    (r"\b[0-9a-f]{64}\b", "SHA256"),
    (r"\b[0-9a-f]{32}\b", "RANDOM"),
    (r"\bdeploy@[\w.-]+", "deploy@host"),
    (r"\S*topchef_scratch_\w+\S*", "SCRATCH"),
    (r" {2,}", "  "),
]


@dataclass(frozen=True)
class Fence:
    """A fenced block of a page: *start* is the line after its fence, *end* that of the closing."""

    info: str
    start: int
    end: int
    lines: tuple[str, ...]

    @property
    def language(self) -> str:
        """The word after the fence; ``{code-block} python`` is ``python``."""
        words = self.info.replace("{code-block}", "").split()
        return words[0] if words else ""

    @property
    def caption(self) -> str | None:
        """The file that the block shows, None where it shows none."""
        for line in self.lines:
            if line.startswith(":caption:"):
                return line.removeprefix(":caption:").strip()
        return None

    @property
    def content(self) -> str:
        """The text without the options of the directive."""
        body = [line for line in self.lines if not re.match(r":\w+:", line)]
        return "\n".join(body).strip("\n") + "\n"


@dataclass(frozen=True)
class Command:
    """One command of a console block, and the lines of the page that say what it prints."""

    text: str
    start: int
    end: int
    expected: tuple[str, ...]


def fences(page: str) -> Iterator[Fence]:
    """Yield the fenced blocks of *page*, in order."""
    lines = page.splitlines()
    position = 0
    while position < len(lines):
        opening = FENCE.match(lines[position])
        position += 1
        if opening is None:
            continue
        start = position
        while lines[position].rstrip() != opening["ticks"]:
            position += 1
        yield Fence(opening["info"].strip(), start, position, tuple(lines[start:position]))
        position += 1


def commands(fence: Fence) -> Iterator[Command]:
    """Yield the commands of a console block."""
    lines = fence.lines
    position = 0
    while position < len(lines):
        assert lines[position].startswith("$ "), f"not a command: {lines[position]}"
        text = lines[position][2:]
        position += 1
        while text.endswith("\\"):
            text += "\n" + lines[position]
            position += 1
        start = position
        while position < len(lines) and not lines[position].startswith("$ "):
            position += 1
        yield Command(text, fence.start + start, fence.start + position, lines[start:position])


def steps(page: str) -> Iterator[Fence | Command]:
    """Yield what a page lets its reader do: write a file, type a command."""
    for fence in fences(page):
        if fence.language == "console":
            yield from commands(fence)
        elif fence.caption is not None:
            yield fence


def script(page: str) -> str:
    """Return the session of *page* as a shell script."""
    lines = ["exec 2>&1", "_status=0"]
    for step in steps(page):
        if isinstance(step, Fence):
            path = Path(str(step.caption))
            lines.append(f"mkdir -p {shlex.quote(str(path.parent))}")
            lines.append(f"printf %s {shlex.quote(step.content)} > {shlex.quote(str(path))}")
        else:
            lines.append(f"printf '\\036'; (exit $_status)\n{step.text}\n_status=$?")
    return "\n".join(lines) + "\n"


def run(page: str, folder: Path, environment: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Run the session of *page* in *folder*; return the lines that each command printed."""
    done = subprocess.run(
        ["bash", "-c", script(page)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr, done.stderr
    printed = done.stdout.split(BETWEEN)[1:]
    return [tuple(line.rstrip() for line in each.splitlines()) for each in printed]


def comparable(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return *lines* without what differs from run to run."""
    text = "\n".join(lines).strip("\n")
    for pattern, stand_in in VARIABLE:
        text = re.sub(pattern, stand_in, text)
    return tuple(line.rstrip() for line in text.splitlines())


def matches(expected: tuple[str, ...], printed: tuple[str, ...]) -> bool:
    """Whether a page says rightly what was printed."""
    pattern = "".join(
        "(?:.*\n)*?" if line.strip() == "..." else re.escape(line) + "\n"
        for line in comparable(expected)
    )
    return re.fullmatch(pattern, "".join(line + "\n" for line in comparable(printed))) is not None


def corrected(page: str, printed: list[tuple[str, ...]]) -> str:
    """Return *page* with what was really printed, where it says something else."""
    lines = page.splitlines()
    shown = [step for step in steps(page) if isinstance(step, Command)]
    for command, real in reversed(list(zip(shown, printed, strict=True))):
        if not matches(command.expected, real):
            blank = command.expected[-1:] == ("",)
            lines[command.start : command.end] = [*real, *([""] if blank else [])]
    return "\n".join(lines) + "\n"
