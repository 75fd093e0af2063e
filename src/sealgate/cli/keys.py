"""``sealgate keys``: show, rotate and revoke signing keys; add, list and revoke API keys."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click
import httpx

from sealgate.adapters.configuration import Configuration
from sealgate.adapters.configuration.settings import Keys
from sealgate.adapters.identity.api_keys import ApiKeys
from sealgate.adapters.installation import API_KEYS
from sealgate.adapters.keys import file, keyring, passphrase, rotation
from sealgate.adapters.keys.envelope import Purpose
from sealgate.adapters.keys.file import FileSigner
from sealgate.adapters.keys.keyring import Keyring
from sealgate.adapters.keys.rotation import TRUST_FILE, Rotation, RotationFiles
from sealgate.authority.key_events import key_changed
from sealgate.cli import _configuration
from sealgate.model.errors import InputError, UnavailableError
from sealgate.proofs import trust
from sealgate.proofs.key_events import RETIRED, REVOKED, STATEMENT

_ROTATE_TIMEOUT_S = 30.0

_root_options = [
    click.option("--root-key", type=click.Path(path_type=Path), help="The root key's file; default: keys/root.key."),
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
    """List the statement keys by the indexes at which they may sign, and the key in use."""
    found = _configuration.load(config_path, flags)
    ring = Keyring.of(found)
    known = trust.parse((found.data_directory / TRUST_FILE).read_bytes())
    pending = RotationFiles(ring, found.data_directory).pending()
    current = ring.current_name()
    rows = [
        {"kid": key.kid.hex(), "from_index": key.from_index, "to_index": key.to_index} for key in known.statement_keys
    ]
    if as_json:
        waiting = [event["kind"] for event in pending]
        click.echo(json.dumps({"statement_keys": rows, "current": current, "pending": waiting}))
        return
    for row in rows:
        end = "…" if row["to_index"] is None else f"{row['to_index']} (not included)"
        click.echo(f"{row['kid']}  from {row['from_index']} to {end}")
    click.echo(f"in use: {current}")
    if pending:
        click.echo(f"prepared, not yet recorded: {', '.join(str(event['kind']) for event in pending)}")


def _with_root(function: click.decorators.FC) -> click.decorators.FC:
    for option in reversed(_root_options):
        function = option(function)
    return function


@command.command()
@_configuration.options
@_with_root
@click.option("--label", help="With a PKCS#11 device: the label of the new key, made there beforehand.")
def rotate(
    config_path: Path | None,
    flags: tuple[str, ...],
    root_key: Path | None,
    root_passphrase: str | None,
    label: str | None,
    *,
    apply: bool,
) -> None:
    """Make a new statement key and prepare the change to it; the running authority records it."""
    found = _configuration.load(config_path, flags)
    root = _root(found, root_key, root_passphrase)
    _prepare(found, _next_key(found, root, label, RETIRED), apply=apply)


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
    """Revoke the statement key KID: nothing it signs from that record on is accepted.

    What it signed before stays valid; records that an attacker signed with it elsewhere were never in the log.
    The key in use is replaced by a new one in the same step.
    """
    found = _configuration.load(config_path, flags)
    known = trust.parse((found.data_directory / TRUST_FILE).read_bytes())
    key = next((key for key in known.statement_keys if key.kid.hex() == kid), None)
    if key is None:
        raise InputError(f"there is no statement key `{kid[:40]}`", hint="`sealgate keys list` shows all")
    root = _root(found, root_key, root_passphrase)
    ring = Keyring.of(found)
    if ring.statement_signer(ring.current_name()).public_key == key.public_key:
        change = _next_key(found, root, label, REVOKED)
    else:
        event = key_changed(REVOKED, origin=known.origin, purpose=STATEMENT, public_key=key.public_key, sign=root.sign)
        change = Rotation((event,), None)
    _prepare(found, change, apply=apply)


def _root(found: Configuration, path: Path | None, reference: str | None) -> FileSigner:
    """Open the root key, and refuse one that is not this log's."""
    folder = found.keys.directory
    reference = reference or f"file:{folder / keyring.ROOT_UNLOCK}"
    root = file.open_signer(path or folder / keyring.ROOT, passphrase.read(reference), Purpose.ROOT)
    if root.public_key != trust.parse((found.data_directory / TRUST_FILE).read_bytes()).root_key:
        raise InputError("this root key is not the log's", hint="bring the one that `sealgate init` made")
    return root


def _next_key(found: Configuration, root: FileSigner, label: str | None, ended_kind: str) -> Rotation:
    ring, origin = Keyring.of(found), found.authority.origin
    if RotationFiles(ring, found.data_directory).pending():
        raise InputError("a change of keys is prepared already", hint="`sealgate keys apply` records it")
    if found.keys.store == "file":
        return rotation.new_statement_key(
            ring, origin=origin, created=_configuration.now(), sign=root.sign, ended_kind=ended_kind
        )
    if label is None:
        raise InputError("a device needs --label", hint="make the new key there; see docs/how-to/keys.md")
    return rotation.rotation_to(
        origin=origin,
        name=label,
        current=ring.statement_signer(ring.current_name()).public_key,
        new=ring.statement_signer(label).public_key,
        sign=root.sign,
        ended_kind=ended_kind,
    )


def _prepare(found: Configuration, change: Rotation, *, apply: bool) -> None:
    RotationFiles(Keyring.of(found), found.data_directory).prepare(change)
    click.echo(f"prepared: {', '.join(str(event['kind']) for event in change.events)}")
    if apply:
        _record(found)
    else:
        click.echo("Not in force yet: `sealgate keys apply` asks the running authority to record it.")


@command.command("apply")
@_configuration.options
def apply_prepared(config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Ask the running authority to record the prepared change of keys; safe to repeat."""
    _record(_configuration.load(config_path, flags))


def _record(found: Configuration) -> None:
    hint = "it stays prepared; run `sealgate keys apply` when the authority runs"
    if not found.server.socket.is_socket():
        raise UnavailableError(f"the authority cannot be reached: no socket `{found.server.socket}`", hint=hint)
    transport = httpx.HTTPTransport(uds=str(found.server.socket))
    try:
        with httpx.Client(transport=transport, base_url="http://sealgate", timeout=_ROTATE_TIMEOUT_S) as client:
            answer = client.post("/v1/keys/rotate")
    except httpx.HTTPError as error:
        raise UnavailableError(f"the authority cannot be reached: {error}", hint=hint) from error
    if answer.is_error:
        raise UnavailableError(f"the authority refused: {answer.text[:300]}", hint="it stays prepared")
    click.echo(f"recorded: {answer.json()['record_id']}")


@command.command("generate-on-device")
@click.option(
    "--pkcs11-module", type=click.Path(exists=True, path_type=Path), required=True, help="The device's library."
)
@click.option("--pkcs11-token", required=True, help="The token's label.")
@click.option("--pkcs11-pin", required=True, metavar="REFERENCE", help="Where the user PIN is.")
@click.option("--label", help="Only a further statement key of this label, for a rotation.")
def generate_on_device(pkcs11_module: Path, pkcs11_token: str, pkcs11_pin: str, label: str | None) -> None:
    """Make a new authority's keys on a PKCS#11 device, not extractable; `sealgate init` takes the same options."""
    from sealgate.adapters.keys import pkcs11  # noqa: PLC0415  # an optional dependency

    defaults = Keys()
    signers = [defaults.pkcs11_statement_label, defaults.pkcs11_log_label, defaults.pkcs11_receipt_label]
    pkcs11.generate(
        pkcs11_module,
        pkcs11_token,
        passphrase.read(pkcs11_pin),
        signers=[label] if label else signers,
        wrapping=None if label else defaults.pkcs11_wrapping_label,
    )
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
