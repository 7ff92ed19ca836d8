"""Moves a project's database as plain Alembic does; run by the Python of that project.

Nothing of topchef_schema takes part, but for the statements of a baseline that is a script.
"""

from __future__ import annotations

import importlib
import json
import platform
from argparse import ArgumentParser
from importlib import metadata
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL, NullPool, create_engine, make_url


def main() -> None:
    """Do what the command line says, and write how it went into a file."""
    parser = ArgumentParser()
    actions = ["baseline", "below", "upgrade", "downgrade", "versions"]
    parser.add_argument("action", choices=actions)
    parser.add_argument("--revision")
    parser.add_argument("--config")
    parser.add_argument("--url")
    parser.add_argument("--answer", type=Path)
    options = parser.parse_args()
    if options.action == "versions":
        answer: dict[str, Any] = {
            each.name.lower(): each.version for each in metadata.distributions()
        }
        answer["python"] = platform.python_version()
    else:
        url = make_url(options.url)
        answer = moved(options.action, options.config, url, options.revision)
    options.answer.write_text(json.dumps(answer))


def moved(action: str, ini: str, url: URL, revision: str | None) -> dict[str, Any]:
    """Return which revision failed, and what it said.

    With *revision* it is moved to that one and, down, to below it; else to the heads and to base.
    """
    config = Config(ini)
    settings = (
        dict(config.file_config["topchef"]) if config.file_config.has_section("topchef") else {}
    )
    driven = url.set(drivername=driver(settings, url))
    config.set_main_option("sqlalchemy.url", full(driven).replace("%", "%%"))
    # This also puts prepend_sys_path of the ini on the path.
    parents = below(ScriptDirectory.from_config(config), revision)
    if "prepare" in settings:
        named(settings["prepare"])(config)
    try:
        if action == "baseline":
            there = url if driven.get_dialect().is_async else driven
            lay(settings["baseline"], Path(ini).parent, there, url)
        elif action == "below":
            for each in parents:
                command.upgrade(config, each)
        elif action == "upgrade":
            command.upgrade(config, revision or "heads")
        else:
            command.downgrade(config, parents[0] if parents else "base")
    except Exception as error:
        text = str(error).splitlines()[0] if str(error) else ""
        return {"revision": failed_revision(error), "error": f"{type(error).__name__}: {text}"}
    return {"revision": None, "error": None}


def below(directory: ScriptDirectory, revision: str | None) -> list[str]:
    """Return the revisions that *revision* stands on."""
    if revision is None:
        return []
    script = directory.get_revision(revision)
    return [] if script is None else [str(each) for each in script._all_down_revisions]


def driver(settings: dict[str, str], url: URL) -> str:
    """Return the driver that the settings name for this dialect."""
    for line in settings.get("drivers", "").splitlines():
        dialect, _, name = (word.strip() for word in line.partition("="))
        if dialect == url.get_backend_name():
            return name if "+" in name else f"{dialect}+{name}"
    return url.drivername


def lay(reference: str, folder: Path, url: URL, named_as: URL) -> None:
    """Make the tables that the first revision takes to be there."""
    if reference.endswith(".sql"):
        from topchef_schema import backends

        backend = backends.for_url(named_as, where="the trial")
        script = (folder / reference.replace("{backend}", backend.name)).read_text(encoding="utf-8")
        backend.run_script(url, script)
        return
    with create_engine(url, poolclass=NullPool).begin() as connection:
        named(reference)(connection)


def named(reference: str) -> Any:
    """Return what ``module:attribute`` names."""
    module, _, path = reference.partition(":")
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    return found


def failed_revision(error: BaseException) -> str | None:
    """Return the revision in whose code *error* was raised, None where it was in no revision."""
    found = None
    trace = error.__traceback__
    while trace is not None:
        values = trace.tb_frame.f_globals
        if "revision" in values and "down_revision" in values:
            found = str(values["revision"])
        trace = trace.tb_next
    if found is None and isinstance(error, AttributeError):
        found = getattr(error.obj, "revision", None)
    return found


def full(url: URL) -> str:
    """Return the whole URL."""
    return url.render_as_string(hide_password=False)


if __name__ == "__main__":
    main()
