"""Are the findings of roundtrip true? ``python3 compat/findings.py`` looks for them without it.

For every error that roundtrip finds in a real project, plain Alembic takes a scratch database to
just below that revision, up, and down again. What is said to be left behind has to differ in what
the database's own means tell of the schema before and after; a downgrade that is said to fail has
to fail in the same words.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

if TYPE_CHECKING:
    from compat.run import Site
    from topchef_schema.backends.base import Backend, ScratchDatabase

TABLES = (
    "SELECT table_name FROM information_schema.tables WHERE table_schema = database() "
    "AND table_type = 'BASE TABLE' ORDER BY 1"
)


def main() -> int:
    """Run what the command line asks for; return the exit code."""
    from compat.run import in_environment, on_site

    in_environment(__file__)
    from tests.servers import BACKENDS
    from topchef_schema.backends import named

    parser = argparse.ArgumentParser(description="Look for what roundtrip finds without it.")
    parser.add_argument("--only", default="mlflow", help="the project")
    parser.add_argument("--on", action="append", choices=BACKENDS, help="repeatable; default: all")
    options = parser.parse_args()
    wrong = 0
    with on_site(options.only, options.on) as site:
        for name in site.servers:
            witness = Witness(site, named(name))
            for finding, seen in witness.testimony():
                wrong += seen is None
                what = f"{name}: {finding['rule']} {finding['revision']} {finding['object'] or ''}"
                print(f"{'WRONG' if seen is None else 'true '}  {what}: {seen}", flush=True)
    print(
        f"{wrong} were not seen without roundtrip" if wrong else "all were seen without roundtrip"
    )
    return 1 if wrong else 0


@dataclass(frozen=True)
class Witness:
    """Looks for findings on one backend."""

    site: Site
    backend: Backend

    def testimony(self) -> Iterator[tuple[Mapping[str, Any], str | None]]:
        """Yield each finding that is an error, and what was seen of it; None: nothing."""
        from compat.trial import made

        with TemporaryDirectory(prefix="topchef_findings_") as folder:
            given = self.site.project.environment.items()
            own = {key: value.replace("{work}", folder) for key, value in given}
            environment = {**self.site.environment, **own}
            for finding in self._findings(Path(folder), environment):
                with made(self.site.servers[self.backend.name]) as database:
                    yield finding, self._seen(finding, database, Path(folder), environment)

    def _findings(self, work: Path, environment: Mapping[str, str]) -> list[Mapping[str, Any]]:
        command = [str(self.site.programs / "topchef-db"), "-c", str(self.site.project.settings)]
        command += ["roundtrip", "--no-models", "--on", self.backend.name, "--format", "json"]
        done = subprocess.run(
            command, cwd=work, env=environment, capture_output=True, text=True, check=False
        )
        findings: list[Mapping[str, Any]] = json.loads(done.stdout)["findings"]
        return [each for each in findings if each["severity"] == "error" and each["revision"]]

    def _seen(
        self,
        finding: Mapping[str, Any],
        database: ScratchDatabase,
        work: Path,
        environment: Mapping[str, str],
    ) -> str | None:
        def alembic(action: str) -> Mapping[str, Any]:
            from compat.trial import plain

            answer = work / "answer.json"
            url = database.url.render_as_string(hide_password=False)
            words = ["--config", str(self.site.project.settings), "--url", url]
            plain(
                self.site.programs,
                action,
                answer,
                environment,
                *words,
                "--revision",
                finding["revision"],
            )
            said: Mapping[str, Any] = json.loads(answer.read_text())
            return said

        if "baseline" in self.site.project.settings.read_text():
            alembic("baseline")
        for action in ("below", "upgrade"):
            failed = alembic(action)["error"]
            if failed is not None:
                return None
            if action == "below":
                before = self._schema(database)
        failed = alembic("downgrade")["error"]
        if finding["rule"] == "downgrade-fails":
            words = finding["message"].partition(": ")[2]
            return failed if failed and words in failed else None
        name = re.split(r"[.\s]", finding["object"])[-1]
        lines = difflib.unified_diff(before, self._schema(database), lineterm="", n=0)
        changed = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
        return next((line for line in changed if name in line), None)

    def _schema(self, database: ScratchDatabase) -> list[str]:
        """Return what the database itself tells of its schema, or its own program."""
        import sqlalchemy as sa

        if self.backend.name == "postgresql":
            return _dumped(database)
        engine = sa.create_engine(self.backend.synchronous(database.url))
        with engine.connect() as connection:
            if self.backend.name == "sqlite":
                asked = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type, name"
                texts = list(connection.exec_driver_sql(asked).scalars())
            else:
                tables = connection.exec_driver_sql(TABLES).scalars().all()
                shown = (connection.exec_driver_sql(f"SHOW CREATE TABLE `{t}`") for t in tables)
                texts = [re.sub(r" AUTO_INCREMENT=\d+", "", each.one()[1]) for each in shown]
        engine.dispose()
        return "\n".join(texts).splitlines()


def _dumped(database: ScratchDatabase) -> list[str]:
    from topchef_schema.backends.postgresql_script import libpq

    done = subprocess.run(
        ["pg_dump", "--schema-only"],
        env={**os.environ, **libpq(database.url)},
        capture_output=True,
        text=True,
        check=True,
    )
    # Each dump has a random word of its own in these.
    return [each for each in done.stdout.splitlines() if "restrict" not in each]


if __name__ == "__main__":
    sys.exit(main())
