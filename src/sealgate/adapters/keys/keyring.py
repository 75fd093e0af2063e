"""The folder of keys, and opening all of them as the configuration says.

::

    root.key          endorses key events; belongs offline after `sealgate init`
    statement-*.key   sign statements; `current` names the one in use
    log.key           signs checkpoints        receipt.key   signs COSE receipts
    wrapping.key      wraps data keys          permit.key    authenticates permits
    receipt-*.key, wrapping-*.key, permit-*.key   later ones; `current-receipt` and so on name the one in use
    token.key         signs tokens that tools verify (made by `sealgate init`, or `sealgate keys token`)
    unlock            passphrase of all but the root key; root-unlock: that of the root key
    reading-unlock    passphrase of wrapping.key, so that who reads bodies cannot open a signing key
    genesis.json      the endorsed members of the log's first record
    rotation.json     an endorsed change of keys that waits to be recorded
    rewrapping        names the wrapping key to which a change is under way: nothing else may open one meanwhile
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sealgate.adapters import protected_files
from sealgate.adapters.configuration.sections.keys import Keys
from sealgate.adapters.configuration.settings import Configuration
from sealgate.adapters.keys import file, passphrase
from sealgate.adapters.keys.devices import Device, kms_key, wrapping_token
from sealgate.adapters.keys.envelope import Purpose
from sealgate.encoding import canonical
from sealgate.encoding.statement import key_id
from sealgate.model.errors import ConfigurationError
from sealgate.ports.signer import Signer
from sealgate.ports.wrapping import WrappingKey

ROOT: Final = "root.key"
LOG: Final = "log.key"
RECEIPT: Final = "receipt.key"
WRAPPING: Final = "wrapping.key"
PERMIT: Final = "permit.key"
TOKEN: Final = "token.key"  # noqa: S105  # a name
CURRENT: Final = "current"
UNLOCK: Final = "unlock"
ROOT_UNLOCK: Final = "root-unlock"
READING_UNLOCK: Final = "reading-unlock"
GENESIS: Final = "genesis.json"
ROTATION: Final = "rotation.json"
REWRAPPING: Final = "rewrapping"

_FIRST: Final = {Purpose.RECEIPT: RECEIPT, Purpose.WRAPPING: WRAPPING, Purpose.PERMIT: PERMIT}
"""The files that `sealgate init` makes; used as long as nothing names a later one."""


def statement_file_name(public_key: bytes) -> str:
    """Return the name of a statement key's file."""
    return file_name(Purpose.STATEMENT, key_id(public_key))


def file_name(purpose: Purpose, kid: bytes) -> str:
    """Return the name of a key's file."""
    return f"{purpose}-{kid.hex()[:16]}.key"


@dataclass(frozen=True, slots=True)
class OpenKeys:
    """Everything that the authority signs, wraps and authenticates with."""

    statement: Signer
    log: Signer
    receipt: Signer
    wrapping: WrappingKey
    permit: bytes


class Keyring:
    """Opens keys as configured. The passphrase is read once, when the first key is opened."""

    def __init__(self, keys: Keys, data_directory: Path, origin: str = "") -> None:
        self._keys = keys
        self._data_directory = data_directory
        self._origin = origin
        self._passphrase: bytes | None = None
        self._device: Device | None = None
        self._wrapping_device: Device | None = None

    @classmethod
    def of(cls, configuration: Configuration) -> "Keyring":
        """Return the keyring of a configuration."""
        return cls(configuration.keys, configuration.data_directory, configuration.authority.origin)

    @property
    def directory(self) -> Path:
        """The folder of keys."""
        return self._keys.directory

    def open(self) -> OpenKeys:
        """Open all keys that a running authority needs; the root key is not one of them.

        Raises:
            ConfigurationError: a key is missing, open to others, does not open, or is no key of its purpose.
            UnavailableError: a device or passphrase command failed.
        """
        log = self._keys.pkcs11_log_label if self._keys.store == "pkcs11" else LOG
        return OpenKeys(
            self.statement_signer(self.current_name()),
            self.signer(log, Purpose.LOG),
            self.signer(self.current_name(Purpose.RECEIPT), Purpose.RECEIPT),
            self.open_reading(),
            self.permit_key(self.current_name(Purpose.PERMIT)),
        )

    def open_token_signer(self) -> Signer | None:
        """Open the key that signs tokens; None where there is none yet. Raises as ``open``."""
        path = self.directory / TOKEN
        return file.open_signer(path, self.passphrase(), Purpose.TOKEN) if path.exists() else None

    def open_reading(self) -> WrappingKey:
        """Open the key-encryption key and nothing else: what a process needs that reads bodies and signs nothing.

        Raises:
            ConfigurationError: it is missing, open to others, does not open, or is no such key.
            UnavailableError: a device, service or passphrase command failed.
        """
        if (self.directory / REWRAPPING).exists():
            hint = "run `sealgate keys rotate --purpose wrapping` again: it goes on where it stopped"
            raise ConfigurationError("a change of the wrapping key is under way or was interrupted", hint=hint)
        return self.wrapping_key(self.current_name(Purpose.WRAPPING))

    @property
    def wrapping_store(self) -> str:
        """Where the wrapping key is: ``file``, ``pkcs11`` or ``kms``."""
        return self._keys.store if self._keys.wrapping == "store" else self._keys.wrapping

    def wrapping_key(self, name: str) -> WrappingKey:
        """Return a key-encryption key by its file name, or its label on the device. Raises as ``open_reading``."""
        if self.wrapping_store == "pkcs11":
            return self.wrapping_device().wrapping_key(name)
        if self.wrapping_store == "kms":
            return kms_key(self._keys, self._origin)
        return file.open_wrapping_key(self.directory / name, self.reading_passphrase())

    def permit_key(self, name: str) -> bytes:
        """Return the key that authenticates permits by its file name. Raises as ``open``."""
        return file.open_permit_key(self.directory / name, self.passphrase())

    def reading_passphrase(self) -> bytes:
        """Return the passphrase of the wrapping key's file. Raises as ``passphrase.read``."""
        reference = self._keys.reading_passphrase
        if not reference and (self.directory / READING_UNLOCK).exists():
            reference = f"file:{self.directory / READING_UNLOCK}"
        if not reference:  # made before wrapping.key had a passphrase of its own
            return self.passphrase()
        return passphrase.read(reference, base=self._data_directory)

    def statement_signer(self, name: str) -> Signer:
        """Return a statement signer by its file name, or its label on the device. Raises as ``open``."""
        return self.signer(name, Purpose.STATEMENT)

    def signer(self, name: str, purpose: Purpose) -> Signer:
        """Return a signer of one purpose by its file name, or its label on the device. Raises as ``open``."""
        if self._keys.store == "pkcs11":
            return self.device().signer(name)
        return file.open_signer(self.directory / name, self.passphrase(), purpose)

    def current_name(self, purpose: Purpose = Purpose.STATEMENT) -> str:
        """Return the name of the key in use. Raises ConfigurationError when nothing says which."""
        path = self._current(purpose)
        if not path.exists() and (first := self._first_name(purpose)):
            return first
        name = protected_files.read(path).decode("utf-8", "replace").removesuffix("\n")
        if not name or "/" in name:
            raise ConfigurationError(f"file `{path}` does not name a {purpose} key", hint="restore it from a copy")
        return name

    def _current(self, purpose: Purpose) -> Path:
        return self.directory / (CURRENT if purpose is Purpose.STATEMENT else f"{CURRENT}-{purpose}")

    def _first_name(self, purpose: Purpose) -> str | None:
        """Return the name of the key that is used while no file names one; None where there must be such a file."""
        labels = {
            Purpose.STATEMENT: self._keys.pkcs11_statement_label,
            Purpose.RECEIPT: self._keys.pkcs11_receipt_label,
        }
        if self._keys.store == "pkcs11" and purpose in labels:
            return labels[purpose]
        if purpose is Purpose.WRAPPING and self.wrapping_store == "pkcs11":
            return self._keys.pkcs11_wrapping_label
        return _FIRST.get(purpose)

    def switch(self, name: str, purpose: Purpose = Purpose.STATEMENT) -> None:
        """Use another key from the next start on; durable on return."""
        protected_files.replace(self._current(purpose), name.encode() + b"\n")

    def passphrase(self) -> bytes:
        """Return the passphrase of the key files. Raises as ``passphrase.read``."""
        if self._passphrase is None:
            self._passphrase = passphrase.read(self._keys.passphrase, base=self._data_directory)
        return self._passphrase

    def genesis(self) -> dict[str, canonical.Json]:
        """Return the endorsed members of the log's first record.

        Raises:
            ConfigurationError: the file is missing or malformed.
        """
        members = canonical.decode(protected_files.read(self.directory / GENESIS).removesuffix(b"\n"))
        if not isinstance(members, dict):
            raise ConfigurationError("the genesis file is not an object", hint="restore it from a copy")
        return members

    def device(self) -> Device:
        """Return the PKCS#11 device. Raises ConfigurationError where none is configured or its library is missing."""
        if self._device is None:
            self._device = Device(self._keys, self._data_directory)
        return self._device

    def wrapping_device(self) -> Device:
        """Return the device with the key-encryption key: a token of its own where one is named. Raises as ``device``.

        Who only reads opens this token alone, so that without the other one's PIN it cannot sign.
        """
        if not self._keys.pkcs11_wrapping_token:
            return self.device()
        if self._wrapping_device is None:
            self._wrapping_device = Device(wrapping_token(self._keys), self._data_directory)
        return self._wrapping_device
