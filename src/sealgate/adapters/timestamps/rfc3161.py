"""An RFC 3161 timestamp authority over HTTP.

Trusted: nothing beyond its signature; a broken authority can withhold timestamps, not forge them for others' keys.
"""

from pathlib import Path
from typing import Final

import httpx
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

from sealgate.model.errors import ConfigurationError, InputError, SealgateError, UnavailableError
from sealgate.proofs.timestamps import MAX_BYTES, load_roots, verify_timestamp

_REQUEST_TYPE: Final = "application/timestamp-query"
_RESPONSE_TYPE: Final = "application/timestamp-reply"


def read_roots(path: Path) -> tuple[str, ...]:
    """Return the trusted certificates of a PEM file.

    Raises:
        ConfigurationError: it cannot be read, or holds something else.
    """
    hint = "`timestamps.roots` names the PEM file of what the timestamp authority's certificate must chain to"
    try:
        text = path.read_text("ascii")
        load_roots([text])
    except OSError as error:
        raise ConfigurationError(f"`{path}` cannot be read: {error.strerror}", hint=hint) from error
    except (UnicodeDecodeError, InputError) as error:
        raise ConfigurationError(f"`{path}` holds no certificates in PEM form", hint=hint) from error
    return (text,)


class HttpTimestampAuthority:
    """Implements ``ports.timestamps.TimestampAuthority``; ``roots_pem`` are what it must be certified by."""

    def __init__(self, url: str, roots_pem: tuple[str, ...], *, timeout_s: float = 10.0) -> None:
        self._url = url
        self._roots = roots_pem
        self._client = httpx.Client(timeout=timeout_s, follow_redirects=False)

    def timestamp(self, message: bytes) -> bytes:
        """See the port."""
        request = (
            TimestampRequestBuilder()
            .data(message)
            .hash_algorithm(HashAlgorithm.SHA256)
            .nonce(nonce=True)
            .cert_request(cert_request=True)
            .build()
        )
        token = self._post(request.as_bytes())
        try:
            verify_timestamp(token, message, self._roots, nonce=request.nonce)
        except SealgateError as error:
            raise UnavailableError(f"timestamp of `{self._url}` is not usable: {error.message}") from error
        return token

    def _post(self, query: bytes) -> bytes:
        headers = {"content-type": _REQUEST_TYPE, "accept": _RESPONSE_TYPE}
        received = bytearray()
        try:
            with self._client.stream("POST", self._url, content=query, headers=headers) as response:
                if response.status_code != httpx.codes.OK:
                    raise UnavailableError(f"timestamp authority `{self._url}` answered {response.status_code}")
                for chunk in response.iter_bytes():
                    received += chunk
                    if len(received) > MAX_BYTES:
                        raise UnavailableError(f"timestamp authority `{self._url}` answered too much")
        except httpx.HTTPError as error:
            raise UnavailableError(f"timestamp authority `{self._url}` cannot be reached: {error}") from error
        return bytes(received)

    def close(self) -> None:
        """Close connections."""
        self._client.close()
