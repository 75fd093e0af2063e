"""Ed25519 signing by libsodium without giving up the interpreter lock.

PyNaCl brings libsodium and calls it through cffi, which releases the lock around each call. A signature takes 25 µs; a
busy authority then waits far longer to get the lock back from its journal thread (measured: a third of all CPU per
decision, ADR 0095). So the same function of the same library is called with the lock held. Where the library does not
export it, PyNaCl's own binding serves.
"""

import ctypes
from collections.abc import Callable
from typing import Final

import nacl.bindings
from nacl import _sodium

_SIGNATURE_BYTES: Final = 64
_SECRET_BYTES: Final = 64


def _holding_the_lock() -> Callable[[bytes, bytes], bytes]:
    function = ctypes.PyDLL(_sodium.__file__).crypto_sign_detached
    function.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_ulonglong, ctypes.c_char_p]
    function.restype = ctypes.c_int
    buffer = ctypes.c_char * _SIGNATURE_BYTES

    def sign(message: bytes, secret: bytes) -> bytes:
        if len(secret) != _SECRET_BYTES:
            raise ValueError(len(secret))
        signature = buffer()
        function(signature, None, message, len(message), secret)  # cannot fail: libsodium documents 0 always
        return signature.raw

    return sign


def _releasing_the_lock(message: bytes, secret: bytes) -> bytes:
    return nacl.bindings.crypto_sign(message, secret)[:_SIGNATURE_BYTES]


def _choose() -> Callable[[bytes, bytes], bytes]:
    try:
        return _holding_the_lock()
    except (OSError, AttributeError):  # a build that hides its symbols
        return _releasing_the_lock


sign: Final = _choose()
"""(message, 64-byte secret key) → 64-byte signature, RFC 8032 Ed25519."""
