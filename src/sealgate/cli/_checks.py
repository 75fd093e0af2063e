"""What ``sealgate doctor`` looks at. Each check says how it stands and what to do; none of them changes anything.

A check that cannot be made is a failed one: an error of ours becomes its finding.
"""

import os
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import httpx

from sealgate.adapters.configuration import Configuration
from sealgate.adapters.durable import sync_directory
from sealgate.adapters.identity.api_keys import ApiKeys
from sealgate.adapters.identity.federated import FederatedIdentities
from sealgate.adapters.installation import API_KEYS, DATA_KEYS
from sealgate.adapters.keys import keyring
from sealgate.adapters.keys.keyring import Keyring
from sealgate.adapters.keys.rotation import TRUST_FILE, RotationFiles
from sealgate.adapters.stores.directory import DirectoryLog
from sealgate.cli.init import JOURNAL, LOCK
from sealgate.encoding import statement
from sealgate.ledger import reading
from sealgate.model.errors import SealgateError
from sealgate.model.limits import TILE_WIDTH
from sealgate.proofs import checkpoints, trust

Status = Literal["ok", "warning", "failed"]
_SYNCS: Final = 25
_SLOW_SYNC_MS: Final = 5.0
_LEAST_FREE_BYTES: Final = 256 << 20
_SOON_FULL_BYTES: Final = 4 << 30
_ASK_TIMEOUT_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    status: Status
    detail: str
    hint: str = ""


def run(configuration: Configuration) -> Iterator[Finding]:
    """Yield a finding for everything that can be checked from here."""
    checks: dict[str, Callable[[Configuration], Iterable[Finding]]] = {
        "modes": _modes,
        "keys": _keys,
        "root key": _root_key,
        "trust file": _trust,
        "databases": _databases,
        "API keys": _api_keys,
        "identities": _identities,
        "issuers": _issuers,
        "disk": _disk,
        "sync": _sync,
        "clock": _clock,
        "authority": _authority,
        "collector": _collector,
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


def _keys(found: Configuration) -> Iterator[Finding]:
    ring = Keyring.of(found)
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


def _clock(found: Configuration) -> Iterator[Finding]:
    newest = _newest_time(found.data_directory / "log")
    if newest is None:
        yield Finding("clock", "ok", "no record is published yet")
        return
    behind_s = newest - time.time()
    if behind_s * 1000 > found.records.clock_tolerance_ms:
        detail = f"the clock is {behind_s:.0f} s behind the newest record"
        yield Finding("clock", "failed", detail, "correct it; until then decisions are SILENCE")
    else:
        yield Finding("clock", "ok", f"the newest published record is {max(0.0, -behind_s):.0f} s old")


def _newest_time(folder: Path) -> int | None:
    public = DirectoryLog(folder)
    data = public.read("checkpoint")
    size = 0 if data is None else checkpoints.parse(data)[0].size
    if size == 0:
        return None
    index, width = divmod(size - 1, TILE_WIDTH)
    return statement.parse(reading.statements(public, index, width + 1)[-1]).claims.iat


def _authority(found: Configuration) -> Iterator[Finding]:
    if not found.server.socket.exists():
        yield Finding("authority", "warning", "not running: there is no socket", "start it with `sealgate serve`")
        return
    transport = httpx.HTTPTransport(uds=str(found.server.socket))
    try:
        with httpx.Client(transport=transport, base_url="http://sealgate", timeout=_ASK_TIMEOUT_S) as client:
            ready, policy = client.get("/readyz"), client.get("/v1/policies/current")
    except httpx.HTTPError as error:
        yield Finding("authority", "failed", f"the socket does not answer: {error}", "is `sealgate serve` running?")
        return
    yield from _credentials(found, ready)
    wrong = _not_ready(ready)
    if not wrong:
        yield Finding("authority", "ok", "running and able to record")
    else:
        yield Finding("authority", "failed", f"not ready: {wrong}", "until it is, decisions are SILENCE")
    if policy.is_success:
        yield Finding("policy", "ok", "a policy set is published")
    else:
        detail = f"none is shown (status {policy.status_code}): without one every decision is SILENCE"
        yield Finding("policy", "warning", detail, "`sealgate policy publish`")


def _credentials(found: Configuration, ready: httpx.Response) -> Iterator[Finding]:
    """Tell whether revocations of credentials fail; that keeps no decision from being made, so it is no readiness."""
    if not found.credential:
        return
    try:
        state = str(ready.json()["checks"]["credentials"])
    except (ValueError, KeyError, TypeError):
        return  # an authority that does not answer has its own finding
    if state == "ok":
        yield Finding("credentials", "ok", f"{len(found.credential)} configured, no revocation waits")
    else:
        yield Finding("credentials", "failed", state, "they work until they expire; `sealgate credential list`")


def _collector(found: Configuration) -> Iterator[Finding]:
    """Ask the collector, where one is configured."""
    if found.collector.enabled == "no":
        yield Finding("collector", "ok", "not configured")
        return
    if not found.collector.socket.exists():
        status: Status = "failed" if found.server.socket.exists() else "warning"
        yield Finding("collector", status, "not running: there is no socket", "`sealgate serve` starts it")
        return
    transport = httpx.HTTPTransport(uds=str(found.collector.socket))
    try:
        with httpx.Client(transport=transport, base_url="http://sealgate", timeout=_ASK_TIMEOUT_S) as client:
            wrong = _not_ready(client.get("/readyz"))
    except httpx.HTTPError as error:
        yield Finding("collector", "failed", f"the socket does not answer: {error}", "see the authority's messages")
        return
    if wrong:
        yield Finding("collector", "failed", f"not ready: {wrong}", "until it is, senders keep what they have")
    else:
        yield Finding("collector", "ok", "running, and its authorities answer")


def _not_ready(answer: httpx.Response) -> str:
    """Return what keeps the authority from deciding, the policy set excepted: that has its own finding."""
    if answer.status_code == httpx.codes.OK:
        return ""
    try:
        checks: dict[str, str] = answer.json()["checks"]
        wrong = {name: state for name, state in checks.items() if state != "ok" and not name.startswith("child ")}
        return ", ".join(f"{name}: {state}" for name, state in wrong.items() if name != "policy")
    except (ValueError, KeyError, AttributeError):
        return f"status {answer.status_code}"
