"""RFC 3161 timestamps over checkpoints: an upper bound on when the log looked so, from an authority outside.

The authority's certificate must be named by the verifier's own trust, carry the critical time-stamping usage, and have
been valid at the time in the token. Whether a certificate was revoked since is not checked: this works offline.
Trust the authority's root alone, not its leaf: then of a token only a few bytes that say nothing (two CMS version
numbers, a repeated algorithm name) can change without notice, as no signature covers them.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from rfc3161_client import TimeStampResponse, VerificationError, VerifierBuilder, decode_timestamp_response

from ..model.errors import AlteredError, EncodingError, InputError, NotProvenError, SealgateError

MAX_BYTES: Final = 64 * 1024
_ACCEPTED_HASHES: Final = {
    "2.16.840.1.101.3.4.2.1",  # SHA-256
    "2.16.840.1.101.3.4.2.2",  # SHA-384
    "2.16.840.1.101.3.4.2.3",  # SHA-512
}


_REASON: Final = re.compile(r'reason: "([^"]*)"')


def verify_timestamp(
    token_der: bytes, message: bytes, roots_pem: Sequence[str], *, nonce: int | None = None
) -> datetime:
    """Return the time at which a trusted authority saw ``message``, timezone-aware, UTC.

    ``token_der`` is a whole TimeStampResp; ``roots_pem`` the trusted certificates. ``nonce`` is for who just asked.

    Raises:
        EncodingError: not a granted TimeStampResp.
        NotProvenError: no trusted authority made it, or its certificate may not.
        AlteredError: it is over another message.
        InputError: a root is not a certificate.
    """
    response = parse_response(token_der)
    roots = load_roots(roots_pem)
    if not roots:
        raise NotProvenError("no timestamp authority is trusted", hint="name its certificate in the trust file")
    try:
        return _verify(response, message, roots, nonce)
    except SealgateError:
        raise
    except Exception as error:
        # The ASN.1 and X.509 readers raise many kinds for malformed input; each means that nothing is proven.
        raise EncodingError(f"timestamp cannot be read: {_one_line(error)}") from error


def _verify(response: TimeStampResponse, message: bytes, roots: list[x509.Certificate], nonce: int | None) -> datetime:
    imprint = response.tst_info.message_imprint
    if imprint.hash_algorithm.dotted_string not in _ACCEPTED_HASHES:
        raise EncodingError("timestamp uses a hash that is not accepted", hint="SHA-256, SHA-384 or SHA-512")
    builder = VerifierBuilder(roots=roots, nonce=nonce, tsa_certificate=_signer_among(response, roots))
    try:
        builder.build().verify_message(response, message)
    except VerificationError as error:
        if "Mismatch between messages" in str(error):
            raise AlteredError("timestamp is over another message") from error
        raise NotProvenError(f"timestamp is not proven: {_one_line(error)}") from error
    return response.tst_info.gen_time.astimezone(UTC)


def parse_response(token_der: bytes) -> TimeStampResponse:
    """Return the response of DER bytes; nothing is verified but that it was granted.

    Raises:
        EncodingError: malformed, trailing bytes, refused by the authority, or without a time.
    """
    if len(token_der) > MAX_BYTES:
        raise EncodingError(f"timestamp has {len(token_der)} bytes", hint=f"at most {MAX_BYTES} are allowed")
    try:
        response = decode_timestamp_response(token_der)
        if response.status != 0:
            raise EncodingError(f"timestamp authority refused with status {response.status}")
        if response.tst_info.gen_time.tzinfo is None:
            raise EncodingError("timestamp has no time zone")
    except (ValueError, TypeError) as error:
        raise EncodingError(f"timestamp is malformed: {_one_line(error)}") from error
    return response


def load_roots(roots_pem: Sequence[str]) -> list[x509.Certificate]:
    """Return the certificates of PEM texts, each once. Raises InputError: a text holds none."""
    roots: list[x509.Certificate] = []
    for pem in roots_pem:
        try:
            loaded = x509.load_pem_x509_certificates(pem.encode())
        except ValueError as error:
            raise InputError("a timestamp root is not a PEM certificate") from error
        roots += [certificate for certificate in loaded if certificate not in roots]
    return roots


def _signer_among(response: TimeStampResponse, roots: list[x509.Certificate]) -> x509.Certificate | None:
    """Return the signer's certificate out of the trusted ones where the token carries none."""
    if response.signed_data.certificates:
        return None
    for info in response.signed_data.signer_infos:
        for certificate in roots:
            if (certificate.issuer, certificate.serial_number) == (info.issuer, info.serial_number):
                return certificate
    return None


def _one_line(error: Exception) -> str:
    """Return what the library says, with the reasons alone out of OpenSSL's stack of errors."""
    text, stack, rest = " ".join(str(error).split()).partition("ErrorStack(")
    return (text + ", ".join(_REASON.findall(rest)) if stack else text)[:200]
