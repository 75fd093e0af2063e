"""One question of an adapter: as it was put, then with its arguments frozen, then as it was answered."""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sealgate.integrations import verdicts
from sealgate.integrations.narrowing import Narrow
from sealgate.integrations.verdicts import Ticket, Verdict
from sealgate.sdk import calls, enforcement, flows, tracing
from sealgate.sdk.answers import Obligation
from sealgate.sdk.arguments import Frozen, NotJson, encode, freeze
from sealgate.sdk.core import Core
from sealgate.sdk.drafts import Draft
from sealgate.sdk.enforcement import Grant, Rules
from sealgate.sdk.errors import ActionNotRun, ArgumentsRefused


class _NeverRan(BaseException):  # a BaseException is reported as cancelled
    """The permitted body was never run."""


def never_ran(tool: str) -> BaseException:
    """Return the error of a permitted body that was never run."""
    return _NeverRan(tool)


class Asked:
    """One question as the adapter put it. Making one never raises."""

    def __init__(
        self,
        framework: str,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        call_id: str | None = None,
        agent: str | None = None,
        session: str | None = None,
        server: str | None = None,
        on_behalf_of: Iterable[str] = (),
        rationale: str | None = None,
    ) -> None:
        self.framework = framework
        self.tool = tool
        self.arguments = arguments
        self.call_id = call_id
        self.agent = agent
        self.session = session
        self.server = server
        self.on_behalf_of = tuple(on_behalf_of)
        self.rationale = rationale

    def refusal(self, error: Exception) -> Verdict:
        """Return what a gate that failed says."""
        if isinstance(error, ActionNotRun):
            return verdicts.refused(self.tool, error, {}, self.call_id)
        return verdicts.failed_gate(self.tool, error, {}, self.call_id)


class Prepared:
    """One question with its arguments frozen."""

    def __init__(
        self, core: Core, span: tracing.Span, asked: Asked, server: str | None, narrow: Mapping[str, Narrow]
    ) -> None:
        self._core = core
        self._span = span
        self._asked = asked
        self._narrow = narrow
        self._arguments = frozen_arguments(asked.arguments)
        self._canonical = encode(self._arguments)
        handlers = {name: self._narrowing(name) for name in narrow}
        self._rules = Rules(asked.tool, server, obligations=handlers)

    def _narrowing(self, name: str) -> flows.Handler:
        def handler(obligation: Obligation, judged: dict[str, Any]) -> None:
            del judged  # as of before the first duty; each goes on from where the last one left
            self._arguments = frozen_arguments(self._narrow[name](obligation, self._arguments))

        return handler

    def reasoning(self, framework: str) -> Draft | None:
        """Return the reason that the model gave as a claim to record, if it gave one."""
        if not self._asked.rationale:
            return None
        name = f"{framework}: {self._asked.tool}"
        attributes = {"name": calls.claim(name, 256), "rationale": calls.claim(self._asked.rationale)}
        return Draft("reasoning", attributes, self._span, status="ok")

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Stand where the call stands, while the authority is asked."""
        token = tracing.enter(self._span)
        try:
            yield
        finally:
            tracing.leave(token)

    def flow(self) -> flows.Flow[Grant]:
        """Return what is asked, in its order."""
        passed = inspect.Signature().bind()
        return enforcement.before(self._core, self._rules, Frozen(self._canonical, passed, lambda: True))

    def verdict(self, grant: Grant) -> Verdict:
        """Return the answer to the adapter."""
        if grant.after:
            # A duty on the result: no adapter can promise it, so the permit goes unused.
            self._core.run(enforcement.failed(grant, never_ran(self._asked.tool)))
            raise ArgumentsRefused("the permit asks for a duty on the result, which adapters cannot fulfil")
        ticket = Ticket(grant, self._asked.tool, calls.digest(self._canonical), digest_of(self._arguments))
        return Verdict("permit", "", self._arguments, self._asked.tool, self._asked.call_id, ticket=ticket)


def frozen_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of ours of JSON arguments.

    Raises:
        ArgumentsRefused: they have no exact JSON form.
    """
    try:
        copy: dict[str, Any] = freeze(dict(arguments))
    except (NotJson, RuntimeError, TypeError) as error:
        raise ArgumentsRefused(f"the arguments cannot be judged: {error}", hint="use JSON values") from error
    return copy


def digest_of(arguments: Mapping[str, Any]) -> str:
    """Return the digest of arguments, frozen first. Raises as ``frozen_arguments``."""
    return calls.digest(encode(frozen_arguments(arguments)))


def arguments_digest(arguments: Mapping[str, Any]) -> str | None:
    """Return the digest that a ticket names its arguments by, or None where they have none."""
    try:
        return digest_of(arguments)
    except ArgumentsRefused:
        return None
