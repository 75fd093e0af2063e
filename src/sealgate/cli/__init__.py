"""The command line. Each command group is one module, imported only when it is used."""

import errno
import importlib
import os
import sys
from typing import Final, NoReturn

import click

from sealgate.model.errors import SealgateError

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "init": ("init", "Make a new authority: keys, databases, configuration."),
    "doctor": ("doctor", "Check an installation."),
    "keys": ("keys", "Rotate and revoke signing keys; manage API keys."),
    "collect": ("collect", "Run the collector, which takes captured items and traces."),
    "config": ("config", "Check or show the configuration."),
    "completion": ("completion", "Print shell completion."),
    "approval": ("approval", "See what waits for people; grant, refuse or revoke it."),
    "agents": ("agents", "List, pause and resume agents."),
    "receipt": ("receipt", "Fetch a receipt as files."),
    "run": ("run", "Run a Python program with its agent frameworks gated."),
    "serve": ("serve", "Run the authority."),
    "log": ("log", "Look at, re-verify, export and rebuild a log; archive its journal."),
    "vault": ("vault", "Make and run the vault."),
    "subject": ("subject", "Register, find, export and erase a person."),
    "lookup": ("lookup", "Ask what a token stands for; consent to it."),
    "witness": ("witness", "Cosign a log's checkpoints (init, serve)."),
    "policy": ("policy", "Check, test and lint policies."),
    "privacy": ("privacy", "Check the field policy; explain what it does; find personal data in a file."),
    "retention": ("retention", "Plan and run retention; show classes; explain a record's times."),
    "hold": ("hold", "Place, confirm, release and list legal holds."),
    "evidence": ("evidence", "Run the evidence service (serve, status)."),
    "trace": ("trace", "Show a decision chain as a tree."),
    "search": ("search", "Find records."),
    "aggregate": ("aggregate", "Count and measure records in groups."),
    "explain": ("explain", "Say in plain words what a record or receipt is."),
    "export": ("export", "Write records into a file."),
    "rebuild": ("rebuild", "Build the evidence store anew and compare."),
    "task": ("task", "Start, end and list tasks."),
    "delegation": ("delegation", "Let agents act on behalf of others: grant, revoke, list."),
    "role": ("role", "Grant, revoke and list reading roles."),
    "mcp": ("mcp", "Put the gate before MCP servers."),
    "credential": ("credential", "List and revoke short-lived credentials."),
    "package": ("package", "Record verified and installed tool packages."),
    "trust": ("trust", "Score the trust in tools; show its history."),
    "hook": ("hook", "Put the gate in front of a coding agent (install, uninstall, doctor)."),
    "spool": ("spool", "Look at and deliver outcomes that wait for the authority."),
}
"""Command name → (module under sealgate.cli that holds ``command``, one-line help)."""


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"sealgate.cli.{COMMANDS[cmd_name][0]}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in sorted(COMMANDS.items())])


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sealgate")
def sealgate() -> None:
    """Decide before the action, seal the decision, let anyone verify it."""


def main() -> None:
    """Run the command line; errors of ours, and of files that were named, become one line and exit status 1."""
    try:
        sealgate(standalone_mode=True)
    except SealgateError as error:
        _end(error.message, error.hint)
    except UnicodeEncodeError as error:
        if not any("\udc80" <= character <= "\udcff" for argument in sys.argv for character in argument):
            raise
        _end(f"an argument is not UTF-8 text: {ascii(error.object)[:64]}", "give it in the encoding of the terminal")
    except OSError as error:
        if error.filename is None and error.errno != errno.ENOSPC:
            raise  # it tells nothing that an operator could do something about
        what = "the output" if error.filename is None else f"`{os.fsdecode(error.filename)}`"
        _end(f"{what} cannot be used: {error.strerror}", "")


def _end(message: str, hint: str) -> NoReturn:
    """Tell what was wrong on standard error, and end."""
    click.echo(f"sealgate: {message}" + (f"\n  hint: {hint}" if hint else ""), err=True)
    sys.exit(1)
