"""How every demo ends: a receipt is verified by the separate verifier, then one byte of the log is flipped."""

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sealgate.demo.authority import Authority, program, run
from sealgate.model.errors import UnavailableError

_INCLUSION_TIMEOUT_S: Final = 20.0
_FLIPPED_BIT: Final = 0x01

VERIFIED: Final = 0
ALTERED: Final = 10
"""Exit codes of ``sealgate-verify``."""


@dataclass(frozen=True, slots=True)
class Check:
    """One run of the verifier: the command as a person would type it, its exit code, what it printed."""

    command: str
    exit_code: int
    output: str


@dataclass(frozen=True, slots=True)
class Flip:
    """Which byte was changed, and in which record's statement it lies."""

    file: str
    offset: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Proof:
    """What the separate verifier said of one record's receipt, of the whole log, and of the log with a byte flipped."""

    index: int
    waited_s: float
    receipt: Check
    log: Check
    flip: Flip
    flipped: Check

    @property
    def flip_named(self) -> bool:
        """Tell whether the log with the flipped byte was refused, and the record named."""
        return self.flipped.exit_code == ALTERED and f"first bad record: {self.index}\n" in self.flipped.output

    @property
    def held(self) -> bool:
        """Tell whether all three came out as they must."""
        return self.receipt.exit_code == self.log.exit_code == VERIFIED and self.flip_named

    def figures(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "receipt_index": self.index,
            "receipt_verified": self.receipt.exit_code == VERIFIED,
            "log_verified": self.log.exit_code == VERIFIED,
            "flip_named": self.flip_named,
            "verifier": {
                "receipt": self.receipt.output,
                "log": self.log.output,
                "flipped": self.flipped.output,
            },
        }


def prove(authority: Authority, record_id: str, place: Path) -> Proof:
    """Verify a record's receipt and the whole log; flip one byte inside of that record and verify again."""
    receipt, waited = fetch_receipt(authority, record_id, place / "receipt")
    index = int(receipt["index"])
    sealed = verify_receipt(place / "receipt", authority.trust_file)
    export(authority, place / "log")
    clean = verify_log(place / "log", authority.trust_file)
    flipped = flip(place / "log", index)
    return Proof(index, waited, sealed, clean, flipped, verify_log(place / "log", authority.trust_file))


def fetch_receipt(authority: Authority, record_id: str, folder: Path) -> tuple[dict[str, Any], float]:
    """Wait until the record is under a checkpoint, save its receipt, return it and how long the wait took.

    Raises:
        UnavailableError: it was not included in time.
    """
    started = time.monotonic()
    while True:
        receipt = authority.receipt(record_id)
        waited = time.monotonic() - started
        if receipt["state"] != "signed" and receipt["tlog_proof"]:
            break
        if waited > _INCLUSION_TIMEOUT_S:
            raise UnavailableError(f"record `{record_id}` is still not included after {waited:.0f} s")
        time.sleep(0.05)
    folder.mkdir(exist_ok=True)
    (folder / "receipt.tlog-proof").write_text(receipt["tlog_proof"], encoding="utf-8")
    if receipt["body"] is not None:
        (folder / "receipt.body.json").write_text(receipt["body"], encoding="utf-8")
    return receipt, waited


def verify_receipt(folder: Path, trust: Path) -> Check:
    """Run the verifier on a saved receipt and the body that it seals."""
    body = folder / "receipt.body.json"
    extra = ("--body", body) if body.is_file() else ()
    return _verify("receipt", folder / "receipt.tlog-proof", *extra, "--trust", trust)


def export(authority: Authority, folder: Path) -> None:
    """Export the whole log for somebody who verifies without us."""
    run("log", "export", authority.data, folder)


def verify_log(folder: Path, trust: Path) -> Check:
    """Run the verifier on an exported log."""
    return _verify("log", folder, "--trust", trust)


def flip(folder: Path, index: int) -> Flip:
    """Flip one bit in the middle of the statement at ``index`` of an exported log."""
    file, offset = _statement_place(folder, index)
    data = bytearray(file.read_bytes())
    before = data[offset]
    data[offset] = before ^ _FLIPPED_BIT
    file.chmod(0o600)
    file.write_bytes(data)
    return Flip(str(file.relative_to(folder)), offset, before, data[offset])


def _statement_place(folder: Path, index: int) -> tuple[Path, int]:
    """Return file and offset of the middle of a statement: bundles of 256, each statement behind its length."""
    number, position = divmod(index, 256)
    file = _bundle(folder / "stmt", number)
    data = file.read_bytes()
    offset = 0
    for _ in range(position):
        offset += 2 + int.from_bytes(data[offset : offset + 2])
    length = int.from_bytes(data[offset : offset + 2])
    return file, offset + 2 + length // 2


def _bundle(folder: Path, number: int) -> Path:
    """Return the bundle's file, whole or partial; numbers are written in groups of three digits as tiles are."""
    groups = [f"{number % 1000:03}"]
    while number := number // 1000:
        groups.insert(0, f"x{number % 1000:03}")
    whole = folder.joinpath(*groups)
    if whole.is_file():
        return whole
    partial = sorted(whole.with_name(whole.name + ".p").iterdir(), key=lambda file: int(file.name))
    return partial[-1]


def _verify(*arguments: str | Path) -> Check:
    done = subprocess.run(
        [program("sealgate-verify"), *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    shown = " ".join(argument.name if isinstance(argument, Path) else argument for argument in arguments)
    return Check(f"sealgate-verify {shown}", done.returncode, (done.stdout + done.stderr).rstrip())
