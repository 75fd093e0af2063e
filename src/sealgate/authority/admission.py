"""The first checks on a question, and its frozen arguments: steps 1 and 3 of the path of a decision (``gate``).

What is refused here is an error, not a decision: nothing is decided for strangers, and nothing about what cannot be
bound to exact bytes.
"""

import hmac
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import structs

from sealgate.authority import answers
from sealgate.authority.approval_requests import Opened
from sealgate.authority.delegations import FACT, Delegations
from sealgate.authority.idempotency import Remembered
from sealgate.authority.rulebook import Rulebook
from sealgate.authority.state import Memory
from sealgate.encoding import base64url, canonical
from sealgate.model.errors import InputError, NotPermittedError
from sealgate.model.evaluation import EvaluationRequest, Identity
from sealgate.model.identifiers import require_name
from sealgate.policy.stub import TOOL_FACTS


class Asked(msgspec.Struct):
    """A request that passed the first checks, with its frozen arguments."""

    request: EvaluationRequest
    caller: Identity
    request_id: str | None
    arguments: bytes
    arguments_sha256: bytes
    trace: dict[str, Any] | None
    remembered_as: bytes | None
    input_digest: bytes = b""
    chain: tuple[str, ...] = ()
    opened: Opened | None = None
    tool: dict[str, Any] = {}
    """What the supply chain says of the tool now: policies see it, and the record keeps it."""
    kept: dict[str, Any] | None = None
    """What the policies saw of the authority's own facts; None where none of them reads any."""


class Admission:
    """Lets questions in."""

    def __init__(self, memory: Memory, delegations: Delegations, rulebook: Callable[[], Rulebook | None]) -> None:
        self._memory = memory
        self._delegations = delegations
        self._rulebook = rulebook

    def admit(self, request: EvaluationRequest, caller: Identity, request_id: str | None) -> Asked:
        """Return the question with its arguments frozen.

        Raises:
            InputError: a name, trace context or argument is not acceptable.
            NotPermittedError: the caller may not speak for the subject.
        """
        agent = require_name(request.subject.id, "subject id")
        require_name(request.action.name, "action name")
        require_name(request.resource.id, "resource id")
        if not caller.speaks_for(agent):
            raise NotPermittedError(
                f"`{caller.principal}` may not speak for agent `{agent}`",
                code="subject-not-allowed",
                hint="list the agent under this identity in the configuration",
            )
        context = request.context
        if context.task is not None:
            require_name(context.task.id, "task id")
        for delegator in context.on_behalf_of:
            require_name(delegator, "delegator")
        if context.asked_by is not None:
            require_name(context.asked_by.principal, "principal of `asked_by`")
            require_name(context.asked_by.proof, "proof of `asked_by`")
        chain: tuple[str, ...] = ()
        if FACT in context.facts:
            raise InputError(f"fact `{FACT}` is the authority's to say", hint="send `context.delegation`")
        if context.delegation is not None or context.on_behalf_of:
            rulebook = self._rulebook()
            offered = rulebook is not None and rulebook.offers(FACT)
            request, chain = self._delegations.prepare(request, offered=offered)
        request_id = request_id or context.request_id
        if request_id is not None:
            require_name(request_id, "request id")
        arguments = canonical.encode_arguments(context.input)
        if TOOL_FACTS in context.facts:
            raise InputError("the fact `tool` is the authority's own", hint="leave it out")
        tool = self._memory.supply.about(request.action.name, request.resource.id, agent)
        if tool:
            facts = {**context.facts, TOOL_FACTS: tool}
            request = structs.replace(request, context=structs.replace(context, facts=facts))
        return Asked(
            request,
            caller,
            request_id,
            arguments,
            canonical.sha256(arguments),
            answers.trace(context.traceparent, context.parent_span_id),
            Remembered.key(agent, request_id) if request_id else None,
            chain=chain,
            tool=tool,
        )


def same_question(asked: Asked, body: dict[str, Any]) -> bool:
    """Tell whether a decision's body records this very question."""
    salt = base64url.decode(body["salt"])
    digest = base64url.encode(canonical.salted_digest(salt, asked.arguments_sha256))
    request = asked.request
    return (
        hmac.compare_digest(digest, body["input_digest"])
        and body["tool"]["name"] == request.action.name
        and body["resource"] == {"type": request.resource.type, "id": request.resource.id}
        and body["agent"]["id"] == request.subject.id
    )
