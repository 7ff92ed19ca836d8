"""Writes the references of commands, functions and leaks from what is there."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence

import click

import topchef_schema
from tests.projects.leaks import corpus
from topchef_schema import cli
from topchef_schema.commands import options

BEGIN = "<!-- From here on generated: pytest tests/test_docs.py --update -->\n"
DATABASE = "## Options that name the database"
SCRATCH = "## Option for scratch databases"


def of_commands() -> str:
    """Return the generated part of the page."""
    blocks = ["## Options of every command", _table(_shared())]
    blocks += [DATABASE, _table(_of(options.url_options))]
    blocks += [SCRATCH, _table(_of(options.on_option))]
    for name, command in commands().items():
        blocks += [f"## {name}", *_command(command)]
    return BEGIN + "\n" + "\n\n".join(blocks) + "\n"


def of_functions() -> str:
    """Return the generated part of the page on the Python functions."""
    blocks = []
    for name in commands():
        function = getattr(topchef_schema, name)
        lines = "".join(f"    {each},\n" for each in _arguments(function))
        blocks += [f"## {name}", f"```python\n{name}(\n{lines}) -> Report\n```"]
        text = inspect.getdoc(function) or ""
        blocks += [_prose(paragraph) for paragraph in text.split("\n\n")]
    return BEGIN + "\n" + "\n\n".join(blocks) + "\n"


def of_leaks() -> str:
    """Return the table of what a round trip is proven to find."""
    return f"{BEGIN}\n{corpus.table()}\n"


def _arguments(function: Callable[..., object]) -> Iterator[str]:
    positional = True
    for each in inspect.signature(function).parameters.values():
        if positional and each.kind is each.KEYWORD_ONLY:
            positional = False
            yield "*"
        default = "" if each.default is each.empty else f" = {each.default!r}"
        yield f"{each.name}: {each.annotation}{default}"


def commands() -> dict[str, click.Command]:
    """Return every command, by name."""
    with click.Context(cli.program) as context:
        names = cli.program.list_commands(context)
        found = {name: cli.program.get_command(context, name) for name in names}
    return {name: command for name, command in found.items() if command is not None}


def names_of(option: click.Option) -> list[str]:
    """Return all spellings of *option*, the short ones first."""
    spelt = sorted(option.opts, key=lambda each: each.startswith("--"))
    return [*spelt, *option.secondary_opts]


def _options(command: click.Command) -> list[click.Option]:
    return [each for each in command.params if isinstance(each, click.Option)]


def _shared() -> list[click.Option]:
    """Return the options that every command has; of `--format` each has its own values."""
    return _of(options.project_options) + _of(options.output_options("..."))


def _of(decorator: Callable[[Callable[[], None]], object]) -> list[click.Option]:
    """Return the options that *decorator* adds."""

    def nothing() -> None: ...

    decorator(nothing)
    return list(reversed(vars(nothing)["__click_params__"]))


def _command(command: click.Command) -> Iterator[str]:
    usage = " ".join(command.collect_usage_pieces(click.Context(command)))
    yield f"```text\ntopchef-db {command.name} {usage}\n```"
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(command.help or "")):
        yield _prose(paragraph)
    there = {each.name: each for each in _options(command)}
    left_out = {each.name for each in _shared()}
    notes = []
    for title, decorator in ((DATABASE, options.url_options), (SCRATCH, options.on_option)):
        names = {each.name for each in _of(decorator)}
        if names <= there.keys():
            left_out |= names
            notes.append(f"the {title.removeprefix('## ').lower()}")
    own = [each for name, each in there.items() if name not in left_out]
    if own:
        yield _table(own)
    takes = f"Takes {' and '.join(notes)}. " if notes else ""
    yield f"{takes}`--format`: {_choices(there['format_'])}."
    examples = (command.epilog or "").partition("Examples:\n")[2]
    yield "```sh\n" + inspect.cleandoc(examples) + "\n```"


def _choices(option: click.Option) -> str:
    assert isinstance(option.type, click.Choice)
    first, *others = (f"`{each}`" for each in option.type.choices)
    return ", ".join([f"{first} (the default)", *others])


def _table(rows: Sequence[click.Option]) -> str:
    lines = [f"| {_spelt(each)} | {_meaning(each)} |" for each in rows]
    return "\n".join(["| option | |", "|---|---|", *lines])


def _spelt(option: click.Option) -> str:
    """Return all spellings of *option*, the short ones first."""
    names = [*sorted(option.opts, key=lambda each: each.startswith("--")), *option.secondary_opts]
    value = _value(option)
    return ", ".join(f"`{name} {value}`" if value else f"`{name}`" for name in names)


def _value(option: click.Option) -> str:
    """Return what stands for the value; a ``|`` would end the cell of a table."""
    if option.is_flag:
        return ""
    if option.metavar:
        return option.metavar.replace("|", "\\|")
    if isinstance(option.type, click.Choice):
        return "FORMAT" if option.name == "format_" else "\\|".join(option.type.choices)
    return "NAME" if option.type is click.STRING else "NUMBER"


def _meaning(option: click.Option) -> str:
    text = _prose(option.help or "").replace("|", "\\|")
    shown = option.show_default and option.name != "format_"
    return f"{text} Default: `{option.default}`." if shown else text


def _prose(text: str) -> str:
    """Return a paragraph on one line, its options as code: two hyphens would become a dash."""
    return re.sub(r"(?<![`\w-])(--[a-z-]+)", r"`\1`", " ".join(text.split()))
