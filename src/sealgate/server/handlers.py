"""What each route does: one small method each, named in the routing table."""

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from sealgate.encoding import canonical
from sealgate.model.approvals import ApprovalAnswer
from sealgate.model.credentials import Credentials
from sealgate.model.decisions import Outcome, Reason
from sealgate.model.delegations import DelegationRevoke, Delegations
from sealgate.model.errors import InputError, NotPermittedError, NotProvenError
from sealgate.model.evaluation import DecisionContext, EvaluationRequest, EvaluationResponse, Identity
from sealgate.model.grants import Grants, RevokeRequest
from sealgate.model.identifiers import require_name, require_uuid
from sealgate.model.tasks import OpenTasks

from . import answers, evaluations, metrics, problems, queries
from .bounds import MAX_IN_FLIGHT
from .decoding import decode, decode_leniently, is_strict
from .messages import TEXT, Request, Response
from .operations import Operations
from .route import Route

_encode = msgspec.json.Encoder().encode

_TILE: Final = re.compile(
    r"(?:(?:[0-9]|[1-5][0-9]|6[0-3])|entries)/(?:x[0-9]{3}/){0,6}[0-9]{3}(?:\.p/(?:[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?",
    re.ASCII,
)
"""C2SP tlog-tiles: level, number in groups of three digits, width of a partial tile."""

_COSE: Final = b"application/cose"
_NOT_STORED: Final = (b"Cache-Control", b"no-store")
_OCTETS: Final = b"application/octet-stream"


@dataclass(slots=True)
class Call:
    """One request on its way to its handler. ``caller`` is proven wherever the route asks for it."""

    request: Request
    route: Route
    parameters: dict[str, str]
    caller: Identity
    request_id: str | None


Handler = Callable[[Call], Awaitable[Response]]


class Handlers:
    """The handlers over one authority. ``stopping`` turns every new decision into SILENCE."""

    def __init__(
        self, operations: Operations, counts: metrics.Metrics, public_url: str, *, max_in_flight: int = MAX_IN_FLIGHT
    ) -> None:
        self._operations = operations
        self._counts = counts
        self._max_in_flight = max_in_flight
        self._metadata = _encode(
            answers.Metadata(public_url, f"{public_url}/access/v1/evaluation", f"{public_url}/access/v1/evaluations")
        )
        self.openapi = b"{}"
        self.stopping = False
        self.children: Mapping[str, str] = {}
        """What each process beside the authority does. Shown with readiness, never a part of it."""

    async def evaluate(self, call: Call) -> Response:
        """Decide one question."""
        strict = is_strict(call.request.prefer)
        limit = call.route.max_bytes
        body = call.request.body
        question = (
            decode(body, EvaluationRequest, max_bytes=limit) if strict else decode_leniently(body, max_bytes=limit)
        )
        return Response(200, _encode(await self._decide(question, call.caller, call.request_id)))

    async def evaluate_batch(self, call: Call) -> Response:
        """Decide many questions; without an ``evaluations`` member, one."""
        strict = is_strict(call.request.prefer)
        asked = evaluations.read(call.request.body, max_bytes=call.route.max_bytes, strict=strict)
        if isinstance(asked, EvaluationRequest):
            return Response(200, _encode(await self._decide(asked, call.caller, call.request_id)))

        def decide(question: EvaluationRequest, number: int) -> Awaitable[EvaluationResponse]:
            # Each question needs an id of its own, or the second would be taken for a repetition of the first.
            request_id = None if call.request_id is None else f"{call.request_id}#{number}"
            return self._decide(question, call.caller, request_id)

        return Response(200, _encode(await evaluations.decide_all(asked, decide)))

    async def _decide(
        self, question: EvaluationRequest, caller: Identity, request_id: str | None
    ) -> EvaluationResponse:
        counts = self._counts
        if self.stopping:
            return _silence(Reason.STOPPING, "the authority is stopping", question, request_id)
        if counts.in_flight >= self._max_in_flight:
            return _silence(Reason.OVERLOADED, "too many decisions wait for their record", question, request_id)
        started = time.perf_counter()
        counts.in_flight += 1
        try:
            answer = await self._operations.evaluate(question, caller, request_id)
        finally:
            counts.in_flight -= 1
        counts.count_decision(answer.context.outcome, time.perf_counter() - started)
        return answer

    async def redeem(self, call: Call) -> Response:
        """Use up a permit."""
        return Response(200, _encode(await self._operations.redeem(_typed(call), call.caller)))

    async def report_outcome(self, call: Call) -> Response:
        """Record an outcome."""
        return Response(200, _encode(await self._operations.report_outcome(_typed(call), call.caller)))

    async def observe(self, call: Call) -> Response:
        """Tell what entered a task."""
        task = require_name(call.parameters["id"], "task id")
        return Response(200, _encode(await self._operations.observe(task, _typed(call), call.caller)))

    async def capture(self, call: Call) -> Response:
        """Record something other than a decision."""
        return Response(200, _encode(await self._operations.capture(_typed(call), call.caller)))

    async def record_batches(self, call: Call) -> Response:
        """Record batches of items. Their bytes go on as they came: the authority parses them off the event loop.

        Also while stopping, as outcomes are: what a collector hands in has happened already.
        """
        return Response(200, _encode(await self._operations.record_batches(call.request.body, call.caller)))

    async def receipt(self, call: Call) -> Response:
        """Return the newest receipt."""
        return Response(200, _encode(self._receipt(call)))

    async def tlog_proof(self, call: Call) -> Response:
        """Return the receipt as tlog-proof."""
        proof = self._receipt(call).get("tlog_proof")
        if proof is None:
            raise NotProvenError("the record is not in a checkpoint yet", hint="ask again after the next checkpoint")
        return Response(200, str(proof).encode(), TEXT)

    async def transparent_statement(self, call: Call) -> Response:
        """Return the receipt as transparent statement."""
        return Response(200, self._operations.transparent_statement(_record_id(call), call.caller), _COSE)

    def _receipt(self, call: Call) -> dict[str, Any]:
        return self._operations.receipt(_record_id(call), call.caller)

    async def agents(self, call: Call) -> Response:
        """Return the known agents."""
        del call
        return Response(200, _encode(answers.Agents(self._operations.agents())))

    async def pause(self, call: Call) -> Response:
        """Pause an agent."""
        agent = require_name(call.parameters["id"], "agent")
        wanted: answers.PauseRequest = _typed(call)
        return Response(200, _encode(await self._operations.pause(agent, wanted.reason, call.caller)))

    async def resume(self, call: Call) -> Response:
        """Lift a pause."""
        _empty(call)
        agent = require_name(call.parameters["id"], "agent")
        return Response(200, _encode(await self._operations.resume(agent, call.caller)))

    async def erase(self, call: Call) -> Response:
        """Erase a subject."""
        return Response(
            200, _encode(await self._operations.erase(call.parameters["subject"], _typed(call), call.caller))
        )

    async def erasures(self, call: Call) -> Response:
        """Return the erasures of a subject."""
        return Response(200, _encode(self._operations.erasures(call.parameters["subject"])))

    async def publish_policy(self, call: Call) -> Response:
        """Publish a bundle. Its bytes go on as they came: their digest is the policy version."""
        bundle = canonical.parse(call.request.body, max_bytes=call.route.max_bytes, max_depth=64)
        if not isinstance(bundle, dict):
            raise InputError("the bundle is not an object", hint="send the bundle that `sealgate policy` made")
        return Response(200, _encode(await self._operations.publish_policy(call.request.body, call.caller)))

    async def pending_policy(self, call: Call) -> Response:
        """Return the policy set that waits for approval."""
        del call
        waiting = self._operations.pending_policy()
        if waiting is None:
            raise NotPermittedError("no policy set waits for approval", code="policy-unknown")
        return Response(200, _encode(waiting))

    async def approve_policy(self, call: Call) -> Response:
        """Put a proposed policy set in force."""
        _empty(call)
        return Response(200, _encode(await self._operations.approve_policy(call.parameters["digest"], call.caller)))

    async def grants(self, call: Call) -> Response:
        """Return the granted roles."""
        del call
        return Response(200, _encode(Grants(self._operations.grants())))

    async def grant_role(self, call: Call) -> Response:
        """Grant a role."""
        return Response(200, _encode(await self._operations.grant_role(_typed(call), call.caller)))

    async def revoke_role(self, call: Call) -> Response:
        """Take a grant back."""
        grant_id = require_uuid(call.parameters["grant_id"], "grant id")
        wanted: RevokeRequest = _typed(call)
        return Response(200, _encode(await self._operations.revoke_role(grant_id, wanted.reason, call.caller)))

    async def start_task(self, call: Call) -> Response:
        """Start a task."""
        return Response(200, _encode(await self._operations.start_task(_typed(call), call.caller)))

    async def end_task(self, call: Call) -> Response:
        """End a task."""
        task = require_name(call.parameters["id"], "task id")
        reason = _typed(call).reason if call.request.body else ""
        return Response(200, _encode(await self._operations.end_task(task, reason, call.caller)))

    async def tasks(self, call: Call) -> Response:
        """Return the open tasks."""
        return Response(200, _encode(OpenTasks(self._operations.tasks(call.caller))))

    async def grant_delegation(self, call: Call) -> Response:
        """Grant a delegation."""
        return Response(200, _encode(await self._operations.grant_delegation(_typed(call), call.caller)))

    async def revoke_delegation(self, call: Call) -> Response:
        """Take a delegation back."""
        delegation = require_uuid(call.parameters["id"], "delegation id")
        wanted: DelegationRevoke = _typed(call)
        done = await self._operations.revoke_delegation(delegation, wanted.reason, call.caller)
        return Response(200, _encode(done))

    async def delegations(self, call: Call) -> Response:
        """Return the delegations."""
        return Response(200, _encode(Delegations(self._operations.delegations(call.caller))))

    async def current_policy(self, call: Call) -> Response:
        """Return the policy set in force."""
        del call
        policy = self._operations.current_policy()
        if policy is None:
            raise NotPermittedError("no policy set is published", code="policy-unknown", hint="publish one first")
        return Response(200, _encode(policy))

    async def rotate_key(self, call: Call) -> Response:
        """Start a new signing key."""
        _empty(call)
        return Response(200, _encode(await self._operations.rotate_key(call.caller)))

    async def holds(self, call: Call) -> Response:
        """Return the legal holds."""
        del call
        return Response(200, _encode(answers.Holds(self._operations.holds())))

    async def place_hold(self, call: Call) -> Response:
        """Ask for a hold."""
        wanted: answers.HoldRequest = _typed(call)
        selection = msgspec.structs.asdict(wanted.selection)
        return Response(200, _encode(await self._operations.place_hold(selection, wanted.reason, call.caller)))

    async def confirm_hold(self, call: Call) -> Response:
        """Confirm a step of a hold."""
        _empty(call)
        hold = require_uuid(call.parameters["id"], "hold id")
        return Response(200, _encode(await self._operations.confirm_hold(hold, call.caller)))

    async def release_hold(self, call: Call) -> Response:
        """Ask for a hold's release."""
        wanted: answers.ReleaseRequest = _typed(call)
        hold = require_uuid(call.parameters["id"], "hold id")
        return Response(200, _encode(await self._operations.release_hold(hold, wanted.reason, call.caller)))

    async def approvals(self, call: Call) -> Response:
        """Return approvals in some states, ``requested`` by default."""
        states = queries.states(call.request.query)
        return Response(200, _encode(self._operations.approvals.list(call.caller, states)))

    async def approval(self, call: Call) -> Response:
        """Return one approval, at once or when it is decided."""
        wait_s = 0.0 if self.stopping else queries.wait_s(call.request.query)
        approval = require_uuid(call.parameters["approval_id"], "approval id")
        return Response(200, _encode(await self._operations.approvals.wait(approval, wait_s, call.caller)))

    async def approval_figures(self, call: Call) -> Response:
        """Return the measures of fatigue."""
        del call
        return Response(200, _encode(self._operations.approvals.figures()))

    async def grant_approval(self, call: Call) -> Response:
        """Take a yes."""
        return await self._answer(call, grant=True)

    async def refuse_approval(self, call: Call) -> Response:
        """Take a no."""
        return await self._answer(call, grant=False)

    async def _answer(self, call: Call, *, grant: bool) -> Response:
        wanted: ApprovalAnswer = _typed(call)
        approval = require_uuid(call.parameters["approval_id"], "approval id")
        step = await self._operations.approvals.answer(approval, call.caller, wanted.reason, grant=grant)
        return Response(200, _encode(step))

    async def answer_approvals(self, call: Call) -> Response:
        """Take one answer to several."""
        return Response(200, _encode(await self._operations.approvals.answer_batch(_typed(call), call.caller)))

    async def answer_by_callback(self, call: Call) -> Response:
        """Take an answer whose signature is the only proof. The signed bytes go on as they came."""
        request = call.request
        return Response(
            200, _encode(await self._operations.approvals.answer_callback(request.body, request.authorization))
        )

    async def revoke_approval(self, call: Call) -> Response:
        """Take an approval back."""
        wanted: ApprovalAnswer = _typed(call)
        approval = require_uuid(call.parameters["approval_id"], "approval id")
        return Response(200, _encode(await self._operations.approvals.revoke(approval, wanted.reason, call.caller)))

    async def request_capability(self, call: Call) -> Response:
        """Ask for a capability."""
        return Response(200, _encode(await self._operations.approvals.request_capability(_typed(call), call.caller)))

    async def issue_credential(self, call: Call) -> Response:
        """Hand out a credential. Its secret is in this answer and nowhere else."""
        given = await self._operations.issue_credential(_typed(call), call.caller)
        return Response(200, _encode(given), headers=[_NOT_STORED])

    async def credentials(self, call: Call) -> Response:
        """List live credentials."""
        del call
        return Response(200, _encode(Credentials(self._operations.credentials())))

    async def revoke_credential(self, call: Call) -> Response:
        """End a credential."""
        _empty(call)
        credential = require_uuid(call.parameters["id"], "credential id")
        return Response(200, _encode(await self._operations.revoke_credential(credential, call.caller)))

    async def revoked_tokens(self, call: Call) -> Response:
        """List revoked tokens."""
        del call
        return Response(200, _encode(self._operations.revoked_tokens()), headers=[_NOT_STORED])

    async def token_keys(self, call: Call) -> Response:
        """Return the key set for tokens."""
        del call
        return Response(200, _encode(self._operations.token_keys()))

    async def verify_package(self, call: Call) -> Response:
        """Record a verification."""
        return Response(200, _encode(await self._operations.verify_package(_typed(call), call.caller)))

    async def install_package(self, call: Call) -> Response:
        """Record an installation."""
        return Response(200, _encode(await self._operations.install_package(_typed(call), call.caller)))

    async def score_trust(self, call: Call) -> Response:
        """Record a trust score."""
        return Response(200, _encode(await self._operations.score_trust(_typed(call), call.caller)))

    async def packages(self, call: Call) -> Response:
        """List packages."""
        del call
        return Response(200, _encode(self._operations.packages()))

    async def trust_scores(self, call: Call) -> Response:
        """List trust scores."""
        del call
        return Response(200, _encode(self._operations.trust_scores()))

    async def plan_retention(self, call: Call) -> Response:
        """Return what a run would delete."""
        del call
        return Response(200, _encode(await self._operations.plan_retention()))

    async def compact_journal(self, call: Call) -> Response:
        """Archive closed segments."""
        _empty(call)
        return Response(200, _encode(await self._operations.compact_journal(call.caller)))

    async def run_retention(self, call: Call) -> Response:
        """Delete what is due."""
        _empty(call)
        return Response(200, _encode(await self._operations.run_retention(call.caller)))

    async def checkpoint(self, call: Call) -> Response:
        """Return the signed head of the log."""
        return self._public(call, "checkpoint", TEXT, b"no-cache")

    async def tile(self, call: Call) -> Response:
        """Return a tile; tiles never change, so they may be kept for ever."""
        name = call.parameters["tile"]
        if not _TILE.fullmatch(name):
            return problems.answer(problems.problem(problems.NOT_FOUND, "no tile can have this name"))
        return self._public(call, f"tile/{name}", _OCTETS, b"public, max-age=31536000, immutable")

    def _public(self, call: Call, name: str, content_type: bytes, cache: bytes) -> Response:
        content = self._operations.public_file(name)
        if content is None:
            detail = f"the log has no `{call.route.path.rpartition('/')[2]}` of this name yet"
            return problems.answer(problems.problem(problems.NOT_FOUND, detail, hint="ask again after a checkpoint"))
        return Response(200, content, content_type, [(b"cache-control", cache)])

    async def metadata(self, call: Call) -> Response:
        """Return the AuthZEN metadata."""
        del call
        return Response(200, self._metadata, headers=[(b"cache-control", b"public, max-age=3600")])

    async def health(self, call: Call) -> Response:
        """Say that the process answers."""
        del call
        return Response(200, b'{"status":"ok"}')

    async def ready(self, call: Call) -> Response:
        """Say whether decisions can be recorded, or why not."""
        del call
        state = self._operations.readiness()
        if self.stopping:
            state = {"ready": False, "checks": {**state["checks"], "server": "stopping"}}
        if self.children:
            beside = {f"child {name}": doing for name, doing in self.children.items()}
            state = {**state, "checks": {**state["checks"], **beside}}
        return Response(200 if state["ready"] else 503, _encode(state))

    async def metrics(self, call: Call) -> Response:
        """Return the figures."""
        del call
        return Response(200, self._counts.exposition(self._operations.metrics()), metrics.CONTENT_TYPE)

    async def document(self, call: Call) -> Response:
        """Return the OpenAPI document."""
        del call
        return Response(200, self.openapi)


def _typed(call: Call) -> Any:
    return decode(call.request.body, call.route.takes, max_bytes=call.route.max_bytes)


def _empty(call: Call) -> None:
    if call.request.body:
        _typed(call)


def _record_id(call: Call) -> str:
    return require_uuid(call.parameters["record_id"], "record id")


def _silence(reason: Reason, message: str, question: EvaluationRequest, request_id: str | None) -> EvaluationResponse:
    """Return SILENCE that the server itself says: nothing was asked of the authority, so there is no record."""
    context = DecisionContext(
        outcome=Outcome.SILENCE,
        reason=reason,
        message=message,
        policies=[],
        policy_version=None,
        obligations=[],
        request_id=request_id or question.context.request_id or "",
        record_id=None,
        receipt=None,
        permit=None,
    )
    return EvaluationResponse(decision=False, context=context)
