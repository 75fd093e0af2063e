"""A prepared change of keys: endorsed by the root key beforehand, recorded by the running authority later.

``prepare`` runs where the root key is and leaves ``rotation.json``. The authority records each event, switches to the
new key right after its ``key.added``, and then calls ``finish``. A crash at any point leaves a key in use that the log
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
from sealgate.authority.key_events import Members, key_changed
from sealgate.encoding import canonical
from sealgate.model.errors import ConfigurationError
from sealgate.ports.signer import Signer
from sealgate.proofs import notes, trust
from sealgate.proofs.key_events import ADDED, RETIRED, STATEMENT

FORMAT: Final = "sealgate-rotation/v1"
TRUST_FILE: Final = "trust.json"


@dataclass(frozen=True, slots=True)
class Rotation:
    """Events in the order in which they are recorded, and the statement key that is used after ``key.added``."""

    events: tuple[Members, ...]
    name: str | None


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

    def switch(self) -> Signer | None:
        """Name the prepared statement key as the one in use, durable on return, and return it; None if none is."""
        rotation = self._load()
        if rotation is None or rotation.name is None:
            return None
        signer = self._ring.statement_signer(rotation.name)
        self._ring.switch(rotation.name)
        return signer

    def note(self, event: Members, index: int) -> None:
        """Bring ``trust.json`` up to date with an event that stands at ``index``; the first index of an event counts.

        If we die before this, the new key has signed nothing yet, so the later index of the repeated event is true too.
        """
        if event["purpose"] == STATEMENT:
            known = trust.parse(self._trust.read_bytes())
            keys = tuple(_changed(list(known.statement_keys), event, index))
            protected_files.replace(self._trust, trust.encode(dataclasses.replace(known, statement_keys=keys)))

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
                if not more and len(found) == len(events):
                    return Rotation(found, name)
        raise ConfigurationError(f"file `{self._path}` is not a prepared rotation", hint="remove it and prepare anew")


def _changed(keys: list[trust.StatementKey], event: Members, index: int) -> list[trust.StatementKey]:
    public_key = notes.decode_base64(str(event["public_key"]), "public key")
    known = any(key.public_key == public_key for key in keys)
    if event["kind"] == ADDED:
        return keys if known else [*keys, trust.StatementKey(public_key, index)]
    return [
        trust.StatementKey(key.public_key, key.from_index, index)
        if key.public_key == public_key and key.to_index is None
        else key
        for key in keys
    ]


def new_statement_key(
    ring: Keyring,
    *,
    origin: str,
    created: str,
    sign: Callable[[bytes], bytes],
    ended_kind: str = RETIRED,
    cost: Cost = COST_OF_RANDOM_PASSPHRASE,
) -> Rotation:
    """Make a new statement key file and the endorsed events that bring it in and end the current one.

    Raises:
        ConfigurationError: the current key cannot be read, or a file is in the way.
    """
    current = ring.statement_signer(ring.current_name()).public_key
    temporary = ring.directory / f"statement-new-{created.replace(':', '')}.key"
    public_key = file.generate(temporary, Purpose.STATEMENT, ring.passphrase(), created=created, cost=cost)
    if public_key is None:
        raise ConfigurationError("the new key has no public half")
    name = keyring.statement_file_name(public_key)
    temporary.rename(ring.directory / name)
    return rotation_to(origin=origin, name=name, current=current, new=public_key, sign=sign, ended_kind=ended_kind)


def rotation_to(
    *, origin: str, name: str, current: bytes, new: bytes, sign: Callable[[bytes], bytes], ended_kind: str
) -> Rotation:
    """Return the endorsed change from one statement key to another that exists already, on a device for example."""
    added = key_changed(ADDED, origin=origin, purpose=STATEMENT, public_key=new, sign=sign)
    ended = key_changed(ended_kind, origin=origin, purpose=STATEMENT, public_key=current, sign=sign)
    return Rotation((added, ended), name)
