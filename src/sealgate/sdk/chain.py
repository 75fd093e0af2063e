"""One call for every link of the decision chain. Both clients and the default client offer these same methods.

``Chain`` is generic over what a call returns: the plain client's calls return when the item is durable, the awaiting
client's return an awaitable.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar

from sealgate.sdk import drafts, observing, tracing
from sealgate.sdk.core import Core
from sealgate.sdk.drafts import Attributes, Draft, Tool
from sealgate.sdk.observed_calls import Authorized, ModelCall, ToolCall
from sealgate.sdk.observing import Origin
from sealgate.sdk.scopes import Session, Step, Task

T_co = TypeVar("T_co", covariant=True)


class Chain(Generic[T_co]):
    """Records the links of the chain. Every call raises SpoolFull or SpoolUnusable rather than lose an item."""

    _core_of: Callable[[], Core]
    _capture: Callable[[Draft], T_co]

    def _record(
        self,
        kind: str,
        attributes: Attributes,
        *,
        error: BaseException | str | None = None,
        classification: str | None = None,
        entered: tuple[Origin, Any, str | None] | None = None,
    ) -> T_co:
        status, span = drafts.status_of(error), tracing.next_span()
        told = None
        if entered is not None and span.observe:
            origin, content, source = entered
            agent = self._core_of().agent(span)
            told = observing.wanted(agent, span, origin, content, source=source, classification=classification)
        draft = Draft(kind, attributes, span, status=status, classification=classification, observation=told)
        return self._capture(draft)

    def session(
        self,
        *,
        id: str | None = None,  # noqa: A002  # the word of the API
        user: str | None = None,
        agent: str | None = None,
        framework: str | None = None,
        framework_version: str | None = None,
    ) -> Session:
        """Return the context manager of one session: a conversation or run, of any number of tasks."""
        return Session(
            self._core_of(), id=id, user=user, agent=agent, framework=framework, framework_version=framework_version
        )

    def task(
        self,
        goal: str = "",
        *,
        id: str | None = None,  # noqa: A002  # the word of the API
        agent: str | None = None,
        traceparent: str | None = None,
        on_behalf_of: Sequence[str] = (),
        delegation: str | None = None,
        managed: bool = False,
        expires_in_s: int | None = None,
        observe: bool = False,
    ) -> Task:
        """Return the context manager of one task; a ``managed`` one starts and ends at the authority too.

        With ``observe`` the contents of ``input_received`` and ``context_retrieved`` and the outputs of guarded
        functions are told to the authority as well, which keeps fingerprints of them (see ``Task.observe``).
        """
        return Task(
            self._core_of(),
            goal,
            id=id,
            agent=agent,
            traceparent=traceparent,
            on_behalf_of=on_behalf_of,
            delegation=delegation,
            managed=managed,
            expires_in_s=expires_in_s,
            observe=observe,
        )

    def step(self, name: str, rationale: str = "") -> Step:
        """Return the context manager of one reasoning step, the parent of the calls it leads to."""
        return Step(self._core_of(), name, rationale)

    def model_call(
        self,
        model: str,
        *,
        provider: str | None = None,
        operation: str = "chat",
        template: str | None = None,
        template_id: str | None = None,
        variables: Mapping[str, Any] | None = None,
        input: Any = None,  # noqa: A002  # the word of the API
        parameters: Mapping[str, Any] | None = None,
    ) -> ModelCall:
        """Return the context manager of one question to a model; tell its ``output`` inside."""
        return ModelCall(
            self._core_of(),
            model,
            provider=provider,
            operation=operation,
            template=template,
            template_id=template_id,
            variables=variables,
            input=input,
            parameters=parameters,
        )

    def tool_call(  # a record of a tool invocation has all these
        self,
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
    ) -> ToolCall:
        """Return the context manager of one call of a tool that the gate does not judge; tell its ``output`` inside."""
        return ToolCall(
            self._core_of(),
            tool,
            arguments,
            call_id=call_id,
            tool_type=tool_type,
            resource=resource,
            user=user,
            permissions_used=permissions_used,
            permissions_denied=permissions_denied,
            classification=classification,
            systems=systems,
            subjects=subjects,
            authorized=authorized,
            retention_class=retention_class,
        )

    def input_received(
        self,
        content: Any,
        *,
        channel: str | None = None,
        source: str | None = None,
        user: str | None = None,
        trusted: bool | None = None,
    ) -> T_co:
        """Record that somebody or something spoke to the agent: ``content`` by digest and size."""
        return self._record(
            "input.received",
            drafts.known(content=drafts.raw(content), channel=channel, source=source, user=user, trusted=trusted),
            # Only what is said to be the person's own request is: any other input may be somebody else's words.
            entered=("person" if trusted is True else "untrusted", content, source),
        )

    def context_retrieved(
        self,
        source: str,
        *,
        query: Any = None,
        documents: Sequence[Any] | None = None,
        rows: Sequence[Any] | None = None,
        messages: Sequence[Any] | None = None,
        trusted: bool | None = None,
        classification: str | None = None,
    ) -> T_co:
        """Record what the agent read: how many documents, rows or messages, each by digest and size."""
        attributes = drafts.retrieved(
            source,
            query=query,
            documents=documents,
            rows=rows,
            messages=messages,
            trusted=trusted,
            classification=classification,
        )
        content = next((found for found in (documents, rows, messages) if found is not None), None)
        origin: Origin = "trusted" if trusted is True else "untrusted"
        entered = (origin, None if content is None else list(content), source)
        return self._record("context.retrieved", attributes, classification=classification, entered=entered)

    def fallback(
        self,
        primary: str,
        alternative: str,
        *,
        reason: str | None = None,
        attempt: int | None = None,
        error: BaseException | str | None = None,
    ) -> T_co:
        """Record that something failed or was refused and another thing was done instead."""
        attributes = drafts.known(
            primary=primary, alternative=alternative, reason=reason, attempt=attempt, error=drafts.failure(error)
        )
        return self._record("fallback", attributes, error=error)

    def error(
        self, error: BaseException | str, *, where: str | None = None, handled: bool | None = None, detail: Any = None
    ) -> T_co:
        """Record an error that the agent met; ``detail`` (a stack, a response) by digest and size."""
        attributes = drafts.known(error=drafts.failure(error), where=where, handled=handled, detail=drafts.raw(detail))
        return self._record("error", attributes, error=error)

    def log_event(
        self, event_type: str, data: Mapping[str, Any] | None = None, *, level: drafts.Level | str = "info"
    ) -> T_co:
        """Record anything else worth keeping; durable on this machine when this returns."""
        attributes = drafts.event(event_type, level, data)
        return self._record("event.logged", attributes, error="" if level in ("error", "critical") else None)

    def declare_coverage(
        self,
        system: str,
        state: Literal["enforced", "observed", "known_gap", "unknown"],
        *,
        agents: Sequence[str] = (),
        note: str | None = None,
    ) -> T_co:
        """Record which system is enforced, only observed, a known gap, or unknown."""
        attributes = drafts.known(system=system, state=state, agents=drafts.texts(agents), note=note)
        return self._record("coverage.declared", attributes)
