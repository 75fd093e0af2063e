"""The state file of a long verification: written atomically, bound to one checkpoint, one trust file, one way to check.

It saves work. The tree's part of it needs no trust: the root has to come out, and earlier roots are proven from the
tiles again. That signatures, bodies and sequence numbers were good so far is the earlier run's word, so the report
says from where it went on (``resumed_from``); keep the file where only the auditor can write, or do without it. A state
that fits nothing is put aside.
"""

import hashlib
import os
from pathlib import Path
from typing import Any, Final

import orjson

from ..model.errors import InputError
from ..proofs import tree
from .scan import Scan, Totals

_FORMAT: Final = "sealgate-verify-state/v1"
_MAX_BYTES: Final = 16 * 1024 * 1024


def binding(*parts: bytes) -> str:
    """Return the digest that ties a state to what is verified, with what, and how."""
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def save(path: Path, bound: str, next_bundle: int, scan: Scan) -> None:
    """Write the state; a crash leaves the old file or the new one, never half of one."""
    state = {
        "format": _FORMAT,
        "bound_to": bound,
        "next_bundle": next_bundle,
        "subtrees": [item.hex() for item in scan.hasher.subtrees],
        "completeness": scan.completeness.export(),
        "keys": None if scan.keys is None else scan.keys.export(),
        "totals": [scan.totals.records, scan.totals.signatures, scan.totals.bodies],
    }
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("wb") as file:
        file.write(orjson.dumps(state))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def load(path: Path, bound: str, scan: Scan) -> int | None:
    """Put a saved state into ``scan`` and return the next bundle; None where there is none that fits."""
    fresh = (scan.keys.export() if scan.keys else None, scan.completeness.export())
    try:
        data = path.read_bytes()
        state: Any = orjson.loads(data) if len(data) <= _MAX_BYTES else None
        if not isinstance(state, dict) or state["format"] != _FORMAT or state["bound_to"] != bound:
            return None
        _restore(state, scan)
        return int(state["next_bundle"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError, InputError):
        _begin_anew(scan, *fresh)  # not a state of ours
        return None


def _begin_anew(scan: Scan, keys: dict[str, Any] | None, completeness: dict[str, Any]) -> None:
    if scan.keys is not None and keys is not None:
        scan.keys.restore(keys)
    scan.completeness.restore(completeness)


def _restore(state: dict[str, Any], scan: Scan) -> None:
    next_bundle = int(state["next_bundle"])
    subtrees = [bytes.fromhex(item) for item in state["subtrees"]]
    hasher = tree.TreeHasher.resume(next_bundle * 256, subtrees)
    totals = Totals(*(int(number) for number in state["totals"]))
    if scan.keys is not None:
        scan.keys.restore(state["keys"])
    scan.completeness.restore(state["completeness"])
    scan.hasher, scan.totals = hasher, totals
    scan.marks = {
        size: root for size, root in scan.marks.items() if size > hasher.size
    }  # earlier roots: from the tiles
