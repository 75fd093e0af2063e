"""A prepared change of keys: endorsed by the root key beforehand, recorded by the running authority later.

``prepare`` runs where the root key is and leaves ``rotation.json``. The authority records each event, switches to the
new key right after its ``key.added``, and then calls ``finish``. Permit and wrapping keys, which no verifier knows, are
switched at a start instead, before they are opened (``settle``). A crash at any point leaves a key in use that the log
allows: the new one is named only after its addition is durable, and events may be recorded twice (proofs.key_events).
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sealgate.adapters import protected_files
from sealgate.adapters.keys import file, keyring
from sealgate.adapters.keys.envelope import COST_OF_RANDOM_PASSPHRASE, Cost, Purpose
from sealgate.adapters.keys.keyring import ROTATION, Keyring
from sealgate.authority.key_events import Members, key_changed, secret_changed
from sealgate.encoding import canonical
from sealgate.encoding.statement import key_id
from sealgate.model.errors import ConfigurationError
from sealgate.ports.signer import Signer
from sealgate.proofs import notes, trust
from sealgate.proofs.key_events import ADDED, RETIRED, REVOKED, STATEMENT
from sealgate.proofs.trust import Trust

FORMAT: Final = "sealgate-rotation/v1"
TRUST_FILE: Final = "trust.json"


@dataclass(frozen=True, slots=True)
class Rotation:
    """Events of one purpose in the order in which they are recorded, and the key that is used after ``key.added``."""

    events: tuple[Members, ...]
    name: str | None

    @property
    def purpose(self) -> Purpose:
        """What the keys are for."""
        return Purpose(str(self.events[0]["purpose"]))


class RotationFiles:
    """The prepared change in the folder of keys (authority.key_rotation.Rotations)."""

    def __init__(self, ring: Keyring, data_directory: Path) -> None:
        self._ring = ring
        self._path = ring.directory / ROTATION
        self._trust = data_directory / TRUST_FILE

    def pending(self) -> tuple[Members, ...]:
        """Return the endorsed events that wait to be recorded; none when nothing is prepared.

        Raises:
            ConfigurationError: the file is malformed or open to others.
        """
        rotation = self._load()
        return () if rotation is None else rotation.events

    def switch(self) -> tuple[str, Signer | None] | None:
        """Name the prepared key as the one in use, durable on return; return its purpose and what signs with it."""
        rotation = self._load()
        if rotation is None or rotation.name is None:
            return None
        purpose = rotation.purpose
        signer = self._ring.signer(rotation.name, purpose) if purpose.signs else None
        self._ring.switch(rotation.name, purpose)
        return str(purpose), signer

    def settle(self) -> None:
        """Before keys are opened: put a prepared secret key into use. Whoever starts then records it; safe to repeat.

        If we die before it is recorded, the change is still prepared and the next start records it.
        """
        rotation = self._load()
        if rotation is not None and not rotation.purpose.signs:
            self.switch()

    def note(self, event: Members, index: int) -> None:
        """Bring ``trust.json`` up to date with an event that stands at ``index``; the first index of an event counts.

        If we die before this, the new key has signed nothing yet, so the later index of the repeated event is true too.
        """
        change = _CHANGES.get(str(event["purpose"]))
        if change is not None:
            known = trust.parse(self._trust.read_bytes())
            protected_files.replace(self._trust, trust.encode(change(known, event, index)))

    def finish(self) -> None:
        """Forget the prepared change. If we die before this, it is applied again: same events, no new effect."""
        self._path.unlink(missing_ok=True)

    def prepare(self, rotation: Rotation) -> None:
        """Leave a change for the authority, durable on return.

        Raises:
            ConfigurationError: another one waits already.
        """
        events: list[canonical.Json] = list(rotation.events)
        value: canonical.Json = {"format": FORMAT, "name": rotation.name, "events": events}
        protected_files.create(self._path, canonical.encode(value) + b"\n")

    def _load(self) -> Rotation | None:
        if not self._path.exists():
            return None
        match canonical.decode(protected_files.read(self._path).removesuffix(b"\n")):
            case {"format": "sealgate-rotation/v1", "name": (str() | None) as name, "events": list() as events, **more}:
                found = tuple(event for event in events if isinstance(event, dict))
                if not more and found and len(found) == len(events):
                    return Rotation(found, name)
        raise ConfigurationError(f"file `{self._path}` is not a prepared rotation", hint="remove it and prepare anew")


def _statement_changed(known: Trust, event: Members, index: int) -> Trust:
    public_key = notes.decode_base64(str(event["public_key"]), "public key")
    keys = known.statement_keys
    if event["kind"] != ADDED:
        keys = tuple(
            trust.StatementKey(key.public_key, key.from_index, index)
            if key.public_key == public_key and key.to_index is None
            else key
            for key in keys
        )
    elif all(key.public_key != public_key for key in keys):
        keys = (*keys, trust.StatementKey(public_key, index))
    return dataclasses.replace(known, statement_keys=keys)


def _receipt_changed(known: Trust, event: Members, index: int) -> Trust:
    """The new key is the one in use; the old one may have signed trees up to the record of its end."""
    public_key = notes.decode_base64(str(event["public_key"]), "public key")
    former = known.former_receipt_keys
    if event["kind"] == ADDED:
        if public_key in (known.receipt_key, *(key.public_key for key in former)):
            return known
        former = (*former, trust.FormerReceiptKey(known.receipt_key))
        return dataclasses.replace(known, receipt_key=public_key, former_receipt_keys=former)
    revoked = event["kind"] == REVOKED
    former = tuple(
        trust.FormerReceiptKey(key.public_key, index if key.to_index is None else key.to_index, key.revoked or revoked)
        if key.public_key == public_key
        else key
        for key in former
    )
    return dataclasses.replace(known, former_receipt_keys=former)


_CHANGES: Final[dict[str, Callable[[Trust, Members, int], Trust]]] = {
    STATEMENT: _statement_changed,
    Purpose.RECEIPT: _receipt_changed,
}
"""What each event means for verifiers, by purpose; other keys are not their business."""


def new_key(
    ring: Keyring,
    purpose: Purpose,
    *,
    origin: str,
    created: str,
    sign: Callable[[bytes], bytes],
    ended_kind: str = RETIRED,
    cost: Cost = COST_OF_RANDOM_PASSPHRASE,
) -> Rotation:
    """Make a new key file of a purpose and the endorsed events that bring it in and end the current one.

    Raises:
        ConfigurationError: the current key cannot be read, or a file is in the way.
    """
    name = new_file(ring, purpose, created=created, cost=cost)
    return rotation_to(ring, purpose, name, origin=origin, sign=sign, ended_kind=ended_kind)


def new_file(ring: Keyring, purpose: Purpose, *, created: str, cost: Cost = COST_OF_RANDOM_PASSPHRASE) -> str:
    """Make a new key file and return its name. Raises ConfigurationError where a file is in the way."""
    temporary = ring.directory / f"{purpose}-new-{created.replace(':', '')}.key"
    phrase = ring.reading_passphrase() if purpose is Purpose.WRAPPING else ring.passphrase()
    file.generate(temporary, purpose, phrase, created=created, cost=cost)
    name = keyring.file_name(purpose, key_id_of(ring, purpose, temporary.name))
    temporary.rename(ring.directory / name)
    return name


def key_id_of(ring: Keyring, purpose: Purpose, name: str) -> bytes:
    """Return the id of a key: of a secret one, a digest of what only it makes, from which it cannot be found."""
    if purpose.signs:
        return ring.signer(name, purpose).key_id
    made = ring.wrapping_key(name).wrap(bytes(32)) if purpose is Purpose.WRAPPING else ring.permit_key(name)
    return key_id(f"sealgate {purpose} key id\n".encode() + made)


def rotation_to(
    ring: Keyring,
    purpose: Purpose,
    name: str,
    *,
    origin: str,
    sign: Callable[[bytes], bytes],
    ended_kind: str = RETIRED,
    current: str | None = None,
) -> Rotation:
    """Return the endorsed change from the ``current`` key to another that exists already, on a device for example."""
    current = ring.current_name(purpose) if current is None else current

    def event(kind: str, key: str) -> Members:
        if purpose.signs:
            public_key = ring.signer(key, purpose).public_key
            return key_changed(kind, origin=origin, purpose=str(purpose), public_key=public_key, sign=sign)
        kid = key_id_of(ring, purpose, key)
        return secret_changed(kind, origin=origin, purpose=str(purpose), kid=kid, sign=sign)

    return Rotation((event(ADDED, name), event(ended_kind, current)), name)
