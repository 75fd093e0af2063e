"""Asks one witness for its cosignature. Blocking; one instance per witness, used by one thread at a time.

Untrusted: a witness at most withholds its cosignature. What it returns is verified before it is used.
"""

from typing import Final

import httpx

from sealgate.model.errors import EvidenceError, ForkError, InputError, UnavailableError
from sealgate.model.limits import MAX_CHECKPOINT_BYTES
from sealgate.ports.witnesses import Prove
from sealgate.proofs import checkpoints, cosignatures, notes
from sealgate.proofs.notes import SignatureLine, VerifierKey
from sealgate.proofs.quorum import VerifiedCheckpoint, verify_checkpoint

from . import wire

_ATTEMPTS: Final = 3


class WitnessClient:
    """Implements ``ports.witnesses.WitnessPort``: where the witness is and which key it signs with."""

    def __init__(self, prefix: str, key: VerifierKey, *, timeout_s: float = 5.0) -> None:
        self.key = key
        self._prefix = prefix.rstrip("/")
        self._client = httpx.Client(timeout=timeout_s, follow_redirects=False)
        self._known: dict[str, int] = {}  # origin → the size that the witness cosigned last, as far as we know

    def cosign(self, checkpoint: bytes, prove: Prove) -> SignatureLine:
        """Return the witness's verified signature line for the log's newest ``checkpoint``.

        Submit checkpoints in order and only the newest: a witness that is ahead of it is an alarm.

        Raises:
            ForkError: the witness has seen a larger tree, another root of this size, or a proof that does not fit. The
                sequencer must halt: this origin has two histories, or was rolled back.
            UnavailableError: the witness cannot be reached, refuses, or answers outside the protocol.
        """
        point, note = checkpoints.parse(checkpoint)
        old = min(self._known.get(point.origin, 0), point.size)
        for _ in range(_ATTEMPTS):
            proof = tuple(prove(old, point.size)) if 0 < old < point.size else ()
            status, body = self._send("POST", "/add-checkpoint", wire.AddCheckpoint(old, proof, checkpoint).encode())
            if status == httpx.codes.OK:
                line = self._verified(note.text, body)
                self._known[point.origin] = point.size
                return line
            if status != httpx.codes.CONFLICT:
                break
            old = self._rebase(point, old, body)
        if status == httpx.codes.UNPROCESSABLE_ENTITY:
            raise ForkError(
                f"witness `{self.key.name}` refuses the history of `{point.origin}` at size {point.size}",
                hint="stop sequencing; compare with the witness's own checkpoint",
            )
        raise UnavailableError(f"witness `{self.key.name}` answered {status}: {_excerpt(body)}")

    def _rebase(self, point: checkpoints.Checkpoint, old: int, body: bytes) -> int:
        try:
            size = wire.parse_size(body)
        except InputError as error:
            raise UnavailableError(f"witness `{self.key.name}` answered outside the protocol") from error
        if size > point.size:
            raise ForkError(
                f"witness `{self.key.name}` has seen `{point.origin}` at size {size}, we are at {point.size}",
                hint="the log was rolled back; open a new origin",
            )
        if size == old:
            raise ForkError(f"witness `{self.key.name}` holds another root of `{point.origin}` at size {size}")
        self._known[point.origin] = size
        return size

    def _verified(self, note_text: str, body: bytes) -> SignatureLine:
        try:
            lines = notes.parse_signature_lines(notes.decode_text(body, "cosignature"))
            for line in lines:
                if line.name == self.key.name and line.key_id == self.key.key_id:
                    cosignatures.verify_line(self.key, line, note_text)
                    return line
        except (InputError, EvidenceError) as error:
            raise UnavailableError(f"witness `{self.key.name}` gave a bad cosignature: {error.message}") from error
        raise UnavailableError(f"witness `{self.key.name}` did not sign with its key")

    def latest(self, log: VerifierKey, origin: str | None = None) -> VerifiedCheckpoint | None:
        """Return the newest checkpoint of ``log`` that the witness cosigned, verified; None where it has none.

        Raises:
            UnavailableError: the witness cannot be reached or answers outside the protocol.
        """
        name = log.name if origin is None else origin
        status, body = self._send("GET", wire.monitoring_path(name))
        if status == httpx.codes.NOT_FOUND:
            return None
        if status != httpx.codes.OK:
            raise UnavailableError(f"witness `{self.key.name}` answered {status}: {_excerpt(body)}")
        try:
            return verify_checkpoint(body, log=log, origin=name, witnesses=(self.key,), quorum=1)
        except (InputError, EvidenceError) as error:
            raise UnavailableError(f"witness `{self.key.name}` shows a bad checkpoint: {error.message}") from error

    def _send(self, method: str, path: str, content: bytes | None = None) -> tuple[int, bytes]:
        received = bytearray()
        try:
            with self._client.stream(method, self._prefix + path, content=content) as response:
                for chunk in response.iter_bytes():
                    received += chunk
                    if len(received) > MAX_CHECKPOINT_BYTES:
                        raise UnavailableError(f"witness `{self.key.name}` answered too much")
        except httpx.HTTPError as error:
            raise UnavailableError(f"witness `{self.key.name}` cannot be reached: {error}") from error
        return response.status_code, bytes(received)

    def close(self) -> None:
        """Close connections."""
        self._client.close()


def _excerpt(body: bytes) -> str:
    return " ".join(body[:200].decode("utf-8", "replace").split())
