"""Prepares changes of keys, as ``sealgate keys rotate`` and ``revoke`` ask for them, and has them recorded."""

from pathlib import Path

import click
import httpx

from sealgate.adapters.configuration import Configuration
from sealgate.adapters.installation import DATA_KEYS
from sealgate.adapters.journals.file import nobody_else
from sealgate.adapters.keys import file, keyring, passphrase, rewrapping, rotation
from sealgate.adapters.keys.envelope import Purpose
from sealgate.adapters.keys.file import FileSigner
from sealgate.adapters.keys.keyring import Keyring
from sealgate.adapters.keys.rotation import TRUST_FILE, Rotation, RotationFiles
from sealgate.authority.key_events import key_changed
from sealgate.cli import _calls, _configuration
from sealgate.cli.init import EVIDENCE, JOURNAL
from sealgate.model.errors import InputError, UnavailableError
from sealgate.proofs import trust
from sealgate.proofs.key_events import REVOKED

_ROTATE_TIMEOUT_S = 30.0

CHANGEABLE = (Purpose.STATEMENT, Purpose.RECEIPT, Purpose.PERMIT, Purpose.WRAPPING)
"""Keys that can be replaced within one log. The log key ends with its log, the root key is what verifiers pin."""


def open_root(found: Configuration, path: Path | None, reference: str | None) -> FileSigner:
    """Open the root key, and refuse one that is not this log's."""
    folder = found.keys.directory
    reference = reference or f"file:{folder / keyring.ROOT_UNLOCK}"
    root = file.open_signer(path or folder / keyring.ROOT, passphrase.read(reference), Purpose.ROOT)
    if root.public_key != trust.parse((found.data_directory / TRUST_FILE).read_bytes()).root_key:
        raise InputError("this root key is not the log's", hint="bring the one that `sealgate init` made")
    return root


def change(found: Configuration, purpose: Purpose, root: FileSigner, label: str | None, ended_kind: str) -> Rotation:
    """Return the endorsed change to a new key of one purpose: its file is made here, or a device has it already."""
    ring, origin = Keyring.of(found), found.authority.origin
    _require_nothing_prepared(ring, found)
    if _on_device(found, purpose):
        if label is None:
            raise InputError("a device needs --label", hint="make the new key there; see docs/how-to/keys.md")
        name = label
    else:
        name = rotation.new_file(ring, purpose, created=_configuration.now())
    return rotation.rotation_to(ring, purpose, name, origin=origin, sign=root.sign, ended_kind=ended_kind)


def revocation(found: Configuration, kid: str, root: FileSigner, label: str | None) -> Rotation:
    """Return the endorsed revocation of a statement or receipt key; one that is in use is replaced in the same step."""
    known = trust.parse((found.data_directory / TRUST_FILE).read_bytes())
    ring = Keyring.of(found)
    keys = {key.kid.hex(): (Purpose.STATEMENT, key.public_key) for key in known.statement_keys}
    keys |= {key.kid.hex(): (Purpose.RECEIPT, key.public_key) for key in known.receipt_keys()}
    if kid not in keys:
        hint = "`sealgate keys list` shows all; permit and wrapping keys: `sealgate keys rotate --purpose … --revoke`"
        raise InputError(f"there is no statement or receipt key `{kid[:40]}`", hint=hint)
    purpose, public_key = keys[kid]
    if ring.signer(ring.current_name(purpose), purpose).public_key == public_key:
        return change(found, purpose, root, label, REVOKED)
    event = key_changed(REVOKED, origin=known.origin, purpose=str(purpose), public_key=public_key, sign=root.sign)
    return Rotation((event,), None)


def change_wrapping(found: Configuration, root: FileSigner, label: str | None, ended_kind: str) -> tuple[Rotation, int]:
    """Wrap everything anew under a new key-encryption key, or go on with that; return the change and how many keys.

    Raises:
        ConfigurationError: the authority runs, or another change waits.
        InputError: a KMS holds the key, or the device's label is missing.
    """
    ring, data = Keyring.of(found), found.data_directory
    if ring.wrapping_store == "kms":
        raise InputError("the wrapping key is in KMS", hint="turn on its yearly rotation there; nothing changes here")
    files = RotationFiles(ring, data)
    with nobody_else(data / JOURNAL):
        names = rewrapping.under_way(ring)
        if names is None:
            _require_nothing_prepared(ring, found)
            if ring.wrapping_store == "pkcs11" and label is None:
                raise InputError("a device needs --label", hint="make the new key there; see docs/how-to/keys.md")
            new = label or rotation.new_file(ring, Purpose.WRAPPING, created=_configuration.now())
            names = (ring.current_name(Purpose.WRAPPING), new)
            made = _wrapping_change(found, ring, root, names, ended_kind)
            rewrapping.begin(ring, new)
        else:
            made = _wrapping_change(found, ring, root, names, ended_kind)
        count = rewrapping.finish(ring, made, files, data_keys=data / DATA_KEYS, evidence=data / EVIDENCE)
    return made, count


def _wrapping_change(
    found: Configuration, ring: Keyring, root: FileSigner, names: tuple[str, str], ended_kind: str
) -> Rotation:
    return rotation.rotation_to(
        ring,
        Purpose.WRAPPING,
        names[1],
        origin=found.authority.origin,
        sign=root.sign,
        ended_kind=ended_kind,
        current=names[0],
    )


def _on_device(found: Configuration, purpose: Purpose) -> bool:
    return purpose.signs and found.keys.store == "pkcs11"


def _require_nothing_prepared(ring: Keyring, found: Configuration) -> None:
    if RotationFiles(ring, found.data_directory).pending():
        raise InputError(
            "a change of keys is prepared already", hint="`sealgate keys apply` or the next start records it"
        )


def prepare(found: Configuration, made: Rotation, *, apply: bool) -> None:
    """Leave the change where the authority finds it, and have it recorded now if asked for."""
    RotationFiles(Keyring.of(found), found.data_directory).prepare(made)
    click.echo(f"prepared: {', '.join(str(event['kind']) for event in made.events)}")
    if not made.purpose.signs:
        click.echo("The next start of the authority uses the new key and records the change.")
    elif apply:
        record(found)
    else:
        click.echo("Not in force yet: `sealgate keys apply` asks the running authority to record it.")


def record(found: Configuration) -> None:
    """Ask the running authority to record what is prepared."""
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
        refused = _calls.refusal(answer.status_code, answer.content)
        raise UnavailableError(f"the authority refused: {refused.message}", hint=refused.hint or "it stays prepared")
    click.echo(f"recorded: {answer.json()['record_id']}")
