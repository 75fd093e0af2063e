"""Trees, notes, checkpoints, receipts, witnesses."""

import base64
import hashlib
from pathlib import Path
from typing import Any, Final

import orjson

from bench import corpora
from sealgate.encoding import cbor
from sealgate.model.errors import EvidenceError, SealgateError
from sealgate.proofs import bundles, checkpoints, notes, tiles, transparent, tree
from sealgate.proofs.keys import is_signed
from sealgate.proofs.quorum import verify_checkpoint


def accepts(check: Any, *arguments: Any, **keywords: Any) -> bool:
    """Tell whether a check passes; one of our errors is a refusal, any other error is a bug and goes through."""
    try:
        check(*arguments, **keywords)
    except SealgateError:
        return False
    return True


def _bytes(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def rfc6962(folder: Path, tally: Any) -> None:
    """Proofs of transparency-dev/merkle. A proof from size 0 is an error there and here."""
    for path, vector in corpora.json_files(folder, "vectors/rfc6962-proofs", "testdata/"):
        proof = [_bytes(item) for item in vector["proof"] or []]
        kind = path.split("/")[1]
        if kind == "inclusion":
            leaf, root = _bytes(vector["leafHash"]), _bytes(vector["root"])
            got = accepts(tree.verify_inclusion, vector["leafIdx"], vector["treeSize"], leaf, proof, root)
        elif kind == "consistency":
            roots = _bytes(vector["root1"]), _bytes(vector["root2"])
            got = accepts(tree.verify_consistency, vector["size1"], vector["size2"], proof, *roots)
        else:
            tally.not_applicable["proofs about subtrees"] += 1
            continue
        tally.note(path, expected=not vector["wantErr"], got=got)


def tessera(folder: Path, tally: Any) -> None:
    """A small real log: signatures, roots, tiles, bundles, and every proof between its checkpoints."""
    stored = corpora.files(folder, "vectors/tessera-log")
    log = notes.parse_vkey(corpora.TESSERA_KEY)
    points = [
        verify_checkpoint(data, log=log)
        for path, data in sorted(stored.items())
        if path.rpartition("/")[2][:10] == "checkpoint"
    ]

    def read(level: int, index: int, width: int) -> bytes:
        return stored[f"testdata/log/{tiles.Tile(level, index, width).path}"]

    for point in points:
        size, root = point.size, point.root
        tally.note(f"root of {size}", expected=root, got=tiles.root(size, read))
        if not size:
            continue
        entries = _foreign_entries(stored[f"testdata/log/{tiles.bundle_path(tiles.ENTRIES, 0, size)}"])
        leaves = b"".join(tree.leaf_hash(entry) for entry in entries)
        tally.note(f"tile of {size}", expected=read(0, 0, size), got=leaves)
        for index in range(size):
            proof = tiles.prove_inclusion(index, size, read)
            leaf = leaves[32 * index : 32 * index + 32]
            tally.note(
                f"{index} in {size}", expected=True, got=accepts(tree.verify_inclusion, index, size, leaf, proof, root)
            )
        for old in points:
            if 1 <= old.size <= size:
                proof = tiles.prove_consistency(old.size, size, read)
                got = accepts(tree.verify_consistency, old.size, size, proof, old.root, root)
                tally.note(f"{old.size} before {size}", expected=True, got=got)


def _foreign_entries(bundle: bytes) -> list[bytes]:
    """Split an entry bundle of another log; its entries are not digests, so it reads like our statement bundles."""
    count, at = 0, 0
    while at < len(bundle):
        at += 2 + int.from_bytes(bundle[at : at + 2], "big")
        count += 1
    return bundles.decode_statements(bundle, count)


def torchwood(folder: Path, tally: Any) -> None:
    """Go's checksum database: its real checkpoint verifies, and no bit of it can change."""
    data, key = corpora.sumdb_checkpoint(folder), notes.parse_vkey(corpora.SUMDB_KEY)
    point = verify_checkpoint(data, log=key, origin=corpora.SUMDB_ORIGIN)
    tally.note("sumdb", expected=35225469, got=point.size)
    for at in range(len(data) * 8):
        changed = bytearray(data)
        changed[at // 8] ^= 1 << at % 8
        got = accepts(verify_checkpoint, bytes(changed), log=key, origin=corpora.SUMDB_ORIGIN)
        tally.note(f"sumdb with bit {at} changed", expected=False, got=got)


def scitt(folder: Path, tally: Any) -> None:
    """Transparent statements of scitt-cose: statement signature and receipt, Ed25519 over RFC 9162 trees."""
    stored = corpora.files(folder, "vectors/scitt-cose-receipts")
    for name in sorted(
        {
            path.split("/")[2]
            for path in stored
            if path.startswith("test-vectors/v1/") and path.endswith("/expected.json")
        }
    ):
        prefix = f"test-vectors/v1/{name}/"
        expected = orjson.loads(stored[prefix + "expected.json"])
        if expected["protected_header"]["receipt"]["alg"] != "EdDSA":
            refused = not accepts(transparent.parse_receipt, stored[prefix + "receipt.cose"], foreign=True)
            tally.note(f"{name} (refused: another algorithm)", expected=True, got=refused)
            continue
        statement = stored[prefix + "statement.cose"]
        issuer, log = (_pem_key(stored[prefix + part]) for part in ("issuer-key.pub", "log-key.pub"))
        entry = hashlib.sha256(statement).digest()
        tally.note(f"{name} entry", expected=expected["leaf_entry"], got=entry.hex())
        got = accepts(transparent.verify_receipt, stored[prefix + "receipt.cose"], entry, log, foreign=True)
        tally.note(f"{name} receipt", expected=expected["receipt_valid"], got=got)
        signed = _is_sign1_signed(statement, issuer)
        tally.note(f"{name} statement", expected=expected["statement_signature_valid"], got=signed)
    others = sum(
        1 for path in stored if path.startswith(("test-vectors/mmr", "test-vectors/capsule", "test-vectors/tamper"))
    )
    tally.not_applicable["files of mountain ranges, capsules and bundles"] += others


def _pem_key(pem: bytes) -> bytes:
    return base64.b64decode(b"".join(pem.split(b"\n")[1:-2]))[-32:]


def _is_sign1_signed(data: bytes, public_key: bytes, external: bytes = b"") -> bool:
    match cbor.decode(data, ordered=False):
        case cbor.Tag(18, [bytes() as protected, dict(), bytes() as payload, bytes() as signature]):
            message = cbor.encode(["Signature1", protected, external, payload])
            return is_signed(public_key, message, signature)
        case _:
            return False


def cose(folder: Path, tally: Any) -> None:
    """COSE_Sign1 of the COSE working group: Ed25519 verifies; what is signed is built alike for every algorithm."""
    for path, vector in corpora.json_files(folder, "vectors/cose-examples", ""):
        given = vector["input"].get("sign0")
        if given is None:
            tally.not_applicable["COSE_Sign with several signers"] += 1
            continue
        data = bytes.fromhex(vector["output"]["cbor"])
        external = bytes.fromhex(given.get("external", ""))
        if given["key"].get("crv") == "Ed25519":
            public_key = bytes.fromhex(given["key"]["x_hex"])
            tally.note(path, expected=not vector.get("fail"), got=_is_sign1_signed(data, public_key, external))
            continue
        if vector.get("fail") or not data.startswith(b"\xd2"):
            tally.not_applicable["signatures of other algorithms"] += 1
            continue
        match cbor.decode(data, ordered=False):
            case cbor.Tag(18, [b"\xa0", *_]):
                tally.not_applicable["an empty protected header, which ours never is"] += 1
            case cbor.Tag(18, [bytes() as protected, dict(), bytes() as payload, bytes()]):
                to_be_signed = cbor.encode(["Signature1", protected, external, payload]).hex().upper()
                tally.note(path, expected=vector["intermediates"]["ToBeSign_hex"], got=to_be_signed)
            case _:
                tally.note(path, expected="a COSE_Sign1", got="something else")


def sigstore(folder: Path, tally: Any) -> None:
    """Rekor checkpoints and inclusion proofs inside Sigstore bundles. Only ``_fail`` cases may be refused by us.

    Their signatures (ECDSA), certificates and artifacts are not of our formats; a bundle that fails for those reasons
    alone has a good proof, which is counted as such.
    """
    for path, data in sorted(corpora.files(folder, "vectors/sigstore-bundles").items()):
        if not path.endswith("bundle.sigstore.json"):
            continue
        try:
            entries = orjson.loads(data)["verificationMaterial"]["tlogEntries"]
            proofs = [(item["canonicalizedBody"], item["inclusionProof"]) for item in entries]
            proofs = [(body, proof) for body, proof in proofs if proof.get("checkpoint")]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            proofs = []
        if not proofs:
            tally.not_applicable["bundles without an inclusion proof"] += 1
        for body, proof in proofs:
            got = accepts(_verify_rekor, _bytes(body), proof)
            failing = "_fail/" in path
            if not got and failing:
                tally.agreed += 1
                continue
            tally.note(path, expected=True, got=got)


def _verify_rekor(body: bytes, proof: dict[str, Any]) -> None:
    point, _ = checkpoints.parse(proof["checkpoint"]["envelope"].encode())
    if point.size != int(proof["treeSize"]) or point.root != _bytes(proof["rootHash"]):
        raise EvidenceError("proof and checkpoint speak of different trees")
    path = [_bytes(item) for item in proof["hashes"]]
    index = notes.parse_decimal(proof["logIndex"], "index")
    tree.verify_inclusion(index, point.size, tree.leaf_hash(body), path, point.root)


SUITES: Final = {
    "rfc6962_proofs": rfc6962,
    "tessera_log": tessera,
    "sumdb_checkpoint": torchwood,
    "scitt_cose_receipts": scitt,
    "cose_examples": cose,
    "sigstore_bundles": sigstore,
}
