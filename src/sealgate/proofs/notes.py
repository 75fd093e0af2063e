"""C2SP signed-note: text, a blank line, signature lines ``— <name> <base64(key id || signature)>``.

Lines end in U+000A and in nothing else: no other Unicode line break splits a note. Base64 is decoded strictly and
compared with its re-encoding, so that one signature has one spelling. Key ids are hints, never proof: a line counts
only after its signature verified under a configured key.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from ..model.errors import EncodingError
from ..model.limits import MAX_CHECKPOINT_BYTES, MAX_NOTE_SIGNATURES
from .keys import require_public_key

ED25519: Final = 0x01
COSIGNATURE_ED25519: Final = 0x04
COSIGNATURE_ML_DSA_44: Final = 0x06
_KEY_LENGTHS: Final = {ED25519: 32, COSIGNATURE_ED25519: 32, COSIGNATURE_ML_DSA_44: 1312}
_KEY_ID_BYTES: Final = 4
_MAX_NAME_CHARS: Final = 255  # tlog-cosignature carries it behind one length byte
_VKEY: Final = re.compile(r"([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_DASH: Final = "\N{EM DASH} "


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A key that notes are checked with: its name, signature type and raw public key."""

    name: str
    type: int
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """Four bytes that hint at the key."""
        material = self.name.encode() + b"\n" + bytes((self.type,)) + self.public_key
        return hashlib.sha256(material).digest()[:_KEY_ID_BYTES]

    def encode(self) -> str:
        """Return the vkey: ``<name>+<key id hex>+<base64(type || public key)>``."""
        material = base64.b64encode(bytes((self.type,)) + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{material}"


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature line, parsed and not verified. ``signature`` is all that follows the key id."""

    name: str
    key_id: bytes
    signature: bytes

    def encode(self) -> str:
        """Return the line with its newline."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.signature).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note; its signatures are not verified. ``text`` ends in a newline."""

    text: str
    signatures: tuple[SignatureLine, ...]

    def encode(self) -> bytes:
        """Return the note's bytes."""
        return f"{self.text}\n{''.join(line.encode() for line in self.signatures)}".encode()


def require_key_name(name: str) -> str:
    """Return ``name`` if it can name a key: not empty, no Unicode space, no plus, no control character.

    Raises:
        EncodingError: it cannot.
    """
    if not 0 < len(name.encode(errors="replace")) <= _MAX_NAME_CHARS or "+" in name:
        raise EncodingError(f"`{name[:80]}` cannot name a key", hint="1 to 255 bytes without spaces and `+`")
    if any(char.isspace() or ord(char) < 0x20 for char in name):
        raise EncodingError(f"key name `{name[:80]!r}` has a space or control character")
    return name


def decode_base64(text: str, what: str) -> bytes:
    """Return the bytes of standard base64 in its one canonical spelling.

    Raises:
        EncodingError: any other spelling.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise EncodingError(f"{what} is not base64") from error
    if base64.b64encode(data).decode() != text:
        raise EncodingError(f"{what} is not canonical base64")
    return data


def parse_decimal(text: str, what: str, limit: int = 2**63 - 1) -> int:
    """Return the number of an ASCII decimal without sign or leading zeros, at most ``limit``.

    Raises:
        EncodingError: anything else, also what Python's ``int`` would take.
    """
    if not (text.isascii() and text.isdigit()) or (text[0] == "0" and text != "0") or len(text) > 20:
        raise EncodingError(f"{what} `{text[:40]}` is not a plain decimal number")
    number = int(text)
    if number > limit:
        raise EncodingError(f"{what} `{text}` is too large")
    return number


def decode_text(data: bytes, what: str) -> str:
    """Return the text of UTF-8 bytes that hold no control character but the newline.

    Raises:
        EncodingError: they do, or are not UTF-8.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise EncodingError(f"{what} is not UTF-8") from error
    if _CONTROL.search(text):
        raise EncodingError(f"{what} has a control character")
    return text


def parse_vkey(text: str) -> VerifierKey:
    """Return the key of a vkey; Ed25519 keys are checked for weakness.

    Raises:
        EncodingError: malformed, of an unknown type, or its key id does not fit.
    """
    match = _VKEY.fullmatch(text)
    if not match:
        raise EncodingError(f"`{text[:120]}` is not a verifier key", hint="<name>+<8 hex>+<base64>")
    material = decode_base64(match[3], "verifier key")
    kind = material[0] if material else 0
    if len(material) - 1 != _KEY_LENGTHS.get(kind):
        raise EncodingError(f"verifier key `{text[:80]}` has an unknown type or length")
    key = VerifierKey(require_key_name(match[1]), kind, material[1:])
    if kind != COSIGNATURE_ML_DSA_44:
        require_public_key(key.public_key, f"verifier key `{key.name}`")
    if key.key_id.hex() != match[2]:
        raise EncodingError(f"verifier key `{text[:80]}` does not fit its key id")
    return key


def parse(data: bytes) -> Note:
    """Return the note of ``data``.

    Raises:
        EncodingError: not a signed note in every detail.
    """
    if len(data) > MAX_CHECKPOINT_BYTES:
        raise EncodingError(f"note has {len(data)} bytes", hint=f"at most {MAX_CHECKPOINT_BYTES} are allowed")
    text = decode_text(data, "note")
    at = text.rfind("\n\n")
    if at < 0 or not text.endswith("\n"):
        raise EncodingError("note has no blank line before its signatures")
    return Note(text[: at + 1], parse_signature_lines(text[at + 2 :]))


def parse_signature_lines(text: str) -> tuple[SignatureLine, ...]:
    """Return one or more signature lines; each ends in a newline.

    Raises:
        EncodingError: none, too many, or one is malformed.
    """
    if not text.endswith("\n"):
        raise EncodingError("signature line does not end in a newline")
    lines = text[:-1].split("\n")
    if len(lines) > MAX_NOTE_SIGNATURES:
        raise EncodingError(f"note has {len(lines)} signatures", hint=f"at most {MAX_NOTE_SIGNATURES} are allowed")
    return tuple(_signature_line(line) for line in lines)


def _signature_line(line: str) -> SignatureLine:
    name, separator, blob = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not separator:
        raise EncodingError("note has a malformed signature line")
    data = decode_base64(blob, "signature")
    if len(data) <= _KEY_ID_BYTES:
        raise EncodingError("signature is too short")
    return SignatureLine(require_key_name(name), data[:_KEY_ID_BYTES], data[_KEY_ID_BYTES:])
