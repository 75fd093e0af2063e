"""``sealgate keys``: show, rotate and revoke signing keys; add, list and revoke API keys."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from sealgate.adapters.configuration.sections.keys import Keys
from sealgate.adapters.identity.api_keys import ApiKeys
from sealgate.adapters.installation import API_KEYS
from sealgate.adapters.keys import file, keyring, passphrase
from sealgate.adapters.keys.envelope import Purpose
from sealgate.adapters.keys.keyring import Keyring
from sealgate.adapters.keys.rotation import TRUST_FILE, RotationFiles
from sealgate.cli import _configuration
from sealgate.cli._key_changes import CHANGEABLE, change, change_wrapping, open_root, prepare, record, revocation
from sealgate.cli._paths import GivenPath
from sealgate.model.errors import InputError
from sealgate.proofs import trust
from sealgate.proofs.key_events import RETIRED, REVOKED

_root_options = [
    click.option("--root-key", type=GivenPath(), help="The root key's file; default: keys/root.key."),
    click.option("--root-passphrase", metavar="REFERENCE", help="Where its passphrase is; default: keys/root-unlock."),
    click.option("--apply", is_flag=True, help="Ask the running authority to record it now."),
]


@click.group()
def command() -> None:
    """Signing keys and API keys."""


@command.command()
@_configuration.options
def token(config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Make the key that signs tokens for tools, where there is none; used from the next start on."""
    found = _configuration.load(config_path, flags)
    ring = Keyring.of(found)
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    file.generate(ring.directory / keyring.TOKEN, Purpose.TOKEN, ring.passphrase(), created=created)
    click.echo("made keys/token.key; restart the authority to use it")


@command.command("list")
@_configuration.options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def list_keys(config_path: Path | None, flags: tuple[str, ...], *, as_json: bool) -> None:
    """List statement and receipt keys by the indexes at which they may sign, and the keys in use."""
    found = _configuration.load(config_path, flags)
    ring = Keyring.of(found)
    known = trust.parse((found.data_directory / TRUST_FILE).read_bytes())
    pending = RotationFiles(ring, found.data_directory).pending()
    current = ring.current_name()
    in_use = {str(purpose): ring.current_name(purpose) for purpose in CHANGEABLE}
    rows = [
        {"kid": key.kid.hex(), "from_index": key.from_index, "to_index": key.to_index} for key in known.statement_keys
    ]
    receipts = [
        {"kid": key.kid.hex(), "to_index": key.to_index, "revoked": key.revoked} for key in known.receipt_keys()
    ]
    if as_json:
        waiting = [event["kind"] for event in pending]
        shown = {
            "statement_keys": rows,
            "receipt_keys": receipts,
            "current": current,
            "in_use": in_use,
            "pending": waiting,
        }
        click.echo(json.dumps(shown))
        return
    for row in rows:
        end = "…" if row["to_index"] is None else f"{row['to_index']} (not included)"
        click.echo(f"{row['kid']}  from {row['from_index']} to {end}")
    for item in receipts:
        end = "revoked" if item["revoked"] else "any" if item["to_index"] is None else f"at most {item['to_index']}"
        click.echo(f"{item['kid']}  receipts of trees of size: {end}")
    click.echo(f"in use: {', '.join(in_use.values())}")
    if pending:
        click.echo(f"prepared, not yet recorded: {', '.join(str(event['kind']) for event in pending)}")


def _with_root(function: click.decorators.FC) -> click.decorators.FC:
    for option in reversed(_root_options):
        function = option(function)
    return function


@command.command()
@_configuration.options
@_with_root
@click.option(
    "--purpose",
    type=click.Choice([str(purpose) for purpose in CHANGEABLE]),
    default=str(Purpose.STATEMENT),
    show_default=True,
    help="Which key to replace.",
)
@click.option("--revoke", is_flag=True, help="The old one is revoked, not retired: somebody else may have it.")
@click.option("--label", help="With a PKCS#11 device: the label of the new key, made there beforehand.")
def rotate(
    config_path: Path | None,
    flags: tuple[str, ...],
    root_key: Path | None,
    root_passphrase: str | None,
    purpose: str,
    label: str | None,
    *,
    revoke: bool,
    apply: bool,
) -> None:
    """Make a new key and prepare the change to it, which becomes a record.

    The running authority changes statement and receipt keys; a permit key changes at its next start. For a wrapping key
    everything must be stopped: what it wrapped is wrapped anew here, and an interrupted run is gone on with by another.
    """
    found = _configuration.load(config_path, flags)
    root = open_root(found, root_key, root_passphrase)
    ended = REVOKED if revoke else RETIRED
    if purpose == Purpose.WRAPPING:
        _, count = change_wrapping(found, root, label, ended)
        click.echo(f"wrapped anew: {count} keys; the next start of the authority records the change")
        return
    prepare(found, change(found, Purpose(purpose), root, label, ended), apply=apply)


@command.command()
@click.argument("kid")
@_configuration.options
@_with_root
@click.option("--label", help="With a PKCS#11 device: the label of the new key, made there beforehand.")
def revoke(
    kid: str,
    config_path: Path | None,
    flags: tuple[str, ...],
    root_key: Path | None,
    root_passphrase: str | None,
    label: str | None,
    *,
    apply: bool,
) -> None:
    """Revoke the statement or receipt key KID: nothing it signs from that record on is accepted.

    What a statement key signed before stays valid; records that an attacker signed with it elsewhere were never in the
    log. What a receipt key signed proves nothing any more: ask for new receipts. A key in use is replaced by a new one
    in the same step.
    """
    found = _configuration.load(config_path, flags)
    prepare(found, revocation(found, kid, open_root(found, root_key, root_passphrase), label), apply=apply)


@command.command("apply")
@_configuration.options
def apply_prepared(config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Ask the running authority to record the prepared change of keys; safe to repeat."""
    record(_configuration.load(config_path, flags))


@command.command("generate-on-device")
@click.option("--pkcs11-module", type=GivenPath(exists=True), required=True, help="The device's library.")
@click.option("--pkcs11-token", required=True, help="The token's label.")
@click.option("--pkcs11-pin", required=True, metavar="REFERENCE", help="Where the user PIN is.")
@click.option("--pkcs11-wrapping-token", help="The label of another token, for the wrapping key alone.")
@click.option("--pkcs11-wrapping-pin", metavar="REFERENCE", help="Where that token's user PIN is.")
@click.option("--label", help="Only one further key of this label, for a rotation.")
@click.option(
    "--purpose", type=click.Choice(["statement", "receipt", "wrapping"]), default="statement", help="What it is for."
)
def generate_on_device(
    *,
    pkcs11_module: Path,
    pkcs11_token: str,
    pkcs11_pin: str,
    pkcs11_wrapping_token: str | None,
    pkcs11_wrapping_pin: str | None,
    label: str | None,
    purpose: str,
) -> None:
    """Make a new authority's keys on a PKCS#11 device, not extractable; `sealgate init` takes the same options."""
    from sealgate.adapters.keys import pkcs11  # noqa: PLC0415  # an optional dependency

    defaults = Keys()
    signers = [defaults.pkcs11_statement_label, defaults.pkcs11_log_label, defaults.pkcs11_receipt_label]
    wrapping: str | None = defaults.pkcs11_wrapping_label
    if label:
        signers, wrapping = ([], label) if purpose == "wrapping" else ([label], None)
    token, pin = pkcs11_token, passphrase.read(pkcs11_pin)
    if wrapping and pkcs11_wrapping_token:
        if not pkcs11_wrapping_pin:
            raise InputError("the wrapping key's own token needs its PIN", hint="add --pkcs11-wrapping-pin REFERENCE")
        other = passphrase.read(pkcs11_wrapping_pin)
        pkcs11.generate(pkcs11_module, pkcs11_wrapping_token, other, signers=[], wrapping=wrapping)
        wrapping = None
    pkcs11.generate(pkcs11_module, token, pin, signers=signers, wrapping=wrapping)
    click.echo(f"made: {label or ', '.join([*signers, defaults.pkcs11_wrapping_label])}")


@command.group()
def api() -> None:
    """API keys for callers that reach the authority over HTTPS."""


def _api_keys(config_path: Path | None, flags: tuple[str, ...]) -> ApiKeys:
    return ApiKeys(_configuration.load(config_path, flags).data_directory / API_KEYS)


@api.command("add")
@click.argument("name")
@_configuration.options
@click.option("--agent", "agents", multiple=True, help="An agent it may speak for; repeat; `*` is every agent.")
@click.option("--role", "roles", multiple=True, help="What it may do; repeat.")
def add_api_key(
    name: str, config_path: Path | None, flags: tuple[str, ...], agents: tuple[str, ...], roles: tuple[str, ...]
) -> None:
    """Make an API key for the caller NAME and show it, this once."""
    keys = _api_keys(config_path, flags)
    key, token = keys.add(name, agents=agents, roles=roles or ("enforce",), created=_configuration.now())
    click.echo(token)
    click.echo(f"key {key.id} for `{name}`; it is not kept and cannot be shown again", err=True)


@api.command("list")
@_configuration.options
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def list_api_keys(config_path: Path | None, flags: tuple[str, ...], *, as_json: bool) -> None:
    """List API keys, revoked ones too; never their secrets."""
    found = _api_keys(config_path, flags).all()
    if as_json:
        rows = [
            {
                "id": key.id,
                "name": key.name,
                "agents": key.agents,
                "roles": key.roles,
                "created": key.created,
                "revoked": key.revoked,
            }
            for key in found
        ]
        click.echo(json.dumps(rows))
        return
    for key in found:
        state = f"revoked {key.revoked}" if key.revoked else "active"
        click.echo(
            f"{key.id}  {key.name}  agents {', '.join(key.agents) or '-'}  roles {', '.join(key.roles)}  {state}"
        )


@api.command("revoke")
@click.argument("key_id")
@_configuration.options
def revoke_api_key(key_id: str, config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Revoke the API key KEY_ID; a running authority refuses it from its next request on."""
    key = _api_keys(config_path, flags).revoke(key_id, revoked=_configuration.now())
    click.echo(f"revoked {key.id} (`{key.name}`)")
