"""What ``sealgate doctor`` asks the running processes: the authority, and those that it starts beside itself."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx

from sealgate.adapters.configuration import Configuration
from sealgate.cli._finding import Finding, Status

_ASK_TIMEOUT_S: Final = 3.0
_STARTING_S: Final = 15.0
"""How long a process that is being started is waited for: one asks right after `sealgate serve`."""


def authority(found: Configuration) -> Iterator[Finding]:
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
    if not wrong and (beside := _beside_decisions(ready)):
        yield Finding("authority", "failed", f"decisions are recorded, but {beside}", "see the authority's messages")
    elif not wrong:
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


def collector(found: Configuration) -> Iterator[Finding]:
    """Ask the collector, where one is configured."""
    good, harm = "running, and its authorities answer", "until it is, senders keep what they have"
    yield _beside(found, "collector", found.collector.socket, found.collector.enabled, good=good, harm=harm)


def evidence(found: Configuration) -> Iterator[Finding]:
    """Ask the evidence service, where one is configured."""
    good, harm = "running, and it follows the journal", "until it is, nothing can be searched or read"
    yield _beside(found, "evidence", found.access.socket, found.access.enabled, good=good, harm=harm)


def vault(found: Configuration) -> Iterator[Finding]:
    """Ask the vault, where one is configured."""
    good, harm = "running", "until it is, nothing gets a token and none is looked up"
    path = "/healthz"  # it waits for nobody, so it has no readiness
    yield _beside(found, "vault", found.vault.socket, found.vault.enabled, good=good, harm=harm, path=path)


def _beside(
    found: Configuration, name: str, socket: Path, enabled: str, *, good: str, harm: str, path: str = "/readyz"
) -> Finding:
    if enabled == "no":
        return Finding(name, "ok", "not configured")
    if _starting(found, name):
        return Finding(name, "warning", "it is being started", "ask again; the authority's messages say more")
    if not socket.exists():
        status: Status = "failed" if found.server.socket.exists() else "warning"
        return Finding(name, status, "not running: there is no socket", "`sealgate serve` starts it and says why not")
    transport = httpx.HTTPTransport(uds=str(socket))
    try:
        with httpx.Client(transport=transport, base_url="http://sealgate", timeout=_ASK_TIMEOUT_S) as client:
            wrong = _not_ready(client.get(path))
    except httpx.HTTPError as error:
        return Finding(name, "failed", f"the socket does not answer: {error}", "see the authority's messages")
    return Finding(name, "failed", f"not ready: {wrong}", harm) if wrong else Finding(name, "ok", good)


def _starting(found: Configuration, name: str) -> bool:
    """Wait while the authority says that it starts this process; tell whether it still does."""
    if not found.server.socket.exists():
        return False
    until = time.monotonic() + _STARTING_S
    transport = httpx.HTTPTransport(uds=str(found.server.socket))
    with httpx.Client(transport=transport, base_url="http://sealgate", timeout=_ASK_TIMEOUT_S) as client:
        while time.monotonic() < until:
            try:
                state = _json(client.get("/readyz"))
            except httpx.HTTPError:
                return False
            match state:
                case {"checks": {**checks}} if checks.get(f"child {name}") == "starting":
                    time.sleep(0.1)
                case _:
                    return False
    return True


def _not_ready(answer: httpx.Response) -> str:
    """Return what keeps the process from its work, the policy set excepted: that has its own finding."""
    match _json(answer), answer.status_code, answer.url.path:
        case ({"ready": True}, httpx.codes.OK, "/readyz") | ({"status": "ok"}, httpx.codes.OK, "/healthz"):
            return ""
        case {"ready": False, "checks": dict() as checks}, httpx.codes.SERVICE_UNAVAILABLE, "/readyz":
            wrong = {name: state for name, state in checks.items() if state != "ok" and not name.startswith("child ")}
            if wrong:
                return ", ".join(f"{name}: {state}" for name, state in wrong.items() if name != "policy")
    return f"status {answer.status_code}, and not the answer of such a process: is another one listening there?"


def _beside_decisions(answer: httpx.Response) -> str:
    """Return what is wrong although decisions are made: the log is not published, for one."""
    match _json(answer):
        case {"ready": True, "checks": dict() as checks}:
            told_elsewhere = ("policy", "credentials")
            wrong = {name: state for name, state in checks.items() if state != "ok" and name not in told_elsewhere}
            return ", ".join(f"{name}: {state}" for name, state in wrong.items() if not name.startswith("child "))
    return ""


def _json(answer: httpx.Response) -> object:
    try:
        said: object = answer.json()
    except ValueError:
        return None
    return said
