"""Keeps session facts: what entered each task, as fingerprints, and what was decided in it.

A task belongs to the agent that works on it, so that no other agent can vouch for its values. Bounded: the longest idle
task is forgotten first, any after a day. What was forgotten or lost in a restart comes back *not whole*: its classes,
sources, tools and counts are restored from records, and values that are unknown then count as untrusted.
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from sealgate.model.records import Kind
from sealgate.policy.plans import Kept as Reads
from sealgate.policy.session import PROVENANCE, SESSION, UNKNOWN, Kept, TaskFacts

MAX_TASKS: Final = 4096
"""Tasks kept at once."""

MAX_FORGOTTEN: Final = 16_384
"""Tasks remembered as forgotten within a day; past that every new task counts as one of them for a day."""

IDLE_MS: Final = 86_400_000
"""How long a task is kept without anything happening in it."""

_SALT_BYTES: Final = 32
OBSERVATION: Final = "observation"
"""The member of a captured record's data that says what entered."""

Key = tuple[str, str]
"""Agent and task."""


class Observation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a record keeps of an observation: never a value, never a fingerprint."""

    origin: str
    source: str | None = None
    classification: str | None = None
    values: int = 0
    text_chars: int = 0
    asked: list[str] = []


class Sessions:
    """The facts of all tasks. One event loop owns it."""

    def __init__(self, *, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._entropy = entropy
        self._tasks: OrderedDict[Key, TaskFacts] = OrderedDict()
        self._forgotten: OrderedDict[Key, Kept] = OrderedDict()
        self.lost_until_ms = 0
        """Until then a task that is not known may be one that was forgotten."""

    def __len__(self) -> int:
        return len(self._tasks)

    def of(self, agent: str, task: str, now_ms: int) -> TaskFacts:
        """Return a task's facts, a new task's where it is not known."""
        key = (agent, task)
        facts = self._tasks.get(key)
        if facts is not None and now_ms - facts.last_ms <= IDLE_MS:
            self._tasks.move_to_end(key)
            return facts
        if facts is not None:  # as after a restart: a clock that jumped must not turn it into a new task
            self._forgotten[key] = self._tasks.pop(key).kept(*key)
        facts = self._new(key, now_ms)
        facts.last_ms = max(facts.last_ms, now_ms)
        self._tasks[key] = facts
        while len(self._tasks) > MAX_TASKS:
            self._forget(next(iter(self._tasks)), now_ms)
        return facts

    def _new(self, key: Key, now_ms: int) -> TaskFacts:
        salt = self._entropy(_SALT_BYTES)
        kept = self._forgotten.pop(key, None)
        if kept is not None:
            return TaskFacts.restored(kept, salt)
        return TaskFacts(salt, whole=now_ms >= self.lost_until_ms)

    def _forget(self, key: Key, now_ms: int) -> None:
        facts = self._tasks.pop(key)
        if now_ms - facts.last_ms > IDLE_MS:
            return
        self._forgotten[key] = facts.kept(*key)
        if len(self._forgotten) > MAX_FORGOTTEN:
            _, oldest = self._forgotten.popitem(last=False)
            if now_ms - oldest.last_ms <= IDLE_MS:
                self.lost_until_ms = oldest.last_ms + IDLE_MS

    def kept(
        self, agent: str, task: str | None, reads: Reads, arguments: dict[str, Any], now_ms: int
    ) -> dict[str, Any]:
        """Return the part of a task's facts that policies read, in the form of ``PolicyRequest.kept``."""
        facts = UNKNOWN if task is None else self.of(agent, task, now_ms)
        found: dict[str, Any] = {}
        if reads.session:
            found[SESSION] = facts.session(now_ms)
        if reads.arguments is None or reads.arguments:
            found[PROVENANCE] = facts.provenance(arguments, reads.arguments)
        return found

    def decided(self, agent: str, task: str, tool: str, now_ms: int, *, permitted: bool) -> None:
        """Count a recorded decision."""
        self.of(agent, task, now_ms).decided(tool, now_ms, permitted=permitted)

    def replayed(self, body: dict[str, Any], now_ms: int) -> None:
        """Take in a decision's or an observation's record: the task is known, but not what it had seen."""
        agent, task = body["agent"], body["task_id"]
        if agent is None or task is None:
            return
        if body["kind"] == Kind.DECISION:
            permitted = body["decision"]["outcome"] == "PERMIT"
            self._replay(agent["id"], task, now_ms).decided(body["tool"]["name"], now_ms, permitted=permitted)
            return
        observation = read_observation(body)
        if observation is not None:
            self._replay(agent["id"], task, now_ms).observed(
                observation.origin,  # type: ignore[arg-type]  # as it was checked before it was recorded
                now_ms,
                source=observation.source,
                classification=observation.classification,
                asked=observation.asked,
            )

    def _replay(self, agent: str, task: str, now_ms: int) -> TaskFacts:
        facts = self.of(agent, task, now_ms)
        facts.prints.whole = False
        return facts

    def dump(self) -> list[Kept]:
        """Return what survives a restart, for a snapshot; the longest idle first."""
        return [*self._forgotten.values(), *(facts.kept(*key) for key, facts in self._tasks.items())]

    def load(self, dumped: Iterable[Kept]) -> None:
        """Take over a snapshot: none of these tasks is whole."""
        for kept in dumped:
            self._forgotten[kept.agent, kept.task] = kept


def read_observation(body: dict[str, Any]) -> Observation | None:
    """Return the observation that a captured record tells of, or None."""
    text = body.get("data_json") or ""
    if f'"{OBSERVATION}"' not in text:
        return None
    try:
        return msgspec.convert(msgspec.json.decode(text).get(OBSERVATION), Observation)
    except (msgspec.DecodeError, msgspec.ValidationError, AttributeError):
        return None  # somebody's own data of that name, from before the name was ours
