"""The program ``topchef-db``: finds the command, renders its Report, and exits with its code."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

import click

from topchef_schema import __version__, stopping
from topchef_schema.commands import options
from topchef_schema.discover import discover, find, modules, source
from topchef_schema.errors import InterruptedRunError, TopchefError, UsageError
from topchef_schema.formats.log import FACTS, chosen_format, log_to_stderr
from topchef_schema.model import ErrorInfo, Report, Severity

log = logging.getLogger("topchef_schema")

EPILOG = """\b
Examples:
  topchef-db upgrade                       bring the database to the newest revision
  topchef-db status --check                exit 10 when revisions are pending
  topchef-db roundtrip --on postgresql     prove that every revision goes down and up again
  topchef-db sql base:head --on mysql      the script for a DBA

\b
The database: --url, --url-env, --url-file, TOPCHEF_DATABASE_URL, or what the project says.
Exit codes: 0 done · 2 usage · 3 unreachable · 4 locked · 5 failed, nothing applied ·
6 failed, part applied · 7 in doubt · 8 history · 9 file changed · 10 found something ·
130 interrupted."""


COMMANDS = "topchef_schema.commands"


class Program(click.Group):
    """The group whose commands are the files in ``commands/``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted(discover(COMMANDS, "COMMAND"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command called *cmd_name*; no other one is imported."""
        found: click.Command | None = find(COMMANDS, "COMMAND", cmd_name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands as click does, but with help that is read, not imported."""
        texts = {name: source(COMMANDS, name) for name in modules(COMMANDS)}
        known = sorted(name for name, text in texts.items() if "\nCOMMAND = " in text)
        limit = formatter.width - 6 - max(map(len, known))
        rows = [
            (name, click.Command(name, help=texts[name].split('"""')[1]).get_short_help_str(limit))
            for name in known
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the nearest one."""
        import difflib

        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            near = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
            hint = f' Did you mean "{near[0]}"?' if near else ""
            ctx.fail(f'There is no command "{name}".{hint}')
        return super().resolve_command(ctx, args)


@click.group(
    cls=Program,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    # The same with every click: what is missing is an error, and nothing at all shows the help.
    no_args_is_help=False,
)
@options.project_options
@options.url_options
@options.log_options
@click.version_option(__version__, prog_name="topchef-db", message="%(prog)s %(version)s")
@click.pass_context
def program(ctx: click.Context, /, **given: Any) -> None:
    """Migrate databases with Alembic: safely, provably, on SQLite, PostgreSQL, MariaDB, MySQL.

    Works on any Alembic project; without one here, on TopChef's own schema.
    """
    ctx.obj = given


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the program and exit. The only place that prints a report or exits."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A script has to be the same whatever the terminal's character set is.
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    with contextlib.suppress(ValueError):  # only the main thread may ask for signals
        stopping.listen(lambda: _end_at_once(given))
    with _broken_pipe(), log_to_stderr(_level(given), _log_format(given)):
        sys.exit(run(given))


def run(given: list[str]) -> int:
    """Run one call and return its exit code."""
    if not given:
        click.echo(program.get_help(click.Context(program, info_name="topchef-db")), err=True)
        return UsageError.exit_code
    chosen = _Output.guess(given)
    try:
        result = program.main(given, prog_name="topchef-db", standalone_mode=False)
        if not isinstance(result, options.Answer):
            return int(result or 0)
        chosen = _Output(result.format, result.output, result.fail_on, result.report.command)
        return chosen.write(result.report)
    except click.UsageError as error:
        return chosen.usage(error)
    except TopchefError as error:
        return chosen.failure(error)
    except (KeyboardInterrupt, click.Abort):
        return chosen.failure(_interrupted())


def _interrupted() -> InterruptedRunError:
    return InterruptedRunError(
        "interrupted", where="this run", hint="run the same command again to continue"
    )


def _end_at_once(given: Sequence[str]) -> None:
    """End in the middle of a statement: the server, or the kernel, lets go of all that is held."""
    try:
        _Output.guess(given).failure(_interrupted())
        sys.stdout.flush()
    finally:
        os._exit(InterruptedRunError.exit_code)


class _Output:
    """Where and how this call's report is written, known even where parsing failed."""

    def __init__(self, format_: str, output: str | None, fail_on: Severity, command: str) -> None:
        self.format = format_
        self.output = output
        self.fail_on = fail_on
        self.command = command

    @classmethod
    def guess(cls, given: Sequence[str]) -> _Output:
        """Read the output options wherever they stand in the call."""
        found = ((each, find(COMMANDS, "COMMAND", each)) for each in given)
        name, command = next((each for each in found if each[1]), ("topchef-db", None))
        known, default = ["text", "json"], "text"
        if command is not None:
            option = next(each for each in command.params if each.name == "format_")
            known, default = list(option.type.choices), str(option.default)
        format_ = options.option_value(given, ("--format",))
        return cls(
            format_ if format_ in known else default,
            options.option_value(given, ("-o", "--output")),
            Severity.ERROR,
            name,
        )

    def write(self, report: Report) -> int:
        """Render *report*, write it, and return its exit code."""
        as_text = find("topchef_schema.formats", "FORMAT", "text")
        render = find("topchef_schema.formats", "FORMAT", self.format) or as_text
        code = report.exit_code(self.fail_on)
        script = self.format == "sql" and report.pieces is not None
        if script and (code or log.isEnabledFor(logging.INFO)):
            # A script has no room for findings, and they may be the reason of the exit code.
            noted = Report(report.command, findings=report.findings)
            click.echo(as_text(noted, self.fail_on), nl=False, err=True)
        if report.error is not None and self.format in ("text", "sql"):
            _tell(report.error, render(report, self.fail_on))
            return code
        text = (report.pieces or ()) if script else (render(report, self.fail_on),)
        if self.output is not None and self.output != "-":
            _write_file(Path(self.output), text)
        elif script:
            # Not by click: it takes escapes of a terminal for its own, and out of what is piped.
            sys.stdout.writelines(text)
            sys.stdout.flush()
        else:
            click.echo("".join(text), nl=False)
        return code

    def failure(self, error: TopchefError) -> int:
        """Report a failure in the format of the call."""
        try:
            return self.write(Report(self.command, error=ErrorInfo.of(error)))
        except UsageError as second:
            # The report has no place: what it would say is said here.
            self.output = None
            _tell(ErrorInfo.of(second), f"error: {second.message}: {second.where}\n")
            return self.write(Report(self.command, error=ErrorInfo.of(error)))

    def usage(self, error: click.UsageError) -> int:
        """Report a wrong call, with its usage line on stderr."""
        if self.format == "text" and error.ctx is not None:
            click.echo(error.ctx.get_usage(), err=True)
        name = error.ctx.command_path if error.ctx is not None else "topchef-db"
        return self.failure(UsageError(error.format_message(), where=name, hint=f"{name} --help"))


def _tell(error: ErrorInfo, text: str) -> None:
    """Say on stderr what went wrong: *text*, or with a log in JSON one object that holds it all."""
    if chosen_format() == "json":
        log.error(
            "%s", error.message, extra={k: v for k, v in error._asdict().items() if k in FACTS}
        )
    else:
        click.echo(text, nl=False, err=True)


def _write_file(path: Path, text: Iterable[str]) -> None:
    """Write what *text* yields, once all of it is there: half a script would be run as a whole."""
    import shutil

    try:
        with _draft() as whole:
            whole.writelines(text)
            whole.seek(0)
            with path.open("w", encoding="utf-8") as file:
                shutil.copyfileobj(whole, file)
    except OSError as error:
        raise UsageError(
            f"the report cannot be written: {error.strerror}",
            where=str(path),
            hint="give a path in a folder that exists to --output",
        ) from None


def _draft() -> IO[str]:
    """Return a file for what is not finished; in memory, where no other can be made."""
    import tempfile

    try:
        return tempfile.TemporaryFile("w+", encoding="utf-8", newline="")
    except OSError:
        return io.StringIO()


def _level(given: Sequence[str]) -> int:
    if "-q" in given or "--quiet" in given:
        return logging.ERROR
    return logging.DEBUG if "-v" in given or "--verbose" in given else logging.INFO


def _log_format(given: Sequence[str]) -> str:
    """Read the option before anything is parsed: a wrong call is told of in that format, too."""
    return options.option_value(given, ("--log-format",)) or "text"


@contextlib.contextmanager
def _broken_pipe() -> Any:
    """End quietly when the reader of our output (``| head``) has gone."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
