"""How long `topchef-db --help` takes to answer, beside `alembic --help`, in one run.

Run it with the Python of an environment that has both: ``.venv/bin/python benchmarks/startup.py``.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

PROGRAMS = {"topchef-db": "topchef_schema", "alembic": "alembic"}
ROUNDS = 15


def main() -> None:
    """Measure both in turns, so that the machine's moods hit both, and print one table."""
    seconds: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for name in PROGRAMS:
        call(name)
    for _ in range(ROUNDS):
        for name, values in seconds.items():
            started = time.perf_counter()
            call(name)
            values.append(time.perf_counter() - started)
    print(f"{'--help of':12} {'median':>9} {'best':>9} {'modules':>8}")
    for name, values in seconds.items():
        median, best = statistics.median(values) * 1000, min(values) * 1000
        print(f"{name:12} {median:6.0f} ms {best:6.0f} ms {modules(name):8}")
    ours, theirs = (statistics.median(seconds[name]) for name in PROGRAMS)
    print(f"ratio of the medians: {ours / theirs:.2f}")


def call(name: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run one program's ``--help``; raises `CalledProcessError` where it fails."""
    command = [sys.executable, *options, "-m", PROGRAMS[name], "--help"]
    return subprocess.run(command, check=True, capture_output=True, text=True)


def modules(name: str) -> int:
    """Return how many modules one call imports, those of Python's own start included."""
    lines = call(name, "-X", "importtime").stderr.splitlines()
    return sum(line.startswith("import time:") for line in lines) - 1


if __name__ == "__main__":
    main()
