"""Keys in a PKCS#11 device: an HSM, a smart card, SoftHSM2 in tests. Private keys never leave it.

A process may log in to a token once, so signers and wrapping key of one token share one session behind one lock. A
forked child may not use its parent's session (PKCS#11 section 5.4 on C_Initialize): it opens its own with the first
call. When the device goes away, calls raise UnavailableError and each following call tries to open it again.

Trusted: the device; whoever can log in to it can sign, but cannot take the key away.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass

from sealgate.encoding import statement
from sealgate.model.errors import AlteredError, ConfigurationError, UnavailableError
from sealgate.proofs.keys import require_public_key

_ED25519: Final = b"\x06\x03\x2b\x65\x70"  # the object identifier 1.3.101.112, DER
_WRAPPED_BYTES: Final = 40
_REFUSED_CIPHERTEXT: Final = (
    pkcs11.exceptions.WrappedKeyInvalid,
    pkcs11.exceptions.WrappedKeyLenRange,
    pkcs11.exceptions.EncryptedDataInvalid,
    pkcs11.exceptions.EncryptedDataLenRange,
)

_EXTRACTABLE_FOR_THIS_SESSION: Final = {
    Attribute.EXTRACTABLE: True,
    Attribute.SENSITIVE: False,
    Attribute.TOKEN: False,
}
"""A data key is used outside the device, so it must come out; nothing of it stays on the token."""

_Result = TypeVar("_Result")

_starting = threading.Lock()
_started: dict[Path, int] = {}
"""The process in which each module was started; guarded by ``_starting``."""


class Token:
    """One token, logged in on first use. May be used from any thread; calls are serialized."""

    def __init__(self, module: Path, label: str, pin: bytes) -> None:
        self._module = module
        self._label = label
        self._pin = pin
        self._lock = threading.Lock()
        self._session: Any = None
        self._process = 0
        self._keys: dict[tuple[str, ObjectClass], Any] = {}

    def use(self, label: str, kind: ObjectClass, work: Callable[[Any, Any], _Result]) -> _Result:
        """Return ``work(session, key)`` with the key of this label.

        Raises:
            ConfigurationError: module, token, PIN or key is not there.
            UnavailableError: the device failed; the next call opens it anew.
        """
        with self._lock:
            try:
                return work(self._opened(), self._key(label, kind))
            except _REFUSED_CIPHERTEXT:
                raise
            except pkcs11.exceptions.PKCS11Error as error:
                self._forget()
                raise _failed(error) from error

    def close(self) -> None:
        """Log out. Idempotent."""
        with self._lock:
            self._forget()

    def _opened(self) -> Any:
        if self._session is not None and self._process == os.getpid():
            return self._session
        self._session, self._keys = None, {}
        self._session = _open(self._module, self._label, self._pin)
        self._process = os.getpid()
        return self._session

    def _key(self, label: str, kind: ObjectClass) -> Any:
        if (label, kind) not in self._keys:
            try:
                self._keys[label, kind] = self._session.get_key(object_class=kind, label=label)
            except pkcs11.exceptions.NoSuchKey as error:
                hint = "`docs/how-to/keys.md` shows how to make it"
                raise ConfigurationError(f"the token has no key `{label}`", hint=hint) from error
            except pkcs11.exceptions.MultipleObjectsReturned as error:
                raise ConfigurationError(
                    f"the token has more than one key `{label}`", hint="labels are unique"
                ) from error
        return self._keys[label, kind]

    def _forget(self) -> None:
        session, self._session, self._keys = self._session, None, {}
        if session is not None and self._process == os.getpid():
            try:
                session.close()
            except pkcs11.exceptions.PKCS11Error:
                return  # it is gone already


def _open(module: Path, label: str, pin: bytes, *, writing: bool = False) -> Any:
    """Return a session of the token, logged in.

    Raises:
        ConfigurationError: module, token or PIN is not there.
    """
    try:
        library = _library(module)
    except RuntimeError as error:  # of a module that is missing or no library, and the base of the device's own errors
        if type(error) not in (RuntimeError, pkcs11.exceptions.PKCS11Error):
            raise
        raise ConfigurationError(f"PKCS#11 module `{module}` cannot be loaded: {error}") from error
    try:
        return library.get_token(token_label=label).open(rw=writing, user_pin=pin.decode("utf-8"))
    except (pkcs11.exceptions.NoSuchToken, pkcs11.exceptions.TokenNotPresent) as error:
        raise ConfigurationError(f"PKCS#11 token `{label}` is not there", hint="see keys.pkcs11_*") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"the PIN of PKCS#11 token `{label}` is not UTF-8 text") from error
    except (pkcs11.exceptions.PinIncorrect, pkcs11.exceptions.PinLenRange, pkcs11.exceptions.PinLocked) as error:
        hint = "a token locks itself after a few wrong PINs"
        raise ConfigurationError(f"PKCS#11 token `{label}` refuses the PIN", hint=hint) from error


def _failed(error: pkcs11.exceptions.PKCS11Error) -> UnavailableError:
    return UnavailableError(f"PKCS#11 device failed: {str(error) or type(error).__name__}")


def _library(module: Path) -> Any:
    """Return the module, started in this process; once, because a second start ends the sessions of other tokens."""
    with _starting:
        library = pkcs11.lib(str(module))
        if _started.setdefault(module, os.getpid()) != os.getpid():
            library.reinitialize()  # the parent's sessions are not ours to close
            _started[module] = os.getpid()
        return library


class Pkcs11Signer:
    """Signs with an Ed25519 key of a token (ports.signer.Signer)."""

    def __init__(self, token: Token, label: str) -> None:
        self._token = token
        self._label = label
        self._public_key = require_public_key(token.use(label, ObjectClass.PUBLIC_KEY, _raw_public_key))
        self._key_id = statement.key_id(self._public_key)

    @property
    def public_key(self) -> bytes:
        """The raw public key, 32 bytes."""
        return self._public_key

    @property
    def key_id(self) -> bytes:
        """The first 16 bytes of the public key's SHA-256."""
        return self._key_id

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature of ``message``.

        Raises:
            UnavailableError: the device failed, or gave something that is no signature.
        """
        signature = self._token.use(
            self._label, ObjectClass.PRIVATE_KEY, lambda _, key: bytes(key.sign(message, mechanism=Mechanism.EDDSA))
        )
        if len(signature) != 64:
            raise UnavailableError(f"PKCS#11 device gave a signature of {len(signature)} bytes")
        return signature


def _raw_public_key(_session: Any, key: Any) -> bytes:
    if bytes(key[Attribute.EC_PARAMS]) not in (_ED25519, b"\x13\x0cedwards25519"):
        raise ConfigurationError(
            "the token's key is not an Ed25519 key", hint="make one with CKM_EC_EDWARDS_KEY_PAIR_GEN"
        )
    point = bytes(key[Attribute.EC_POINT])
    return (
        point[2:] if point[:2] == b"\x04\x20" and len(point) == 34 else point
    )  # OCTET STRING, or bare in some devices


class Pkcs11WrappingKey:
    """Wraps data keys with AES key wrap inside the device, RFC 3394 (ports.wrapping.WrappingKey)."""

    def __init__(self, token: Token, label: str) -> None:
        self._token = token
        self._label = label
        token.use(label, ObjectClass.SECRET_KEY, lambda _session, _key: None)

    def wrap(self, key: bytes) -> bytes:
        """Return the wrapped form of a 32-byte key, 40 bytes.

        Raises:
            UnavailableError: the device failed.
        """
        return self._token.use(
            self._label, ObjectClass.SECRET_KEY, lambda session, wrapping: _wrap(session, wrapping, key)
        )

    def unwrap(self, wrapped: bytes) -> bytes:
        """Return the key.

        Raises:
            AlteredError: ``wrapped`` was changed, or another key wrapped it.
            UnavailableError: the device failed.
        """
        if len(wrapped) != _WRAPPED_BYTES:
            raise AlteredError(f"wrapped data key has {len(wrapped)} bytes")

        def work(session: Any, wrapping: Any) -> bytes:
            try:
                return _unwrap(wrapping, wrapped)
            except (pkcs11.exceptions.GeneralError, pkcs11.exceptions.FunctionFailed) as error:
                # SoftHSM2 says no more than this of a wrong ciphertext. If a right one opens, the device is well.
                probe = bytes(len(wrapped) - 8)
                if _unwrap(wrapping, _wrap(session, wrapping, probe)) != probe:
                    raise
                raise pkcs11.exceptions.WrappedKeyInvalid from error

        try:
            return self._token.use(self._label, ObjectClass.SECRET_KEY, work)
        except _REFUSED_CIPHERTEXT as error:
            raise AlteredError("wrapped data key does not open", hint="is this the key that wrapped it?") from error


def _wrap(session: Any, wrapping: Any, key: bytes) -> bytes:
    data_key = session.create_object(
        {
            Attribute.CLASS: ObjectClass.SECRET_KEY,
            Attribute.KEY_TYPE: KeyType.AES,
            Attribute.VALUE: key,
            **_EXTRACTABLE_FOR_THIS_SESSION,
        }
    )
    try:
        return bytes(wrapping.wrap_key(data_key, mechanism=Mechanism.AES_KEY_WRAP))
    finally:
        data_key.destroy()


def _unwrap(wrapping: Any, wrapped: bytes) -> bytes:
    data_key = wrapping.unwrap_key(
        ObjectClass.SECRET_KEY,
        KeyType.AES,
        wrapped,
        mechanism=Mechanism.AES_KEY_WRAP,
        template=_EXTRACTABLE_FOR_THIS_SESSION,
    )
    try:
        return bytes(data_key[Attribute.VALUE])
    finally:
        data_key.destroy()


def generate(module: Path, token_label: str, pin: bytes, *, signers: list[str], wrapping: str | None) -> None:
    """Make Ed25519 keys and an AES-256 wrapping key on a token, none of them extractable.

    Raises:
        ConfigurationError: module, token or PIN is not there, or a label is taken.
        UnavailableError: the device failed.
    """
    try:
        with _open(module, token_label, pin, writing=True) as session:
            for label in [*signers, *([wrapping] if wrapping else [])]:
                if next(iter(session.get_objects({Attribute.LABEL: label})), None) is not None:
                    raise ConfigurationError(f"the token has a key `{label}`", hint="keys are never overwritten")
            parameters = session.create_domain_parameters(
                KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: _ED25519}, local=True
            )
            for label in signers:
                parameters.generate_keypair(mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN, store=True, label=label)
            if wrapping:
                capabilities = MechanismFlag.WRAP | MechanismFlag.UNWRAP
                session.generate_key(KeyType.AES, 256, store=True, label=wrapping, capabilities=capabilities)
    except pkcs11.exceptions.PKCS11Error as error:
        raise _failed(error) from error
