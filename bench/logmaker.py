"""Makes logs with known keys: whole, small or large, honest or not, for benchmarks, tests and vectors.

Everything follows from the seed: keys, salts, times. The formats are the product's own encoders; what is verified here
is therefore the verifier, not the format.
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nacl.signing import SigningKey

from sealgate.encoding import canonical, statement
from sealgate.model.identifiers import uuid7
from sealgate.proofs import bundles, checkpoints, cosignatures, key_events, notes, tiles, transparent, tree, trust
from sealgate.proofs.notes import VerifierKey
from sealgate.proofs.tlog_proof import TlogProof

ORIGIN = "log.example/acme/2026h2"
START = 1_767_225_600
"""Unix seconds of the first record: 2026-01-01."""

Sink = Callable[[str, bytes], None]


def to_base64(data: bytes) -> str:
    """Return standard base64."""
    return base64.b64encode(data).decode()


class Keys:
    """The keys of one made-up authority; all follow from ``seed``."""

    def __init__(self, seed: str = "sealgate", witnesses: int = 0) -> None:
        self.seed = seed
        self.log = self.named("log")
        self.root = self.named("root")
        self.receipt = self.named("receipt")
        self.statement = self.named("statement")
        self.witnesses = [self.named(f"witness {number}") for number in range(witnesses)]

    def named(self, name: str) -> SigningKey:
        """Return the key of this name."""
        return SigningKey(hashlib.sha256(f"{self.seed}/{name}".encode()).digest())


def public(key: SigningKey) -> bytes:
    """Return the raw public key."""
    return bytes(key.verify_key)


def sign(key: SigningKey, message: bytes) -> bytes:
    """Return the 64-byte signature."""
    return bytes(key.sign(message).signature)


@dataclass
class LogMaker:
    """Appends records and writes the public log directory through ``sink`` as bundles fill."""

    keys: Keys = field(default_factory=Keys)
    origin: str = ORIGIN
    quorum: int = 0
    with_bodies: bool = True
    sink: Sink | None = None
    files: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Start with an empty tree and the first boot."""
        self.builder = tiles.TileBuilder()
        self.signer = self.keys.statement
        self.epoch = hashlib.sha256(b"epoch 0").digest()[:16]
        self.seq = 0
        self.statements: list[bytes] = []  # of the bundle being filled
        self.bodies: list[bytes | None] = []
        self.sealed: list[tuple[bytes, bytes]] = []  # (statement, body) of all, kept only without a sink
        self._edge: dict[int, tuple[tiles.Tile, bytes]] = {}  # the last partial tile of each level
        self._encoder = self._new_encoder()

    @property
    def size(self) -> int:
        """Records so far."""
        return self.builder.size

    @property
    def log_key(self) -> VerifierKey:
        """The key that checkpoints are verified with."""
        return VerifierKey(self.origin, notes.ED25519, public(self.keys.log))

    def witness_key(self, number: int) -> VerifierKey:
        """The key of one witness."""
        raw = public(self.keys.witnesses[number])
        return VerifierKey(f"witness{number}.example", notes.COSIGNATURE_ED25519, raw)

    def _new_encoder(self) -> statement.ClaimsEncoder:
        kid = statement.key_id(public(self.signer))
        return statement.ClaimsEncoder(kid=kid, iss="urn:sealgate:authority:acme", epoch=self.epoch)

    def sign_with(self, signer: SigningKey) -> None:
        """Sign the records from here on with another key."""
        self.signer = signer
        self._encoder = self._new_encoder()

    def reboot(self, number: int) -> None:
        """Begin another epoch."""
        self.epoch = hashlib.sha256(f"epoch {number}".encode()).digest()[:16]
        self.seq = 0
        self._encoder = self._new_encoder()

    def body(self, kind: str, members: dict[str, Any]) -> bytes:
        """Return the canonical body of the next record."""
        index = self.size
        noise = hashlib.sha256(f"{self.keys.seed} salt {index}".encode()).digest()
        seconds = START + index
        record = {
            "kind": kind,
            "record_id": uuid7(seconds * 1000, noise[:10]),
            "salt": base64.urlsafe_b64encode(noise).rstrip(b"=").decode(),
            "time": datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            **members,
        }
        return canonical.encode(record)

    def seal(self, body: bytes, *, sub: str) -> bytes:
        """Return the signed statement over ``body`` with the next sequence number."""
        protected = self._encoder.protected(sub=sub, iat=START + self.size, seq=self.seq)
        commitment = hashlib.sha256(body).digest()
        signature = sign(self.signer, statement.signing_input(protected, commitment))
        self.seq += 1
        return statement.assemble(protected, commitment, signature)

    def append(self, kind: str = "decision", members: dict[str, Any] | None = None) -> int:
        """Append one record; return its index."""
        own = not kind.startswith(("decision", "outcome", "event"))
        sub = "urn:sealgate:authority" if own else f"urn:sealgate:agent:{self.size % 7:032x}"
        body = self.body(kind, SAMPLE if members is None else members)
        return self.append_sealed(self.seal(body, sub=sub), body)

    def append_sealed(self, sealed: bytes, body: bytes | None) -> int:
        """Append ready bytes, whatever they are; return the index."""
        index = self.size
        self.builder.append(tree.leaf_hash(statement.entry_of(sealed)))
        self.statements.append(sealed)
        self.bodies.append(body)
        if self.sink is None:
            self.sealed.append((sealed, body or b""))
        if self.size % 256 == 0:
            self._write_bundles()
            self._write_tiles()
        return index

    def genesis(self) -> int:
        """Append the first record."""
        members = {
            "authority_id": "acme",
            "log_key": self.log_key.encode(),
            "origin": self.origin,
            "predecessor": None,
            "receipt_key": to_base64(public(self.keys.receipt)),
            "root_key": to_base64(public(self.keys.root)),
            "statement_key": to_base64(public(self.keys.statement)),
        }
        return self.append_root_signed("genesis", members)

    def key_event(self, kind: str, key: SigningKey) -> int:
        """Append ``key.added``, ``key.retired`` or ``key.revoked`` about a statement key."""
        raw = public(key)
        members = {
            "algorithm": "ed25519",
            "key_id": statement.key_id(raw).hex(),
            "origin": self.origin,
            "public_key": to_base64(raw),
            "purpose": "statement",
        }
        return self.append_root_signed(kind, members)

    def append_root_signed(self, kind: str, members: dict[str, Any], root: SigningKey | None = None) -> int:
        """Append a key event or genesis that the root key endorses."""
        claims = key_events.endorsed_bytes({"kind": kind, **members})
        signature = to_base64(sign(root or self.keys.root, claims))
        return self.append(kind, {**members, "root_signature": signature})

    def _put(self, path: str, data: bytes) -> None:
        if self.sink is None:
            self.files[path] = data
        else:
            self.sink(path, data)

    def _write_bundles(self) -> None:
        index, width = (self.size - 1) // 256, len(self.statements)
        entries = [statement.entry_of(item) for item in self.statements]
        self._put(tiles.bundle_path(tiles.ENTRIES, index, width), bundles.encode_entries(entries))
        self._put(tiles.bundle_path(tiles.STATEMENTS, index, width), bundles.encode_statements(self.statements))
        if self.with_bodies:
            self._put(tiles.bundle_path(tiles.BODIES, index, width), bundles.encode_bodies(self.bodies))
        if width == 256:
            self.statements, self.bodies = [], []

    def _write_tiles(self) -> None:
        for tile, data in self.builder.take().items():
            if tile.width == 256:
                self._put(tile.path, data)
            else:
                self._edge[tile.level] = (tile, data)

    def publish(self) -> bytes:
        """Write what is unfinished and the checkpoint of now; return the checkpoint."""
        if self.statements:
            self._write_bundles()
        self._write_tiles()
        edge = tiles.right_edge(self.size)
        for tile, data in self._edge.values():
            if tile in edge:
                self._put(tile.path, data)
        note = self.checkpoint()
        self._put("checkpoint", note)
        self._put("trust.json", self.trust())
        return note

    def checkpoint(self, size: int | None = None, root: bytes | None = None, cosigners: int | None = None) -> bytes:
        """Return a checkpoint signed by the log and by the first ``cosigners`` witnesses."""
        head = checkpoints.Checkpoint(
            self.origin, self.size if size is None else size, self.builder.root() if root is None else root
        )
        lines = [checkpoints.sign_line(self.log_key, sign(self.keys.log, head.text.encode()))]
        for number in range(len(self.keys.witnesses) if cosigners is None else cosigners):
            time = START + head.size + number
            message = cosignatures.message_v1(time, head.text)
            signature = sign(self.keys.witnesses[number], message)
            lines.append(cosignatures.signature_line(self.witness_key(number), time, signature))
        return checkpoints.encode(head, lines)

    def trust(self, **changes: Any) -> bytes:
        """Return the trust file's bytes."""
        values: dict[str, Any] = {
            "origin": self.origin,
            "log": self.log_key,
            "root_key": public(self.keys.root),
            "receipt_key": public(self.keys.receipt),
            "statement_keys": (trust.StatementKey(public(self.keys.statement), 0, None),),
            "witnesses": tuple(self.witness_key(number) for number in range(len(self.keys.witnesses))),
            "quorum": self.quorum,
        }
        return trust.encode(trust.Trust(**(values | changes)))

    def read_tile(self, level: int, index: int, width: int) -> bytes:
        """Read a tile of a log that was made in memory and published at its present size."""
        tile = tiles.Tile(level, index, width)
        return self.files[tile.path]

    def proof(self, index: int, note: bytes | None = None) -> TlogProof:
        """Return the native receipt of a published record."""
        path = tuple(tiles.prove_inclusion(index, self.size, self.read_tile))
        return TlogProof(index, path, note or self.files["checkpoint"], self.sealed[index][0])

    def cose_receipt(self, index: int, **changes: Any) -> bytes:
        """Return the RFC 9942 receipt of a published record."""
        kid = statement.key_id(public(self.keys.receipt))
        header: dict[str, Any] = {
            "kid": kid,
            "issuer": "urn:sealgate:log",
            "origin": self.origin,
            "tree_size": self.size,
        } | changes
        protected = transparent.receipt_protected(**header)
        signature = sign(self.keys.receipt, transparent.receipt_signing_input(protected, self.builder.root()))
        path = tiles.prove_inclusion(index, self.size, self.read_tile)
        return transparent.encode_receipt(protected, signature, size=self.size, index=index, path=path)

    def write(self, folder: Path) -> None:
        """Write a log that was made in memory."""
        for path, data in self.files.items():
            write_file(folder, path, data)


SAMPLE: dict[str, Any] = {
    "action": "send_money",
    "input_digest": "Yk2f6n7tX1aK4m0s2vJ8qQ5cW9rB3eL7uZ0hD6gT1yM",
    "obligations": [],
    "outcome": "PERMIT",
    "policies": ["bank/payments#3"],
    "policy_version": "sha256:7d0f8c5b9a3e1d2c4b6a8f0e1c3d5b7a9f0e2d4c6b8a1f3e5d7c9b0a2f4e6d8c",
    "resource": {"id": "bank", "type": "tool_server"},
    "subject": {"id": "assistant-7", "type": "agent"},
    "task_id": "0197e5b0-4a10-7c3e-9d21-5b8f0a6c2e41",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
}
"""A decision of ordinary size."""


def write_file(folder: Path, path: str, data: bytes) -> None:
    """Write one file of a log directory."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)


def make_log(records: int, *, keys: Keys | None = None, with_bodies: bool = True, quorum: int = 0) -> LogMaker:
    """Return a published log of ``records`` in memory: genesis, then decisions."""
    maker = LogMaker(keys or Keys(), with_bodies=with_bodies, quorum=quorum)
    fill(maker, records)
    return maker


def make_log_in(folder: Path, records: int, *, with_bodies: bool = True) -> LogMaker:
    """Write a published log of ``records`` to ``folder``, in memory that does not grow with it."""
    maker = LogMaker(with_bodies=with_bodies, sink=lambda path, data: write_file(folder, path, data))
    fill(maker, records)
    return maker


def fill(maker: LogMaker, records: int) -> None:
    """Append genesis and decisions up to ``records`` in all, then publish."""
    if records and not maker.size:
        maker.genesis()
    for _ in range(records - maker.size):
        maker.append()
    maker.publish()
