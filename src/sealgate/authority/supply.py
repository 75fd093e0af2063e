"""The supply chain of tools: what was verified, what is installed for whom, how far each tool is trusted.

``Supply`` is the projection of the journal, ``SupplyChain`` writes the records. A change counts from its append on: the
decision behind it in the log was made under it.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from sealgate.authority import answers
from sealgate.authority.drafts import Draft
from sealgate.authority.recorder import Recorder
from sealgate.model.errors import InputError
from sealgate.model.evaluation import Identity, Recorded
from sealgate.model.identifiers import require_name
from sealgate.model.records import Kind
from sealgate.model.supply import (
    MAX_SCORE,
    InstallationRequest,
    Installed,
    Packages,
    Trusted,
    TrustRequest,
    TrustScores,
    VerificationRequest,
    Verified,
)

MAX_HISTORY: Final = 10_000
"""Trust scores kept in memory for showing; older ones are in the journal."""

_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NOTHING: Final[dict[str, Any]] = {}


class Supply:
    """What is known of tools. One event loop owns it."""

    def __init__(self) -> None:
        self.verified: dict[tuple[str, str], Verified] = {}
        self.installed: dict[tuple[str, str], Installed] = {}
        """By agent and server."""
        self.trusted: dict[tuple[str, str], Trusted] = {}
        self.history: list[Trusted] = []

    def about(self, tool: str, server: str, agent: str) -> dict[str, Any]:
        """Return what is known of a tool that an agent would call: members of a decision's ``tool``; often none."""
        if not self.trusted and not self.installed:
            return _NOTHING
        known: dict[str, Any] = {}
        trust = self.trusted.get(("tool", tool)) or self.trusted.get(("server", server))
        if trust is not None:
            known = {"trust_level": trust.trust_level, "verification_score": trust.score}
        installed = self.installed.get((agent, server))
        if installed is not None:
            known["version"] = installed.version
            checked = self.verified.get((installed.package, installed.version))
            if checked is not None:
                known["publisher"] = checked.publisher
                known["verification_score"] = 0 if checked.result == "failed" else checked.score
        return {name: value for name, value in known.items() if value is not None}

    def apply(self, body: Mapping[str, Any]) -> None:
        """Take in a record (replay)."""
        match body["kind"]:
            case Kind.PACKAGE_VERIFIED:
                self.take_verified(_of(Verified, body))
            case Kind.PACKAGE_INSTALLED:
                self.take_installed(_of(Installed, {**body, "agent": body["target_agent"]}))
            case Kind.TRUST_SCORED:
                self.take_trusted(_of(Trusted, body))
            case _:
                pass

    def take_verified(self, verified: Verified) -> None:
        """Take in a verification; the newest of a version counts."""
        self.verified[verified.package, verified.version] = verified

    def take_installed(self, installed: Installed) -> None:
        """Take in an installation; the newest of an agent's server counts."""
        self.installed[installed.agent, installed.server] = installed

    def take_trusted(self, trusted: Trusted) -> None:
        """Take in a score; the newest of a target counts."""
        before = self.trusted.get((trusted.target_type, trusted.target))
        if before is not None and before.record_id == trusted.record_id:
            return  # a snapshot had it, taken between its append and its acknowledgement
        self.trusted[trusted.target_type, trusted.target] = trusted
        self.history.append(trusted)
        del self.history[:-MAX_HISTORY]

    def dump(self) -> bytes:
        """Return everything, for a snapshot."""
        whole = (
            list(self.verified.values()),
            list(self.installed.values()),
            list(self.trusted.values()),
            self.history,
        )
        return msgspec.json.encode(whole)

    def load(self, dumped: bytes) -> None:
        """Take over what ``dump`` gave; nothing where it is empty."""
        if not dumped:
            return
        kept = tuple[list[Verified], list[Installed], list[Trusted], list[Trusted]]
        verified, installed, trusted, self.history = msgspec.json.decode(dumped, type=kept)
        self.verified = {(item.package, item.version): item for item in verified}
        self.installed = {(item.agent, item.server): item for item in installed}
        self.trusted = {(item.target_type, item.target): item for item in trusted}


class SupplyChain:
    """Records verifications, installations and scores. One event loop owns it."""

    def __init__(self, *, supply: Supply, recorder: Recorder, acknowledged: Callable[[int], None]) -> None:
        self._supply = supply
        self._acknowledged = acknowledged
        self._recorder = recorder

    async def verify(self, request: VerificationRequest, caller: Identity) -> Recorded:
        """Record that a package was checked.

        Raises:
            InputError: a member is malformed.
            UnavailableError: it could not be recorded; nothing changed.
        """
        require_name(request.package, "package")
        require_name(request.version, "version")
        require_name(request.method, "method")
        if request.publisher is not None:
            require_name(request.publisher, "publisher")
        _check_score(request.score)
        if request.artifact_sha256 is not None and not _SHA256.fullmatch(request.artifact_sha256):
            raise InputError("artifact_sha256 is not a SHA-256 digest", hint="send 64 lower-case hex digits")
        draft = self._recorder.draft(Kind.PACKAGE_VERIFIED)
        draft.fields = {**msgspec.to_builtins(request), "principal": caller.principal}
        return await self._record(draft, caller)

    async def install(self, request: InstallationRequest, caller: Identity) -> Recorded:
        """Record that a package was installed for an agent, with its verification now; raises as ``verify``."""
        for name in ("package", "version", "agent", "server"):
            require_name(getattr(request, name), name)
        checked = self._supply.verified.get((request.package, request.version))
        draft = self._recorder.draft(Kind.PACKAGE_INSTALLED)
        draft.fields = {
            "package": request.package,
            "version": request.version,
            "target_agent": request.agent,
            "server": request.server,
            "verification": None
            if checked is None
            else {
                "record_id": checked.record_id,
                "time": checked.time,
                "method": checked.method,
                "result": checked.result,
                "score": checked.score,
            },
            "principal": caller.principal,
        }
        return await self._record(draft, caller)

    async def score(self, request: TrustRequest, caller: Identity) -> Recorded:
        """Record how far a tool or server is trusted; decisions from now on see it. Raises as ``verify``."""
        require_name(request.target, "target")
        require_name(request.reason, "reason")
        _check_score(request.score)
        before = self._supply.trusted.get((request.target_type, request.target))
        draft = self._recorder.draft(Kind.TRUST_SCORED)
        draft.fields = {
            **msgspec.to_builtins(request),
            "previous_level": before.trust_level if before else None,
            "previous_score": before.score if before else None,
            "principal": caller.principal,
        }
        return await self._record(draft, caller)

    def packages(self) -> Packages:
        """Return what is verified and installed."""
        return Packages(list(self._supply.verified.values()), list(self._supply.installed.values()))

    def scores(self, target: str | None = None) -> TrustScores:
        """Return the history of trust scores, newest last; of one target where it is named."""
        return TrustScores([score for score in self._supply.history if target is None or score.target == target])

    async def _record(self, draft: Draft, caller: Identity) -> Recorded:
        appended = self._recorder.record(draft, agent=answers.agent(caller.principal, caller, []))
        body = {
            **draft.fields,
            "kind": draft.kind,
            "record_id": draft.record_id,
            "time": self._recorder.time.text(draft.unix_ms),
        }
        before = self._supply.dump()
        self._supply.apply(body)
        try:
            receipt = await appended
        except BaseException:
            self._supply.load(before)  # lost, and so is every record behind it
            raise
        self._acknowledged(receipt.index)
        return Recorded(receipt.record_id, answers.reference(receipt))


def _of(kind: type[Any], body: Mapping[str, Any]) -> Any:
    return kind(**{name: body[name] for name in kind.__struct_fields__})


def _check_score(score: int | None) -> None:
    if score is not None and not 0 <= score <= MAX_SCORE:
        raise InputError(f"score `{score}` is out of range", hint=f"0 to {MAX_SCORE}")
