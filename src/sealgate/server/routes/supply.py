"""Tool packages, and how far tools are trusted."""

from typing import Final

from sealgate.model.evaluation import (
    Recorded,
)
from sealgate.model.supply import InstallationRequest, Packages, TrustRequest, TrustScores, VerificationRequest
from sealgate.server.route import Route, get, post, roles

ROUTES: Final[tuple[Route, ...]] = (
    post(
        "/v1/packages/verifications",
        "verify_package",
        "Record that a tool package was checked",
        takes=VerificationRequest,
        answer=Recorded,
        roles=roles("service", "administer"),
    ),
    post(
        "/v1/packages/installations",
        "install_package",
        "Record that a tool package was installed for an agent",
        takes=InstallationRequest,
        answer=Recorded,
        roles=roles("service", "administer"),
    ),
    get(
        "/v1/packages",
        "packages",
        "What is verified and installed",
        answer=Packages,
        roles=roles("service", "administer", "read"),
    ),
    post(
        "/v1/trust-scores",
        "score_trust",
        "Say how far a tool or tool server is trusted",
        takes=TrustRequest,
        answer=Recorded,
        roles=roles("service", "administer"),
    ),
    get(
        "/v1/trust-scores",
        "trust_scores",
        "The history of trust scores",
        answer=TrustScores,
        roles=roles("service", "administer", "read"),
    ),
)
