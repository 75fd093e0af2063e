"""Asks the authority for each thing a call does, remembers the permits, reports the outcome. Uses only the SDK.

A call runs only if everything it does is permitted; where one thing is not, the permits that were already given for
it are reported as cancelled. Permits are redeemed with the decision. A permit whose call never ends (the user said no
to the host, the host was closed, the daemon was restarted) is left to the authority, which records it as unknown.
"""

import hashlib
import os
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final

from sealgate.hooks import outputs
from sealgate.hooks.events import Event, digestible, read_event
from sealgate.hooks.outputs import Output
from sealgate.hooks.settings import HookSettings
from sealgate.hooks.tools import Act, acts
from sealgate.model.errors import SealgateError
from sealgate.sdk import Client, Decision, tracing
from sealgate.sdk.arguments import encode
from sealgate.sdk.calls import Question, Status
from sealgate.sdk.errors import ActionNotRun, Silence
from sealgate.sdk.flows import fulfil, require

MAX_OPEN_CALLS: Final = 4096
"""Permitted calls whose end is awaited; the oldest are forgotten, their outcome is then unknown."""

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Open:
    """A call that may run now."""

    decisions: tuple[Decision, ...]
    started_ns: int


def resolve(folder: str, name: str) -> str:
    """Return the absolute path that a name stands for now, symbolic links followed."""
    return os.path.realpath(os.path.join(folder or "/", os.path.expanduser(name)))  # noqa: PTH111, PTH118  # not bent


class Judge:
    """One for all hosts of a user. Safe to share between threads."""

    def __init__(self, client: Client, *, chosen: HookSettings) -> None:
        self._client = client
        self._chosen = chosen
        self._lock = threading.Lock()
        self._open: OrderedDict[Key, list[Open]] = OrderedDict()

    def answer(self, host: str, phase: str, data: bytes) -> Output:
        """Return what the hook program does about one event. Never raises: a failure of ours is a refusal."""
        try:
            event = read_event(host, phase, data)
            return self._after(event) if event.phase == "after" else self._before(event)
        except SealgateError as error:
            return _unable(host, phase, error.message)
        except Exception as error:  # noqa: BLE001  # whatever it is, the tool does not run
            return _unable(host, phase, type(error).__name__)

    def _before(self, event: Event) -> Output:
        asked = acts(event, resolve)
        decisions: list[Decision] = []
        try:
            for act in asked:
                decisions.append(self._ask(event, act))  # noqa: PERF401  # those before a refusal count
        except ActionNotRun as refused:
            self._report(Open(tuple(decisions), time.monotonic_ns()), "cancelled", None)
            if event.host == "claude" and self._chosen.on_approval == "defer" and _needs_approval(refused):
                return outputs.deferral(_reason(refused))
            return outputs.refusal(event.host, _reason(refused))
        self._remember(event, Open(tuple(decisions), time.monotonic_ns()))
        return outputs.permit(event.host, self._chosen.on_permit, "permitted by sealgate")

    def _ask(self, event: Event, act: Act) -> Decision:
        span = tracing.next_span()
        if event.session:
            span = replace(span, task_id=event.session[:200], session_id=event.session[:200])
        asked = Question(
            self._chosen.agents.get(event.host, event.host), act.tool, act.server[:200], encode(act.arguments), {}
        )
        core = self._client.core
        decision = require(core.run(core.decide(asked, span, redeem=True)), act.tool)
        try:
            fulfil(decision, core.obligations, lambda: dict(act.arguments))
        except ActionNotRun:
            self._report(Open((decision,), time.monotonic_ns()), "cancelled", None)
            raise
        return decision

    def _remember(self, event: Event, call: Open) -> None:
        with self._lock:
            self._open.setdefault(_key(event), []).append(call)
            while len(self._open) > MAX_OPEN_CALLS:
                self._open.popitem(last=False)

    def _after(self, event: Event) -> Output:
        with self._lock:
            waiting = self._open.get(_key(event), [])
            call = waiting.pop(0) if waiting else None
            if not waiting:
                self._open.pop(_key(event), None)
        if call is None:
            return outputs.noted("the outcome belongs to no permit that is known here")
        self._report(call, "failed" if event.failed else "succeeded", event)
        return outputs.noted()

    def _report(self, call: Open, status: Status, event: Event | None) -> None:
        output = digestible(event.result) if event is not None and event.result is not None else None
        duration_ms = (time.monotonic_ns() - call.started_ns) // 1_000_000
        for decision in call.decisions:
            try:
                self._client.report(
                    decision,
                    status,
                    duration_ms=duration_ms,
                    output_sha256=None if output is None else hashlib.sha256(output).hexdigest(),
                    output_size_bytes=None if output is None else len(output),
                    error_type="ToolFailed" if status == "failed" else None,
                )
            except SealgateError:
                continue  # neither delivered nor spooled: the authority will record it as unknown


def _key(event: Event) -> Key:
    """Name a call: by the host's own id, else by what is called (calls that are equal end in the order they began)."""
    call = event.call_id or f"{event.tool}:{hashlib.sha256(digestible(event.arguments)).hexdigest()}"
    return event.host, event.session, call


def _needs_approval(refused: ActionNotRun) -> bool:
    return isinstance(refused, Silence) and refused.decision.reason == "approval_required"


def _reason(refused: ActionNotRun) -> str:
    """Return what the model is told."""
    text = f"sealgate: {refused}"
    if not isinstance(refused, Silence) or not _needs_approval(refused):
        return text
    asked = refused.decision.approval
    ticket = asked.id if asked else refused.decision.record_id
    return (
        f"sealgate: this needs a person's approval (ticket {ticket}). Do not try another way. "
        f"After the approval make exactly the same call again. {refused.message}"
    )


def _unable(host: str, phase: str, problem: str) -> Output:
    if phase == "after":
        return outputs.noted(problem)
    if host in outputs.HOSTS:
        return outputs.refusal(host, f"sealgate: no decision, so the tool does not run: {problem}")
    return Output(2, stderr=f"sealgate: no decision, so the tool does not run: {problem}\n".encode())
