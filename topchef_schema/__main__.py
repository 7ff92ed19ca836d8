"""The program ``topchef-db``, also as ``python -m topchef_schema``.

The most frequent call there is, an upgrade that finds nothing to do, is answered before anything
else of the program is loaded.
"""

from __future__ import annotations

import gc
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the program and exit."""
    gc.disable()  # nothing of what is loaded first is garbage
    try:
        _run()
    finally:
        # What is left need not be looked through on the way out.
        gc.freeze()


def _run() -> NoReturn:
    from topchef_schema.commands import quick

    given = sys.argv[1:]
    words = quick.understood(given)
    if words is not None:
        answer = quick.answer(words)
        if answer is not None:
            quick.leave(sys.stdout, answer)
            sys.exit(0)
        given = [*given, "--no-fast"]  # that has just been tried
    from topchef_schema import collecting
    from topchef_schema.cli import main as run

    collecting.tune()
    run(given)


if __name__ == "__main__":
    main()
