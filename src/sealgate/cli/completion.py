"""``sealgate completion``: the shell's own completion."""

import click
from click.shell_completion import get_completion_class

from sealgate.model.errors import InputError


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print completion for SHELL; put it where your shell looks, or `eval "$(sealgate completion bash)"`."""
    kind = get_completion_class(shell)
    if kind is None:
        raise InputError(f"`{shell}` is not known", hint="bash, zsh or fish")
    root = context.find_root().command
    click.echo(kind(root, {}, "sealgate", "_SEALGATE_COMPLETE").source())
