"""What a client certificate says. The TLS stack verified it already; nothing here decides whether it is valid."""

import hashlib

from cryptography import x509


def fingerprint(certificate: bytes) -> str:
    """Return SHA-256 of a DER certificate, lower-case hex."""
    return hashlib.sha256(certificate).hexdigest()


def subject_names(certificate: bytes) -> frozenset[str]:
    """Return its subject alternative names as ``DNS:…`` and ``URI:…``; none when it cannot be read.

    The common name is not a name: nothing constrains it (RFC 9525 section 2).
    """
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        dns = names.get_values_for_type(x509.DNSName)
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return frozenset()
    return frozenset([f"DNS:{name}" for name in dns] + [f"URI:{uri}" for uri in uris])
