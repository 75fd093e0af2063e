"""The public keys of one issuer, in memory: read from a JWKS or a SPIFFE trust bundle, renewed in the background.

Trusted: the file or the HTTPS address the operator named, for that issuer alone. What cannot be read changes nothing,
until the keys are older than ``max_age_s``: then there are none, and every token of the issuer is refused.
"""

import base64
import binascii
import logging
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import httpx
from cryptography import x509
from joserfc import jwk
from joserfc.errors import JoseError

from sealgate.encoding import canonical
from sealgate.model.errors import ConfigurationError, SealgateError, UnavailableError

_LOG = logging.getLogger(__name__)
MAX_DOCUMENT_BYTES: Final = 256 * 1024
MAX_KEYS: Final = 100
_FETCH_TIMEOUT_S: Final = 5.0
_LEAST_RSA_BITS: Final = 2048
_HURRY_S: Final = 10.0
"""How long at least between two renewals that an unknown key asked for: strangers must not drive our requests."""

_CURVE_OF: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519"}
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

Form = Literal["jwks", "spiffe"]


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One public key and the algorithms that it may verify."""

    key: Any
    algorithms: frozenset[str]


@dataclass(frozen=True, slots=True)
class KeySet:
    """All keys of an issuer at one moment: those of tokens by id, and the authorities of X.509-SVIDs (DER)."""

    by_id: dict[str, VerificationKey] = field(default_factory=dict)
    authorities: tuple[bytes, ...] = ()


def read_keys(data: bytes, form: Form, algorithms: frozenset[str]) -> KeySet:
    """Return the keys of a document; those that cannot verify a pinned algorithm are left out.

    Raises:
        ConfigurationError: the document is malformed, has too many keys, two of one id, or a private one.
    """
    try:
        document = canonical.parse(data, max_bytes=MAX_DOCUMENT_BYTES)
    except SealgateError as error:
        raise ConfigurationError(f"keys are not strict JSON: {error.message}") from error
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise ConfigurationError("keys are not a JWK set", hint=f"`keys` is a list of at most {MAX_KEYS}")
    by_id: dict[str, VerificationKey] = {}
    authorities: list[bytes] = []
    for entry in entries:
        if not isinstance(entry, dict) or _PRIVATE & entry.keys():
            raise ConfigurationError("a key is malformed or private", hint="publish public keys only")
        use = entry.get("use")
        if form == "spiffe" and use == "x509-svid":
            authorities.append(_authority(entry))
        elif use == "jwt-svid" if form == "spiffe" else use in (None, "sig"):
            _add(by_id, entry, algorithms)
    return KeySet(by_id, tuple(authorities))


def _add(by_id: dict[str, VerificationKey], entry: dict[str, Any], algorithms: frozenset[str]) -> None:
    key_id = entry.get("kid")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= 256:
        return  # a token has to name its key, so nothing could use this one
    if key_id in by_id:
        raise ConfigurationError("two keys have one id", hint="each key needs its own `kid`")
    operations = entry.get("key_ops")
    if operations is not None and (not isinstance(operations, list) or "verify" not in operations):
        return
    usable = frozenset(name for name in algorithms if _fits(entry, name))
    if not usable:
        return
    try:
        key = jwk.import_key({name: entry[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in entry})
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ConfigurationError("a key cannot be read", hint="see RFC 7517") from error
    by_id[key_id] = VerificationKey(key, usable)


def _fits(entry: dict[str, Any], algorithm: str) -> bool:
    """Tell whether a key is of the type, curve and strength that an algorithm asks for."""
    if entry.get("alg") not in (None, algorithm, "Ed25519" if algorithm == "EdDSA" else algorithm):
        return False
    if algorithm in _CURVE_OF:
        kind = "OKP" if algorithm == "EdDSA" else "EC"
        return entry.get("kty") == kind and entry.get("crv") == _CURVE_OF[algorithm]
    modulus = entry.get("n")
    return entry.get("kty") == "RSA" and isinstance(modulus, str) and len(modulus) * 6 >= _LEAST_RSA_BITS


def _authority(entry: dict[str, Any]) -> bytes:
    chain = entry.get("x5c")
    if not isinstance(chain, list) or len(chain) != 1 or not isinstance(chain[0], str):
        raise ConfigurationError("an `x509-svid` key has not exactly one certificate in `x5c`")
    try:
        der = base64.b64decode(chain[0], validate=True)
        x509.load_der_x509_certificate(der)
    except (binascii.Error, ValueError) as error:
        raise ConfigurationError("a certificate in `x5c` cannot be read") from error
    return der


class TrustedKeys:
    """The keys of one issuer. ``current`` answers from memory; ``renew`` reads them anew and may wait."""

    def __init__(
        self,
        name: str,
        *,
        file: Path | None,
        url: str = "",
        ca: Path | None = None,
        form: Form,
        algorithms: Sequence[str],
        max_age_s: float = 86_400,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._file, self._url, self._ca = file, url, ca
        self._form: Form = form
        self._algorithms = frozenset(algorithms)
        self._max_age_s = max_age_s
        self._monotonic_s = monotonic_s
        self._keys = KeySet()
        self._data = b""
        self._read_at: float | None = None
        self.wanted = threading.Event()
        """Set when a token names a key that is not known: perhaps the issuer has a new one."""

    @property
    def is_file(self) -> bool:
        """Whether reading them waits for no network."""
        return self._file is not None

    def current(self) -> KeySet:
        """Return the keys that may be trusted now; none when they are too old. Never waits."""
        read_at = self._read_at
        if read_at is None or self._monotonic_s() - read_at > self._max_age_s:
            return _NO_KEYS
        return self._keys

    def renew(self) -> KeySet:
        """Read the keys anew, from then on they hold.

        Raises:
            ConfigurationError: they are malformed; those before stay.
            UnavailableError: they cannot be had; those before stay until they are too old.
        """
        data = self._load()
        if data != self._data:
            keys = read_keys(data, self._form, self._algorithms)
            self._keys, self._data = keys, data  # a reader sees the old set or the new one
        self._read_at = self._monotonic_s()
        return self._keys

    def _load(self) -> bytes:
        if self._file is not None:
            try:
                with self._file.open("rb") as file:
                    return file.read(MAX_DOCUMENT_BYTES + 1)
            except OSError as error:
                raise UnavailableError(f"keys in `{self._file}` cannot be read: {error.strerror}") from error
        try:
            verify = ssl.create_default_context(cafile=str(self._ca) if self._ca else None)
            with (
                httpx.Client(verify=verify, timeout=_FETCH_TIMEOUT_S, follow_redirects=False) as client,
                client.stream("GET", self._url, headers={"accept": "application/json"}) as answer,
            ):
                if answer.status_code != httpx.codes.OK:
                    raise UnavailableError(f"keys at `{self._url}`: status {answer.status_code}")
                data = b""
                for part in answer.iter_bytes(65536):
                    data += part
                    if len(data) > MAX_DOCUMENT_BYTES:
                        raise ConfigurationError(f"keys at `{self._url}` are over {MAX_DOCUMENT_BYTES} bytes")
                return data
        except (httpx.HTTPError, OSError) as error:
            raise UnavailableError(f"keys at `{self._url}` cannot be had: {type(error).__name__}") from error


_NO_KEYS: Final = KeySet()


class Renewer:
    """A thread that renews keys: at its start, then at an interval, and sooner when a token names an unknown key."""

    def __init__(self, sources: Sequence[TrustedKeys], *, interval_s: float = 300.0) -> None:
        self._sources = tuple(sources)
        self._interval_s = interval_s
        self._ends = threading.Event()

    def start(self) -> None:
        """Read what is in files now, so that the first caller is known; leave the rest to the thread."""
        if not self._sources:
            return
        for source in self._sources:
            if source.is_file:
                renew_quietly(source)
        threading.Thread(target=self._run, name="identity-keys", daemon=True).start()

    def stop(self) -> None:
        """Let the thread end."""
        self._ends.set()

    def _run(self) -> None:
        due = dict.fromkeys(self._sources, 0.0)
        renewed = dict.fromkeys(self._sources, float("-inf"))
        while not self._ends.wait(0.2):
            now = time.monotonic()
            for source in self._sources:
                hurried = source.wanted.is_set() and now - renewed[source] >= _HURRY_S
                if now < due[source] and not hurried:
                    continue
                source.wanted.clear()
                due[source], renewed[source] = now + self._interval_s, now
                renew_quietly(source)


def renew_quietly(source: TrustedKeys) -> None:
    """Renew; a failure becomes one line for the operator."""
    try:
        source.renew()
    except SealgateError as error:
        _LOG.warning("keys of `%s` stay as they are: %s", source.name, error.message)
    except Exception:  # noqa: BLE001  # the thread must live on: without it keys would only get older
        _LOG.exception("keys of `%s` stay as they are", source.name)
