"""Decisions, permits, outcomes, and what else is recorded."""

import time
from collections.abc import Awaitable

from sealgate.model.decisions import Outcome, Reason
from sealgate.model.evaluation import DecisionContext, EvaluationRequest, EvaluationResponse, Identity
from sealgate.model.identifiers import require_name
from sealgate.server import evaluations
from sealgate.server.decoding import decode, decode_leniently, is_strict
from sealgate.server.messages import Response

from .area import Area
from .call import Call, encode, typed


class DecisionHandlers(Area):
    """The handlers of the routing table of this name."""

    async def evaluate(self, call: Call) -> Response:
        """Decide one question."""
        strict = is_strict(call.request.prefer)
        limit = call.route.max_bytes
        body = call.request.body
        question = (
            decode(body, EvaluationRequest, max_bytes=limit) if strict else decode_leniently(body, max_bytes=limit)
        )
        alone = call.request.alone
        return Response(200, encode(await self._decide(question, call.caller, call.request_id, alone=alone)))

    async def evaluate_batch(self, call: Call) -> Response:
        """Decide many questions; without an ``evaluations`` member, one."""
        strict = is_strict(call.request.prefer)
        asked = evaluations.read(call.request.body, max_bytes=call.route.max_bytes, strict=strict)
        if isinstance(asked, EvaluationRequest):
            return Response(200, encode(await self._decide(asked, call.caller, call.request_id)))

        def decide(question: EvaluationRequest, number: int) -> Awaitable[EvaluationResponse]:
            # Each question needs an id of its own, or the second would be taken for a repetition of the first.
            request_id = None if call.request_id is None else f"{call.request_id}#{number}"
            return self._decide(question, call.caller, request_id)

        return Response(200, encode(await evaluations.decide_all(asked, decide)))

    async def _decide(
        self, question: EvaluationRequest, caller: Identity, request_id: str | None, *, alone: bool = False
    ) -> EvaluationResponse:
        counts = self._counts
        if self.stopping:
            return _silence(Reason.STOPPING, "the authority is stopping", question, request_id)
        if counts.in_flight >= self._max_in_flight:
            return _silence(Reason.OVERLOADED, "too many decisions wait for their record", question, request_id)
        started = time.perf_counter()
        counts.in_flight += 1
        try:
            answer = await self._operations.evaluate(question, caller, request_id, alone=alone)
        finally:
            counts.in_flight -= 1
        counts.count_decision(answer.context.outcome, time.perf_counter() - started)
        return answer

    async def redeem(self, call: Call) -> Response:
        """Use up a permit."""
        return Response(200, encode(await self._operations.redeem(typed(call), call.caller)))

    async def report_outcome(self, call: Call) -> Response:
        """Record an outcome."""
        return Response(200, encode(await self._operations.report_outcome(typed(call), call.caller)))

    async def observe(self, call: Call) -> Response:
        """Tell what entered a task."""
        task = require_name(call.parameters["id"], "task id")
        return Response(200, encode(await self._operations.observe(task, typed(call), call.caller)))

    async def capture(self, call: Call) -> Response:
        """Record something other than a decision."""
        return Response(200, encode(await self._operations.capture(typed(call), call.caller)))

    async def record_batches(self, call: Call) -> Response:
        """Record batches of items. Their bytes go on as they came: the authority parses them off the event loop.

        Also while stopping, as outcomes are: what a collector hands in has happened already.
        """
        return Response(200, encode(await self._operations.record_batches(call.request.body, call.caller)))


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
