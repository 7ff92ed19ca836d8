"""The options that commands share, and the two ways in which ours differ from plain click.

Global options are taken before or after the command, and a revision argument such as ``-1`` is
taken although it looks like an option.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from topchef_schema.commands import waits
from topchef_schema.errors import TopchefError, UsageError
from topchef_schema.formats.log import FORMATS as LOG_FORMATS
from topchef_schema.model import ErrorInfo, Report, Severity

F = TypeVar("F", bound=Callable[..., Any])

_RELATIVE = re.compile(r"-\d+\Z")
_MARK = "\ue000"
"""Stands before a revision argument that looks like an option, while click parses."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A command's report, and how its options and settings want it written."""

    report: Report
    format: str
    output: str | None
    fail_on: Severity


class Command(click.Command):
    """A command that returns an `Answer`; the program renders it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as click does, but take ``-1`` for an argument, and defaults from the settings."""
        if self.name is not None and "-h" not in args and "--help" not in args:
            ctx.default_map = self._defaults(ctx, args)
        try:
            rest = super().parse_args(ctx, self._marked(args))
        except click.UsageError as error:
            said = error.format_message()
            if _MARK not in said:
                raise
            raise click.UsageError(said.replace(_MARK, ""), ctx) from None
        ctx.params = {name: _unmarked(value) for name, value in ctx.params.items()}
        return rest

    def _marked(self, args: Sequence[str]) -> list[str]:
        """Mark what looks like an option and is none; the value of an option needs no mark."""
        options = (each for each in self.params if isinstance(each, click.Option))
        with_value = {name for each in options if not each.is_flag for name in each.opts}
        return [
            _MARK + each if _RELATIVE.match(each) and before not in with_value else each
            for before, each in pairwise(["", *args])
        ]

    def _defaults(self, ctx: click.Context, args: list[str]) -> dict[str, Any]:
        """Return what ``[topchef.COMMAND]`` says; raises `UsageError` for an unknown key."""
        from topchef_schema.project import command_settings

        before = ctx.obj or {}
        given, where = command_settings(
            option_value(args, ("-c", "--config")) or before.get("config"),
            option_value(args, ("--settings",)) or before.get("settings"),
        )
        known = {
            str(each.name).rstrip("_"): each
            for each in self.params
            if isinstance(each, click.Option)
        }
        _require_commands(given, where)
        defaults = {}
        for key, value in given.get(str(self.name), {}).items():
            name = key.replace("-", "_")
            option = known.get(name)
            if option is None or name in (*_GLOBAL, *_LOG):
                raise UsageError(
                    f'"{key}" is no option of {self.name}',
                    where=f"{where}, [topchef.{self.name}]",
                    hint=f"topchef-db {self.name} --help lists them",
                )
            several = option.multiple and isinstance(value, str)
            defaults[option.name or name] = value.replace(",", " ").split() if several else value
        return defaults


def _require_commands(names: Iterable[str], where: str) -> None:
    """Raise `UsageError` where the settings hold defaults for a command that there is not."""
    from topchef_schema.discover import discover, find

    for name in names:
        if find("topchef_schema.commands", "COMMAND", name) is None:
            import difflib

            known = sorted(discover("topchef_schema.commands", "COMMAND"))
            near = difflib.get_close_matches(name, known, n=1)
            raise UsageError(
                f'there is no command "{name}"',
                where=f"{where}, [topchef.{name}]",
                hint=f'did you mean "{near[0]}"?' if near else "topchef-db --help lists them",
            )


def _unmarked(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_unmarked(each) for each in value)
    return value.removeprefix(_MARK) if isinstance(value, str) else value


def option_value(args: Sequence[str], names: tuple[str, ...]) -> str | None:
    """Return the value given to one of *names* in a call that is not parsed yet: the last one."""
    found = None
    for position, each in enumerate(args):
        if each in names and position + 1 < len(args):
            found = args[position + 1]
        for name in names:
            if name.startswith("--") and each.startswith(name + "="):
                found = each.partition("=")[2]
            elif len(name) == 2 and each.startswith(name) and each != name:
                found = each[2:]
    return found


if TYPE_CHECKING:
    TextType = click.ParamType[str, Any]
else:
    TextType = click.ParamType  # not generic before click 8.4


class RevisionArgument(TextType):
    """Alembic's own words for revisions."""

    name = "revision"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the word as it was typed."""
        return str(value)


REVISION = RevisionArgument()

_GLOBAL = ("config", "section", "x", "settings", "url", "url_env", "url_file")
_LOG = ("verbose", "quiet", "log_format")
"""Read before the settings are; they have no defaults there."""


def project_options(function: F) -> F:
    """Add ``-c``, ``-n``, ``-x`` and ``--settings``."""
    for decorator in reversed(
        [
            click.option(
                "-c",
                "--config",
                metavar="FILE",
                help="alembic.ini or pyproject.toml; default: the one in this folder.",
            ),
            click.option(
                "-n", "--name", "section", metavar="SECTION", help="Section of the ini file."
            ),
            click.option(
                "-x",
                "x",
                metavar="KEY=VALUE",
                multiple=True,
                help="Handed to env.py, as by alembic. Repeatable.",
            ),
            click.option("--settings", metavar="FILE", help="Read [topchef] from here instead."),
        ]
    ):
        function = decorator(function)
    return function


def url_options(function: F) -> F:
    """Add the three ways to name the database."""
    for decorator in reversed(
        [
            click.option("--url", metavar="URL", help="The database, as a SQLAlchemy URL."),
            click.option(
                "--url-env", metavar="NAME", help="The environment variable that holds the URL."
            ),
            click.option("--url-file", metavar="FILE", help="The file that holds the URL."),
        ]
    ):
        function = decorator(function)
    return function


def output_options(*formats: str) -> Callable[[F], F]:
    """Add ``--format`` with *formats* (the first is the default), ``-o``, ``--fail-on``."""

    def decorate(function: F) -> F:
        for decorator in reversed(
            [
                click.option(
                    "--format",
                    "format_",
                    type=click.Choice(formats),
                    default=formats[0],
                    show_default=True,
                    help="How the report is written.",
                ),
                click.option(
                    "-o", "--output", metavar="FILE", help="Write the report here, not to stdout."
                ),
                click.option(
                    "--fail-on",
                    type=click.Choice([str(each) for each in Severity]),
                    default=str(Severity.ERROR),
                    show_default=True,
                    help="Exit 10 for findings of this severity or above.",
                ),
            ]
        ):
            function = decorator(function)
        return function

    return decorate


def log_options(function: F) -> F:
    """Add what decides how much, and in which form, is said on stderr."""
    for decorator in reversed(
        [
            click.option("-v", "--verbose", is_flag=True, help="Say more on stderr."),
            click.option("-q", "--quiet", is_flag=True, help="Say only errors on stderr."),
            click.option(
                "--log-format",
                type=click.Choice(LOG_FORMATS),
                default=LOG_FORMATS[0],
                show_default=True,
                help="Sentences on stderr, or one JSON object a line.",
            ),
        ]
    ):
        function = decorator(function)
    return function


def moving_options(function: F) -> F:
    """Add what upgrade and downgrade share."""
    for decorator in reversed(
        [
            click.option(
                "--dry-run", is_flag=True, help="Show the steps and their SQL; touch nothing."
            ),
            waits.lock_timeout_option,
            waits.wait_option,
            waits.limits_options,
            click.option(
                "--history/--no-history",
                default=True,
                help="Record the steps in the table topchef_history.",
            ),
        ]
    ):
        function = decorator(function)
    return function


def on_option(function: F) -> F:
    """Add ``--on``."""
    return click.option(
        "--on",
        metavar="BACKEND|URL",
        multiple=True,
        help="Where scratch databases are made: sqlite, postgresql, mariadb, mysql, or the URL of "
        "a server. Repeatable. Default: backends of the settings.",
    )(function)


def since_option(function: F) -> F:
    """Add ``--since``."""
    return click.option(
        "--since", metavar="GITREF", help="The revisions added since this commit, not a RANGE."
    )(function)


def command(
    *,
    epilog: str,
    formats: tuple[str, ...] = ("text", "json"),
    url: bool = True,
    on: bool = False,
    project: bool = True,
) -> Callable[[Callable[..., Report]], click.Command]:
    """Make a click command of a function ``(project, ...) -> Report``.

    Its help is the docstring of its module; *epilog* holds the examples. The project is loaded
    from the global options (None with *project* false); what belongs to output is handled by the
    program. *url* and *on* add the options that name a database, and scratch servers.
    """

    def decorate(function: Callable[..., Report]) -> click.Command:
        import inspect

        def callback(**arguments: Any) -> Answer:
            context = click.get_current_context()
            format_, output = arguments.pop("format_"), arguments.pop("output")
            fail_on = Severity(arguments.pop("fail_on"))
            started = time.perf_counter()
            try:
                _require_writable(output)
                loaded = load_project(context, arguments) if project else None
                for name in (*_GLOBAL, *_LOG):
                    arguments.pop(name, None)
                waits.wait(loaded, arguments.pop("wait", 0.0))
                report = function(loaded, **arguments)
            except TopchefError as error:
                report = Report(str(context.info_name), error=ErrorInfo.of(error))
            report = report._replace(seconds=time.perf_counter() - started)
            return Answer(report, format_, output, fail_on)

        name = function.__name__.strip("_").removesuffix("_command").replace("_", "-")
        wrapped: Callable[..., Any] = output_options(*formats)(log_options(callback))
        wrapped = project_options(wrapped)
        if url:
            wrapped = url_options(wrapped)
        if on:
            wrapped = on_option(wrapped)
        # click keeps them last first: what is the command's own comes first in its help.
        shared = vars(wrapped)["__click_params__"]
        shared += vars(function).get("__click_params__", [])
        module = inspect.getmodule(function)
        text = (module.__doc__ if module else None) or ""
        return click.command(
            name, cls=Command, help=text, epilog="\b\nExamples:\n" + _indented(epilog)
        )(wrapped)

    return decorate


def answer(name: str, arguments: Sequence[str]) -> Answer:
    """Run the command *name*, as it would be typed, with its defaults from the settings.

    Raises `UsageError` for a wrong call.
    """
    from topchef_schema.discover import find

    command: Command = find("topchef_schema.commands", "COMMAND", name)
    try:
        with command.make_context(name, list(arguments)) as context:
            answered: Answer = command.invoke(context)
    except click.UsageError as error:
        called = f"topchef-db {name}"
        raise UsageError(error.format_message(), where=called, hint=f"{called} --help") from None
    return answered


def _require_writable(output: str | None) -> None:
    """Raise `UsageError` for a report that could not be written once the work is done."""
    if output is None or output == "-":
        return
    path = Path(output)
    folder = path.absolute().parent
    writable = os.access(path if path.exists() else folder, os.W_OK)
    if path.is_dir() or not folder.is_dir() or not writable:
        raise UsageError(
            "the report cannot be written there",
            where=output,
            hint="give a file that may be written, in a folder that exists, to --output",
        )


def _indented(text: str) -> str:
    return "\n".join(f"  {line.strip()}" for line in text.strip().splitlines())


def load_project(context: click.Context, arguments: dict[str, Any]) -> Any:
    """Return the project of this call; options after the command win over those before it."""
    from topchef_schema.project import Project

    before = context.obj or {}
    given: dict[str, Any] = {}
    for name in _GLOBAL:
        given[name] = arguments.get(name) or before.get(name)
    given["x"] = (*before.get("x", ()), *arguments.get("x", ()))
    project = Project.load(**given)
    if project.packaged:
        import logging

        logging.getLogger("topchef_schema").warning(
            "no alembic.ini or pyproject.toml here: using the project packaged with topchef_schema"
        )
    return project
