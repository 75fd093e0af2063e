"""SPIFFE: ids, and X.509-SVIDs judged against the trust bundle of their own trust domain.

The TLS stack verified a certificate against all authorities together; here it is verified again, against those of the
one trust domain that it names. An authority of another domain can therefore not speak for this one.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.x509 import verification

_ID: Final = re.compile(r"spiffe://([a-z0-9._-]{1,255})((?:/[A-Za-z0-9._-]+)*)", re.ASCII)
MAX_ID_BYTES: Final = 2048
MAX_CHAIN: Final = 8


def trust_domain_of(spiffe_id: str) -> str | None:
    """Return the trust domain of a workload's SPIFFE id; None where it is none (SPIFFE-ID section 2)."""
    match = _ID.fullmatch(spiffe_id) if len(spiffe_id) <= MAX_ID_BYTES else None
    if match is None or not match[2] or {".", ".."} & set(match[2].split("/")):
        return None
    return match[1]


def id_of(certificate: bytes) -> str | None:
    """Return the SPIFFE id that a certificate claims; None where it is no X.509-SVID (X509-SVID section 2 to 4).

    Exactly one URI among its names, not an authority, and no key usage that would let it sign certificates.
    """
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
        usage = parsed.extensions.get_extension_for_class(x509.KeyUsage).value
        if usage.key_cert_sign or usage.crl_sign or not usage.digital_signature:
            return None
        constraints = [each.value for each in parsed.extensions if isinstance(each.value, x509.BasicConstraints)]
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return None
    if len(uris) != 1 or any(each.ca for each in constraints) or trust_domain_of(uris[0]) is None:
        return None
    return uris[0]


def verify(chain: Sequence[bytes], authorities: Sequence[bytes], now_s: float) -> float | None:
    """Return until when (Unix seconds) the first of ``chain`` is proved by an authority; None where it is not."""
    if not chain or not authorities or len(chain) > MAX_CHAIN:
        return None
    try:
        certificates = [x509.load_der_x509_certificate(each) for each in chain]
        store = verification.Store([x509.load_der_x509_certificate(each) for each in authorities])
        verifier = (
            verification.PolicyBuilder()
            .store(store)
            .time(datetime.fromtimestamp(now_s, UTC))
            .max_chain_depth(MAX_CHAIN)
            .build_client_verifier()
        )
        verified = verifier.verify(certificates[0], certificates[1:])
    except (ValueError, verification.VerificationError):
        return None
    return min(each.not_valid_after_utc.timestamp() for each in verified.chain)
