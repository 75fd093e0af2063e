"""Calls of models and tools that do not pass the gate, recorded with their duration and what became of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from sealgate.sdk import drafts
from sealgate.sdk.core import Core
from sealgate.sdk.drafts import Draft, Raw, Tool
from sealgate.sdk.scopes import Scope, outcome_of

_OUTCOMES: Final = {"completed": "succeeded", "failed": "failed", "cancelled": "cancelled"}


class ModelCall(Scope):
    """One question to a model. Records ``model.call`` when it ends, with duration and status.

    Call ``output`` inside with what came back.
    """

    def __init__(
        self,
        core: Core,
        model: str,
        *,
        provider: str | None = None,
        operation: str = "chat",
        template: str | None = None,
        template_id: str | None = None,
        variables: Mapping[str, Any] | None = None,
        input: Any = None,  # noqa: A002  # the word of the API
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self._told = drafts.known(
            model=model,
            provider=provider,
            operation=operation,
            template=drafts.raw(template),
            template_id=template_id,
            variables={str(name)[:200]: Raw(value) for name, value in (variables or {}).items()},
            input=drafts.raw(input),
            parameters=dict(parameters or {}),
        )
        super().__init__(core)

    def output(
        self,
        value: Any,
        *,
        tokens: Mapping[str, int] | None = None,
        finish_reasons: Sequence[str] = (),
        tool_calls: Sequence[str] = (),
        response_model: str | None = None,
        response_id: str | None = None,
    ) -> None:
        """Tell what the model answered, parsed; ``tokens`` as input, output, cache_read, cache_creation, reasoning."""
        self._told |= drafts.known(
            output=drafts.raw(value),
            tokens=dict(tokens or {}),
            finish_reasons=drafts.texts(finish_reasons),
            tool_calls=drafts.texts(tool_calls),
            response_model=response_model,
            response_id=response_id,
        )

    def _ended(self, error: BaseException | None) -> Draft:
        attributes = self._told | drafts.known(error=drafts.failure(error))
        return replace(self._draft("model.call", attributes, error), duration_ms=self._duration_ms())


@dataclass(frozen=True, slots=True)
class Authorized:
    """Why a call outside of the gate was allowed, as far as the caller knows; ``proof`` names a record or receipt."""

    method: Literal["policy", "human_approval", "just_in_time", "none"] | None = None
    decision: Literal["PERMIT", "DENY", "SILENCE"] | None = None
    decision_id: str | None = None
    rules: Sequence[str] = ()
    policy_version: str | None = None
    proof: str | None = None

    def members(self) -> drafts.Attributes:
        """Return the members of the structure."""
        return drafts.known(
            method=self.method,
            decision=self.decision,
            decision_id=self.decision_id,
            rules=drafts.texts(self.rules),
            policy_version=self.policy_version,
            proof=self.proof,
        )


class ToolCall(Scope):
    """One call of a tool that the gate did not judge. Records ``tool.call`` before it and ``tool.outcome`` after it.

    Call ``output`` inside with the result, and ``touched`` with what is only known then.
    """

    def __init__(
        self,
        core: Core,
        tool: str | Tool,
        arguments: Any = None,
        *,
        call_id: str | None = None,
        tool_type: str | None = None,
        resource: tuple[str, str] | None = None,
        user: str | None = None,
        permissions_used: Sequence[str] = (),
        permissions_denied: Sequence[str] = (),
        classification: str | None = None,
        systems: Sequence[str] = (),
        subjects: Sequence[str] = (),
        authorized: Authorized | None = None,
        retention_class: str | None = None,
    ) -> None:
        self._tool = Tool(tool) if isinstance(tool, str) else tool
        self._call_id = call_id
        self._classification = classification
        self._told = drafts.known(
            tool=self._tool.members(),
            call_id=call_id,
            tool_type=tool_type,
            resource={"type": resource[0], "id": resource[1]} if resource else None,
            input=drafts.raw(arguments),
            user=user,
            permissions=drafts.permissions(permissions_used, permissions_denied),
            data=drafts.data(classification, systems, subjects),
            authorization=authorized.members() if authorized else None,
            retention_class=retention_class,
        )
        self._after: drafts.Attributes = {}
        super().__init__(core)

    def output(self, value: Any) -> None:
        """Tell what the tool returned."""
        self._after |= drafts.known(output=drafts.raw(value))

    def touched(
        self,
        *,
        permissions_used: Sequence[str] = (),
        permissions_denied: Sequence[str] = (),
        classification: str | None = None,
        systems: Sequence[str] = (),
        subjects: Sequence[str] = (),
    ) -> None:
        """Tell what the call turned out to use and touch."""
        self._after |= drafts.known(
            permissions=drafts.permissions(permissions_used, permissions_denied),
            data=drafts.data(classification, systems, subjects),
        )

    def _begun(self) -> Draft:
        return replace(self._draft("tool.call", self._told), status=None, classification=self._classification)

    def _ended(self, error: BaseException | None) -> Draft:
        outcome = "timed_out" if isinstance(error, TimeoutError) else _OUTCOMES[outcome_of(error)]
        attributes = self._after | drafts.known(
            call_item_id=self.item_id,
            call_id=self._call_id,
            tool=self._tool.name,
            outcome=outcome,
            error=drafts.failure(error),
        )
        return replace(self._draft("tool.outcome", attributes, error), duration_ms=self._duration_ms())
