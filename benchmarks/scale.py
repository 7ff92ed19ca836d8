"""How long commands take on projects of 10, 1,000 and 5,000 revisions, beside plain `alembic`.

With the peak of their memory, which for both grows with the revision files that are loaded.

Run it with the Python of an environment that has both: ``.venv/bin/python benchmarks/scale.py``.
Other sizes, or fewer, are arguments: ``benchmarks/scale.py 10 1000``.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests import synthetic  # noqa: E402
from tests.whole_projects import FOLDER, INI, MAKO, Whole  # noqa: E402

SIZES = (10, 1000, 5000)
ROUNDS = 3
PENDING = 1000


@dataclass(frozen=True)
class Question:
    """The same thing asked of both, on a database that is at head or has some pending."""

    name: str
    ours: str
    theirs: str
    pending: bool = False


QUESTIONS = (
    Question("upgrade, nothing to do", "upgrade", "upgrade head"),
    Question("upgrade, 1,000 pending", "upgrade", "upgrade head", pending=True),
    Question("where is it?", "status", "current"),
    Question("history", "history", "history --indicate-current"),
    Question("script of everything", "sql base:head", "upgrade head --sql"),
)


def main() -> None:
    """Ask both in turns, so that the machine's moods hit both, and print one table."""
    sizes = [int(each) for each in sys.argv[1:]] or SIZES
    print(f"{'':24} {'revisions':>9} {'topchef-db':>18} {'alembic':>16} {'ratio':>6}")
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            whole = project(Path(folder, str(size)), size)
            for question in QUESTIONS:
                ours, theirs = measured(whole, question)
                print(
                    f"{question.name:24} {size:9,} {ours} {theirs} "
                    f"{ours.seconds / theirs.seconds:6.2f}",
                    flush=True,
                )


def project(root: Path, size: int) -> Whole:
    """Write a project with a database at its head, and one with the last thousand pending."""
    whole = Whole(root)
    whole.write("alembic.ini", f"{INI}sqlalchemy.url = sqlite:///%(here)s/app.db\n")
    whole.write("alembic/env.py", (FOLDER / "environments" / "usual.py").read_text())
    shutil.copy(MAKO, root / "alembic")
    for name, content in synthetic.linear(size).items():
        whole.write(f"alembic/versions/{name}", content)
    if size > PENDING:
        call(whole, "alembic", f"upgrade r{size - PENDING - 1:05}")
        shutil.copy(whole.file, root / "pending.db")
    call(whole, "topchef_schema", "upgrade")
    shutil.copy(whole.file, root / "done.db")
    return whole


@dataclass(frozen=True)
class Taken:
    """What one call took: seconds, and the megabytes of the process at its largest."""

    seconds: float
    megabytes: float

    def __str__(self) -> str:
        return f"{self.seconds * 1000:6.0f} ms {self.megabytes:3.0f} MB"


def measured(whole: Whole, question: Question) -> tuple[Taken, Taken]:
    """Return the medians of what both took."""
    programs = (("topchef_schema", question.ours), ("alembic", question.theirs))
    all_taken: list[list[Taken]] = [[], []]
    for _ in range(ROUNDS):
        for taken, (program, words) in zip(all_taken, programs, strict=True):
            prepare(whole, pending=question.pending)
            taken.append(call(whole, program, words))
    ours, theirs = map(median, all_taken)
    return ours, theirs


def median(taken: Sequence[Taken]) -> Taken:
    """Return the median of each of the two."""
    return Taken(
        statistics.median(each.seconds for each in taken),
        statistics.median(each.megabytes for each in taken),
    )


def prepare(whole: Whole, *, pending: bool) -> None:
    """Lay the database there as it was; where all revisions are pending it is not there."""
    wanted = whole.root / ("pending.db" if pending else "done.db")
    whole.file.unlink()
    if wanted.exists():
        shutil.copy(wanted, whole.file)
    else:
        whole.file.touch()


def call(whole: Whole, program: str, words: str) -> Taken:
    """Run one program; raises `RuntimeError` where it fails."""
    command: Sequence[str] = [sys.executable, "-m", program, *words.split()]
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=whole.root, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{program} {words}: {said.read().decode()}")
    return Taken(time.perf_counter() - started, usage.ru_maxrss / 1024)


if __name__ == "__main__":
    main()
