"""``sealgate subject``: register, find, export and erase a person.

Values come from a file or standard input, so that no list of processes shows them.
"""

import json
import sys
import uuid
from pathlib import Path
from typing import Any, get_args

import click

from sealgate.cli import _certificates, _receipts
from sealgate.cli._calls import call, segment, vault_call
from sealgate.cli._configuration import options
from sealgate.cli._paths import GivenPath
from sealgate.model.erasure import Basis, Ground
from sealgate.model.errors import InputError, NotPermittedError

_NOT_VERIFIED = 1
_VALUES = click.option(
    "--values",
    type=click.File("r", encoding="utf-8"),
    default="-",
    help="Lines `type value`, e.g. `email ada@example.org`; standard input by default.",
)


@click.group()
def command() -> None:
    """Register, find, export and erase a person; the vault must run."""


def _read(lines: Any) -> list[dict[str, str]]:
    values = []
    for line in lines:
        kind, _, value = line.strip().partition(" ")
        if kind and not value.strip():
            raise InputError("a line has no value", hint="write `type value`, one a line")
        if kind:
            values.append({"type": kind, "value": value.strip()})
    if not values:
        raise InputError("no values were given", hint="write `type value` lines to standard input or a file")
    return values


@command.command()
@_VALUES
@click.option("--subject", help="Add the values to this registered person.")
@options
def register(values: Any, subject: str | None, config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Print the token of a person with these values; they are matched in what agents send from now on."""
    body = {"values": _read(values), "subject": subject}
    click.echo(vault_call(config_path, flags, "POST", "/v1/subjects", body)["subject"])


@command.command()
@_VALUES
@options
def find(values: Any, config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Print the tokens of the persons that have all these values. The search is recorded."""
    common: set[str] | None = None
    for value in _read(values):
        found = set(vault_call(config_path, flags, "POST", "/v1/subjects/find", value)["subjects"])
        common = found if common is None else common & found
    for subject in sorted(common or ()):
        click.echo(subject)


@command.command()
@click.argument("subject")
@options
def export(subject: str, config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Print all that the vault holds of SUBJECT, JSON. The export is recorded."""
    click.echo(json.dumps(vault_call(config_path, flags, "GET", f"/v1/subjects/{segment(subject)}/export"), indent=1))


@command.command()
@click.argument("subject")
@options
def status(subject: str, config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Print how far SUBJECT is: registered, being erased, erased; JSON without values."""
    click.echo(json.dumps(_status(subject, config_path, flags), indent=1))


def _status(subject: str, config_path: Path | None, flags: tuple[str, ...]) -> Any:
    return {
        **vault_call(config_path, flags, "GET", f"/v1/subjects/{segment(subject)}"),
        "erasures": call(config_path, flags, "GET", f"/v1/subjects/{segment(subject)}/erasure"),
    }


@command.command()
@click.argument("subject")
@click.option("--basis", type=click.Choice(get_args(Basis)), required=True, help="Why it is erased.")
@click.option("--refuse", type=click.Choice(get_args(Ground)), help="Record that it is not, on this ground.")
@click.option("--reason", default="", help="In words, for a refusal.")
@click.option("--id", "erasure_id", help="Continue this erasure; a new one by default.")
@click.option(
    "--not-in-vault", is_flag=True, help="The vault never knew the subject: only its data keys are destroyed."
)
@options
def erase(
    subject: str,
    basis: str,
    refuse: str | None,
    reason: str,
    erasure_id: str | None,
    config_path: Path | None,
    flags: tuple[str, ...],
    *,
    not_in_vault: bool,
) -> None:
    """Erase SUBJECT: what the vault holds and the keys of all its records. There is no way back.

    Exits with 1 when a hold or a legal ground refuses.
    """
    body = {"erasure_id": erasure_id or str(uuid.uuid4()), "basis": basis, "refuse": refuse, "reason": reason}
    click.echo(f"erasure {body['erasure_id']}", err=True)
    ask = call if not_in_vault else vault_call
    done = ask(config_path, flags, "POST", f"/v1/subjects/{segment(subject)}/erasure", body)
    if done["state"] == "refused":
        raise NotPermittedError(f"refused ({done['ground']}): {done['reason']}", hint=f"record {done['record_id']}")
    facts = done["facts"]
    click.echo(
        f"{done['state']}: {len(facts['key_ids'])} keys destroyed, {facts['records']} records can be read no more"
    )
    click.echo(f"complete after {done['complete_after']}; record {done['record_id']}")


@command.command()
@click.argument("record_id")
@click.option("--out", type=GivenPath(), help="Base name of the two files; the record id by default.")
@_receipts.waiting
@options
def certificate(
    record_id: str, out: Path | None, wait_s: float, config_path: Path | None, flags: tuple[str, ...]
) -> None:
    """Write the certificate of the executed erasure RECORD_ID: .json for programs, .txt for people."""
    made = _certificates.make(_receipts.receipt(record_id, wait_s, config_path, flags))
    base = out or Path(record_id)
    for ending, data in ((".json", made), (".txt", _certificates.text(made).encode())):
        path = base.with_name(base.name + ending)
        try:
            with path.open("xb") as file:
                file.write(data)
        except FileExistsError as error:
            raise InputError(f"`{path}` exists", hint="name another file with --out") from error
        click.echo(str(path))


@command.command(name="verify-certificate")
@click.argument("file", type=GivenPath(exists=True, dir_okay=False))
@click.option(
    "--trust",
    type=GivenPath(exists=True, dir_okay=False),
    required=True,
    help="The public keys that you trust.",
)
def verify_certificate(file: Path, trust: Path) -> None:
    """Check FILE against the keys in --trust; exits with 0 only when it is verified. Needs no server."""
    data = file.read_bytes()
    report = _certificates.verify(data, trust.read_bytes())
    click.echo(_certificates.text(data))
    click.echo(f"verdict: {report.verdict}")
    if report.exit_code:
        sys.exit(report.exit_code)
