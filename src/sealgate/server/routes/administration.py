"""Agents, policies, reading roles and keys: what operators do."""

from typing import Any, Final

import msgspec

from sealgate.model.evaluation import (
    PolicyChange,
    Recorded,
)
from sealgate.model.grants import GrantRequest, Grants, RevokeRequest
from sealgate.server import answers
from sealgate.server.bounds import MAX_POLICY_BUNDLE_BYTES
from sealgate.server.route import KNOWN, Route, get, post, roles

ROUTES: Final[tuple[Route, ...]] = (
    get(
        "/v1/agents",
        "agents",
        "The known agents and whether each is paused",
        answer=answers.Agents,
        roles=roles("operate", "read"),
    ),
    post(
        "/v1/agents/{id}/pause",
        "pause",
        "Pause an agent: its next decision obeys",
        takes=answers.PauseRequest,
        answer=Recorded,
        roles=roles("operate"),
    ),
    post(
        "/v1/agents/{id}/resume",
        "resume",
        "Lift a pause",
        takes=answers.Nothing,
        answer=Recorded,
        roles=roles("operate"),
    ),
    post(
        "/v1/policies",
        "publish_policy",
        "Publish a policy bundle, or propose it where a second person approves",
        takes=msgspec.Raw,
        answer=PolicyChange,
        roles=roles("publish"),
        max_bytes=MAX_POLICY_BUNDLE_BYTES,
    ),
    get(
        "/v1/policies/pending",
        "pending_policy",
        "The policy set that waits for a second person",
        answer=dict[str, Any],
        roles=roles("publish", "approve"),
        codes=("policy-unknown",),
    ),
    post(
        "/v1/policies/{digest}/approve",
        "approve_policy",
        "Put a proposed policy set in force; another person than its proposer",
        takes=answers.Nothing,
        answer=PolicyChange,
        roles=roles("approve"),
        codes=("policy-unknown", "own-proposal"),
    ),
    get(
        "/v1/roles/grants",
        "grants",
        "The reading roles that are granted",
        answer=Grants,
        roles=roles("administer", "service"),
    ),
    post(
        "/v1/roles/grants",
        "grant_role",
        "Grant a reading role to somebody else",
        takes=GrantRequest,
        answer=Recorded,
        roles=roles("administer"),
    ),
    post(
        "/v1/roles/grants/{grant_id}/revoke",
        "revoke_role",
        "Take a granted role back",
        takes=RevokeRequest,
        answer=Recorded,
        roles=roles("administer"),
        codes=("grant-unknown",),
    ),
    get(
        "/v1/policies/current",
        "current_policy",
        "The policy set in force",
        answer=dict[str, Any],
        roles=KNOWN,
        codes=("policy-unknown",),
    ),
    post(
        "/v1/keys/rotate",
        "rotate_key",
        "Start a new signing key",
        takes=answers.Nothing,
        answer=Recorded,
        roles=roles("operate"),
    ),
)
