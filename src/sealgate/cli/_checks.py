"""What ``sealgate doctor`` looks at. Each check says how it stands and what to do; none of them changes anything.

A check that cannot be made is a failed one: an error of ours becomes its finding.
"""

import os
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final

from sealgate.adapters.configuration import Configuration
from sealgate.adapters.durable import sync_directory
from sealgate.adapters.identity.api_keys import ApiKeys
from sealgate.adapters.identity.federated import FederatedIdentities
from sealgate.adapters.installation import API_KEYS, DATA_KEYS
from sealgate.adapters.keys import keyring
from sealgate.adapters.keys.keyring import Keyring
from sealgate.adapters.keys.rotation import TRUST_FILE, RotationFiles
from sealgate.cli import _first_record, _published, _running
from sealgate.cli._finding import Finding, Status
from sealgate.cli.init import JOURNAL, LOCK
from sealgate.model.errors import SealgateError
from sealgate.proofs import trust

_SYNCS: Final = 25
_SLOW_SYNC_MS: Final = 5.0
_LEAST_FREE_BYTES: Final = 256 << 20
_SOON_FULL_BYTES: Final = 4 << 30


def run(configuration: Configuration) -> Iterator[Finding]:
    """Yield a finding for everything that can be checked from here."""
    ring = Keyring.of(configuration)  # one for all: a process may log in to a token once
    checks: dict[str, Callable[[Configuration], Iterable[Finding]]] = {
        "modes": _modes,
        "keys": partial(_keys, ring=ring),
        "first record": partial(_genesis, ring=ring),
        "root key": _root_key,
        "trust file": _trust,
        "databases": _databases,
        "API keys": _api_keys,
        "identities": _identities,
        "issuers": _issuers,
        "disk": _disk,
        "sync": _sync,
        "clock": _published.clock,
        "endorsements": _published.endorsed,
        "wrapping key": _wrapping,
        "authority": _running.authority,
        "collector": _running.collector,
        "evidence": _running.evidence,
        "vault": _running.vault,
    }
    for name, check in checks.items():
        try:
            yield from check(configuration)
        except SealgateError as error:
            yield Finding(name, "failed", error.message, error.hint)
        except OSError as error:
            yield Finding(name, "failed", f"{error.filename or 'file'}: {error.strerror}")


def _modes(found: Configuration) -> Iterator[Finding]:
    data, bad = found.data_directory, False
    for path in (data, found.keys.directory, *sorted(found.keys.directory.iterdir())):
        status = path.lstat()
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO) and not stat.S_ISLNK(status.st_mode):
            bad, mode = True, stat.S_IMODE(status.st_mode)
            right = 700 if path.is_dir() else 600
            yield Finding("modes", "failed", f"`{path}` has mode {mode:04o}", f"chmod {right} {path}")
        if status.st_uid != data.stat().st_uid:
            bad = True
            yield Finding("owner", "failed", f"`{path}` belongs to user {status.st_uid}", "give all to one user")
    if not bad:
        yield Finding("modes", "ok", f"data directory and keys belong to user {data.stat().st_uid} alone")


def _keys(found: Configuration, ring: Keyring) -> Iterator[Finding]:
    opened = ring.open()
    known = trust.parse((found.data_directory / TRUST_FILE).read_bytes())
    signing = opened.statement.public_key
    allowed = any(key.public_key == signing and key.to_index is None for key in known.statement_keys)
    if opened.log.public_key != known.log.public_key or opened.receipt.public_key != known.receipt_key or not allowed:
        yield Finding("keys", "failed", "the keys are not those of trust.json", "restore both from one backup")
    else:
        yield Finding(
            "keys", "ok", f"all open ({found.keys.store}); key {opened.statement.key_id.hex()} signs statements"
        )
    if RotationFiles(ring, found.data_directory).pending():
        yield Finding("rotation", "warning", "a prepared change of keys is not recorded", "run `sealgate keys apply`")


def _genesis(found: Configuration, ring: Keyring) -> Iterator[Finding]:
    yield _first_record.compare(found, ring)


def _wrapping(found: Configuration) -> Iterator[Finding]:
    """Tell whether who reads bodies could sign, too: a login to a token opens all its keys."""
    ring, keys = Keyring.of(found), found.keys
    if ring.wrapping_store == keys.store == "pkcs11" and not keys.pkcs11_wrapping_token:
        detail = "it is on the token of the signing keys: the evidence service, which opens it, could sign"
        yield Finding("wrapping key", "warning", detail, "give it a token of its own: `keys.pkcs11_wrapping_token`")


def _root_key(found: Configuration) -> Iterator[Finding]:
    here = [name for name in (keyring.ROOT, keyring.ROOT_UNLOCK) if (found.keys.directory / name).exists()]
    if here:
        yield Finding("root key", "warning", f"{' and '.join(here)} are on this machine", "move them offline")
    else:
        yield Finding("root key", "ok", "not on this machine")


def _trust(found: Configuration) -> Iterator[Finding]:
    known = trust.parse((found.data_directory / TRUST_FILE).read_bytes())
    if known.origin != found.authority.origin:
        yield Finding("trust file", "failed", f"it is of the log `{known.origin}`", "restore the right one")
    else:
        yield Finding("trust file", "ok", f"log `{known.origin}`, quorum {known.quorum} of {len(known.witnesses)}")


def _databases(found: Configuration) -> Iterator[Finding]:
    for name, what in ((JOURNAL, "journal"), (LOCK, "lock database"), (DATA_KEYS, "data keys")):
        path = found.data_directory / name
        if not path.exists():
            yield Finding(what, "failed", f"`{path}` is missing", "find it; a new one forks the log or loses bodies")
        elif path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield Finding(what, "failed", f"`{path}` is open to others", f"chmod go= {path}")
        else:
            yield Finding(what, "ok", "present")


def _api_keys(found: Configuration) -> Iterator[Finding]:
    keys = [key for key in ApiKeys(found.data_directory / API_KEYS).all() if key.revoked is None]
    yield Finding("API keys", "ok", f"{len(keys)} active")


def _identities(found: Configuration) -> Iterator[Finding]:
    own, warned = found.data_directory.stat().st_uid, False
    for entry in found.identity:
        if "enforce" not in entry.roles:
            continue
        if entry.uid == own:
            warned = True
            detail = f"identity `{entry.name}` is the authority's own user {own}: an agent there could read the keys"
            yield Finding("identities", "warning", detail, "run agents as another operating-system user")
        if "*" in entry.agents:
            warned = True
            yield Finding("identities", "warning", f"`{entry.name}` may speak for every agent", "name its agents")
    if not (found.identity or found.oidc or found.spiffe) and not found.tls.listen:
        yield Finding("identities", "failed", "nobody may call", "add an [[identity]]")
    elif not warned:
        yield Finding("identities", "ok", f"{len(found.identity)} configured")


def _issuers(found: Configuration) -> Iterator[Finding]:
    """Read the keys of every issuer and trust domain now, as the authority does in the background."""
    for source in FederatedIdentities(found.oidc, found.spiffe).sources:
        try:
            keys = source.renew()
        except SealgateError as error:
            yield Finding(f"keys of {source.name}", "failed", error.message, "its callers are refused without them")
            continue
        detail = f"{len(keys.by_id)} keys of tokens, {len(keys.authorities)} authorities of certificates"
        usable = bool(keys.by_id or keys.authorities)
        hint = "" if usable else "compare its keys with the pinned `algorithms`"
        yield Finding(f"keys of {source.name}", "ok" if usable else "failed", detail, hint)


def _disk(found: Configuration) -> Iterator[Finding]:
    free = shutil.disk_usage(found.data_directory).free
    status: Status = "failed" if free < _LEAST_FREE_BYTES else "warning" if free < _SOON_FULL_BYTES else "ok"
    hint = "" if status == "ok" else "a full disk means SILENCE; make room"
    yield Finding("disk", status, f"{free / (1 << 30):.1f} GiB free", hint)


def _sync(found: Configuration) -> Iterator[Finding]:
    """Measure what every decision waits for: a small append and fdatasync, in the data directory."""
    path = found.data_directory / f".doctor-{os.getpid()}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        times = sorted(_timed_sync(descriptor) for _ in range(_SYNCS))
    finally:
        os.close(descriptor)
        path.unlink()
    sync_directory(found.data_directory)
    median, worst = times[_SYNCS // 2], times[-1]
    status: Status = "warning" if median > _SLOW_SYNC_MS else "ok"
    detail = f"append and fdatasync: median {median:.2f} ms, worst {worst:.2f} ms of {_SYNCS}"
    yield Finding("sync", status, detail, "" if status == "ok" else "every decision waits for this; use a faster disk")


def _timed_sync(descriptor: int) -> float:
    start = time.perf_counter()
    os.write(descriptor, bytes(1024))
    os.fdatasync(descriptor)
    return (time.perf_counter() - start) * 1000
