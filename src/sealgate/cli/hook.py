"""``sealgate hook``: put the gate in front of a coding agent, and see that it stands there."""

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from sealgate.cli._paths import GivenPath
from sealgate.hooks import daemon as resident
from sealgate.hooks import doctor as examination
from sealgate.hooks import install as installation
from sealgate.hooks import loopback, settings
from sealgate.hooks.events import HOSTS
from sealgate.model.errors import ConfigurationError, InputError

from ._configuration import options

_HOST = click.argument("host", type=click.Choice(HOSTS))
_SCOPE = click.option(
    "--scope", type=click.Choice(["user", "project", "managed"]), default="user", help="Which settings file."
)
_PROJECT = click.option("--project", type=GivenPath(), default=Path(), help="The project's folder.")
_FOLDER = click.option("--folder", type=GivenPath(), help="Folder of the daemon and its socket.")
_STATES: Final = {"good": "good   ", "warning": "warning", "bad": "BAD    "}
PACK: Final = Path(settings.__file__).with_name("pack")


@click.group()
def command() -> None:
    """Put the gate in front of a coding agent."""


@command.command()
@_HOST
@_SCOPE
@_PROJECT
@_FOLDER
@click.option("--socket", type=GivenPath(), help="The authority's Unix socket.")
@click.option("--url", help="Address of a remote authority instead.")
@click.option("--api-key-file", type=GivenPath(), help="File with the bearer key for it.")
@click.option("--ca-file", type=GivenPath(), help="Certificates to trust for it.")
@click.option("--agent", help="Name of the agent in policies; the host's name by default.")
@click.option(
    "--on-permit",
    type=click.Choice(["stand-aside", "allow"]),
    help="After a permit: let the host ask its user as ever, or answer for the user.",
)
@click.option(
    "--on-approval",
    type=click.Choice(["refuse", "defer"]),
    help="Where a person must approve: refuse, or (Claude) stop the run until it is resumed.",
)
@click.option("--http", "http_port", type=int, help="Claude only: ask the daemon on this loopback port.")
def install(host: str, scope: installation.Scope, project: Path, folder: Path | None, **given: Any) -> None:
    """Install the hook into the settings of HOST; run again to change what was given."""
    place = _folder(folder, scope)
    if given["http_port"] and host != "claude":
        raise InputError(f"`{host}` has no http hooks")
    agent = given.pop("agent")
    try:
        chosen = settings.read(place)
    except ConfigurationError:
        chosen = settings.HookSettings()
    texts = {
        name: str(value.absolute() if isinstance(value, Path) else value) for name, value in given.items() if value
    }
    if "http_port" in texts:
        texts["http_port"] = given["http_port"]
    if agent:
        texts["agents"] = {**chosen.agents, host: agent}  # type: ignore[assignment]
    settings.write(place, replace(chosen, **texts))  # type: ignore[arg-type]  # checked by click
    commands = {phase: settings.command(phase, host, place) for phase in ("before", "after")}
    if given["http_port"]:
        commands = loopback.addresses(given["http_port"], place)
    path = installation.settings_file(host, scope, os.environ, project.absolute())
    changed = installation.install(path, host, commands, managed=scope == "managed")
    resident.stop(place)  # it has the settings of before
    if given["http_port"]:
        resident.start(place)
    click.echo(f"{changed.change}: {changed.path}")
    if host == "codex":
        click.echo("codex skips hooks that were not trusted: start it once and trust this one with /hooks")
    click.echo(f"see whether it blocks: sealgate hook doctor {host}")


@command.command()
@_HOST
@_SCOPE
@_PROJECT
def uninstall(host: str, scope: installation.Scope, project: Path) -> None:
    """Take the hook out again; an untouched file gets its old bytes back."""
    path = installation.settings_file(host, scope, os.environ, project.absolute())
    changed = installation.uninstall(path, host, managed=scope == "managed")
    click.echo(f"{changed.change}: {changed.path}")


@command.command()
@_HOST
@_PROJECT
def doctor(host: str, project: Path) -> None:
    """Make a canary call through the installed hook; say what HOST lets escape. Exit 1 where it does not block."""
    findings = examination.examine(host, os.environ, project.absolute())
    for finding in findings:
        click.echo(f"{_STATES[finding.state]} {finding.text}")
    for text in examination.escapes(host):
        click.echo(f"escapes {text}")
    sys.exit(1 if any(finding.state == "bad" for finding in findings) else 0)


@command.command()
@_FOLDER
def daemon(folder: Path | None) -> None:
    """Run the resident half; hooks start it by themselves where it is the user's own."""
    sys.exit(resident.run(_folder(folder, "user")))


@command.command()
@_FOLDER
def stop(folder: Path | None) -> None:
    """End the resident half; the next call starts it again."""
    click.echo("stopped" if resident.stop(_folder(folder, "user")) else "it does not run")


@command.command()
@click.argument("directory", type=GivenPath())
@options
@click.option("--publish", "publish_it", is_flag=True, help="Make it the policy set in force.")
@click.pass_context
def policies(
    context: click.Context, directory: Path, config_path: Path | None, flags: tuple[str, ...], *, publish_it: bool
) -> None:
    """Write the starter policies for coding agents into DIRECTORY, to be changed there."""
    if directory.exists():
        raise InputError(f"`{directory}` exists already", hint="name a folder that does not")
    shutil.copytree(PACK, directory)
    click.echo(f"written: {directory}")
    if publish_it:
        from .policy import publish  # noqa: PLC0415  # the policy engine: the daemon starts without it

        context.invoke(publish, directory=directory, config_path=config_path, flags=flags, as_json=False)


def _folder(folder: Path | None, scope: str) -> Path:
    if folder is not None:
        return folder.absolute()
    return settings.MANAGED_FOLDER if scope == "managed" else settings.default_folder(os.environ)
