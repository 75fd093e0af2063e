"""The key file: one secret of 32 bytes, encrypted under a passphrase, in strict canonical JSON.

::

    {"cipher":"aes-256-gcm","ciphertext":"<b64>","created":"<RFC 3339>","format":"sealgate-key/v1",
     "kdf":{"name":"scrypt","n":131072,"p":1,"r":8,"salt":"<b64 16>"},"nonce":"<b64 12>",
     "public_key":"<b64 32>"|null,"purpose":"statement"}

Everything but the ciphertext is authenticated with it, so a file cannot be renamed to another purpose. scrypt is
RFC 7914. Files that are made together under one passphrase share a salt, so that opening all of them costs one
derivation (ADR 0093); their random nonces of 96 bits do not repeat in a handful of files.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealgate.encoding import canonical
from sealgate.model.errors import ConfigurationError, EncodingError

FORMAT: Final = "sealgate-key/v1"
SECRET_BYTES: Final = 32
SALT_BYTES: Final = 16
NONCE_BYTES: Final = 12


class Purpose(StrEnum):
    """What a key is for; one purpose per key (RFC 9943)."""

    ROOT = "root"
    STATEMENT = "statement"
    LOG = "log"
    RECEIPT = "receipt"
    WRAPPING = "wrapping"
    PERMIT = "permit"
    VAULT = "vault"
    TOKEN = "token"  # noqa: S105  # a name

    @property
    def signs(self) -> bool:
        """Tell whether it is an Ed25519 key; the others are symmetric."""
        return self not in (Purpose.WRAPPING, Purpose.PERMIT, Purpose.VAULT)


@dataclass(frozen=True, slots=True)
class Cost:
    """scrypt's price: memory is 128 * n * r bytes, time grows with n * r * p."""

    n: int
    r: int = 8
    p: int = 1

    def check(self) -> None:
        """Refuse a price too low to protect or so high that opening would exhaust the machine.

        Raises:
            ConfigurationError: it is out of bounds.
        """
        if self.n & (self.n - 1) or not 1 << 14 <= self.n <= 1 << 20 or self.r != 8 or not 1 <= self.p <= 16:
            raise ConfigurationError("key file has an unacceptable scrypt cost", hint="n 2^14 to 2^20, r 8, p 1 to 16")


COST_OF_HUMAN_PASSPHRASE: Final = Cost(1 << 17)
"""128 MiB, about 0.4 s: what OWASP asks for a passphrase that somebody thought of."""

COST_OF_RANDOM_PASSPHRASE: Final = Cost(1 << 14)
"""16 MiB, about 50 ms: a random passphrase of 256 bits cannot be guessed at any price, so opening need not be slow."""


@dataclass(frozen=True, slots=True)
class Header:
    """The readable part of a key file."""

    purpose: Purpose
    created: str
    public_key: bytes | None


def seal(secret: bytes, header: Header, passphrase: bytes, *, cost: Cost, randomness: bytes) -> bytes:
    """Return the key file's bytes; ``randomness`` is 28 fresh random bytes (salt and nonce)."""
    cost.check()
    salt, nonce = randomness[:SALT_BYTES], randomness[SALT_BYTES:]
    public = _public(header, cost, salt, nonce)
    ciphertext = AESGCM(_derive(passphrase, salt, cost)).encrypt(nonce, secret, canonical.encode(public))
    return canonical.encode({**public, "ciphertext": _to_base64(ciphertext)}) + b"\n"


def read_header(data: bytes) -> Header:
    """Return what a key file says without its passphrase. Unauthenticated until ``unseal`` succeeds.

    Raises:
        ConfigurationError: not a key file.
    """
    return _parse(data)[0]


def unseal(data: bytes, passphrase: bytes) -> tuple[Header, bytes]:
    """Return the header and the secret.

    Raises:
        ConfigurationError: not a key file; or the wrong passphrase or a changed file, which cannot be told apart.
    """
    header, cost, salt, nonce, ciphertext = _parse(data)
    public = _public(header, cost, salt, nonce)
    try:
        secret = AESGCM(_derive(passphrase, salt, cost)).decrypt(nonce, ciphertext, canonical.encode(public))
    except InvalidTag as error:
        hint = "check the passphrase; restore the file from a copy if it is right"
        raise ConfigurationError(f"the {header.purpose} key file does not open", hint=hint) from error
    if len(secret) != SECRET_BYTES:
        raise ConfigurationError(f"the {header.purpose} key file holds a key of the wrong length")
    return header, secret


def _public(header: Header, cost: Cost, salt: bytes, nonce: bytes) -> dict[str, canonical.Json]:
    return {
        "cipher": "aes-256-gcm",
        "created": header.created,
        "format": FORMAT,
        "kdf": {"name": "scrypt", "n": cost.n, "p": cost.p, "r": cost.r, "salt": _to_base64(salt)},
        "nonce": _to_base64(nonce),
        "public_key": None if header.public_key is None else _to_base64(header.public_key),
        "purpose": str(header.purpose),
    }


def _parse(data: bytes) -> tuple[Header, Cost, bytes, bytes, bytes]:
    try:
        match canonical.decode(data.removesuffix(b"\n")):
            case {
                "cipher": "aes-256-gcm",
                "ciphertext": str() as ciphertext,
                "created": str() as created,
                "format": "sealgate-key/v1",
                "kdf": {
                    "name": "scrypt",
                    "n": int() as n,
                    "p": int() as p,
                    "r": int() as r,
                    "salt": str() as salt,
                    **x,
                },
                "nonce": str() as nonce,
                "public_key": (str() | None) as public_key,
                "purpose": str() as purpose,
                **more,
            } if not x and not more and purpose in list(Purpose):
                header = Header(Purpose(purpose), created, None if public_key is None else _from_base64(public_key, 32))
            case _:
                raise ConfigurationError("not a key file of format sealgate-key/v1")
        cost = Cost(n, r, p)
        cost.check()
        raw = _from_base64(ciphertext, SECRET_BYTES + 16)
        return header, cost, _from_base64(salt, SALT_BYTES), _from_base64(nonce, NONCE_BYTES), raw
    except EncodingError as error:
        raise ConfigurationError(f"not a key file: {error.message}") from error


@lru_cache(maxsize=4)
def _derive(passphrase: bytes, salt: bytes, cost: Cost) -> bytes:
    """Derive once what several files share; a process that opens keys holds them, and the passphrase, for life."""
    memory = 128 * cost.n * cost.r * 2
    return hashlib.scrypt(passphrase, salt=salt, n=cost.n, r=cost.r, p=cost.p, maxmem=memory, dklen=32)


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _from_base64(text: str, size: int) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise EncodingError("a member is not base64") from error
    if len(data) != size or _to_base64(data) != text:
        raise EncodingError(f"a member is not base64 of {size} bytes")
    return data
