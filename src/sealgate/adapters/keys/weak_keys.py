"""Refuses public keys under which a signature proves nothing: small order, or not in canonical form."""

from typing import Final

from sealgate.model.errors import ConfigurationError

_PRIME: Final = 2**255 - 19
_ORDER_8: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD83D3D706A17C7
_SMALL_ORDER_Y: Final = frozenset({0, 1, _PRIME - 1, _ORDER_8, _PRIME - _ORDER_8})
"""The y coordinates of the eight points of small order; either sign bit."""


def check(public_key: bytes) -> bytes:
    """Return ``public_key`` if it is a 32-byte Ed25519 key in canonical form and of large order.

    Raises:
        ConfigurationError: it is not (RFC 8032 section 5.1.3; attack 21 of the threat model).
    """
    if len(public_key) != 32:
        raise ConfigurationError(f"public key has {len(public_key)} bytes", hint="an Ed25519 key has 32")
    y = int.from_bytes(public_key, "little") & ((1 << 255) - 1)
    if y >= _PRIME:
        raise ConfigurationError("public key is not in canonical form", hint="generate another")
    if y in _SMALL_ORDER_Y:
        raise ConfigurationError("public key has small order", hint="generate another")
    return public_key
