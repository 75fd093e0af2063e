"""Signatures, encryption, timestamps."""

import warnings
from pathlib import Path
from typing import Any, Final

import orjson
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding

from bench import corpora
from bench.vectors_trees import accepts
from sealgate.encoding import sealed_body
from sealgate.proofs.keys import is_signed
from sealgate.proofs.timestamps import parse_response, verify_timestamp

_TOKENS: Final = {
    # file under test/fixtures: (what it is over, whether it holds)
    "identrust/issue-104.tsr": (b"hello", True),
    "sigstage/response-invalid-signature.tsr": (b"hello", False),
    "sigstage/response-no-embedded-cert.tsr": (b"hello", True),
    "sigstage/response-sha256.tsr": (b"hello", True),
    "sigstage/response-sha384.tsr": (b"hello", True),
    "sigstage/response-sha512.tsr": (b"hello", True),
    "test_tsa/response.tsr": (b"hello", True),
    "test_tsa/response-injected-certs.tsr": (b"hello", True),
    "test_tsa/other_response.tsr": (b"hello", False),  # of an authority whose certificate is not in the chain
    "sigstore.mock/response-expired.tsr": (b"hello", False),  # over another payload
}
"""An expired certificate is no failure: what counts is that it was valid at the time in the token."""


def ed25519(folder: Path, tally: Any) -> None:
    """Wycheproof's Ed25519 verification."""
    for group, case in _wycheproof(folder, "ed25519_test"):
        public_key = bytes.fromhex(group["publicKey"]["pk"])
        got = is_signed(public_key, bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"]))
        tally.note(f"tcId {case['tcId']}", expected=case["result"] == "valid", got=got)


def aes_gcm(folder: Path, tally: Any) -> None:
    """Wycheproof's AES-GCM through sealed bodies: 256-bit keys, 96-bit nonces, 128-bit tags are ours."""
    key_id = bytes(16)
    for group, case in _wycheproof(folder, "aes_gcm_test"):
        if (group["keySize"], group["ivSize"], group["tagSize"]) != (256, 96, 128):
            tally.not_applicable["AES-GCM with other key, nonce or tag sizes"] += 1
            continue
        cipher = AESGCM(bytes.fromhex(case["key"]))
        nonce, aad, plain = (bytes.fromhex(case[part]) for part in ("iv", "aad", "msg"))
        sealed = b"\x01" + key_id + nonce + bytes.fromhex(case["ct"] + case["tag"])
        valid = case["result"] == "valid"
        opened = accepts(sealed_body.unseal, cipher, sealed, aad)
        tally.note(f"tcId {case['tcId']} open", expected=valid, got=opened)
        if valid:
            tally.note(f"tcId {case['tcId']} text", expected=plain, got=sealed_body.unseal(cipher, sealed, aad))
            again = sealed_body.seal(cipher, key_id, nonce, plain, aad)
            tally.note(f"tcId {case['tcId']} seal", expected=sealed, got=again)


def ml_dsa_44(folder: Path, tally: Any) -> None:
    """Wycheproof's ML-DSA-44, as cosignatures of type 0x06 use it (empty context)."""
    for group, case in _wycheproof(folder, "mldsa_44_verify_test"):
        if "ctx" in case:
            tally.not_applicable["ML-DSA-44 with a context"] += 1
            continue
        message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
        try:
            key = mldsa.MLDSA44PublicKey.from_public_bytes(bytes.fromhex(group["publicKey"]))
            key.verify(signature, message)
            got = True
        except (InvalidSignature, ValueError):
            got = False
        tally.note(f"tcId {case['tcId']}", expected=case["result"] == "valid", got=got)


def key_wrap(folder: Path, tally: Any) -> None:
    """Wycheproof's AES-KWP belongs to the key store's own tests."""
    tally.not_applicable["AES key wrap with padding"] += sum(1 for _ in _wycheproof(folder, "aes_kwp_test"))


def _wycheproof(folder: Path, name: str) -> Any:
    document = orjson.loads(corpora.files(folder, "vectors/wycheproof")[f"testvectors_v1/{name}.json"])
    return ((group, case) for group in document["testGroups"] for case in group["tests"])


def timestamps(folder: Path, tally: Any) -> None:
    """RFC 3161 responses, good and bad; another message is refused for each."""
    stored = corpora.files(folder, "vectors/rfc3161-tokens")
    for name, (message, holds) in _TOKENS.items():
        token = stored[f"test/fixtures/{name}"]
        chain = [_pem(stored[f"test/fixtures/{name.split('/')[0]}/ts_chain.pem"])]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a certificate in these fixtures has a serial number of zero
            tally.note(name, expected=holds, got=accepts(verify_timestamp, token, message, chain))
            tally.note(f"{name} moved", expected=False, got=accepts(verify_timestamp, token, b"moved", chain))
            tally.note(f"{name} cut", expected=False, got=accepts(parse_response, token[:-1]))
    payload = stored["test/fixtures/sigstore.mock/payload"]
    chain = [_pem(stored["test/fixtures/sigstore.mock/ts_chain.pem"])]
    expired = stored["test/fixtures/sigstore.mock/response-expired.tsr"]
    tally.note("sigstore.mock over its payload", expected=True, got=accepts(verify_timestamp, expired, payload, chain))


def _pem(data: bytes) -> str:
    if b"-----BEGIN" in data:
        return data.decode()
    return x509.load_der_x509_certificate(data).public_bytes(Encoding.PEM).decode()


SUITES: Final = {
    "wycheproof_ed25519": ed25519,
    "wycheproof_aes_gcm": aes_gcm,
    "wycheproof_ml_dsa_44": ml_dsa_44,
    "wycheproof_key_wrap": key_wrap,
    "rfc3161_tokens": timestamps,
}
