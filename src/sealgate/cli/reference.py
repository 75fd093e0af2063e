"""``python -m sealgate.cli.reference > docs/reference/cli.md``: the page of all commands, made from the commands."""

import importlib
import inspect
import sys
from collections.abc import Iterator
from typing import Final

import click

from sealgate.cli import COMMANDS

_INTRODUCTION: Final = """\
# Commands

<!-- Made by `python -m sealgate.cli.reference`; a test compares. Change the commands instead. -->

`sealgate` for who runs an authority; `sealgate-verify` for who checks one has a [page of its own](verifier.md).
`--help` says the same as this page. An error is one line on standard error with a hint, and exit status 1; wrong usage
is 2. Commands find their configuration as [the configuration page](configuration.md) says. Those that speak to the
running authority do so over its Unix socket, as the user that runs them.
"""


def page() -> str:
    """Return the reference page, Markdown."""
    parts = [_INTRODUCTION]
    for path, command in commands():
        parts.append(f"\n## `{path}`\n\n" if path.count(" ") == 1 else f"\n### `{path}`\n\n")
        parts.append(_text(command) + "\n")
        if not isinstance(command, click.Group):
            parts.append(f"\n```text\n{' '.join([path, *_usage(command)])}\n```\n")
            parts.extend(_options(command))
    return "".join(parts)


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its full name, groups before what is in them."""
    for name in sorted(COMMANDS):
        module = importlib.import_module(f"sealgate.cli.{COMMANDS[name][0]}")
        yield from _below(f"sealgate {name}", module.command)


def _below(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from _below(f"{path} {name}", command.commands[name])


def _text(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "").replace("\b\n", "")


def _usage(command: click.Command) -> list[str]:
    context = click.Context(command)
    return [piece for parameter in command.get_params(context) for piece in parameter.get_usage_pieces(context)] + (
        ["[OPTIONS]"] if any(isinstance(item, click.Option) for item in command.params) else []
    )


def _options(command: click.Command) -> Iterator[str]:
    options = [item for item in command.params if isinstance(item, click.Option)]
    if not options:
        return
    yield "\n| option | meaning |\n| --- | --- |\n"
    for item in options:
        names = ", ".join(f"`{name}`" for name in [*item.opts, *item.secondary_opts])
        value = "" if item.is_flag else f" `{_value(item)}`"
        shown = f" Default: `{item.default}`." if item.show_default and item.default is not None else ""
        required = " Required." if item.required else ""
        repeated = " May be repeated." if item.multiple else ""
        yield f"| {names}{value} | {item.help}{required}{repeated}{shown} |\n"


def _value(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return "/".join(map(str, option.type.choices))
    return option.metavar or option.type.name.upper()


if __name__ == "__main__":
    sys.stdout.write(page())
