"""Turns an `Environment` into the Config that Alembic's own code and env.py expect."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from topchef_schema.errors import UsageError
from topchef_schema.model import DatabaseUrl, Environment

if TYPE_CHECKING:
    from alembic.config import Config


def alembic_config(environment: Environment) -> Config:
    """Return the Config for *environment*, with the URL in it wherever env.py may look."""
    from alembic.config import Config

    x = list(environment.x)
    url = environment_url(environment)
    if url is not None and environment.url_x is not None:
        x.append(f"{environment.url_x}={url}")
    config = Config(
        environment.ini,
        **toml_file(environment.toml),
        ini_section=environment.section,
        # Quiet is Alembic itself: what it would tell of is in the report.
        cmd_opts=Namespace(x=x, quiet=True),
        # Alembic prints through this; the report is ours to print.
        stdout=sys.stderr,
    )
    _lie_beside(config, environment)
    option = environment.url_option or "sqlalchemy.url"
    if url is not None:
        config.set_main_option("sqlalchemy.url", _escaped(url))
        config.set_main_option(option, _escaped(url))
    for name, each in environment.urls.items():
        config.set_section_option(name, option, _escaped(given_url(environment, each)))
    return config


def _lie_beside(config: Config, environment: Environment) -> None:
    """Find an env.py that lies beside an ini file which names none.

    Flask-Migrate keeps both in one folder, tells Alembic so, and has the working directory on the
    path: https://github.com/miguelgrinberg/Flask-Migrate
    """
    if environment.ini is None or not config.file_config.has_section(environment.section):
        return
    folder = Path(environment.ini).parent
    if config.get_main_option("script_location") is None and (folder / "env.py").is_file():
        config.set_main_option("script_location", _escaped(str(folder)))
        if config.get_main_option("prepend_sys_path") is None:
            config.set_main_option("prepend_sys_path", ".")
            config.set_main_option("path_separator", "os")


def _escaped(url: str) -> str:
    # A "%" would be taken for interpolation, and the error would show the password.
    return url.replace("%", "%%")


def toml_file(path: str | None) -> dict[str, Any]:
    """Return the argument with which Alembic reads ``[tool.alembic]`` of *path*, if it can."""
    import alembic
    from alembic.config import Config

    if path is None:
        return {}
    if not hasattr(Config, "toml_alembic_config"):
        raise UsageError(
            f"Alembic {alembic.__version__} does not read [tool.alembic]",
            where=path,
            hint="install Alembic 1.16 or newer, or keep the configuration in an alembic.ini",
        )
    return {"toml_file": path}


def environment_url(environment: Environment) -> str | None:
    """Return the one URL that env.py is given; None where it has several, or decides itself."""
    return None if environment.url is None else given_url(environment, environment.url)


def given_url(environment: Environment, named: DatabaseUrl) -> str:
    """Return *named* as env.py is given it: with the driver it needs, with its secret."""
    from sqlalchemy import make_url

    url = make_url(named.text)
    driver = environment.drivers.get(url.get_backend_name())
    if driver is not None:
        # "mariadb = mysql+pymysql": a project that says mysql of a MariaDB server.
        whole = driver if "+" in driver else f"{url.get_backend_name()}+{driver}"
        url = url.set(drivername=whole)
    return url.render_as_string(hide_password=False)


@contextmanager
def url_in_environment(environment: Environment) -> Iterator[None]:
    """Set the environment variable that env.py reads, for as long as it runs."""
    url = environment_url(environment)
    if environment.url_env is None or url is None:
        yield
        return
    before = os.environ.get(environment.url_env)
    os.environ[environment.url_env] = url
    try:
        yield
    finally:
        if before is None:
            del os.environ[environment.url_env]
        else:
            os.environ[environment.url_env] = before


@contextmanager
def output_to_stderr() -> Iterator[None]:
    """Send what env.py and revisions print to stderr: it is no part of a report.

    Also what programs print that they start, where stdout is the process's own.
    """
    with contextlib.redirect_stdout(sys.stderr), contextlib.ExitStack() as stack:
        # A log in JSON stands in front of stderr.
        if getattr(sys.stdout, "behind", sys.stdout) is sys.__stderr__ and sys.__stdout__:
            _join(sys.__stdout__, sys.__stderr__, stack)
        yield


def _join(out: TextIO, err: TextIO, stack: contextlib.ExitStack) -> None:
    """Let the descriptor of *out* be that of *err* until *stack* is left."""
    out.flush()
    number = out.fileno()
    kept = os.dup(number)
    stack.callback(os.close, kept)
    stack.callback(os.dup2, kept, number)
    os.dup2(err.fileno(), number)


def load_object(reference: str, *, where: str) -> object:
    """Return what ``module:attribute`` names; raises `UsageError` where it is not there."""
    module, separator, attribute = reference.partition(":")
    if not separator:
        raise UsageError(
            f'"{reference}" is not module:attribute', where=where, hint="for example: app.db:Base"
        )
    try:
        found: object = importlib.import_module(module)
        for name in attribute.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f'"{reference}" cannot be imported: {error}',
            where=where,
            hint="check the name, and that its folder is on the path (prepend_sys_path)",
        ) from None
    return found


def prepare(environment: Environment, config: Config) -> None:
    """Call the project's ``prepare`` function, once, before env.py runs."""
    if environment.prepare is not None:
        function = load_object(environment.prepare, where="setting prepare")
        if not callable(function):
            raise UsageError(
                f'"{environment.prepare}" is not a function',
                where="setting prepare",
                hint="name a function that takes the Alembic Config",
            )
        try:
            function(config)
        except (Exception, SystemExit) as error:
            raise UsageError(
                f'"{environment.prepare}" fails: {type(error).__name__}: '
                f"{_without_secret(str(error), environment)}",
                where="setting prepare",
                hint="it gets the Alembic Config, in which sqlalchemy.url is the database",
            ) from None


def _without_secret(text: str, environment: Environment) -> str:
    """Take the password out of what somebody else wrote: it knows the URL."""
    url = environment_url(environment)
    if url is None:
        return text
    from sqlalchemy import make_url

    parsed = make_url(url)
    text = text.replace(url, parsed.render_as_string(hide_password=True))
    return text.replace(parsed.password, "***") if parsed.password else text
