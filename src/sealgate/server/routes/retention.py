"""Erasure, legal holds, and what is deleted when its time is over."""

from typing import Any, Final

from sealgate.model.erasure import Erasure, ErasureRequest
from sealgate.server import answers
from sealgate.server.route import Route, get, post, roles

ROUTES: Final[tuple[Route, ...]] = (
    post(
        "/v1/subjects/{subject}/erasure",
        "erase",
        "Erase a subject: destroy its data keys, or refuse; the same id again continues",
        takes=ErasureRequest,
        answer=Erasure,
        roles=roles("erase"),
        codes=("erasure-under-way",),
    ),
    get(
        "/v1/subjects/{subject}/erasure",
        "erasures",
        "The erasures of a subject and how far each is",
        answer=list[Erasure],
        roles=roles("erase", "read"),
    ),
    get("/v1/holds", "holds", "The legal holds", answer=answers.Holds, roles=roles("retain", "read")),
    post(
        "/v1/holds",
        "place_hold",
        "Ask for a legal hold; it protects at once",
        takes=answers.HoldRequest,
        answer=answers.HoldStep,
        roles=roles("retain"),
    ),
    post(
        "/v1/holds/{id}/confirm",
        "confirm_hold",
        "Confirm, as another person, what was asked for",
        takes=answers.Nothing,
        answer=answers.HoldStep,
        roles=roles("retain"),
        codes=("hold-unknown", "hold-not-open", "second-person-needed"),
    ),
    post(
        "/v1/holds/{id}/release",
        "release_hold",
        "Ask for a hold's release",
        takes=answers.ReleaseRequest,
        answer=answers.HoldStep,
        roles=roles("retain"),
        codes=("hold-unknown", "hold-not-open"),
    ),
    get(
        "/v1/retention/plan",
        "plan_retention",
        "What a retention run would delete now",
        answer=dict[str, Any],
        roles=roles("retain", "read"),
    ),
    post(
        "/v1/retention/run",
        "run_retention",
        "Delete what is due",
        takes=answers.Nothing,
        answer=dict[str, Any],
        roles=roles("retain"),
        codes=("retention-running",),
    ),
    post(
        "/v1/log/compact",
        "compact_journal",
        "Archive the journal's closed segments",
        takes=answers.Nothing,
        answer=dict[str, Any],
        roles=roles("retain", "operate"),
    ),
)
