"""Explains one record in plain words: who asked for what, why it was decided so, what followed, what proves it."""

from typing import Any, Final

import orjson

from sealgate.evidence import finding, reading
from sealgate.evidence.answers import Explanation
from sealgate.evidence.finding import Values, column
from sealgate.evidence.reading import Proof
from sealgate.evidence.titles import title
from sealgate.model.errors import InputError
from sealgate.model.records import Kind
from sealgate.ports.evidence import EvidenceStore

_PROOFS: Final = {
    "signed": "The authority signed it; it is not in the published log yet.",
    "included": "It is entry {index} of the published log: the signed checkpoint covers it.",
    "witnessed": "It is entry {index} of the log, and a quorum of independent witnesses has cosigned that log since.",
    "timestamped": "It is entry {index} of the log, and a time stamp of a third party covers that log.",
}
_CHANGES: Final[dict[str, str]] = {
    "no_policy": "For a PERMIT, a policy would have to allow this agent, this tool and these arguments.",
    "approval_required": "For a PERMIT, a person who may approve it would have to.",
    "policy_error": "For a PERMIT, the policy that failed while it was evaluated would have to be mended.",
    "deadline": "Nothing in the policies forbade it: the answer came too late. Asking again may succeed.",
    "not_recorded": "Nothing in the policies forbade it: it could not be recorded, and may succeed once it can be.",
    "unknown_tool": "For a PERMIT, the published policy set would have to define this tool.",
    "invalid_arguments": "For a PERMIT, the arguments would have to fit the tool's definition.",
    "agent_paused": "For a PERMIT, an operator would have to resume the agent.",
    "quota_exceeded": "For a PERMIT, the quota that {policies} sets would have to be free again, or larger.",
    "limit_exceeded": "For a PERMIT, an argument would have to stay within the limit that {policies} sets.",
    "clock": "Nothing in the policies forbade it: the authority's clock was wrong. It may succeed once it is right.",
    "overloaded": "Nothing in the policies forbade it: too many decisions waited. Asking again may succeed.",
    "stopping": "Nothing in the policies forbade it: the authority was stopping. Asking again may succeed.",
}
_COVERAGE: Final = {
    "enforced": "The gate decided it before it ran.",
    "captured": "The agent's own process told it: a claim, which no gate enforced.",
    "observed": "It was seen in telemetry: a claim, which no gate enforced.",
}
_MAX_FOLLOWED: Final = 20


def explain(store: EvidenceStore, proof: Proof, record_id: str) -> Explanation:
    """Return the explanation of a record or item.

    Raises:
        InputError: no readable record has this id.
    """
    with store.session() as session:
        row = finding.by_id(session, record_id)
        if row is None:
            hint = "it may be erased or expired, of another log, or newer than the store"
            raise InputError(f"no readable record `{record_id[:64]}` is known", hint=hint)
        above = finding.by_id(session, column(row, "refers_to")) if column(row, "refers_to") else None
        after = finding.referring(session, [column(row, "id")], _MAX_FOLLOWED)
    decision = above if above is not None and column(above, "kind") == Kind.DECISION else row
    lines = [_asked(row), *_decided(decision), *_followed(after, row), *_proved(row, proof)]
    return Explanation(record_id=record_id, text=lines, facts=_facts(row, above, after, proof))


def _asked(row: Values) -> str:
    when, agent, kind = reading.rfc3339(column(row, "time")), column(row, "agent"), column(row, "kind")
    rest = orjson.loads(column(row, "rest") or "{}")
    who = f"agent `{agent}`" if agent else "nobody in particular"
    principal, how = column(row, "principal"), rest.get("agent_proof")
    spoke = f" (spoken for by `{principal}`{f', proved by {how}' if how else ''})" if principal else ""
    if kind == Kind.DECISION:
        resource = rest.get("resource") or {}
        on = f" on {resource['type']} `{resource['id']}`" if resource else ""
        return f"At {when} {who}{spoke} asked whether it may call `{column(row, 'tool')}`{on}."
    return f"At {when}, on account of {who}{spoke}: {title(row)}."


def _decided(row: Values) -> list[str]:
    if column(row, "kind") != Kind.DECISION:
        return []
    outcome, reason, message = column(row, "outcome"), column(row, "reason"), column(row, "text")
    lines = [f"The gate answered {outcome}, reason `{reason}`" + (f": {message}." if message else ".")]
    lines[0] = lines[0].replace("..", ".")
    policies = column(row, "policies") or []
    if policies:
        lines.append(f"What determined it: {', '.join(f'`{name}`' for name in policies)}.")
    if column(row, "policy_version"):
        lines.append(f"The policy set in force was {column(row, 'policy_version')}.")
    if outcome != "PERMIT":
        lines.append("So the action did not run: silence means no.")
        named = ", ".join(f"`{name}`" for name in policies) or "the policy set"
        forbidden = f"For a PERMIT, {named} would have to stop forbidding this."
        lines.append(_CHANGES.get(reason, forbidden).format(policies=named))
    return lines


def _followed(after: list[Values], row: Values) -> list[str]:
    lines = [f"Then, at {reading.rfc3339(column(next_row, 'time'))}: {title(next_row)}." for next_row in after]
    if not lines and column(row, "kind") == Kind.DECISION and column(row, "outcome") == "PERMIT":
        lines.append("Nothing was reported about what followed, so far.")
    return lines


def _proved(row: Values, proof: Proof) -> list[str]:
    index = column(row, "journal_index")
    lines = [_COVERAGE.get(column(row, "coverage"), "")]
    lines.append(_PROOFS[proof(index)].format(index=index))
    if column(row, "id") != column(row, "record_id"):
        number = column(row, "position") + 1
        lines.append(f"It is item {number} of record `{column(row, 'record_id')}`; one signature covers them all.")
    lines.append(f"`sealgate receipt {column(row, 'record_id')}` gives the proof; `sealgate-verify` checks it.")
    return [line for line in lines if line]


def _facts(row: Values, above: Values | None, after: list[Values], proof: Proof) -> dict[str, Any]:
    index = column(row, "journal_index")
    return {
        "id": column(row, "id"),
        "record_id": column(row, "record_id"),
        "index": index,
        "kind": column(row, "kind"),
        "time": reading.rfc3339(column(row, "time")),
        "agent": column(row, "agent"),
        "principal": column(row, "principal"),
        "tool": column(row, "tool"),
        "outcome": column(row, "outcome"),
        "reason": column(row, "reason"),
        "policies": column(row, "policies") or [],
        "policy_version": column(row, "policy_version"),
        "coverage": column(row, "coverage"),
        "proof_state": proof(index),
        "refers_to": None if above is None else column(above, "id"),
        "followed_by": [column(next_row, "id") for next_row in after],
    }
