"""``sealgate config``: check the configuration, show what is in force."""

from pathlib import Path

import click

from sealgate.adapters.configuration import reference
from sealgate.cli import _configuration


@click.group()
def command() -> None:
    """Check or show the configuration."""


@command.command()
@_configuration.options
def check(config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Read the configuration and say whether it holds; exits with 1 and the reason where it does not."""
    found = _configuration.load(config_path, flags)
    click.echo(f"ok: authority `{found.authority.id}`, log `{found.authority.origin}`, data in {found.data_directory}")


@command.command()
@_configuration.options
def show(config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Print the configuration in force: file, then environment, then flags. It holds no secret."""
    click.echo(reference.show(_configuration.load(config_path, flags)), nl=False)
