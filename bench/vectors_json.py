"""Canonical and hostile JSON."""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson
import rfc8785

from bench import corpora
from bench.vectors_trees import accepts
from sealgate.encoding import canonical, cbor, statement
from sealgate.model.errors import SealgateError
from sealgate.proofs import notes, tlog_proof, transparent, trust
from sealgate.proofs.keys import is_signed

PARSERS: Final[dict[str, Callable[[bytes], Any]]] = {
    "canonical.parse": canonical.parse,
    "canonical.decode": canonical.decode,
    "cbor.decode": cbor.decode,
    "statement.parse": statement.parse,
    "notes.parse": notes.parse,
    "tlog_proof.parse": tlog_proof.parse,
    "transparent.parse_transparent": transparent.parse_transparent,
    "transparent.parse_receipt": transparent.parse_receipt,
    "trust.parse": trust.parse,
}
"""Every parser of bytes from outside that belongs to the pure layers."""

_STRICTER: Final = {
    # valid by RFC 8259, refused on purpose: two readers could understand them differently
    "y_object_duplicated_key.json",
    "y_object_duplicated_key_and_value.json",
}


def rfc8785_vectors(folder: Path, tally: Any) -> None:
    """Input and output of the RFC 8785 author, through our strict parser and argument encoder."""
    stored = corpora.files(folder, "canon/rfc8785_testdata")
    for path, data in sorted(stored.items()):
        if "/input/" in path:
            expected = stored[path.replace("/input/", "/output/")].rstrip(b"\n")
            tally.note(path, expected=expected, got=canonical.encode_arguments(canonical.parse(data)))


def json_test_suite(folder: Path, tally: Any) -> None:
    """JSONTestSuite: y_ accepted, n_ refused, i_ either; and every file through every parser gives our errors only."""
    for path, data in sorted(corpora.files(folder, "canon/jsontestsuite").items()):
        if not path.endswith(".json"):
            continue
        name = path.rpartition("/")[2]
        got = accepts(canonical.parse, data)
        if name.startswith(("y_", "n_")) and "test_parsing" in path:
            tally.note(name, expected=name.startswith("y_") and name not in _STRICTER, got=got)
        _through_every_parser(name, data, tally)


def _through_every_parser(name: str, data: bytes, tally: Any) -> None:
    for parser, parse in PARSERS.items():
        try:
            parse(data)
        except SealgateError:
            pass
        except Exception as error:  # noqa: BLE001  # that any other error is a finding is what is measured
            tally.note(f"{name} through {parser}", expected="our error or a value", got=repr(error))
            continue
        tally.agreed += 1


def naughty_strings(folder: Path, tally: Any) -> None:
    """The big list of naughty strings: each is kept byte for byte, as rfc8785 writes it, and breaks no parser."""
    for text in orjson.loads((folder / "canon" / "blns.json").read_bytes()):
        value = {"text": text}
        encoded = canonical.encode(value)
        tally.note(repr(text), expected=rfc8785.dumps(value), got=encoded)
        tally.note(repr(text), expected=value, got=canonical.decode(encoded))
        _through_every_parser(repr(text), text.encode(), tally)


def agent_receipts(folder: Path, tally: Any) -> None:
    """Another system's canonical forms, hashes and signatures: both are RFC 8785 and Ed25519."""
    stored = corpora.files(folder, "vectors/agent-receipts-vectors")
    vectors = json.loads(stored["cross-sdk-tests/canonicalization_vectors.json"])
    for vector in vectors["canonicalization_vectors"]:
        if "canonical" not in vector:
            tally.not_applicable["canonicalization vectors without a canonical form"] += 1
            continue
        name = vector["name"]
        if name == "number_2_to_53":
            # 2^53 has no neighbours that every reader can tell from it; we refuse it on purpose.
            tally.note(name + " (refused)", expected=False, got=accepts(canonical.encode_arguments, vector["input"]))
            continue
        tally.note(name, expected=vector["canonical"].encode(), got=_canonical(vector["input"]))
    for source in ("go_vectors", "py_vectors"):
        _signed_vectors(source, json.loads(stored[f"cross-sdk-tests/{source}.json"]), tally)
    malformed = json.loads(stored["cross-sdk-tests/malformed_vectors.json"])
    public_key = _spki(malformed["keys"]["publicKey"])
    for case in malformed["receipts"]:
        if case["name"] == "wrong_proof_type":
            tally.not_applicable["a proof type outside the signed bytes"] += 1
            continue
        tally.note(case["name"], expected=False, got=_is_receipt_signed(case["receipt"], public_key))
    tally.not_applicable["its chains, disclosures, rotations, DIDs"] += sum("spec/" in path for path in stored)


def _signed_vectors(source: str, vectors: dict[str, Any], tally: Any) -> None:
    public_key = _spki(vectors["keys"]["publicKey"])
    given = vectors["canonicalization"]
    for part in ("simple", "receipt"):
        expected = given[f"{part}Expected"].encode()
        tally.note(f"{source} {part}", expected=expected, got=_canonical(given[f"{part}Input"]))
    digest = "sha256:" + hashlib.sha256(canonical.encode_arguments(given["receiptInput"])).hexdigest()
    tally.note(f"{source} hash", expected=vectors["hashing"]["receiptExpected"], got=digest)
    signed = vectors["signing"]["signed"]
    tally.note(f"{source} signature", expected=True, got=_is_receipt_signed(signed, public_key))


def _canonical(value: Any) -> bytes | str:
    try:
        return canonical.encode_arguments(value)
    except SealgateError as error:
        return error.message


def _is_receipt_signed(receipt: dict[str, Any], public_key: bytes) -> bool:
    unsigned = {key: value for key, value in receipt.items() if key != "proof"}
    text = receipt["proof"]["proofValue"]
    if not text.startswith("u"):
        return False
    signature = base64.urlsafe_b64decode(text[1:] + "=" * (-len(text[1:]) % 4))
    return is_signed(public_key, canonical.encode_arguments(unsigned), signature)


def _spki(pem: str) -> bytes:
    return base64.b64decode("".join(pem.split("\n")[1:-2]))[-32:]


def asqav(folder: Path, tally: Any) -> None:
    """Receipts of six other formats: not ours to judge; each file is strict JSON that round-trips, or is refused."""
    for path, data in sorted(corpora.files(folder, "vectors/asqav-vectors").items()):
        if path.endswith("/receipt.json"):
            _through_every_parser(path, data, tally)
            tally.not_applicable["verdicts on receipts of other formats"] += 1


SUITES: Final = {
    "rfc8785": rfc8785_vectors,
    "json_test_suite": json_test_suite,
    "naughty_strings": naughty_strings,
    "agent_receipts": agent_receipts,
    "asqav": asqav,
}
